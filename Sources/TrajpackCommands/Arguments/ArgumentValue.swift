import TrajpackFormat

/// A type that a command line can spell.
protocol ArgumentValue: Sendable {
  /// The value that `text` spells, or a usage error that quotes it.
  static func parse(_ text: String) throws(TrajpackError) -> Self
  /// How one would type this value; empty when a default of it is not worth showing.
  var argumentText: String { get }
  /// All spellings, when they are few; empty otherwise.
  static var argumentChoices: [String] { get }
}

extension ArgumentValue {
  static var argumentChoices: [String] { [] }
}

extension String: ArgumentValue {
  static func parse(_ text: String) -> String { text }
  var argumentText: String { self }
}

/// Whole numbers in decimal.
extension ArgumentValue where Self: FixedWidthInteger {
  static func parse(_ text: String) throws(TrajpackError) -> Self {
    if let value = Self(text, radix: 10) { return value }
    let digits = text.hasPrefix("-") || text.hasPrefix("+") ? text.dropFirst() : text[...]
    if !digits.isEmpty && digits.allSatisfy({ $0.isASCII && $0.isNumber }) {
      throw TrajpackError(.usage, "'\(text)' is out of range, take \((Self.min...Self.max).words)")
    }
    throw TrajpackError(.usage, "'\(text)' is not a whole number")
  }

  var argumentText: String { String(self) }
}

extension Int: ArgumentValue {}
extension UInt64: ArgumentValue {}

extension Double: ArgumentValue {
  static func parse(_ text: String) throws(TrajpackError) -> Double {
    guard let value = Double(text), value.isFinite else {
      throw TrajpackError(.usage, "'\(text)' is not a number")
    }
    return value
  }

  var argumentText: String { self == rounded() && abs(self) < 1e15 ? "\(Int(self))" : "\(self)" }
}

/// An enum whose raw values are its spellings.
protocol ArgumentChoice: ArgumentValue, CaseIterable, RawRepresentable where RawValue == String {}

extension ArgumentChoice {
  static func parse(_ text: String) throws(TrajpackError) -> Self {
    guard let value = Self(rawValue: text) else {
      throw TrajpackError(.usage, "'\(text)' is not \(list(argumentChoices))")
    }
    return value
  }

  var argumentText: String { rawValue }
  static var argumentChoices: [String] { allCases.map(\.rawValue) }
}

/// Which values an argument allows: `1...64`, `1...`.
protocol ArgumentRange<Bound>: Sendable {
  associatedtype Bound
  func allows(_ value: Bound) -> Bool
  /// The range in words, to stand behind "take": `1 to 64`.
  var words: String { get }
}

extension ClosedRange: ArgumentRange where Bound: ArgumentValue {
  func allows(_ value: Bound) -> Bool { contains(value) }
  var words: String { "\(lowerBound.argumentText) to \(upperBound.argumentText)" }
}

extension PartialRangeFrom: ArgumentRange where Bound: ArgumentValue {
  func allows(_ value: Bound) -> Bool { contains(value) }
  var words: String { "\(lowerBound.argumentText) or more" }
}
