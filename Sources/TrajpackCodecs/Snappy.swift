import TrajpackFormat

/// The raw Snappy format (google/snappy, format_description.txt), read only.
public enum Snappy {
  /// Decompresses `source` so that it fills `destination` exactly.
  ///
  /// - Throws: A data error where the bytes are damaged or of another size.
  public static func decompress(
    _ source: UnsafeRawBufferPointer, into destination: UnsafeMutableRawBufferPointer
  ) throws(TrajpackError) {
    var at = 0
    let size = try length(source, &at)
    guard size == destination.count else {
      throw TrajpackError(
        .data, "the snappy data holds \(size) bytes where \(destination.count) are expected")
    }
    guard size > 0 else { return }
    guard let from = source.baseAddress, let to = destination.baseAddress else { throw damaged }
    let (end, room) = (source.count, size)
    var out = 0
    while at < end {
      let tag = Int(from.load(fromByteOffset: at, as: UInt8.self))
      at += 1
      if tag & 3 == 0 {
        var count = tag >> 2
        if count >= 60 {
          let extra = count - 59
          guard at + extra <= end else { throw damaged }
          count = 0
          for i in 0..<extra {
            count |= Int(from.load(fromByteOffset: at + i, as: UInt8.self)) << (8 * i)
          }
          at += extra
        }
        count += 1
        guard count <= end - at, count <= room - out else { throw damaged }
        (to + out).copyMemory(from: from + at, byteCount: count)
        at += count
        out += count
        continue
      }
      let count: Int
      let distance: Int
      let extra = tag & 3 == 3 ? 4 : tag & 3
      guard extra <= end - at else { throw damaged }
      switch tag & 3 {
      case 1:
        count = (tag >> 2 & 7) + 4
        distance = (tag >> 5) << 8 | Int(from.load(fromByteOffset: at, as: UInt8.self))
      case 2:
        count = (tag >> 2) + 1
        distance = Int(from.loadUnaligned(fromByteOffset: at, as: UInt16.self).littleEndian)
      default:
        count = (tag >> 2) + 1
        distance = Int(from.loadUnaligned(fromByteOffset: at, as: UInt32.self).littleEndian)
      }
      at += extra
      guard distance > 0, distance <= out, count <= room - out else { throw damaged }
      copy(to, out, distance, count, room)
      out += count
    }
    guard out == room else { throw damaged }
  }

  /// Copies bytes that may overlap those they make.
  @inline(__always)
  private static func copy(
    _ base: UnsafeMutableRawPointer, _ out: Int, _ distance: Int, _ count: Int, _ room: Int
  ) {
    if distance >= 8, out + count + 8 <= room {
      // Eight bytes at a time; what is written past the end is overwritten by what follows.
      var done = 0
      while done < count {
        let word = base.loadUnaligned(fromByteOffset: out + done - distance, as: UInt64.self)
        base.storeBytes(of: word, toByteOffset: out + done, as: UInt64.self)
        done += 8
      }
      return
    }
    for i in 0..<count {
      let byte = base.load(fromByteOffset: out + i - distance, as: UInt8.self)
      base.storeBytes(of: byte, toByteOffset: out + i, as: UInt8.self)
    }
  }

  /// The length that stands before the data.
  private static func length(
    _ source: UnsafeRawBufferPointer, _ at: inout Int
  ) throws(TrajpackError) -> Int {
    var value = 0
    for i in 0..<5 {
      guard at < source.count else { throw damaged }
      let byte = Int(source[at])
      at += 1
      value |= (byte & 127) << (7 * i)
      if byte < 128 { return value }
    }
    throw damaged
  }

  private static var damaged: TrajpackError {
    TrajpackError(.data, "the snappy data is damaged")
  }
}
