import TrajpackFormat

/// Reads a JSON file (RFC 8259) from front to back by pieces of a fixed size, so that a long list needs
/// the memory of one element. What is skipped is checked for its grammar.
struct JSONStream {
  private let file: any ByteSource
  private var buffer: [UInt8] = []
  /// The place of the buffer in the file, and of the next byte in the buffer.
  private var start = 0
  private var next = 0
  /// What is read is kept, while this is not `nil`.
  private var kept: [UInt8]?
  private var mostKept = 0

  private static let piece = 1 << 18
  private static let deepest = 64

  init(_ file: any ByteSource) { self.file = file }

  /// The error of a file that says something else than `expected`.
  func wrong(_ expected: String) -> TrajpackError {
    TrajpackError(.data, "the JSON is damaged at byte \(start + next): expected \(expected)")
  }

  /// The next byte, without taking it; `nil` at the end.
  private mutating func peek() throws(TrajpackError) -> UInt8? {
    if next == buffer.count {
      start += next
      next = 0
      buffer = try file.bytes(start..<min(start + Self.piece, file.length))
      if buffer.isEmpty { return nil }
    }
    return buffer[next]
  }

  private mutating func skip(_ byte: UInt8) throws(TrajpackError) {
    if kept != nil {
      kept?.append(byte)
      guard kept?.count ?? 0 <= mostKept else { throw wrong("at most \(mostKept) bytes here") }
    }
    next += 1
  }

  /// The next byte that is no space, without taking it.
  private mutating func token() throws(TrajpackError) -> UInt8? {
    while let byte = try peek() {
      switch byte {
      case 0x20, 0x0A, 0x0D, 0x09: next += 1
      default: return byte
      }
    }
    return nil
  }

  private mutating func take(_ byte: Character) throws(TrajpackError) -> Bool {
    guard let found = try token(), found == byte.asciiValue else { return false }
    try skip(found)
    return true
  }

  private mutating func expect(_ byte: Character) throws(TrajpackError) {
    guard try take(byte) else { throw wrong("'\(byte)'") }
  }

  /// Reads an object: `each` is called behind the name of each member and reads its value.
  mutating func object(
    _ each: (inout JSONStream, String) throws(TrajpackError) -> Void
  ) throws(TrajpackError) {
    try expect("{")
    if try take("}") { return }
    repeat {
      let name = try JSONValue(
        parsing: text(atMost: 1 << 16) { (s) throws(TrajpackError) in
          try s.string()
        })
      try expect(":")
      try each(&self, name.string ?? "")
    } while try take(",")
    try expect("}")
  }

  /// Reads an array: `each` reads an element.
  mutating func array(
    _ each: (inout JSONStream) throws(TrajpackError) -> Void
  ) throws(TrajpackError) {
    try expect("[")
    if try take("]") { return }
    repeat { try each(&self) } while try take(",")
    try expect("]")
  }

  /// The text of the next value, without the spaces between its parts.
  mutating func text(atMost limit: Int) throws(TrajpackError) -> [UInt8] {
    try text(atMost: limit) { (stream) throws(TrajpackError) in try stream.value() }
  }

  private mutating func text(
    atMost limit: Int, _ read: (inout JSONStream) throws(TrajpackError) -> Void
  ) throws(TrajpackError) -> [UInt8] {
    (kept, mostKept) = ([], limit)
    defer { kept = nil }
    try read(&self)
    return kept ?? []
  }

  /// Reads over a value.
  mutating func value(depth: Int = 0) throws(TrajpackError) {
    guard depth < Self.deepest else { throw wrong("at most \(Self.deepest) levels of nesting") }
    switch try token() {
    case UInt8(ascii: "{"):
      try expect("{")
      if try take("}") { return }
      repeat {
        try string()
        try expect(":")
        try value(depth: depth + 1)
      } while try take(",")
      try expect("}")
    case UInt8(ascii: "["):
      try expect("[")
      if try take("]") { return }
      repeat { try value(depth: depth + 1) } while try take(",")
      try expect("]")
    case UInt8(ascii: "\""): try string()
    case UInt8(ascii: "t"): try word("true")
    case UInt8(ascii: "f"): try word("false")
    case UInt8(ascii: "n"): try word("null")
    default: try number()
    }
  }

  private mutating func word(_ text: String) throws(TrajpackError) {
    for byte in text.utf8 {
      guard try peek() == byte else { throw wrong("'\(text)'") }
      try skip(byte)
    }
  }

  private mutating func string() throws(TrajpackError) {
    guard try take("\"") else { throw wrong("a text") }
    while let byte = try peek() {
      guard byte >= 0x20 else { throw wrong("no bare control character in a string") }
      try skip(byte)
      if byte == UInt8(ascii: "\"") { return }
      guard byte == UInt8(ascii: "\\") else { continue }
      guard let escaped = try peek(), "\"\\/bfnrtu".utf8.contains(escaped) else {
        throw wrong("a known escape")
      }
      try skip(escaped)
    }
    throw wrong("'\"' at the end of the string")
  }

  private mutating func number() throws(TrajpackError) {
    var isEmpty = true
    if try peek() == UInt8(ascii: "-") { try skip(UInt8(ascii: "-")) }
    while let byte = try peek() {
      switch byte {
      case UInt8(ascii: "0")...UInt8(ascii: "9"): isEmpty = false
      case UInt8(ascii: "."), UInt8(ascii: "e"), UInt8(ascii: "E"), UInt8(ascii: "+"),
        UInt8(ascii: "-"):
        guard !isEmpty else { throw wrong("a value") }
      default:
        guard !isEmpty else { throw wrong("a value") }
        return
      }
      try skip(byte)
    }
    guard !isEmpty else { throw wrong("a value") }
  }

  /// Refuses more behind the document.
  mutating func end() throws(TrajpackError) {
    guard try token() == nil else { throw wrong("the end of the text after the document") }
  }
}
