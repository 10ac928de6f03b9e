/// A number as elements of an array or a block hold it.
package enum StoredNumber: Sendable {
  /// Of a type of whole numbers; false and true are 0 and 1.
  case whole(Int128)
  /// Of a type of floating-point numbers.
  case double(Double)

  /// Element `i` of packed little-endian elements of a type, which lie within `bytes`; of ``ElementType/bytes``, byte `i`.
  @inlinable
  package init(_ bytes: UnsafeRawBufferPointer, _ i: Int, _ type: ElementType) {
    func load<T: FixedWidthInteger>(_ type: T.Type) -> T {
      T(littleEndian: bytes.loadUnaligned(fromByteOffset: i * MemoryLayout<T>.size, as: T.self))
    }
    switch type {
    case .int8: self = .whole(Int128(load(Int8.self)))
    case .int16: self = .whole(Int128(load(Int16.self)))
    case .int32: self = .whole(Int128(load(Int32.self)))
    case .int64: self = .whole(Int128(load(Int64.self)))
    case .uint8, .bool, .bytes: self = .whole(Int128(load(UInt8.self)))
    case .uint16: self = .whole(Int128(load(UInt16.self)))
    case .uint32: self = .whole(Int128(load(UInt32.self)))
    case .uint64: self = .whole(Int128(load(UInt64.self)))
    case .float32: self = .double(Double(Float(bitPattern: load(UInt32.self))))
    case .float64: self = .double(Double(bitPattern: load(UInt64.self)))
    }
  }

  /// The number, or the nearest double.
  @inlinable
  package var double: Double {
    switch self {
    case .whole(let n): Double(n)
    case .double(let x): x
    }
  }

  /// Stores the number as a little-endian element of a type that holds it; of a whole number that it does not
  /// hold, the lowest bits.
  @inlinable
  package func store(as type: ElementType, at out: UnsafeMutableRawPointer) {
    switch (self, type) {
    case (_, .float32):
      let value: Float =
        switch self {
        case .whole(let n): Float(n)
        case .double(let x): Float(x)
        }
      out.storeBytes(of: value.bitPattern.littleEndian, as: UInt32.self)
    case (.double(let x), _): out.storeBytes(of: x.bitPattern.littleEndian, as: UInt64.self)
    case (.whole(let n), .float64):
      out.storeBytes(of: Double(n).bitPattern.littleEndian, as: UInt64.self)
    case (.whole(let n), _):
      switch type.size {
      case 1: out.storeBytes(of: UInt8(truncatingIfNeeded: n), as: UInt8.self)
      case 2: out.storeBytes(of: UInt16(truncatingIfNeeded: n).littleEndian, as: UInt16.self)
      case 4: out.storeBytes(of: UInt32(truncatingIfNeeded: n).littleEndian, as: UInt32.self)
      default: out.storeBytes(of: UInt64(truncatingIfNeeded: n).littleEndian, as: UInt64.self)
      }
    }
  }

  /// Copies `count` elements from element `first` on, as those of a type that holds them.
  @inlinable
  package static func copy(
    _ bytes: UnsafeRawBufferPointer, _ first: Int, _ count: Int, _ from: ElementType,
    to type: ElementType, at out: UnsafeMutableRawPointer
  ) {
    guard count > 0 else { return }
    if from == type {
      let base = bytes.baseAddress.unsafelyUnwrapped + first * from.size
      return out.copyMemory(from: base, byteCount: count * type.size)
    }
    for i in 0..<count {
      StoredNumber(bytes, first + i, from).store(as: type, at: out + i * type.size)
    }
  }
}
