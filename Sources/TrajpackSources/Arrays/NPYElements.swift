import TrajpackFormat

/// Makes little-endian elements of the type that readers get from those of a file.
struct NPYElements {
  private let header: NPYHeader
  private let origin: ByteOrigin

  init(_ header: NPYHeader, _ origin: ByteOrigin) {
    self.header = header
    self.origin = origin
  }

  /// Converts whole elements; `first` is the number of the first, for errors.
  func convert(
    _ source: UnsafeRawBufferPointer, into out: UnsafeMutableRawBufferPointer, first: Int
  ) throws(TrajpackError) {
    let count = source.count / header.storedSize
    func swap<T: FixedWidthInteger>(_ type: T.Type) {
      for i in 0..<count {
        let element = source.loadUnaligned(fromByteOffset: i * MemoryLayout<T>.size, as: T.self)
        out.storeBytes(
          of: T(bigEndian: element).littleEndian, toByteOffset: i * MemoryLayout<T>.size, as: T.self
        )
      }
    }
    if header.isHalf {
      for i in 0..<count {
        let half = source.loadUnaligned(fromByteOffset: 2 * i, as: UInt16.self)
        let bits = Self.widened(
          header.isBigEndian ? UInt16(bigEndian: half) : UInt16(littleEndian: half))
        out.storeBytes(of: bits.littleEndian, toByteOffset: 4 * i, as: UInt32.self)
      }
    } else if header.isBigEndian {
      switch header.storedSize {
      case 2: swap(UInt16.self)
      case 4: swap(UInt32.self)
      default: swap(UInt64.self)
      }
    } else if header.dates != nil {
      out.copyMemory(from: source)
    } else {
      out.copyMemory(from: source)
      guard header.type == .bool, let wrong = source.firstIndex(where: { $0 > 1 }) else { return }
      throw origin.wrong(
        "element \(first + wrong) of a bool array is \(source[wrong]), where 0 and 1 are possible")
    }
    guard let months = header.dates?.months else { return }
    for i in 0..<count {
      let value = Int64(littleEndian: out.loadUnaligned(fromByteOffset: 8 * i, as: Int64.self))
      out.storeBytes(
        of: NPYDates.days(value, months: months).littleEndian, toByteOffset: 8 * i, as: Int64.self)
    }
  }

  /// The float32 of the same value as a float16 (IEEE 754 binary16 and binary32); the payload of a
  /// NaN is kept in its highest bits.
  static func widened(_ half: UInt16) -> UInt32 {
    let sign = UInt32(half & 0x8000) << 16
    let exponent = UInt32(half >> 10) & 0x1F
    let fraction = UInt32(half & 0x3FF)
    switch exponent {
    case 0x1F: return sign | 0x7F80_0000 | fraction << 13
    case 0 where fraction == 0: return sign
    case 0:
      // Subnormal: fraction · 2^-24, whose highest bit becomes the hidden one.
      let shift = UInt32(fraction.leadingZeroBitCount) - 21
      return sign | (113 - shift) << 23 | (fraction << (shift + 13)) & 0x7F_FFFF
    default: return sign | (exponent + 112) << 23 | fraction << 13
    }
  }
}
