extension Expression {
  /// Its value for a row and an element: 0 for false, NaN where it is not known.
  ///
  /// - Parameters:
  ///   - read: The value of a channel, and that of the row before.
  ///   - whole: The same of whole numbers of 64 bits, of which a float64 does not tell all apart; `nil` for all others.
  func value(
    _ node: Node, _ read: Reading<Double>, _ whole: Reading<Int64?>?
  ) -> Double {
    switch node {
    case .number(let x): return x
    case .whole(let x): return Double(x)
    case .channel(let number): return read(number, 0)
    case .change(let number):
      if let whole, let exact = Self.exact(node, whole) { return Double(exact) }
      return read(number, 0) - read(number, 1)
    case .unary(let how, let inner):
      let x = value(inner, read, whole)
      switch how {
      case .minus: return -x
      case .abs: return x.magnitude
      case .not: return x.isNaN ? x : x == 0 ? 1 : 0
      }
    case .binary(let how, let left, let right):
      if let whole, Binary.comparisons.contains(how.rawValue), let a = Self.exact(left, whole),
        let b = Self.exact(right, whole)
      {
        return Self.holds(how, a, b) ? 1 : 0
      }
      if let whole, let exact = Self.exact(node, whole) { return Double(exact) }
      let a = value(left, read, whole)
      let b = value(right, read, whole)
      switch how {
      // What decides is known even where the other is not.
      case .and: return a == 0 || b == 0 ? 0 : a.isNaN || b.isNaN ? .nan : 1
      case .or: return Self.holds(a) || Self.holds(b) ? 1 : a.isNaN || b.isNaN ? .nan : 0
      case .add: return a + b
      case .subtract: return a - b
      case .multiply: return a * b
      case .divide: return a / b
      case .min: return a.isNaN || b.isNaN ? .nan : Swift.min(a, b)
      case .max: return a.isNaN || b.isNaN ? .nan : Swift.max(a, b)
      default: break
      }
      return a.isNaN || b.isNaN ? .nan : Self.holds(how, a, b) ? 1 : 0
    }
  }

  private static func holds<Number: Comparable>(_ how: Binary, _ a: Number, _ b: Number) -> Bool {
    switch how {
    case .less: a < b
    case .atMost: a <= b
    case .more: a > b
    case .atLeast: a >= b
    case .equal: a == b
    default: a != b
    }
  }

  /// The value of a node that has whole numbers only; `nil` where it has others, or needs more than 64 bits.
  private static func exact(_ node: Node, _ read: Reading<Int64?>) -> Int64? {
    switch node {
    case .whole(let x): return x
    case .channel(let number): return read(number, 0)
    case .change(let number):
      guard let here = read(number, 0), let before = read(number, 1) else { return nil }
      let (x, isOver) = here.subtractingReportingOverflow(before)
      return isOver ? nil : x
    case .unary(let how, let inner):
      guard how != .not, let x = exact(inner, read), x != .min else { return nil }
      return how == .minus ? -x : abs(x)
    case .binary(let how, let left, let right):
      guard [.add, .subtract, .multiply, .min, .max].contains(how), let a = exact(left, read),
        let b = exact(right, read)
      else { return nil }
      let (x, isOver): (Int64, Bool)
      switch how {
      case .add: (x, isOver) = a.addingReportingOverflow(b)
      case .subtract: (x, isOver) = a.subtractingReportingOverflow(b)
      case .multiply: (x, isOver) = a.multipliedReportingOverflow(by: b)
      default: (x, isOver) = (how == .min ? Swift.min(a, b) : Swift.max(a, b), false)
      }
      return isOver ? nil : x
    case .number: return nil
    }
  }

  private static func holds(_ x: Double) -> Bool { !x.isNaN && x != 0 }
}
