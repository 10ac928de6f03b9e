import CZlib
import TrajpackFormat

/// Array files and archives as numpy writes them, made here so that every shape and fault can be
/// tried.
enum NPYFile {
  /// An array file of version 1.
  static func bytes(_ descr: String, fortran: Bool = false, shape: [Int], _ data: [UInt8])
    -> [UInt8]
  {
    let axes = shape.map(String.init).joined(separator: ", ") + (shape.count == 1 ? "," : "")
    return bytes(
      header: "{'descr': '\(descr)', 'fortran_order': \(fortran ? "True" : "False"), "
        + "'shape': (\(axes)), }", data)
  }

  /// An array file with a header of that text.
  static func bytes(header: String, version: UInt8 = 1, _ data: [UInt8]) -> [UInt8] {
    let text =
      Array(header.utf8) + Array(repeating: 0x20, count: 63 - (header.utf8.count + 10) % 64)
      + [0x0A]
    let length = little(UInt32(text.count))
    return [0x93] + Array("NUMPY".utf8) + [version, 0] + length.prefix(version == 1 ? 2 : 4) + text
      + data
  }

  static func little<T: FixedWidthInteger>(_ value: T) -> [UInt8] {
    withUnsafeBytes(of: value.littleEndian) { Array($0) }
  }

  /// A zip archive of stored or deflated members; zip64 sizes as numpy's `force_zip64` makes them.
  static func zip(_ members: [(name: String, bytes: [UInt8])], deflated: Bool, zip64: Bool = true)
    -> [UInt8]
  {
    var out: [UInt8] = []
    var directory: [UInt8] = []
    for (name, bytes) in members {
      let packed = deflated ? deflate(bytes) : bytes
      let method = little(UInt16(deflated ? 8 : 0))
      let crc = little(UInt32(crc32_z(0, bytes, bytes.count)))
      let offset = little(UInt32(out.count))
      let sizes = little(UInt32(packed.count)) + little(UInt32(bytes.count))
      let extra =
        little(UInt16(1)) + little(UInt16(16)) + little(UInt64(bytes.count))
        + little(UInt64(packed.count))
      let common = [0, 0] + method + [0, 0, 0x21, 0] + crc
      let nameLength = little(UInt16(name.utf8.count))
      out += [0x50, 0x4B, 3, 4, 45, 0] + common
      out += zip64 ? Array(repeating: 0xFF, count: 8) : sizes
      out += nameLength + little(UInt16(zip64 ? extra.count : 0)) + Array(name.utf8)
      out += (zip64 ? extra : []) + packed
      directory += [0x50, 0x4B, 1, 2, 45, 3, 45, 0] + common + sizes + nameLength
      directory += Array(repeating: 0, count: 12) + offset + Array(name.utf8)
    }
    let start = little(UInt32(out.count))
    let count = little(UInt16(members.count))
    return out + directory + [0x50, 0x4B, 5, 6, 0, 0, 0, 0] + count + count
      + little(UInt32(directory.count)) + start + [0, 0]
  }

  /// A bare deflate stream.
  static func deflate(_ bytes: [UInt8]) -> [UInt8] {
    var out = [UInt8](repeating: 0, count: bytes.count + bytes.count / 100 + 64)
    let state = UnsafeMutablePointer<z_stream>.allocate(capacity: 1)
    defer { state.deallocate() }
    state.initialize(to: z_stream())
    deflateInit2_(
      state, 9, Z_DEFLATED, -15, 9, Z_DEFAULT_STRATEGY, ZLIB_VERSION,
      Int32(MemoryLayout<z_stream>.size))
    var input = bytes
    let count = input.withUnsafeMutableBufferPointer { from in
      out.withUnsafeMutableBufferPointer { to in
        state.pointee.next_in = from.baseAddress
        state.pointee.avail_in = UInt32(from.count)
        state.pointee.next_out = to.baseAddress
        state.pointee.avail_out = UInt32(to.count)
        CZlib.deflate(state, Z_FINISH)
        return to.count - Int(state.pointee.avail_out)
      }
    }
    deflateEnd(state)
    return Array(out.prefix(count))
  }
}

/// The bytes of numbers, little-endian.
func packed<T: FixedWidthInteger>(_ numbers: [T]) -> [UInt8] {
  numbers.flatMap { NPYFile.little($0) }
}
