/// A JSON document (RFC 8259) as a value. Objects keep the order of their members.
public enum JSONValue: Sendable, Equatable {
  case null
  case bool(Bool)
  /// A number written without fraction or exponent that fits in 64 bits.
  case int(Int64)
  /// A whole number greater than `Int64.max` that fits in 64 bits without a sign.
  case uint(UInt64)
  case double(Double)
  case string(String)
  case array([JSONValue])
  case object([Member])

  /// One member of an object.
  public struct Member: Sendable, Equatable {
    /// The member's name.
    public let name: String
    /// The member's value.
    public let value: JSONValue

    /// A member of an object.
    public init(_ name: String, _ value: JSONValue) {
      self.name = name
      self.value = value
    }
  }

  /// An object from names and values; a `nil` value leaves the member out.
  public static func record(_ members: KeyValuePairs<String, JSONValue?>) -> JSONValue {
    .object(members.compactMap { name, value in value.map { Member(name, $0) } })
  }

  /// The value of an object's member; `nil` where this is no object or has no such member.
  public subscript(name: String) -> JSONValue? {
    guard case .object(let members) = self else { return nil }
    return members.first { $0.name == name }?.value
  }

  /// Sets a member of an object, in the place of one of that name; a `nil` value takes it away.
  package mutating func set(_ name: String, _ value: JSONValue?) {
    guard case .object(var members) = self else { return }
    let place = members.firstIndex { $0.name == name }
    switch (place, value) {
    case (let at?, let value?): members[at] = Member(name, value)
    case (let at?, nil): members.remove(at: at)
    case (nil, let value?): members.append(Member(name, value))
    case (nil, nil): return
    }
    self = .object(members)
  }

  /// The text, where this is a string.
  public var string: String? {
    if case .string(let text) = self { return text }
    return nil
  }

  /// The number, where this is an integer.
  public var int: Int? {
    if case .int(let number) = self { return Int(number) }
    return nil
  }

  /// The number, where this is one.
  public var double: Double? {
    switch self {
    case .double(let number): return number
    case .int(let number): return Double(number)
    case .uint(let number): return Double(number)
    default: return nil
    }
  }

  /// The truth value, where this is one.
  public var bool: Bool? {
    if case .bool(let truth) = self { return truth }
    return nil
  }

  /// The elements, where this is an array.
  public var array: [JSONValue]? {
    if case .array(let elements) = self { return elements }
    return nil
  }

  /// The members, where this is an object.
  public var members: [Member]? {
    if case .object(let members) = self { return members }
    return nil
  }
}

extension JSONValue: ExpressibleByStringLiteral, ExpressibleByIntegerLiteral,
  ExpressibleByBooleanLiteral, ExpressibleByFloatLiteral, ExpressibleByArrayLiteral
{
  /// A literal as a value.
  public init(stringLiteral value: String) { self = .string(value) }
  /// A literal as a value.
  public init(integerLiteral value: Int64) { self = .int(value) }
  /// A literal as a value.
  public init(booleanLiteral value: Bool) { self = .bool(value) }
  /// A literal as a value.
  public init(floatLiteral value: Double) { self = .double(value) }
  /// A literal as a value.
  public init(arrayLiteral elements: JSONValue...) { self = .array(elements) }
}
