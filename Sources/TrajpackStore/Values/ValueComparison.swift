import TrajpackFormat

/// Compares what two datasets know of their recordings.
struct ValueComparison {
  private let a: ValueTable
  private let b: ValueTable
  private let names: (String, String)
  private let all: [String]

  /// A comparison of two tables, called `names` in differences.
  init(_ a: ValueTable, _ b: ValueTable, names: (String, String)) {
    (self.a, self.b, self.names) = (a, b, names)
    all = a.names + b.names.filter { a[$0] == nil }
  }

  /// Values whose units or shapes are others: a sentence each.
  var fields: [String] {
    all.compactMap { name in
      guard let x = a[name]?.field, let y = b[name]?.field else { return nil }
      if let one = x.units, let two = y.units, one != two {
        return "value '\(name)' has the units '\(one)' in \(names.0) and '\(two)' in \(names.1)"
      }
      return nil
    }
  }

  /// What differs in an episode, a sentence each, and how many values were compared.
  func differences(_ left: Int, _ right: Int) -> (sentences: [String], values: Int) {
    var found: [String] = []
    var count = 0
    for name in all {
      let (x, y) = (a[name, left], b[name, right])
      if x == .missing, y == .missing { continue }
      count += max(Self.elements(x), Self.elements(y))
      guard !Self.isEqual(x, y) || a[name]?.field.shape != b[name]?.field.shape else { continue }
      switch (x, y) {
      case (_, .missing): found.append("value '\(name)' (\(Self.text(x))) is only in \(names.0)")
      case (.missing, _): found.append("value '\(name)' (\(Self.text(y))) is only in \(names.1)")
      default:
        found.append(
          "value '\(name)': \(Self.text(x)) in \(names.0), \(Self.text(y)) in \(names.1)")
      }
    }
    return (found, count)
  }

  private static func elements(_ value: EpisodeValue) -> Int {
    switch value {
    case .missing: 0
    case .numbers(let all): all.count
    case .integers(let all): all.count
    default: 1
    }
  }

  /// Whether two values are the same, whatever their types: the integer 3 is the number 3.
  private static func isEqual(_ x: EpisodeValue, _ y: EpisodeValue) -> Bool {
    func same(_ a: Double, _ b: Double) -> Bool { a == b || (a.isNaN && b.isNaN) }
    switch (x, y) {
    case (.integer(let n), .number(let z)), (.number(let z), .integer(let n)):
      return Int64(exactly: z) == n
    case (.integers(let all), .numbers(let others)), (.numbers(let others), .integers(let all)):
      return all.count == others.count && zip(all, others).allSatisfy { Int64(exactly: $1) == $0 }
    case (.numbers(let all), .numbers(let others)):
      return all.count == others.count && zip(all, others).allSatisfy(same)
    default: return x == y
    }
  }

  private static func text(_ value: EpisodeValue) -> String {
    let text = value.plainText
    let short = text.count > 60 ? "\(text.prefix(60))…" : text
    if case .text = value { return "'\(short)'" }
    return short
  }
}
