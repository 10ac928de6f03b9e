import TrajpackFormat

extension Score {
  /// The score as JSON that reads back equal, numbers by their bits; `nil` where failed parts are not settled.
  public var stored: JSONValue? {
    guard failures == nil, worst == .none else { return nil }
    return .array([
      .string(name), value.map { Value.number($0).stored } ?? .null, .int(Int64(count)),
      reason.map { .string($0) } ?? .null, Value.fields(options).stored,
      Value.fields(details).stored,
    ])
  }

  /// Reads what ``stored`` has written; `nil` of anything else.
  public init?(stored json: JSONValue) {
    guard let parts = json.array, parts.count == 6, let name = parts[0].string,
      let count = parts[2].int.flatMap({ Int(exactly: $0) }),
      case .fields(let options)? = Value(stored: parts[4]),
      case .fields(let details)? = Value(stored: parts[5])
    else { return nil }
    if parts[1] == .null {
      self.init(name, missing: parts[3].string ?? "", count: count, details: details)
    } else {
      guard case .number(let value)? = Value(stored: parts[1]), value.isFinite else { return nil }
      self.init(name, value, count: count, details: details)
    }
    self.options = options
    guard reason == parts[3].string else { return nil }
  }
}

extension Value {
  fileprivate var stored: JSONValue {
    switch self {
    case .none: .null
    case .flag(let flag): .bool(flag)
    case .count(let count): .int(Int64(count))
    case .number(let number): .record(["bits": .string(String(number.bitPattern, radix: 16))])
    case .text(let text): .string(text)
    case .list(let values): .array(values.map(\.stored))
    case .fields(let fields):
      .record(["fields": .array(fields.map { .array([.string($0.name), $0.value.stored]) })])
    }
  }

  fileprivate init?(stored json: JSONValue) {
    switch json {
    case .null: self = .none
    case .bool(let flag): self = .flag(flag)
    case .string(let text): self = .text(text)
    case .array(let values):
      var list: [Value] = []
      for value in values {
        guard let value = Value(stored: value) else { return nil }
        list.append(value)
      }
      self = .list(list)
    case .object:
      if let bits = json["bits"]?.string.flatMap({ UInt64($0, radix: 16) }) {
        self = .number(Double(bitPattern: bits))
        return
      }
      guard let pairs = json["fields"]?.array else { return nil }
      var fields: [Field] = []
      for pair in pairs {
        guard let parts = pair.array, parts.count == 2, let name = parts[0].string,
          let value = Value(stored: parts[1])
        else { return nil }
        fields.append(Field(name, value))
      }
      self = .fields(fields)
    default:
      guard let count = json.int.flatMap({ Int(exactly: $0) }) else { return nil }
      self = .count(count)
    }
  }
}
