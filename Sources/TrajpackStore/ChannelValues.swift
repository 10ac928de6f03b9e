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

    /// A number of a type; single precision is of ``ElementType/float32`` alone.
    package init(_ number: StoredNumber, _ type: ElementType) {
      self =
        switch number {
        case .whole(let n): Int64(exactly: n).map { .int($0) } ?? .uint(UInt64(clamping: n))
        case .double(let x): type == .float32 ? .float(Float(x)) : .double(x)
        }
    }
  }

  /// The channel.
  public let channel: Channel
  /// The type of the stored elements.
  public let stored: ElementType
  /// Rows.
  public let count: Int
  /// The rows, packed, little-endian.
  public let bytes: [UInt8]

  private var width: Int { channel.storedElements }

  /// Element `element` of row `row`; both in bounds.
  public func value(_ row: Int, _ element: Int) -> Value {
    bytes.withUnsafeBytes { raw in
      let at = row * width + element
      let number = StoredNumber(raw, at, stored)
      switch number {
      case .whole(let n):
        if channel.storage.decimals != nil, let from = raw.baseAddress {
          var value = 0.0
          ElementReading(channel, stored: stored).doubles(
            from + at * stored.size, count: 1, stride: stored.size, into: &value)
          return value.isNaN ? .missing : .double(value)
        }
        if channel.missing == .sentinel, n == stored.range?.lowerBound { return .missing }
      case .double(let x): if channel.missing == .nan, x.isNaN { return .missing }
      }
      return Value(number, channel.type)
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
