import TrajpackFormat
import TrajpackStore

/// Gathers bytes before they go into a spool.
struct SpoolWriter {
  let spool = RowSpool()
  private let buffer = ByteBuffer(64 << 10)
  private var filled = 0

  /// Adds the bytes of an integer, little-endian.
  mutating func append<Integer: FixedWidthInteger>(_ value: Integer) throws(TrajpackError) {
    if filled + MemoryLayout<Integer>.size > buffer.bytes.count { try flush() }
    buffer.bytes.storeBytes(of: value.littleEndian, toByteOffset: filled, as: Integer.self)
    filled += MemoryLayout<Integer>.size
  }

  /// Adds the bytes of a double.
  mutating func append(_ value: Double) throws(TrajpackError) { try append(value.bitPattern) }

  /// Hands over what is left.
  mutating func flush() throws(TrajpackError) {
    try spool.append(UnsafeRawBufferPointer(rebasing: buffer.bytes[..<filled]))
    filled = 0
  }
}
