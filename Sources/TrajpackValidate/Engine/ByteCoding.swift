import TrajpackFormat

/// Writes values one after the other, little-endian.
struct ByteEncoder {
  private(set) var bytes: [UInt8] = []

  mutating func add(_ value: UInt64) {
    withUnsafeBytes(of: value.littleEndian) { bytes += $0 }
  }
  mutating func add(_ value: Int) { add(UInt64(bitPattern: Int64(value))) }
  mutating func add(_ value: Double) { add(value.bitPattern) }
  mutating func add(_ value: Bool) { bytes.append(value ? 1 : 0) }
  mutating func add(_ text: String) {
    let utf8 = Array(text.utf8)
    add(utf8.count)
    bytes += utf8
  }
  mutating func add<Value>(_ value: Value?, _ write: (inout ByteEncoder, Value) -> Void) {
    add(value != nil)
    if let value { write(&self, value) }
  }
  mutating func add<Value>(
    _ list: some Collection<Value>, _ write: (inout ByteEncoder, Value) -> Void
  ) {
    add(list.count)
    for value in list { write(&self, value) }
  }
}

/// Reads what a ``ByteEncoder`` wrote. After the first value that is not there it gives zeros, and ``isWhole`` is false.
struct ByteDecoder {
  private let bytes: [UInt8]
  private var at = 0
  private(set) var isWhole = true

  init(_ bytes: [UInt8]) { self.bytes = bytes }

  /// Whether everything was read, and nothing is left.
  var isAtEnd: Bool { isWhole && at == bytes.count }

  private mutating func take(_ count: Int) -> ArraySlice<UInt8>? {
    guard isWhole, count >= 0, count <= bytes.count - at else {
      isWhole = false
      return nil
    }
    defer { at += count }
    return bytes[at..<at + count]
  }

  mutating func word() -> UInt64 {
    guard let found = take(8) else { return 0 }
    return found.reversed().reduce(0) { $0 << 8 | UInt64($1) }
  }
  mutating func int() -> Int { Int(truncatingIfNeeded: word()) }
  mutating func double() -> Double { Double(bitPattern: word()) }
  mutating func bool() -> Bool { take(1)?.first == 1 }
  mutating func text() -> String { String(decoding: take(int()) ?? [], as: UTF8.self) }
  mutating func optional<Value>(_ read: (inout ByteDecoder) -> Value) -> Value? {
    bool() && isWhole ? read(&self) : nil
  }
  mutating func list<Value>(_ read: (inout ByteDecoder) -> Value) -> [Value] {
    let count = int()
    // Every value has a byte at least.
    guard isWhole, count >= 0, count <= bytes.count - at else {
      isWhole = false
      return []
    }
    return (0..<count).map { _ in read(&self) }
  }
}
