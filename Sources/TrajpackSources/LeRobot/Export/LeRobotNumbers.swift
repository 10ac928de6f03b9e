import TrajpackFormat
import TrajpackStore

/// Rows of numbers, as a column has them.
struct LeRobotNumbers {
  /// Packed, little-endian; whole numbers that were not observed are 0.
  private(set) var bytes: [UInt8]
  /// The same as doubles; NaN where not observed.
  private(set) var doubles: [Double] = []

  /// The rows of a channel in a type that holds its numbers.
  init(_ values: ChannelValues, as type: ElementType) {
    doubles = values.doubles()
    let own = values.channel.type
    if own == type {
      bytes = values.logicalBytes()
    } else if type.isFloat {
      bytes =
        type == .float64
        ? littleEndian(doubles.map(\.bitPattern))
        : littleEndian(doubles.map { Float($0).bitPattern })
    } else {
      bytes = []
      for i in doubles.indices {
        let elements = values.channel.elements
        let number: UInt64 =
          switch values.value(i / elements, i % elements) {
          case .int(let n): UInt64(bitPattern: n)
          case .uint(let n): n
          default: 0
          }
        withUnsafeBytes(of: number.littleEndian) { bytes += $0.prefix(type.size) }
      }
    }
    guard own == type, values.hasMissingIntegers else { return }
    let (size, elements) = (type.size, values.channel.elements)
    for i in doubles.indices where values.value(i / elements, i % elements) == .missing {
      bytes.replaceSubrange(i * size..<(i + 1) * size, with: repeatElement(0, count: size))
    }
  }

  /// 1 where a value was observed.
  init(observed values: ChannelValues) {
    let elements = values.channel.elements
    bytes = (0..<values.count * elements).map {
      values.value($0 / elements, $0 % elements) == .missing ? 0 : 1
    }
  }

  /// Rows of several channels, each row of one behind that of the one before.
  init(joining parts: [LeRobotNumbers], of type: ElementType, count: Int) {
    bytes = []
    guard count > 0 else { return }
    bytes.reserveCapacity(parts.reduce(0) { $0 + $1.bytes.count })
    for row in 0..<count {
      for part in parts {
        let width = part.bytes.count / count
        bytes += part.bytes[row * width..<(row + 1) * width]
        let elements = part.doubles.count / count
        doubles += part.doubles[row * elements..<(row + 1) * elements]
      }
    }
  }
}
