import TrajpackFormat

/// Reads the members of one object of a plan. Every member is asked for by name; what nobody asked for
/// is an error of ``finish()``, so that no member is ever ignored.
package struct PlanReader {
  let path: String
  private let members: [JSONValue.Member]
  private var known: [String] = []

  init(_ value: JSONValue, at path: String) throws(TrajpackError) {
    guard let members = value.members else {
      throw TrajpackError(
        .usage, "\(path) must be an object, not \(OptionReader(path: path, value: value).printed)")
    }
    for (i, member) in members.enumerated()
    where members[..<i].contains(where: { $0.name == member.name }) {
      throw TrajpackError(.usage, "\(path).\(member.name) is given twice: give it once")
    }
    self.members = members
    self.path = path
  }

  /// The member; `nil` where it is absent or `null`.
  mutating func value(_ name: String) -> JSONValue? {
    known.append(name)
    let found = members.first { $0.name == name }?.value
    return found == .null ? nil : found
  }

  /// Refuses members that no reading asked for.
  func finish() throws(TrajpackError) {
    for member in members where !known.contains(member.name) {
      throw TrajpackError(
        .usage,
        "\(path) has no member '\(member.name)'"
          + Suggestion.text(for: member.name, among: known))
    }
  }

  func wrong(_ name: String, _ value: JSONValue, _ expected: String) -> TrajpackError {
    reader(name, value).wrong(expected)
  }

  private func reader(_ name: String, _ value: JSONValue) -> OptionReader {
    OptionReader(path: "\(path).\(name)", value: value)
  }

  /// The member as it is read; `nil` where it is absent or `null`.
  private mutating func member<Value>(
    _ name: String, _ read: (OptionReader) throws(TrajpackError) -> Value
  ) throws(TrajpackError) -> Value? {
    guard let value = value(name) else { return nil }
    return try read(reader(name, value))
  }

  mutating func text(_ name: String) throws(TrajpackError) -> String? {
    try member(name) { (o) throws(TrajpackError) in
      let text = try o.text()
      guard !text.isEmpty else { throw o.wrong("text") }
      return text
    }
  }

  mutating func truth(_ name: String, _ otherwise: Bool) throws(TrajpackError) -> Bool {
    try member(name) { (o) throws(TrajpackError) in try o.truth() } ?? otherwise
  }

  mutating func integer(
    _ name: String, in range: ClosedRange<Int>
  ) throws(TrajpackError) -> Int? {
    try member(name) { (o) throws(TrajpackError) in try o.integer(range) }
  }

  mutating func number(_ name: String) throws(TrajpackError) -> Double? {
    try member(name) { (o) throws(TrajpackError) in try o.finite() }
  }

  mutating func fraction(_ name: String) throws(TrajpackError) -> Double? {
    guard let number = try number(name) else { return nil }
    guard (0...1).contains(number) else { throw wrong(name, .double(number), "from 0 to 1") }
    return number
  }

  mutating func choice<Choice: RawRepresentable & CaseIterable>(
    _ name: String, _ otherwise: Choice
  ) throws(TrajpackError) -> Choice where Choice.RawValue == String {
    guard let value = value(name) else { return otherwise }
    return try choice(name, value)
  }

  func choice<Choice: RawRepresentable & CaseIterable>(
    _ name: String, _ value: JSONValue
  ) throws(TrajpackError) -> Choice where Choice.RawValue == String {
    let names = Choice.allCases.map(\.rawValue)
    guard let text = value.string else {
      throw wrong(name, value, names.map { "'\($0)'" }.joined(separator: ", "))
    }
    guard let choice = Choice(rawValue: text) else {
      throw TrajpackError(
        .usage, "\(path).\(name): there is no '\(text)'\(Suggestion.text(for: text, among: names))")
    }
    return choice
  }

  /// An exact number above zero: an integer, a decimal as it prints, or text like `30000/1001`.
  mutating func rate(_ name: String) throws(TrajpackError) -> Rational? {
    guard let value = value(name) else { return nil }
    guard let number = PlanNumber.rational(value), number.numerator > 0 else {
      throw wrong(name, value, "a rate above 0, like 200, 29.97 or \"30000/1001\"")
    }
    return number
  }

  /// A length of time of zero or more, exact where it can be.
  mutating func span(_ name: String) throws(TrajpackError) -> TimeSpan? {
    guard let value = value(name) else { return nil }
    return try span(name, value)
  }

  func span(_ name: String, _ value: JSONValue) throws(TrajpackError) -> TimeSpan {
    if let exact = PlanNumber.rational(value), exact.numerator >= 0 { return .exact(exact) }
    guard let number = value.double, number >= 0, number.isFinite else {
      throw wrong(name, value, "a length of time of 0 or more, in the unit of the stream's clock")
    }
    return .units(number)
  }

  /// One selector, or a list.
  mutating func selection(
    _ name: String, _ otherwise: ChannelSelection
  ) throws(TrajpackError) -> ChannelSelection {
    guard let value = value(name) else { return otherwise }
    let texts = value.array ?? [value]
    var selectors: [ChannelSelector] = []
    for text in texts {
      guard let text = text.string, !text.isEmpty else {
        throw wrong(name, value, "a pattern like \"state/*\" or \"kind:scalar\", or a list of them")
      }
      selectors.append(try ChannelSelector(text, at: "\(path).\(name)"))
    }
    guard !selectors.isEmpty else { throw wrong(name, value, "a list that is not empty") }
    return ChannelSelection(selectors)
  }

  /// One value for all channels, or an object of values by selector; the first that matches counts.
  mutating func rules<Value: Sendable & Equatable>(
    _ name: String, _ otherwise: Value, _ read: (JSONValue) throws(TrajpackError) -> Value
  ) throws(TrajpackError) -> PlanRules<Value> {
    guard let value = value(name) else { return PlanRules(otherwise) }
    guard let members = value.members else { return PlanRules(try read(value)) }
    var rules = PlanRules(otherwise)
    for member in members {
      let value = try read(member.value)
      if member.name == "*" {
        // Nothing behind it can match first.
        rules.otherwise = value
        break
      }
      rules.rules.append(
        .init(
          selector: try ChannelSelector(member.name, at: "\(path).\(name)"), value: value))
    }
    return rules
  }
}

/// Exact numbers in JSON.
enum PlanNumber {
  static func rational(_ value: JSONValue) -> Rational? {
    switch value {
    case .int(let number): return Rational(number)
    case .double(let number): return Rational(decimal: number.description)
    case .string(let text): return Rational(decimal: text)
    default: return nil
    }
  }

  static func json(_ number: Rational) -> JSONValue {
    number.denominator == 1 ? .int(number.numerator) : .string(number.description)
  }

  static func json(_ span: TimeSpan) -> JSONValue {
    switch span {
    case .exact(let exact): json(exact)
    case .units(let units): .double(units)
    }
  }
}
