/// What values an option takes: how one is read from JSON, and how JSON Schema says it.
package struct OptionForm<Value>: Sendable {
  /// The JSON Schema of a value.
  package let schema: JSONValue
  package let read: @Sendable (OptionReader) throws(TrajpackError) -> Value
  /// A value as JSON, for the default; `nil` where none is said.
  package let json: @Sendable (Value) -> JSONValue?

  package init(
    _ schema: JSONValue, json: @escaping @Sendable (Value) -> JSONValue? = { _ in nil },
    _ read: @escaping @Sendable (OptionReader) throws(TrajpackError) -> Value
  ) {
    (self.schema, self.read, self.json) = (schema, read, json)
  }
}

extension OptionForm where Value == Int {
  package static func integer(_ range: ClosedRange<Int>) -> Self {
    Self(.integer(range), json: { .int(Int64($0)) }) { (o) throws(TrajpackError) in
      try o.integer(range)
    }
  }
}

extension OptionForm where Value == UInt64 {
  /// Any integer stands for the 64 bits that it has; a range is of those that are meant as numbers.
  package static func integer(_ range: ClosedRange<Int>) -> Self {
    Self(.integer(range), json: { .int(Int64(bitPattern: $0)) }) { (o) throws(TrajpackError) in
      UInt64(bitPattern: Int64(try o.integer(range)))
    }
  }
}

extension OptionForm where Value == Bool {
  package static var truth: Self {
    Self(.type("boolean"), json: { .bool($0) }) { (o) throws(TrajpackError) in try o.truth() }
  }
}

extension OptionForm where Value == String {
  package static var text: Self {
    Self(.type("string"), json: { .string($0) }) { (o) throws(TrajpackError) in try o.text() }
  }
}

extension OptionForm where Value == [String] {
  /// One text, or a list.
  package static var texts: Self {
    Self(.oneOrMore(.type("string"))) { (o) throws(TrajpackError) in try o.texts() }
  }
}

extension OptionForm where Value == [Pattern] {
  /// One pattern, or a list.
  package static var patterns: Self {
    Self(.oneOrMore(.type("string"))) { (o) throws(TrajpackError) in try o.patterns() }
  }
}

extension OptionForm where Value == Double {
  /// A finite number.
  package static var finite: Self {
    Self(.type("number"), json: { .double($0) }) { (o) throws(TrajpackError) in try o.finite() }
  }

  /// A length of time from 0 up.
  package static var span: Self {
    Self(.type("number", "string"), json: { .double($0) }) { (o) throws(TrajpackError) in
      try o.span()
    }
  }
}

extension OptionForm where Value == Rational {
  /// An exact number above 0.
  package static var positive: Self {
    Self(.type("number", "string")) { (o) throws(TrajpackError) in try o.positive() }
  }
}

extension OptionForm
where Value: RawRepresentable & CaseIterable & Sendable, Value.RawValue == String {
  /// One of the names of an enumeration.
  package static var choice: Self {
    Self(.choice(Value.allCases.map(\.rawValue)), json: { .string($0.rawValue) }) {
      (o) throws(TrajpackError) in try o.choice()
    }
  }
}

extension OptionForm {
  /// A list that is not empty.
  package static func list<Element>(_ one: OptionForm<Element>) -> Self where Value == [Element] {
    Self(.record(["type": "array", "items": one.schema])) { (o) throws(TrajpackError) in
      try o.list(one.read)
    }
  }

  /// One value for all, or an object of values by pattern.
  package static func rules<One: Sendable>(_ one: OptionForm<One>) -> Self
  where Value == Rules<One> {
    Self(
      .record(["anyOf": [one.schema, .patterns(one.schema)]]),
      json: { $0.otherwise.flatMap(one.json) }
    ) { (o) throws(TrajpackError) in try o.rules(one.read) }
  }
}

/// JSON Schema of values.
extension JSONValue {
  /// A value of one of these types.
  package static func type(_ names: String...) -> JSONValue {
    .record(["type": names.count == 1 ? .string(names[0]) : .array(names.map { .string($0) })])
  }

  /// A value that is one of these texts.
  package static func choice(_ names: [String]) -> JSONValue {
    .record(["enum": .array(names.map { .string($0) })])
  }

  /// An object of values by pattern.
  package static func patterns(_ one: JSONValue) -> JSONValue {
    .record(["type": "object", "additionalProperties": one])
  }

  fileprivate static func integer(_ range: ClosedRange<Int>) -> JSONValue {
    .record([
      "type": "integer",
      "minimum": range.lowerBound == .min ? nil : .int(Int64(range.lowerBound)),
      "maximum": range.upperBound == .max ? nil : .int(Int64(range.upperBound)),
    ])
  }

  /// A value, or a list of them.
  package static func oneOrMore(_ one: JSONValue) -> JSONValue {
    .record(["anyOf": [one, .record(["type": "array", "items": one])]])
  }
}
