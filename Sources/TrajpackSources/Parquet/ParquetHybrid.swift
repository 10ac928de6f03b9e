import TrajpackFormat

/// Reads runs of equal values and of bit-packed values mixed (Parquet's RLE / bit-packing hybrid encoding).
struct ParquetHybrid {
  private let bytes: UnsafeRawBufferPointer
  private let width: Int
  private var at = 0
  /// What is left of the run.
  private var left = 0
  private var isPacked = false
  private var value: UInt32 = 0
  /// The bit of the run at which the next packed value begins.
  private var bit = 0
  private var start = 0

  /// - Parameter width: Bits of a value, 0 to 32.
  init(_ bytes: UnsafeRawBufferPointer, width: Int) throws(TrajpackError) {
    guard 0...32 ~= width else {
      throw TrajpackError(.data, "\(width) bits are no width of levels or of indices")
    }
    self.bytes = bytes
    self.width = width
  }

  private static var cut: TrajpackError {
    TrajpackError(.data, "the runs of levels or indices end before the last value")
  }

  private mutating func nextRun() throws(TrajpackError) {
    if width == 0 {
      (left, isPacked, value) = (.max, false, 0)
      return
    }
    var head: UInt64 = 0
    var shift: UInt64 = 0
    while true {
      guard at < bytes.count, shift < 35 else { throw Self.cut }
      let byte = bytes[at]
      at += 1
      head |= UInt64(byte & 127) << shift
      shift += 7
      if byte < 128 { break }
    }
    if head & 1 == 1 {
      let groups = Int(head >> 1)
      // Writers may leave out the bytes of the last group that are all padding.
      (left, isPacked, bit, start) = (groups * 8, true, 0, at)
      at = min(at + groups * width, bytes.count)
      guard groups > 0 else { throw Self.cut }
      let there = (at - start) * 8 / width
      left = min(left, there)
      guard left > 0 else { throw Self.cut }
    } else {
      let count = Int(head >> 1)
      let size = (width + 7) / 8
      guard count > 0, bytes.count - at >= size else { throw Self.cut }
      value = 0
      for i in 0..<size { value |= UInt32(bytes[at + i]) << UInt32(8 * i) }
      at += size
      (left, isPacked) = (count, false)
    }
  }

  /// The value of a run that covers all of the next `count` values; `nil` where there are several runs.
  mutating func constant(_ count: Int) throws(TrajpackError) -> UInt32? {
    if left == 0, count > 0 { try nextRun() }
    return !isPacked && left >= count ? value : nil
  }

  /// The bits of a byte as eight bytes of 0 or 1, the lowest first.
  private static func spread(_ byte: UInt8) -> UInt64 {
    let bits = UInt64(byte) &* 0x0101_0101_0101_0101 & 0x8040_2010_0804_0201
    return (bits &+ 0x7F7F_7F7F_7F7F_7F7F) >> 7 & 0x0101_0101_0101_0101
  }

  /// Fills `out` with the next values.
  mutating func read<T: FixedWidthInteger & UnsignedInteger>(
    into out: UnsafeMutableBufferPointer<T>
  ) throws(TrajpackError) {
    var done = 0
    let mask = width == 32 ? UInt64(UInt32.max) : (UInt64(1) << UInt64(width)) - 1
    while done < out.count {
      if left == 0 { try nextRun() }
      let some = min(left, out.count - done)
      if !isPacked {
        let same = T(truncatingIfNeeded: value)
        for i in 0..<some { out[done + i] = same }
      } else if width == 1, bit & 7 == 0 {
        var i = 0
        if T.self == UInt8.self {
          let first = UnsafeMutableRawPointer(out.baseAddress.unsafelyUnwrapped + done)
          while i + 8 <= some {
            first.storeBytes(
              of: Self.spread(bytes[start + (bit + i) >> 3]).littleEndian, toByteOffset: i,
              as: UInt64.self)
            i += 8
          }
        }
        while i < some {
          out[done + i] = T(truncatingIfNeeded: bytes[start + (bit + i) >> 3] >> UInt8(i & 7) & 1)
          i += 1
        }
        bit += some
      } else {
        let last = bytes.count - 8
        for i in 0..<some {
          let byte = start + bit >> 3
          var word: UInt64 = 0
          if byte <= last {
            word = bytes.loadUnaligned(fromByteOffset: byte, as: UInt64.self).littleEndian
          } else {
            for k in byte..<bytes.count { word |= UInt64(bytes[k]) << UInt64(8 * (k - byte)) }
          }
          out[done + i] = T(truncatingIfNeeded: word >> UInt64(bit & 7) & mask)
          bit += width
        }
      }
      left -= some
      done += some
    }
  }
}
