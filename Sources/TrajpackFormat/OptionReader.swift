/// Reads the value of one member of a JSON object that a caller or a user wrote, and has the sentences about it.
package struct OptionReader {
  /// The member's name; of one within others the path to it: `align.camera/*`.
  package let name: String
  package let value: JSONValue
  /// Whether sentences call it an option; otherwise the name alone says what it is, as `steps[0].rate` does.
  private let isOption: Bool

  package init(name: String, value: JSONValue) {
    (self.name, self.value, isOption) = (name, value, true)
  }

  /// A reader of what is no option, by the path to it.
  package init(path: String, value: JSONValue) {
    (name, self.value, isOption) = (path, value, false)
  }

  /// What sentences call it.
  package var label: String { isOption ? "option '\(name)'" : name }

  /// The reader of a value within this one.
  package func member(_ member: JSONValue.Member) -> OptionReader {
    let path = "\(name).\(member.name)"
    return isOption
      ? OptionReader(name: path, value: member.value)
      : OptionReader(path: path, value: member.value)
  }

  /// The value as sentences have it: its beginning.
  package var printed: String {
    let text = value.text()
    return text.utf8.count > 60 ? String(text.prefix(60)) + "…" : text
  }

  package func wrong(_ expected: String) -> TrajpackError {
    TrajpackError(.usage, "\(label) is \(printed), but must be \(expected)")
  }

  package func text() throws(TrajpackError) -> String {
    guard let text = value.string else { throw wrong("text") }
    return text
  }

  package func truth() throws(TrajpackError) -> Bool {
    guard let truth = value.bool else { throw wrong("true or false") }
    return truth
  }

  package func number() throws(TrajpackError) -> Double {
    guard let number = value.double else { throw wrong("a number") }
    return number
  }

  package func integer(_ range: ClosedRange<Int>) throws(TrajpackError) -> Int {
    // 8.0 is 8: arithmetic of arrays gives such numbers.
    let whole = value.int ?? value.double.flatMap { Int(exactly: $0) }
    guard let number = whole, range.contains(number) else {
      if range.lowerBound == .min { throw wrong("an integer") }
      throw wrong("an integer from \(range.lowerBound) to \(range.upperBound)")
    }
    return number
  }

  /// An exact positive number: an integer, text, or a decimal as it prints.
  package func positive() throws(TrajpackError) -> Rational {
    guard let number = rational(), number.numerator > 0 else {
      throw wrong("a positive number, or exact text like \"30000/1001\"")
    }
    return number
  }

  /// The number, where it is one that is exact.
  package func rational() -> Rational? {
    switch value {
    case .int(let number): return Rational(number)
    case .double(let number): return Self.rational(number.description)
    case .string(let text): return Self.rational(text)
    default: return nil
    }
  }

  /// The number that a text says: exact up to 15 decimals; beyond, it is a float that was printed, and the
  /// simplest fraction that is the same float is meant: 0.03333333333333333 is 1/30.
  private static func rational(_ text: String) -> Rational? {
    let isNegative = text.hasPrefix("-")
    let magnitude = isNegative ? String(text.dropFirst()) : text
    guard magnitude.utf8.first.map({ $0 >= 0x30 && $0 <= 0x39 || $0 == 0x2e }) == true else {
      return nil
    }
    guard
      let number = Rational(decimal: magnitude)
        ?? Double(magnitude).flatMap(Rational.init(nearest:))
    else { return nil }
    return isNegative ? Rational(-number.numerator, number.denominator) : number
  }

  /// A length of time from 0 up.
  package func span() throws(TrajpackError) -> Double {
    guard let number = rational(), number.numerator >= 0 else {
      throw wrong("a time of 0 or more, like 0.001")
    }
    return number.value
  }

  package func choice<Choice: RawRepresentable & CaseIterable>() throws(TrajpackError) -> Choice
  where Choice.RawValue == String {
    guard let text = value.string, let choice = Choice(rawValue: text) else {
      throw wrong(Choice.allCases.map { "'\($0.rawValue)'" }.joined(separator: ", "))
    }
    return choice
  }

  package func list<Element>(
    _ element: (OptionReader) throws(TrajpackError) -> Element
  ) throws(TrajpackError) -> [Element] {
    guard let elements = value.array, !elements.isEmpty else {
      throw wrong("a list that is not empty")
    }
    var out: [Element] = []
    for value in elements {
      out.append(
        try element(
          isOption ? OptionReader(name: name, value: value) : OptionReader(path: name, value: value)
        ))
    }
    return out
  }

  package func finite() throws(TrajpackError) -> Double {
    let value = try number()
    guard value.isFinite else { throw wrong("finite numbers") }
    return value
  }

  /// One text, or a list.
  package func texts() throws(TrajpackError) -> [String] {
    if let text = value.string { return [text] }
    return try list { (o) throws(TrajpackError) in try o.text() }
  }

  package func patterns() throws(TrajpackError) -> [Pattern] { try texts().map { Pattern($0) } }

  package func object() throws(TrajpackError) -> [JSONValue.Member] {
    guard let members = value.members else { throw wrong("an object") }
    return members
  }

  /// One value for all, or an object of values by pattern.
  package func rules<Value: Sendable>(
    _ read: (OptionReader) throws(TrajpackError) -> Value
  ) throws(TrajpackError) -> Rules<Value> {
    var rules = Rules<Value>()
    guard let members = value.members else {
      rules.otherwise = try read(self)
      return rules
    }
    for one in members { rules.rules.append((Pattern(one.name), try read(member(one)))) }
    return rules
  }
}
