import TrajpackCodecs
import TrajpackFormat

/// The bytes of a journal behind its last whole record: a record that was cut off when its writer
/// stopped, or damage.
///
/// A writer appends one record and makes it durable before it begins the next. So what a crash leaves is
/// a part of one record: it ends early, or, after a power cut, whole sectors of it are zeros, because the
/// file's length reached the disk before its bytes did. Anything else has been changed after it was
/// written, and the shards that it named were acknowledged.
struct JournalTail {
  /// What shows that this is no cut record; `nil` where it may be one.
  private(set) var damage: String?

  /// The bytes that disks write together, at the least.
  static let sector = 512
  /// The most bytes that are checksummed in the search for a whole record. What a crash leaves is text,
  /// in which hardly a place looks like one, so only a file that was made up reaches it.
  static let searchLimit = 1 << 30

  init(_ file: LocalFile, from start: Int) throws(TrajpackError) {
    guard file.length - start <= 8 + Journal.longestRecord else {
      damage = "\(file.length - start) bytes behind it are more than a record that was cut off has"
      return
    }
    let bytes = try file.bytes(start..<file.length)
    bytes.withUnsafeBytes { damage = Self.damage($0, at: start) }
  }

  /// Length and checksum of a record.
  static func header(_ bytes: ArraySlice<UInt8>) -> (length: Int, crc: UInt32) {
    bytes.withUnsafeBytes { header($0, 0) }
  }

  private static func header(
    _ bytes: UnsafeRawBufferPointer, _ at: Int
  ) -> (length: Int, crc: UInt32) {
    (
      Int(UInt32(littleEndian: bytes.loadUnaligned(fromByteOffset: at, as: UInt32.self))),
      UInt32(littleEndian: bytes.loadUnaligned(fromByteOffset: at + 4, as: UInt32.self))
    )
  }

  private static func damage(_ bytes: UnsafeRawBufferPointer, at start: Int) -> String? {
    guard bytes.count > 8 else { return nil }
    if let place = wholeRecord(bytes) {
      return place < 0
        ? "the bytes behind it are not of a record that was cut off"
        : "a whole record follows at byte \(start + place)"
    }
    let (length, crc) = header(bytes, 0)
    let rest = UnsafeRawBufferPointer(rebasing: bytes[8...])
    // Its text is whole, so what it says of its length is wrong.
    if CRC32C.of(rest) == crc || isObject(rest) || isShard(rest), !hasLostSector(bytes, at: start) {
      return "its text is whole, but its length or checksum is not"
    }
    // Bytes that did not reach the disk are zeros, so these never were a record's.
    if length > Journal.longestRecord || ![0, UInt8(ascii: "{")].contains(rest[0]) {
      return "it does not begin as a record does"
    }
    if hasLostSector(bytes, at: start) || length > rest.count { return nil }
    return "its bytes are all there, but do not match its checksum"
  }

  /// Where a whole record begins behind the first byte; -1 where the search was given up.
  private static func wholeRecord(_ bytes: UnsafeRawBufferPointer) -> Int? {
    var budget = searchLimit
    guard bytes.count > 9 else { return nil }
    for at in 1..<bytes.count - 8 where bytes[at + 8] == UInt8(ascii: "{") {
      let (length, crc) = header(bytes, at)
      guard length > 1, length <= Journal.longestRecord, length <= bytes.count - at - 8,
        bytes[at + 7 + length] == UInt8(ascii: "}")
      else { continue }
      budget -= length
      guard budget >= 0 else { return -1 }
      let payload = UnsafeRawBufferPointer(rebasing: bytes[at + 8..<at + 8 + length])
      if CRC32C.of(payload) == crc { return at }
    }
    return nil
  }

  /// Whether the text of a shard's record is there up to its end: it has one closing brace, its last byte.
  private static func isShard(_ bytes: UnsafeRawBufferPointer) -> Bool {
    bytes.starts(with: "{\"type\":\"shard\"".utf8) && bytes.last == UInt8(ascii: "}")
  }

  private static func isObject(_ bytes: UnsafeRawBufferPointer) -> Bool {
    guard bytes.first == UInt8(ascii: "{"), bytes.last == UInt8(ascii: "}") else { return false }
    return (try? JSONValue(parsing: Array(bytes), mostValues: Journal.mostValues)) != nil
  }

  /// Whether the part of some sector that belongs to the record is all zeros.
  private static func hasLostSector(_ bytes: UnsafeRawBufferPointer, at start: Int) -> Bool {
    var at = 0
    while at < bytes.count {
      let end = min(bytes.count, at + sector - (start + at) % sector)
      if bytes[at..<end].allSatisfy({ $0 == 0 }) { return true }
      at = end
    }
    return false
  }
}
