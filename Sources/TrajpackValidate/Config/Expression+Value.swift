extension Expression {
  /// A value on the stack.
  enum Value {
    /// NaN where it is not known; of a condition 0 for false.
    case number(Double)
    /// A whole number, where channels of 64 bits are among the references: a float64 does not tell all of them apart.
    case whole(Int128)

    var number: Double {
      switch self {
      case .number(let x): x
      case .whole(let x): Expression.number(x)
      }
    }
  }

  /// The rows of a channel, or of an element of it: row 0, and maybe rows before it.
  struct Column {
    /// What was not observed is NaN.
    var numbers: UnsafePointer<Double>
    /// The same, where they are whole numbers of 64 bits.
    var wholes: WholeNumbers?

    fileprivate func value(_ row: Int) -> Value {
      guard let wholes, !numbers[row].isNaN else { return .number(numbers[row]) }
      return .whole(wholes[row])
    }
  }

  /// Goes through the rows in which it does not hold.
  ///
  /// - Parameters:
  ///   - columns: Of each of the references.
  ///   - before: How many rows lie before row 0.
  func forEachBroken(
    _ columns: [Column], count: Int, before: Int, _ body: (_ row: Int) -> Void
  ) {
    let isExact = columns.contains { $0.wholes != nil }
    withUnsafeTemporaryAllocation(of: Value.self, capacity: steps.count) { stack in
      columns.withUnsafeBufferPointer { columns in
        for row in 0..<count {
          let truth = value(row, isFirst: row == -before, columns, isExact, stack)
          if truth == 0 { body(row) }
        }
      }
    }
  }

  private func value(
    _ row: Int, isFirst: Bool, _ columns: UnsafeBufferPointer<Column>, _ isExact: Bool,
    _ stack: UnsafeMutableBufferPointer<Value>
  ) -> Double {
    var top = -1
    for step in steps {
      switch step {
      case .number(let x):
        top += 1
        stack[top] = .number(x)
      case .whole(let x):
        top += 1
        stack[top] = isExact ? .whole(x) : .number(Self.number(x))
      case .channel(let number):
        top += 1
        stack[top] = columns[number].value(row)
      case .change(let number):
        top += 1
        stack[top] =
          isFirst
          ? .number(.nan)
          : Self.result(.subtract, columns[number].value(row), columns[number].value(row - 1))
      case .unary(let how): stack[top] = Self.result(how, stack[top])
      case .binary(let how):
        top -= 1
        stack[top] = Self.result(how, stack[top], stack[top + 1])
      case .chain(let how): stack[top - 1] = Self.result(how, stack[top - 1], stack[top])
      }
    }
    return stack[0].number
  }

  /// The nearest float64. That of 128 bits is made digit by digit, in half a microsecond.
  fileprivate static func number(_ x: Int128) -> Double {
    if let x = Int64(exactly: x) { return Double(x) }
    return UInt64(exactly: x).map { Double($0) } ?? Double(x)
  }

  private static func result(_ how: Unary, _ value: Value) -> Value {
    if how != .not, case .whole(let x) = value, x != .min {
      return .whole(how == .minus ? -x : abs(x))
    }
    let x = value.number
    switch how {
    case .minus: return .number(-x)
    case .abs: return .number(x.magnitude)
    case .not: return .number(x.isNaN ? x : x == 0 ? 1 : 0)
    }
  }

  private static func result(_ how: Binary, _ left: Value, _ right: Value) -> Value {
    if case .whole(let a) = left, case .whole(let b) = right, let exact = exact(how, a, b) {
      return exact
    }
    let (a, b) = (left.number, right.number)
    switch how {
    case .add: return .number(a + b)
    case .subtract: return .number(a - b)
    case .multiply: return .number(a * b)
    case .divide: return .number(a / b)
    // What decides is known even where the other is not.
    case .and: return .number(a == 0 || b == 0 ? 0 : a.isNaN || b.isNaN ? .nan : 1)
    case .or: return .number(holds(a) || holds(b) ? 1 : a.isNaN || b.isNaN ? .nan : 0)
    default: break
    }
    if a.isNaN || b.isNaN { return .number(.nan) }
    switch how {
    case .min: return .number(Swift.min(a, b))
    case .max: return .number(Swift.max(a, b))
    default: return .number(holds(how, a, b) ? 1 : 0)
    }
  }

  /// What comes of two whole numbers; `nil` where it is none, or has no room.
  private static func exact(_ how: Binary, _ a: Int128, _ b: Int128) -> Value? {
    let (x, isOver): (Int128, Bool)
    switch how {
    case .add: (x, isOver) = a.addingReportingOverflow(b)
    case .subtract: (x, isOver) = a.subtractingReportingOverflow(b)
    case .multiply: (x, isOver) = a.multipliedReportingOverflow(by: b)
    case .min: return .whole(Swift.min(a, b))
    case .max: return .whole(Swift.max(a, b))
    case .divide, .and, .or: return nil
    default: return .number(holds(how, a, b) ? 1 : 0)
    }
    return isOver ? nil : .whole(x)
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

  private static func holds(_ x: Double) -> Bool { !x.isNaN && x != 0 }
}
