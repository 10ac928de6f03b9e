/// Writes a FlatBuffers message (flatbuffers.dev, internals) from its end to its front. Places are counted from the end.
struct FlatBufferWriter {
  /// The bytes, the last one first.
  private var reversed: [UInt8] = []

  /// A field of a table.
  enum Field {
    case bool(Bool)
    case byte(UInt8)
    case short(Int16)
    case int(Int32)
    case long(Int64)
    /// A table, vector or text that was written, by its place.
    case place(Int)

    fileprivate var size: Int {
      switch self {
      case .bool, .byte: 1
      case .short: 2
      case .int, .place: 4
      case .long: 8
      }
    }
  }

  /// Has what follows, of so many bytes, begin at a multiple of `alignment`.
  private mutating func align(_ alignment: Int, for bytes: Int) {
    while (reversed.count + bytes) % alignment != 0 { reversed.append(0) }
  }

  private mutating func put<Number: FixedWidthInteger>(_ number: Number) {
    withUnsafeBytes(of: number.bigEndian) { reversed.append(contentsOf: $0) }
  }

  /// A text; its place.
  mutating func text(_ text: String) -> Int {
    align(4, for: text.utf8.count + 1)
    reversed.append(0)
    reversed.append(contentsOf: text.utf8.reversed())
    put(UInt32(text.utf8.count))
    return reversed.count
  }

  /// A vector of tables or texts; its place.
  mutating func vector(_ places: [Int]) -> Int {
    align(4, for: 4 * places.count)
    for place in places.reversed() { put(UInt32(reversed.count + 4 - place)) }
    put(UInt32(places.count))
    return reversed.count
  }

  /// A vector of structs of so many 64-bit numbers each; its place.
  mutating func structs(_ numbers: [[Int]]) -> Int {
    align(8, for: numbers.reduce(0) { $0 + 8 * $1.count })
    for number in numbers.flatMap(\.self).reversed() { put(Int64(number)) }
    put(UInt32(numbers.count))
    return reversed.count
  }

  /// A table; `nil` for a field that it does not have. Its place.
  mutating func table(_ fields: [Field?]) -> Int {
    let end = reversed.count
    var places = [Int](repeating: 0, count: fields.count)
    for (slot, field) in fields.enumerated().reversed() {
      guard let field else { continue }
      align(field.size, for: field.size)
      switch field {
      case .bool(let value): put(UInt8(value ? 1 : 0))
      case .byte(let value): put(value)
      case .short(let value): put(value)
      case .int(let value): put(value)
      case .long(let value): put(value)
      case .place(let place): put(UInt32(reversed.count + 4 - place))
      }
      places[slot] = reversed.count
    }
    align(4, for: 4)
    let length = 4 + 2 * fields.count
    put(Int32(length))
    let table = reversed.count
    for place in places.reversed() { put(UInt16(place == 0 ? 0 : table - place)) }
    put(UInt16(table - end))
    put(UInt16(length))
    return table
  }

  /// The message, whose root is the table at `place`; its length is a multiple of 8.
  mutating func finish(_ place: Int) -> [UInt8] {
    align(8, for: 4)
    put(UInt32(reversed.count + 4 - place))
    return reversed.reversed()
  }
}
