import TrajpackFormat
import TrajpackStore

/// Numbers and characters of MATLAB files as they are given on.
enum MATNumbers {
  /// Numbers as those of the class of their array: MATLAB stores whole doubles as small integers.
  static func converted(
    _ bytes: UnsafeRawBufferPointer, _ from: ElementType, to: ElementType, isLogical: Bool,
    _ body: (UnsafeRawBufferPointer) throws(TrajpackError) -> Void
  ) throws(TrajpackError) {
    if isLogical {
      let count = bytes.count / from.size
      let flags = (0..<count).map { i -> UInt8 in
        StoredNumber(bytes, i, from).double != 0 ? 1 : 0
      }
      return try flags.withUnsafeBytesThrowing(body)
    }
    guard from != to else { return try body(bytes) }
    let spool = RowSpool()
    try spool.append(bytes)
    try spool.converted(from: from, to: to).forEachPiece(of: to) {
      (bytes, _) throws(TrajpackError) in try body(bytes)
    }
  }

  /// The real and the imaginary part of each number, one after the other.
  static func interleaved(
    _ real: RowSpool, _ imaginary: RowSpool, size: Int,
    _ body: (UnsafeRawBufferPointer) throws(TrajpackError) -> Void
  ) throws(TrajpackError) {
    let step = 16 << 10
    let total = real.count / size
    let (parts, out) = (ByteBuffer(step * size), ByteBuffer(2 * step * size))
    for first in stride(from: 0, to: total, by: step) {
      let count = min(step, total - first)
      for (place, spool) in [real, imaginary].enumerated() {
        try spool.read(
          at: first * size,
          into: UnsafeMutableRawBufferPointer(rebasing: parts.bytes[..<(count * size)]))
        for i in 0..<count {
          for j in 0..<size { out.bytes[(2 * i + place) * size + j] = parts.bytes[i * size + j] }
        }
      }
      try body(UnsafeRawBufferPointer(rebasing: out.bytes[..<(2 * count * size)]))
    }
  }

  /// The lines of a text, whose characters lie column by column; `nil` where there are more or fewer than the axes say.
  static func lines(_ bytes: [UInt8], _ place: MATPlace) -> [String]? {
    let count = place.axes.reduce(1, *)
    let codes: [UInt32]
    switch place.text {
    case .utf8:
      let text = String(decoding: bytes, as: UTF8.self)
      let scalars = text.unicodeScalars.map(\.value)
      // Characters beyond 16 bits count as one or as two.
      codes = scalars.count == count ? scalars : text.utf16.map { UInt32($0) }
    case .utf16: codes = (0..<bytes.count / 2).map { UInt32(bytes.little(2 * $0, as: UInt16.self)) }
    case .utf32: codes = (0..<bytes.count / 4).map { bytes.little(4 * $0, as: UInt32.self) }
    case .codes:
      codes = (0..<bytes.count / 8).map {
        UInt32(exactly: Double(bitPattern: bytes.little(8 * $0, as: UInt64.self))) ?? 0xFFFD
      }
    case .latin, nil: codes = bytes.map { UInt32($0) }
    }
    guard codes.count == count, let rows = place.axes.first, rows > 0 else { return nil }
    return (0..<rows).map { row in
      var units: [UInt16] = []
      for i in stride(from: row, to: count, by: rows) {
        if codes[i] > 0xFFFF {
          units += Array(String(UnicodeScalar(codes[i]) ?? "\u{FFFD}").utf16)
        } else {
          units.append(UInt16(codes[i]))
        }
      }
      return String(decoding: units, as: UTF16.self)
    }
  }
}
