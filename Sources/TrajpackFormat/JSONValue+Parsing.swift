extension JSONValue {
  /// Reads a JSON document from UTF-8 text.
  ///
  /// - Throws: A data error that names the byte at which the text stops being JSON. Nesting deeper
  ///   than 64 levels and an object that names a member twice are refused.
  public init(parsing text: String) throws(TrajpackError) {
    try self.init(parsing: Array(text.utf8))
  }

  /// Reads a JSON document from UTF-8 bytes; see ``init(parsing:)-(String)``.
  ///
  /// - Parameter mostValues: The most values (numbers, texts, objects, ...) that it may have. A value takes
  ///   up to 48 bytes where its text may take two, so this, not the length, bounds the memory.
  public init(parsing bytes: [UInt8], mostValues: Int = .max) throws(TrajpackError) {
    var parser = JSONParser(bytes: bytes, room: mostValues, mostValues: mostValues)
    self = try parser.document()
  }
}

private struct JSONParser {
  let bytes: [UInt8]
  var at = 0
  /// Values that may still come.
  var room: Int
  let mostValues: Int

  mutating func document() throws(TrajpackError) -> JSONValue {
    let value = try value(depth: 0)
    skipSpace()
    guard at == bytes.count else { throw wrong("the end of the text after the document") }
    return value
  }

  func wrong(_ expected: String) -> TrajpackError {
    TrajpackError(
      .data, "the JSON is damaged at byte \(at): expected \(expected)",
      at: ErrorPlace(byte: at))
  }

  mutating func skipSpace() {
    while at < bytes.count {
      switch bytes[at] {
      case 0x20, 0x0A, 0x0D, 0x09: at += 1
      default: return
      }
    }
  }

  mutating func take(_ byte: UInt8) -> Bool {
    skipSpace()
    guard at < bytes.count, bytes[at] == byte else { return false }
    at += 1
    return true
  }

  mutating func value(depth: Int) throws(TrajpackError) -> JSONValue {
    guard depth < 64 else { throw wrong("at most 64 levels of nesting") }
    guard room > 0 else { throw wrong("at most \(mostValues) values") }
    room -= 1
    skipSpace()
    guard at < bytes.count else { throw wrong("a value") }
    switch bytes[at] {
    case UInt8(ascii: "{"): return try object(depth: depth)
    case UInt8(ascii: "["): return try array(depth: depth)
    case UInt8(ascii: "\""): return .string(try string())
    case UInt8(ascii: "t"): return try word("true", .bool(true))
    case UInt8(ascii: "f"): return try word("false", .bool(false))
    case UInt8(ascii: "n"): return try word("null", .null)
    default: return try number()
    }
  }

  mutating func word(_ text: String, _ value: JSONValue) throws(TrajpackError) -> JSONValue {
    guard bytes[at...].starts(with: text.utf8) else { throw wrong("'\(text)'") }
    at += text.utf8.count
    return value
  }

  mutating func object(depth: Int) throws(TrajpackError) -> JSONValue {
    at += 1
    var members: [JSONValue.Member] = []
    var names: Set<String> = []
    // A set costs more than it saves for the few members that most objects have.
    func isNew(_ name: String) -> Bool {
      if members.count < 16 { return !members.contains { $0.name == name } }
      if names.isEmpty { names = Set(members.map(\.name)) }
      return names.insert(name).inserted
    }
    if take(UInt8(ascii: "}")) { return .object(members) }
    repeat {
      skipSpace()
      guard at < bytes.count, bytes[at] == UInt8(ascii: "\"") else { throw wrong("a member name") }
      let name = try string()
      guard isNew(name) else {
        throw wrong("each member once, but '\(name)' comes twice")
      }
      guard take(UInt8(ascii: ":")) else { throw wrong("':'") }
      members.append(JSONValue.Member(name, try value(depth: depth + 1)))
    } while take(UInt8(ascii: ","))
    guard take(UInt8(ascii: "}")) else { throw wrong("',' or '}'") }
    return .object(members)
  }

  mutating func array(depth: Int) throws(TrajpackError) -> JSONValue {
    at += 1
    var elements: [JSONValue] = []
    if take(UInt8(ascii: "]")) { return .array(elements) }
    repeat { elements.append(try value(depth: depth + 1)) } while take(UInt8(ascii: ","))
    guard take(UInt8(ascii: "]")) else { throw wrong("',' or ']'") }
    return .array(elements)
  }

  mutating func number() throws(TrajpackError) -> JSONValue {
    let start = at
    func digit(_ i: Int) -> Bool {
      i < bytes.count && (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(bytes[i])
    }
    if bytes[at] == UInt8(ascii: "-") { at += 1 }
    guard digit(at) else {
      at = start
      throw wrong("a value")
    }
    if bytes[at] == UInt8(ascii: "0"), digit(at + 1) { throw wrong("no leading zero") }
    while digit(at) { at += 1 }
    var whole = true
    if at < bytes.count, bytes[at] == UInt8(ascii: ".") {
      whole = false
      at += 1
      guard digit(at) else { throw wrong("a digit") }
      while digit(at) { at += 1 }
    }
    if at < bytes.count, bytes[at] | 0x20 == UInt8(ascii: "e") {
      whole = false
      at += 1
      if at < bytes.count, [UInt8(ascii: "+"), UInt8(ascii: "-")].contains(bytes[at]) { at += 1 }
      guard digit(at) else { throw wrong("a digit") }
      while digit(at) { at += 1 }
    }
    let text = String(decoding: bytes[start..<at], as: UTF8.self)
    if whole, let int = Int64(text) { return .int(int) }
    if whole, let uint = UInt64(text) { return .uint(uint) }
    guard let double = Double(text), double.isFinite else {
      at = start
      throw wrong("a number that fits in 64 bits")
    }
    return .double(double)
  }

  mutating func string() throws(TrajpackError) -> String {
    at += 1
    var out: [UInt8] = []
    while at < bytes.count {
      let byte = bytes[at]
      at += 1
      switch byte {
      case UInt8(ascii: "\""):
        guard let text = String(validating: out, as: UTF8.self) else { throw wrong("UTF-8 text") }
        return text
      case UInt8(ascii: "\\"):
        guard at < bytes.count else { throw wrong("an escape") }
        let escape = bytes[at]
        at += 1
        switch escape {
        case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): out.append(escape)
        case UInt8(ascii: "n"): out.append(0x0A)
        case UInt8(ascii: "r"): out.append(0x0D)
        case UInt8(ascii: "t"): out.append(0x09)
        case UInt8(ascii: "b"): out.append(0x08)
        case UInt8(ascii: "f"): out.append(0x0C)
        case UInt8(ascii: "u"): out += Array(String(try unicode()).utf8)
        default: throw wrong("a known escape")
        }
      case 0..<0x20: throw wrong("no bare control character in a string")
      default: out.append(byte)
      }
    }
    throw wrong("'\"' at the end of the string")
  }

  mutating func unicode() throws(TrajpackError) -> Unicode.Scalar {
    let high = try hex4()
    if let scalar = Unicode.Scalar(high) { return scalar }
    guard at + 1 < bytes.count, bytes[at] == UInt8(ascii: "\\"), bytes[at + 1] == UInt8(ascii: "u")
    else { throw wrong("the second half of a surrogate pair") }
    at += 2
    let low = try hex4()
    guard (0xD800..<0xDC00).contains(high), (0xDC00..<0xE000).contains(low),
      let scalar = Unicode.Scalar(0x10000 + ((high - 0xD800) << 10) + (low - 0xDC00))
    else { throw wrong("a surrogate pair") }
    return scalar
  }

  mutating func hex4() throws(TrajpackError) -> UInt32 {
    guard at + 4 <= bytes.count,
      let value = UInt32(String(decoding: bytes[at..<at + 4], as: UTF8.self), radix: 16),
      bytes[at] != UInt8(ascii: "+"), bytes[at] != UInt8(ascii: "-")
    else { throw wrong("four hexadecimal digits") }
    at += 4
    return value
  }
}
