import CZlib
import TrajpackFormat
import TrajpackStore

/// Writes numpy arrays into an `.npz` archive (PKWARE APPNOTE 6.3.10 with zip64 fields, deflated), in
/// flat memory.
final class NPZWriter {
  private struct Member {
    var name: String
    var crc: UInt32
    var packed: Int
    var raw: Int
    var offset: Int
  }

  private let file: OutputFile
  private let deflater: Deflater
  private var members: [Member] = []

  init(_ name: String, in folder: ExportFolder) throws(TrajpackError) {
    file = try OutputFile(name, in: folder)
    deflater = try Deflater(file)
  }

  /// Writes an array in C order; `body` is given a function that takes its bytes in order.
  func add(
    _ name: String, type: ElementType, shape: [Int],
    _ body: ((UnsafeRawBufferPointer) throws(TrajpackError) -> Void) throws(TrajpackError) -> Void
  ) throws(TrajpackError) {
    var member = Member(name: name + ".npy", crc: 0, packed: 0, raw: 0, offset: file.count)
    try file.write(localHeader(member))
    try deflater.begin()
    let header = Self.header(type, shape)
    try header.withBytes { (bytes) throws(TrajpackError) in try deflater.add(bytes) }
    let size = shape.reduce(type.size, *)
    try body { (bytes) throws(TrajpackError) in try deflater.add(bytes) }
    try deflater.finish()
    precondition(deflater.raw == header.count + size, "an array is as long as its shape says")
    (member.crc, member.packed, member.raw) = (deflater.crc, deflater.packed, deflater.raw)
    try file.patch(localHeader(member), at: member.offset)
    members.append(member)
  }

  /// Writes the directory and makes the file durable.
  func finish() throws(TrajpackError) {
    let start = file.count
    for member in members { try file.write(directoryEntry(member)) }
    let size = file.count - start
    let end = file.count
    let count = UInt64(members.count)
    try file.write(
      le(0x0606_4B50 as UInt32) + le(44 as UInt64) + le(45 as UInt16) + le(45 as UInt16)
        + le(0 as UInt32) + le(0 as UInt32) + le(count) + le(count) + le(UInt64(size))
        + le(UInt64(start)))
    try file.write(le(0x0706_4B50 as UInt32) + le(0 as UInt32) + le(UInt64(end)) + le(1 as UInt32))
    let short = UInt16(min(members.count, 0xFFFF))
    try file.write(
      le(0x0605_4B50 as UInt32) + le(0 as UInt16) + le(0 as UInt16) + le(short) + le(short)
        + le(UInt32(min(size, 0xFFFF_FFFF))) + le(UInt32(min(start, 0xFFFF_FFFF))) + le(0 as UInt16)
    )
    try file.finish()
  }

  /// numpy's header, format 1.0.
  static func header(_ type: ElementType, _ shape: [Int]) -> [UInt8] {
    let letter = type == .bool ? "b" : type.isFloat ? "f" : (type.code.first == "i" ? "i" : "u")
    let descr = "\(type.size == 1 ? "|" : "<")\(letter)\(type.size)"
    let list = shape.map { "\($0)," }.joined(separator: " ")
    var text = "{'descr': '\(descr)', 'fortran_order': False, 'shape': (\(list)), }"
    // The header ends in a line feed at a multiple of 64 bytes.
    text += String(repeating: " ", count: 63 - (text.utf8.count + 10) % 64) + "\n"
    return [0x93] + Array("NUMPY".utf8) + [1, 0] + le(UInt16(text.utf8.count)) + Array(text.utf8)
  }

  // The times are the earliest that zip knows, so that the same data gives the same bytes.
  private func localHeader(_ member: Member) -> [UInt8] {
    le(0x0403_4B50 as UInt32) + le(45 as UInt16) + le(0x800 as UInt16) + le(8 as UInt16)
      + le(0 as UInt16) + le(0x21 as UInt16) + le(member.crc) + le(0xFFFF_FFFF as UInt32)
      + le(0xFFFF_FFFF as UInt32) + le(UInt16(member.name.utf8.count)) + le(20 as UInt16)
      + Array(member.name.utf8) + le(1 as UInt16) + le(16 as UInt16) + le(UInt64(member.raw))
      + le(UInt64(member.packed))
  }

  private func directoryEntry(_ member: Member) -> [UInt8] {
    var out = le(0x0201_4B50 as UInt32) + le(45 as UInt16) + le(45 as UInt16) + le(0x800 as UInt16)
    out += le(8 as UInt16) + le(0 as UInt16) + le(0x21 as UInt16) + le(member.crc)
    out +=
      le(0xFFFF_FFFF as UInt32) + le(0xFFFF_FFFF as UInt32) + le(UInt16(member.name.utf8.count))
    out += le(28 as UInt16) + le(0 as UInt16) + le(0 as UInt16) + le(0 as UInt16) + le(0 as UInt32)
    out += le(0xFFFF_FFFF as UInt32) + Array(member.name.utf8)
    out += le(1 as UInt16) + le(24 as UInt16) + le(UInt64(member.raw)) + le(UInt64(member.packed))
    return out + le(UInt64(member.offset))
  }
}

/// An integer's bytes, little-endian.
func le<Integer: FixedWidthInteger>(_ value: Integer) -> [UInt8] {
  withUnsafeBytes(of: value.littleEndian) { Array($0) }
}

/// Integers' bytes, little-endian, one after the other.
func littleEndian<Integer: FixedWidthInteger>(_ values: [Integer]) -> [UInt8] {
  values.map(\.littleEndian).withUnsafeBytes { Array($0) }
}

/// Raw deflate streams (RFC 1951) into a file, one after the other.
private final class Deflater {
  private let file: OutputFile
  private let stream = UnsafeMutablePointer<z_stream>.allocate(capacity: 1)
  private var out = [UInt8](repeating: 0, count: 128 << 10)
  private(set) var crc: UInt32 = 0
  private(set) var raw = 0
  private(set) var packed = 0

  init(_ file: OutputFile) throws(TrajpackError) {
    self.file = file
    stream.initialize(to: z_stream())
    guard
      deflateInit2_(
        stream, 4, Z_DEFLATED, -15, 8, Z_DEFAULT_STRATEGY, ZLIB_VERSION,
        Int32(MemoryLayout<z_stream>.size)) == Z_OK
    else { throw TrajpackError(.machine, "there is no memory for a deflate stream") }
  }

  deinit {
    deflateEnd(stream)
    stream.deallocate()
  }

  /// Begins a new stream in the memory of the one before.
  func begin() throws(TrajpackError) {
    guard deflateReset(stream) == Z_OK else {
      throw TrajpackError(.machine, file: file.path, "zlib cannot begin a stream")
    }
    (crc, raw, packed) = (0, 0, 0)
  }

  func add(_ bytes: UnsafeRawBufferPointer) throws(TrajpackError) {
    var at = 0
    while at < bytes.count {
      let part = UnsafeRawBufferPointer(rebasing: bytes[at..<min(at + 1 << 30, bytes.count)])
      let start = part.baseAddress?.assumingMemoryBound(to: UInt8.self)
      crc = UInt32(truncatingIfNeeded: crc32(UInt(crc), start, UInt32(part.count)))
      raw += part.count
      stream.pointee.next_in = UnsafeMutablePointer(mutating: start)
      stream.pointee.avail_in = UInt32(part.count)
      while stream.pointee.avail_in > 0 { try step(Z_NO_FLUSH) }
      at += part.count
    }
  }

  func finish() throws(TrajpackError) { while try step(Z_FINISH) != Z_STREAM_END {} }

  @discardableResult
  private func step(_ flush: Int32) throws(TrajpackError) -> Int32 {
    let (status, count) = out.withUnsafeMutableBufferPointer { buffer in
      stream.pointee.next_out = buffer.baseAddress
      stream.pointee.avail_out = UInt32(buffer.count)
      let status = deflate(stream, flush)
      return (status, buffer.count - Int(stream.pointee.avail_out))
    }
    guard status == Z_OK || status == Z_STREAM_END || status == Z_BUF_ERROR else {
      throw TrajpackError(.machine, file: file.path, "zlib cannot compress: error \(status)")
    }
    packed += count
    try out.withBytes { (bytes) throws(TrajpackError) in
      try file.write(UnsafeRawBufferPointer(rebasing: bytes[..<count]))
    }
    return status
  }
}
