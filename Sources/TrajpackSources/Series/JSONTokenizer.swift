import TrajpackFormat
import TrajpackStore

/// Reads JSON (RFC 8259) piece by piece from a stream, so that a file of millions of numbers needs
/// no memory. `NaN`, `Infinity` and `-Infinity` are numbers too, as Python writes them.
struct JSONTokenizer {
  private let stream: any ByteStream
  private let buffer = ByteBuffer(64 << 10)
  private var filled = 0
  private var next = 0
  private var start: Int
  private var number: [UInt8] = []

  /// The deepest nesting.
  static let deepest = 64
  /// The longest name, and the longest value that is kept as it is.
  static let longest = 1 << 20

  /// Reads from a stream whose first byte is byte `start` of the document.
  init(_ stream: any ByteStream, at start: Int = 0) {
    self.stream = stream
    self.start = start
  }

  /// The byte of the document that is looked at next.
  var position: Int { start + next }

  /// The error of a document that says something else than `expected`.
  func wrong(_ expected: String) -> TrajpackError {
    TrajpackError(
      .data, "the JSON is damaged at byte \(position): expected \(expected)",
      at: ErrorPlace(byte: position))
  }

  /// The next byte, without taking it; `nil` at the end.
  mutating func peek() throws(TrajpackError) -> UInt8? {
    if next == filled {
      start += filled
      next = 0
      filled = try stream.read(into: buffer.bytes)
      if filled == 0 { return nil }
    }
    return buffer.bytes[next]
  }

  /// The next byte that is no space, without taking it.
  mutating func token() throws(TrajpackError) -> UInt8? {
    while let byte = try peek() {
      guard byte == 0x20 || byte == 0x0A || byte == 0x0D || byte == 0x09 else { return byte }
      next += 1
    }
    return nil
  }

  /// Takes `byte` where it comes next.
  mutating func take(_ byte: Character) throws(TrajpackError) -> Bool {
    guard try token() == byte.asciiValue else { return false }
    next += 1
    return true
  }

  /// Takes `byte`, which must come next.
  mutating func expect(_ byte: Character) throws(TrajpackError) {
    guard try take(byte) else { throw wrong("'\(byte)'") }
  }

  /// Reads an object: `each` is called behind the name of each member and reads its value.
  mutating func object(
    _ each: (inout JSONTokenizer, String) throws(TrajpackError) -> Void
  ) throws(TrajpackError) {
    try expect("{")
    var names: Set<String> = []
    if try take("}") { return }
    repeat {
      guard try token() == UInt8(ascii: "\""), case .string(let name) = try value() else {
        throw wrong("a member name")
      }
      guard names.insert(name).inserted else {
        throw wrong("each member once, but '\(TableForm.shown(name))' comes twice")
      }
      try expect(":")
      try each(&self, name)
    } while try take(",")
    guard try take("}") else { throw wrong("',' or '}'") }
  }

  /// Reads an array: `each` is called at the start of each element and reads it.
  mutating func array(
    _ each: (inout JSONTokenizer) throws(TrajpackError) -> Void
  ) throws(TrajpackError) {
    try expect("[")
    if try take("]") { return }
    repeat { try each(&self) } while try take(",")
    guard try take("]") else { throw wrong("',' or ']'") }
  }

  /// Reads a number; NaN for `null`.
  mutating func double() throws(TrajpackError) -> Double {
    _ = try token()
    number.removeAll(keepingCapacity: true)
    while let byte = try peek(), Self.isWord(byte) {
      number.append(byte)
      next += 1
      guard number.count <= 1024 else { break }
    }
    switch number.count {
    case 3 where number.elementsEqual("NaN".utf8): return .nan
    case 4 where number.elementsEqual("null".utf8): return .nan
    case 8 where number.elementsEqual("Infinity".utf8): return .infinity
    case 9 where number.elementsEqual("-Infinity".utf8): return -.infinity
    default: break
    }
    guard Self.isNumber(number) else { throw wrong("a number") }
    let text = number.withUnsafeBufferPointer { DecimalLiteral($0) }
    guard text.value.isFinite else { throw wrong("a number that fits in 64 bits") }
    return text.value
  }

  private static func isWord(_ byte: UInt8) -> Bool {
    switch byte {
    case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
      UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "+"), UInt8(ascii: "-"),
      UInt8(ascii: "."):
      return true
    default: return false
    }
  }

  /// Whether bytes are a number by the grammar of JSON.
  private static func isNumber(_ text: [UInt8]) -> Bool {
    var at = 0
    func digits() -> Int {
      let start = at
      while at < text.count, text[at] &- UInt8(ascii: "0") < 10 { at += 1 }
      return at - start
    }
    if text.first == UInt8(ascii: "-") { at = 1 }
    let leading = at
    let whole = digits()
    guard whole == 1 || (whole > 1 && text[leading] != UInt8(ascii: "0")) else { return false }
    if at < text.count, text[at] == UInt8(ascii: ".") {
      at += 1
      guard digits() > 0 else { return false }
    }
    if at < text.count, text[at] | 0x20 == UInt8(ascii: "e") {
      at += 1
      if at < text.count, text[at] == UInt8(ascii: "+") || text[at] == UInt8(ascii: "-") { at += 1 }
      guard digits() > 0 else { return false }
    }
    return at == text.count
  }

  /// Reads any value of at most ``longest`` bytes.
  mutating func value() throws(TrajpackError) -> JSONValue {
    _ = try token()
    let first = position
    var text: [UInt8] = []
    var depth = 0
    var isQuoted = false
    var isEscaped = false
    while let byte = try peek() {
      if isQuoted {
        if isEscaped {
          isEscaped = false
        } else if byte == UInt8(ascii: "\\") {
          isEscaped = true
        } else if byte == UInt8(ascii: "\"") {
          isQuoted = false
        }
      } else {
        switch byte {
        case UInt8(ascii: "\""): isQuoted = true
        case UInt8(ascii: "["), UInt8(ascii: "{"): depth += 1
        case UInt8(ascii: "]"), UInt8(ascii: "}"): depth -= 1
        default: break
        }
        guard depth <= Self.deepest else {
          throw wrong("at most \(Self.deepest) levels of nesting")
        }
        // What ends a number or a word belongs to what is around it.
        let isOutside =
          depth < 0 || (depth == 0 && (byte == UInt8(ascii: ",") || byte == UInt8(ascii: ":")))
        if isOutside { break }
      }
      text.append(byte)
      next += 1
      guard text.count <= Self.longest else {
        throw wrong("a value of at most \(Self.longest) bytes")
      }
      let isClosed =
        byte == UInt8(ascii: "\"") || byte == UInt8(ascii: "]") || byte == UInt8(ascii: "}")
      if depth == 0, !isQuoted, isClosed { break }
    }
    return try within("a value at byte \(first)", at: ErrorPlace(byte: first)) {
      () throws(TrajpackError) in
      try JSONValue(parsing: text)
    }
  }
}
