import TrajpackFormat

/// Rows of a channel as they are stored, and what they mean.
public struct ChannelValues: Sendable {
  /// One element.
  public enum Value: Sendable, Equatable {
    /// It was not observed.
    case missing
    /// A whole number.
    case int(Int64)
    /// A whole number beyond the signed range.
    case uint(UInt64)
    /// A number.
    case double(Double)
    /// A single-precision number; its text is the shortest that gives it back.
    case float(Float)
  }

  /// The channel.
  public let channel: Channel
  /// The type of the stored elements.
  public let stored: ElementType
  /// Rows.
  public let count: Int
  /// The rows, packed, little-endian.
  public let bytes: [UInt8]

  private var width: Int { channel.type == .bytes ? 2 : channel.elements }

  /// Element `element` of row `row`; both in bounds.
  public func value(_ row: Int, _ element: Int) -> Value {
    let at = (row * width + element) * stored.size
    return bytes.withUnsafeBytes { raw in
      func load<T: FixedWidthInteger>(_ type: T.Type) -> T {
        T(littleEndian: raw.loadUnaligned(fromByteOffset: at, as: type))
      }
      func integer<T: FixedWidthInteger & SignedInteger>(_ type: T.Type) -> Value {
        let n = load(type)
        if let decimals = channel.storage.decimals {
          let value = DecimalCode.value(n, scale: DecimalCode.powers[decimals])
          return value.isNaN ? .missing : .double(value)
        }
        return channel.missing == .sentinel && n == .min ? .missing : .int(Int64(n))
      }
      switch stored {
      case .int8: return integer(Int8.self)
      case .int16: return integer(Int16.self)
      case .int32: return integer(Int32.self)
      case .int64: return integer(Int64.self)
      case .uint8, .bool: return .int(Int64(load(UInt8.self)))
      case .uint16: return .int(Int64(load(UInt16.self)))
      case .uint32: return .int(Int64(load(UInt32.self)))
      case .uint64:
        let n = load(UInt64.self)
        return n <= UInt64(Int64.max) ? .int(Int64(n)) : .uint(n)
      case .float32:
        let value = Float(bitPattern: load(UInt32.self))
        if channel.missing == .nan, value.isNaN { return .missing }
        return channel.type == .float32 ? .float(value) : .double(Double(value))
      case .float64:
        let value = Double(bitPattern: load(UInt64.self))
        return channel.missing == .nan && value.isNaN ? .missing : .double(value)
      case .bytes: return .missing
      }
    }
  }

  /// The elements as doubles, row by row; NaN where not observed.
  public func doubles() -> [Double] {
    var out = [Double](repeating: 0, count: count * width)
    let reading = ElementReading(channel, stored: stored)
    out.withUnsafeMutableBufferPointer { out in
      bytes.withUnsafeBytes { raw in
        guard let from = raw.baseAddress, let to = out.baseAddress else { return }
        reading.doubles(from, count: out.count, stride: stored.size, into: to)
      }
    }
    return out
  }

  /// The name that the number of a categorical channel stands for; `nil` where not observed.
  public func category(_ row: Int, _ element: Int = 0) -> String? {
    guard let names = channel.categories, case .int(let code) = value(row, element),
      names.indices.contains(Int(code))
    else { return nil }
    return names[Int(code)]
  }
}

extension ChannelValues.Value: CustomStringConvertible {
  /// The shortest text that gives the value back; `nan` where not observed.
  public var description: String {
    switch self {
    case .missing: return "nan"
    case .int(let n): return String(n)
    case .uint(let n): return String(n)
    case .double(let n): return n.description
    case .float(let n): return n.description
    }
  }
}
