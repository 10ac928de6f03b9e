/// How stored elements become numbers.
package struct ElementReading: Sendable {
  /// The type of the stored elements.
  package let type: ElementType
  private let scale: Double?
  private let sentinel: Bool

  /// Elements of `type`, with the rules of a channel given one by one.
  package init(type: ElementType, decimals: Int?, missing: Channel.Missing) {
    self.type = type
    scale = decimals.map { DecimalCode.powers[$0] }
    sentinel = missing == .sentinel
  }

  /// Whether stored numbers are the values themselves.
  package var isPlain: Bool { scale == nil }

  /// Whether numbers are stored as float32.
  package var isFloat32: Bool { type == .float32 }

  /// Elements of a channel, which are stored in a type of their own.
  package init(_ channel: Channel, stored type: ElementType) {
    self.init(type: type, decimals: channel.storage.decimals, missing: channel.missing)
  }

  /// Reads `count` elements, `stride` bytes apart, as doubles that come to lie `every` numbers apart; what was
  /// not observed as NaN.
  package func doubles(
    _ source: UnsafeRawPointer, count: Int, stride: Int, into out: UnsafeMutablePointer<Double>,
    every: Int = 1
  ) {
    func each<T>(_ type: T.Type, _ convert: (T) -> Double) {
      for i in 0..<count {
        out[i * every] = convert(source.loadUnaligned(fromByteOffset: i * stride, as: type))
      }
    }
    func integers<T: FixedWidthInteger>(_ type: T.Type) {
      if let scale {
        each(type) { DecimalCode.value(T(littleEndian: $0), scale: scale) }
      } else if sentinel {
        each(type) { T(littleEndian: $0) == .min ? .nan : Double(T(littleEndian: $0)) }
      } else {
        each(type) { Double(T(littleEndian: $0)) }
      }
    }
    switch type {
    case .int8: integers(Int8.self)
    case .int16: integers(Int16.self)
    case .int32: integers(Int32.self)
    case .int64: integers(Int64.self)
    case .uint8, .bool: integers(UInt8.self)
    case .uint16: integers(UInt16.self)
    case .uint32: integers(UInt32.self)
    case .uint64: integers(UInt64.self)
    case .float32: each(UInt32.self) { Double(Float(bitPattern: UInt32(littleEndian: $0))) }
    case .float64: each(UInt64.self) { Double(bitPattern: UInt64(littleEndian: $0)) }
    case .bytes: break
    }
  }

  /// Appends `count` neighbouring elements as doubles.
  @inlinable
  package func append(_ source: UnsafeRawPointer, count: Int, to out: inout [Double]) {
    if type == .float32 {
      for i in 0..<count {
        let bits = source.loadUnaligned(fromByteOffset: 4 * i, as: UInt32.self)
        out.append(Double(Float(bitPattern: UInt32(littleEndian: bits))))
      }
      return
    }
    let first = out.count
    out.append(contentsOf: repeatElement(0, count: count))
    out.withUnsafeMutableBufferPointer {
      guard let base = $0.baseAddress else { return }
      doubles(source, count: count, stride: type.size, into: base + first)
    }
  }
}
