import CZlib
import TrajpackFormat
import TrajpackStore

extension ZipArchive.Member {
  /// Reads the member in pieces, in flat memory, and checks its size and CRC-32.
  ///
  /// - Throws: A data error naming the file, the member and the byte where it is damaged. It may
  ///   come after some pieces: what was handed over is worth nothing then.
  public func read(
    _ body: (UnsafeRawBufferPointer) throws(TrajpackError) -> Void
  ) throws(TrajpackError) {
    try ZipMemberStream(self).forEachPiece(body)
  }

  /// Where the packed bytes lie: behind a header of the member's own, which must say what the
  /// directory says.
  func place() throws(TrajpackError) -> Range<Int> {
    guard header + 30 <= limit else { throw origin.wrong("has no room for its header") }
    let local = try file.bytes(header..<header + 30)
    let nameLength = Int(local.little(26, as: UInt16.self))
    let extraLength = Int(local.little(28, as: UInt16.self))
    let start = header + 30 + nameLength + extraLength
    guard local.little(0, as: UInt32.self) == 0x0403_4B50, start <= limit,
      packedSize <= limit - start
    else { throw origin.wrong("its header at byte \(header) is damaged; fetch the file again") }
    let rest = try file.bytes(header + 30..<start)
    var zip64 = Zip64Extra(Array(rest[nameLength...]))
    let sizes = (
      zip64.value(local.little(22, as: UInt32.self)), zip64.value(local.little(18, as: UInt32.self))
    )
    // With bit 3 the sizes and the checksum stand behind the data, and only the directory has them
    // here.
    let deferred = flags & 8 != 0
    let agrees =
      local.little(6, as: UInt16.self) == flags
      && local.little(8, as: UInt16.self) == method.rawValue
      && rest[..<nameLength].elementsEqual(name.utf8)
      && (deferred
        || (local.little(14, as: UInt32.self) == crc && sizes.0 == size && sizes.1 == packedSize))
    guard agrees else {
      throw origin.wrong(
        "its header at byte \(header) and the zip directory disagree; fetch the file again")
    }
    return start..<start + packedSize
  }
}

/// The bytes of a member, checked against what the directory claims of them.
final class ZipMemberStream: ByteStream {
  private let member: ZipArchive.Member
  private let bytes: any ByteStream
  private let inflated: InflateStream?
  private let start: Int
  private var done = 0
  private var crc: UInt = 0
  private var isChecked = false

  init(_ member: ZipArchive.Member) throws(TrajpackError) {
    self.member = member
    let place = try member.place()
    start = place.lowerBound
    switch member.method {
    case .stored:
      inflated = nil
      bytes = FileStream(member.file, place)
    case .deflated:
      let inflated = try InflateStream(member.file, place, .raw, member.origin)
      self.inflated = inflated
      bytes = inflated
    }
  }

  func read(into buffer: UnsafeMutableRawBufferPointer) throws(TrajpackError) -> Int {
    let wanted = min(buffer.count, member.size - done)
    let part = UnsafeMutableRawBufferPointer(rebasing: buffer[..<wanted])
    let count = try bytes.read(into: part)
    if count > 0 {
      crc = crc32_z(crc, part.baseAddress?.assumingMemoryBound(to: UInt8.self), count)
    }
    done += count
    guard count == wanted else {
      throw member.origin.wrong(
        "ends after \(done) bytes where the zip directory claims \(member.size)")
    }
    if done == member.size, !isChecked { try check() }
    return count
  }

  /// The claimed bytes are read: there must be no more, and they must have the claimed checksum.
  private func check() throws(TrajpackError) {
    isChecked = true
    if let inflated {
      let scratch = ByteBuffer(1)
      guard try inflated.read(into: scratch.bytes) == 0 else {
        throw member.origin.wrong(
          "inflates to more than the \(member.size) bytes that the zip directory claims")
      }
      guard inflated.unused == 0 else {
        throw member.origin.wrong(
          "has \(inflated.unused) bytes behind its compressed data, at byte \(inflated.position)")
      }
    }
    guard UInt32(truncatingIfNeeded: crc) == member.crc else {
      throw member.origin.wrong(
        "its bytes from \(start) to \(start + member.packedSize) do not match their CRC-32; "
          + "fetch the file again")
    }
  }
}
