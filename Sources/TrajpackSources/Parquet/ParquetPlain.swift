import TrajpackFormat

/// Values that stand one after another (Parquet's PLAIN encoding).
enum ParquetPlain {
  static func read(
    _ bytes: UnsafeRawBufferPointer, _ column: ParquetColumn, _ count: Int,
    _ page: inout ParquetPage
  ) throws(TrajpackError) {
    func short() -> TrajpackError {
      TrajpackError(
        .data, "\(bytes.count) bytes do not hold the \(count) values that the page states")
    }
    switch column.physical {
    case .boolean:
      guard bytes.count >= count / 8, bytes.count * 8 >= count else { throw short() }
      try page.fill(count) { (out) throws(TrajpackError) in
        for i in 0..<count { out[i] = bytes[i >> 3] >> UInt8(i & 7) & 1 }
      }
    case .bytes:
      // Each value has four bytes of its length.
      guard count <= bytes.count / 4 || count == 0 else { throw short() }
      page.ends.removeAll(keepingCapacity: true)
      page.ends.reserveCapacity(count)
      page.values.removeAll(keepingCapacity: true)
      page.values.reserveCapacity(bytes.count - 4 * count)
      var at = 0
      for _ in 0..<count {
        guard bytes.count - at >= 4 else { throw short() }
        let length = Int(bytes.loadUnaligned(fromByteOffset: at, as: UInt32.self).littleEndian)
        at += 4
        guard length <= bytes.count - at else { throw short() }
        page.values.append(contentsOf: bytes[at..<at + length])
        page.ends.append(page.values.count)
        at += length
      }
    default:
      let (size, isOver) = count.multipliedReportingOverflow(by: column.width)
      guard !isOver, bytes.count >= size else { throw short() }
      try page.fill(size) { (out) throws(TrajpackError) in
        UnsafeMutableRawBufferPointer(out).copyMemory(
          from: UnsafeRawBufferPointer(rebasing: bytes[..<size]))
      }
    }
    page.present = count
  }
}

extension ParquetPage {
  mutating func clearValues() {
    values.removeAll(keepingCapacity: true)
    ends.removeAll(keepingCapacity: true)
  }

  /// Makes room for so many bytes of values, and has them filled.
  mutating func fill(
    _ size: Int, _ body: (UnsafeMutableBufferPointer<UInt8>) throws(TrajpackError) -> Void
  ) throws(TrajpackError) {
    ends.removeAll(keepingCapacity: true)
    if values.count > size {
      values.removeLast(values.count - size)
    } else if values.count < size {
      values = [UInt8](repeating: 0, count: size)
    }
    try values.withUnsafeMutableBufferPointer { (out) throws(TrajpackError) in try body(out) }
  }

  /// Takes values of a dictionary; the indices lie in it.
  mutating func gather(
    _ dictionary: ParquetPage, _ indices: [UInt32], _ count: Int, _ width: Int
  ) throws(TrajpackError) {
    if width == 0 {
      clearValues()
      ends.reserveCapacity(count)
      for i in 0..<count {
        values.append(contentsOf: dictionary.values[dictionary.bytes(Int(indices[i]))])
        ends.append(values.count)
        guard values.count <= 1 << 31 else {
          throw TrajpackError(.data, "the texts of a page have more than 2 GiB")
        }
      }
      return
    }
    try fill(count * width) { (out) throws(TrajpackError) in
      let to = UnsafeMutableRawBufferPointer(out)
      dictionary.values.withUnsafeBytes { from in
        indices.withUnsafeBufferPointer { indices in
          switch width {
          case 4:
            for i in 0..<count {
              let value = from.loadUnaligned(
                fromByteOffset: 4 &* Int(indices[i]), as: UInt32.self)
              to.storeBytes(of: value, toByteOffset: 4 &* i, as: UInt32.self)
            }
          case 8:
            for i in 0..<count {
              let value = from.loadUnaligned(
                fromByteOffset: 8 &* Int(indices[i]), as: UInt64.self)
              to.storeBytes(of: value, toByteOffset: 8 &* i, as: UInt64.self)
            }
          default:
            for i in 0..<count {
              let one = Int(indices[i]) * width
              UnsafeMutableRawBufferPointer(rebasing: to[i * width..<(i + 1) * width])
                .copyMemory(from: UnsafeRawBufferPointer(rebasing: from[one..<one + width]))
            }
          }
        }
      }
    }
  }
}
