import TrajpackFormat

/// Reads structs of Thrift's compact protocol (apache/thrift, doc/specs/thrift-compact-protocol.md), every length
/// compared with the bytes that are left.
struct ThriftReader {
  /// The types of fields and elements.
  enum Kind: UInt8 {
    case yes = 1
    case no, int8, int16, int32, int64, double, binary, list, set, map, structure
  }

  private let bytes: UnsafeRawBufferPointer
  /// The byte that is read next.
  private(set) var position = 0
  private var depth = 0

  private static let mostLevels = 24

  init(_ bytes: UnsafeRawBufferPointer) { self.bytes = bytes }

  private var cut: TrajpackError {
    TrajpackError(.data, "the metadata end at byte \(bytes.count), in the middle of a value")
  }

  private mutating func byte() throws(TrajpackError) -> UInt8 {
    guard position < bytes.count else { throw cut }
    position += 1
    return bytes[position - 1]
  }

  private mutating func number() throws(TrajpackError) -> UInt64 {
    var value: UInt64 = 0
    for i in 0..<10 {
      let next = try byte()
      value |= UInt64(next & 127) << UInt64(7 * i)
      if next < 128 { return value }
    }
    throw TrajpackError(.data, "the metadata have an integer of more than ten bytes")
  }

  /// An integer of any width.
  mutating func integer() throws(TrajpackError) -> Int {
    let value = try number()
    return Int(truncatingIfNeeded: value >> 1) ^ -Int(truncatingIfNeeded: value & 1)
  }

  /// The bytes of a text or of binary data.
  mutating func binary() throws(TrajpackError) -> UnsafeRawBufferPointer {
    let count = try number()
    guard count <= UInt64(bytes.count - position) else { throw cut }
    defer { position += Int(count) }
    return UnsafeRawBufferPointer(rebasing: bytes[position..<position + Int(count)])
  }

  /// A text.
  mutating func text() throws(TrajpackError) -> String {
    String(decoding: try binary(), as: UTF8.self)
  }

  /// The elements of a list.
  mutating func list(
    _ element: (inout ThriftReader) throws(TrajpackError) -> Void
  ) throws(TrajpackError) {
    let (count, _) = try listHead()
    for _ in 0..<count { try element(&self) }
  }

  private mutating func listHead() throws(TrajpackError) -> (Int, UInt8) {
    let head = try byte()
    var count = UInt64(head >> 4)
    if count == 15 { count = try number() }
    // Each element takes at least a byte.
    guard count <= UInt64(bytes.count - position) else { throw cut }
    return (Int(count), head & 15)
  }

  /// The fields of a struct, by their numbers; `body` reads each, or has it skipped.
  mutating func fields(
    _ body: (inout ThriftReader, Int, Kind) throws(TrajpackError) -> Void
  ) throws(TrajpackError) {
    depth += 1
    defer { depth -= 1 }
    guard depth <= Self.mostLevels else {
      throw TrajpackError(.data, "the metadata are nested deeper than \(Self.mostLevels) levels")
    }
    var field = 0
    while true {
      let head = try byte()
      if head == 0 { return }
      field = head >> 4 == 0 ? try integer() : field &+ Int(head >> 4)
      try body(&self, field, try Self.kind(head & 15))
    }
  }

  private static func kind(_ code: UInt8) throws(TrajpackError) -> Kind {
    guard let kind = Kind(rawValue: code) else {
      throw TrajpackError(.data, "the metadata have a value of the unknown type \(code)")
    }
    return kind
  }

  /// Passes over a value.
  mutating func skip(_ kind: Kind) throws(TrajpackError) {
    switch kind {
    case .yes, .no: return
    case .int8: _ = try byte()
    case .int16, .int32, .int64: _ = try number()
    case .double:
      guard bytes.count - position >= 8 else { throw cut }
      position += 8
    case .binary: _ = try binary()
    case .list, .set:
      let (count, code) = try listHead()
      let kind = try Self.kind(code)
      for _ in 0..<count { try skipElement(kind) }
    case .map:
      let count = try number()
      guard count > 0 else { return }
      let kinds = try byte()
      guard count <= UInt64(bytes.count - position) else { throw cut }
      let (key, value) = (try Self.kind(kinds >> 4), try Self.kind(kinds & 15))
      for _ in 0..<count {
        try skipElement(key)
        try skipElement(value)
      }
    case .structure:
      try fields { (reader, _, kind) throws(TrajpackError) in try reader.skip(kind) }
    }
  }

  /// Passes over an element of a list, where truth values have a byte of their own.
  private mutating func skipElement(_ kind: Kind) throws(TrajpackError) {
    depth += 1
    defer { depth -= 1 }
    guard depth <= Self.mostLevels else {
      throw TrajpackError(.data, "the metadata are nested deeper than \(Self.mostLevels) levels")
    }
    if kind == .yes || kind == .no { _ = try byte() } else { try skip(kind) }
  }
}
