/// The type of a channel's elements. Raw values are numpy's names.
public enum ElementType: String, Sendable, CaseIterable {
  case int8, int16, int32, int64
  case uint8, uint16, uint32, uint64
  case float32, float64
  case bool
  /// A string of bytes of any length a row: text, or a video packet.
  case bytes

  /// Bytes of one element as it lies in a block; 0 for ``bytes``.
  public var size: Int {
    switch self {
    case .int8, .uint8, .bool: return 1
    case .int16, .uint16: return 2
    case .int32, .uint32, .float32: return 4
    case .int64, .uint64, .float64: return 8
    case .bytes: return 0
    }
  }

  /// Whether the elements are IEEE 754 numbers.
  public var isFloat: Bool { self == .float32 || self == .float64 }

  /// The whole numbers that a type of whole numbers holds; `nil` for the others.
  package var range: ClosedRange<Int128>? {
    switch self {
    case .int8, .int16, .int32, .int64: -1 << (size * 8 - 1)...(1 << (size * 8 - 1)) - 1
    case .uint8, .uint16, .uint32, .uint64: 0...(1 << (size * 8)) - 1
    case .bool: 0...1
    case .float32, .float64, .bytes: nil
    }
  }

  /// A short name for paths: `i4`, `f8`, `u1`.
  public var code: String {
    switch self {
    case .int8, .int16, .int32, .int64: return "i\(size)"
    case .uint8, .uint16, .uint32, .uint64: return "u\(size)"
    case .float32, .float64: return "f\(size)"
    case .bool: return "b1"
    case .bytes: return "bytes"
    }
  }

  /// The narrowest type that holds every value of both; `nil` where there is none (text and numbers).
  public func widened(with other: ElementType) -> ElementType? {
    if self == other { return self }
    if self == .bytes || other == .bytes { return nil }
    if self == .bool { return other }
    if other == .bool { return self }
    if isFloat || other.isFloat {
      let (float, int) = isFloat ? (self, other) : (other, self)
      if int.isFloat { return .float64 }
      if int.size <= 2 { return float }
      return int.size == 4 ? .float64 : nil
    }
    let signed: [ElementType] = [.int8, .int16, .int32, .int64]
    let bits = { (t: ElementType) in signed.contains(t) ? t.size * 8 : t.size * 8 + 1 }
    if !signed.contains(self), !signed.contains(other) { return size > other.size ? self : other }
    let needed = max(bits(self), bits(other))
    return signed.first { $0.size * 8 >= needed }
  }
}
