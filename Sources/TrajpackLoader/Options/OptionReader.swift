import TrajpackFormat

/// One member of the options, and the sentences about it.
struct OptionReader {
  let name: String
  let value: JSONValue

  func wrong(_ expected: String) -> TrajpackError {
    var text = value.text()
    if text.utf8.count > 60 { text = String(text.prefix(60)) + "…" }
    return TrajpackError(.usage, "option '\(name)' is \(text), but must be \(expected)")
  }

  func text() throws(TrajpackError) -> String {
    guard let text = value.string else { throw wrong("text") }
    return text
  }

  func truth() throws(TrajpackError) -> Bool {
    guard let truth = value.bool else { throw wrong("true or false") }
    return truth
  }

  func number() throws(TrajpackError) -> Double {
    guard let number = value.double else { throw wrong("a number") }
    return number
  }

  func integer(_ range: ClosedRange<Int>) throws(TrajpackError) -> Int {
    guard let number = value.int, range.contains(number) else {
      if range.lowerBound == .min { throw wrong("an integer") }
      throw wrong("an integer from \(range.lowerBound) to \(range.upperBound)")
    }
    return number
  }

  /// An exact positive number: an integer, text, or a decimal as it prints.
  func positive() throws(TrajpackError) -> Rational {
    guard let number = rational(), number.numerator > 0 else {
      throw wrong("a positive number, or exact text like \"30000/1001\"")
    }
    return number
  }

  private func rational() -> Rational? {
    switch value {
    case .int(let number): return Rational(number)
    case .double(let number): return Rational(decimal: number.description)
    case .string(let text):
      if text.hasPrefix("-"), let magnitude = Rational(decimal: text.dropFirst()) {
        return Rational(-magnitude.numerator, magnitude.denominator)
      }
      return Rational(decimal: text)
    default: return nil
    }
  }

  func offset() throws(TrajpackError) -> LoaderOptions.Offset {
    if let rows = value.int {
      guard rows.magnitude <= LoaderOptions.limit else {
        throw wrong("nearer than \(LoaderOptions.limit) rows")
      }
      return .rows(rows)
    }
    var seconds = rational()
    if case .double(let number) = value, number < 0 {
      seconds = OptionReader(name: name, value: .string(number.description)).rational()
    }
    guard let seconds else { throw wrong("a list of rows (integers) or seconds (fractions)") }
    return .seconds(seconds)
  }

  func choice<Choice: RawRepresentable & CaseIterable>() throws(TrajpackError) -> Choice
  where Choice.RawValue == String {
    guard let text = value.string, let choice = Choice(rawValue: text) else {
      throw wrong(Choice.allCases.map { "'\($0.rawValue)'" }.joined(separator: ", "))
    }
    return choice
  }

  func list<Element>(
    _ element: (OptionReader) throws(TrajpackError) -> Element
  ) throws(TrajpackError) -> [Element] {
    guard let elements = value.array, !elements.isEmpty else {
      throw wrong("a list that is not empty")
    }
    var out: [Element] = []
    for value in elements { out.append(try element(OptionReader(name: name, value: value))) }
    return out
  }

  /// One text, or a list.
  func texts() throws(TrajpackError) -> [String] {
    if let text = value.string { return [text] }
    return try list { (o) throws(TrajpackError) in try o.text() }
  }

  func patterns() throws(TrajpackError) -> [Pattern] { try texts().map { Pattern($0) } }

  func object() throws(TrajpackError) -> [JSONValue.Member] {
    guard let members = value.members else { throw wrong("an object") }
    return members
  }

  /// One value for all, or an object of values by pattern.
  func rules<Value: Sendable>(
    _ read: (OptionReader) throws(TrajpackError) -> Value
  ) throws(TrajpackError) -> Rules<Value> {
    var rules = Rules<Value>()
    guard let members = value.members else {
      rules.otherwise = try read(self)
      return rules
    }
    for member in members {
      let reader = OptionReader(name: "\(name).\(member.name)", value: member.value)
      rules.rules.append((Pattern(member.name), try read(reader)))
    }
    return rules
  }

  func condition(_ member: JSONValue.Member) throws(TrajpackError) -> LoaderOptions.Condition {
    switch member.value {
    case .array(let values): return .oneOf(values)
    case .object(let bounds):
      guard !bounds.isEmpty,
        bounds.allSatisfy({ ["min", "max"].contains($0.name) && $0.value.double != nil })
      else {
        throw OptionReader(name: "\(name).\(member.name)", value: member.value)
          .wrong("a value, a list of values, or {\"min\": x, \"max\": y}")
      }
      return .range(
        member.value["min"]?.double ?? -.infinity, member.value["max"]?.double ?? .infinity)
    default: return .oneOf([member.value])
    }
  }
}
