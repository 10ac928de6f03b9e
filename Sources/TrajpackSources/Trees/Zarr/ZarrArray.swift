import TrajpackFormat

/// What the metadata of a Zarr array says, of version 2 and of version 3 (zarr-specs.readthedocs.io).
struct ZarrArray: Sendable {
  var shape: [Int] = []
  /// The shape of a chunk as it is read; of sharded arrays that of the parts of a shard.
  var chunk: [Int] = []
  /// The type of the elements as readers get them.
  var type = ElementType.float32
  /// Whether elements lie there as float16.
  var isHalf = false
  /// Whether an element is two numbers, real and imaginary.
  var isComplex = false
  var isBigEndian = false
  /// The bytes of one element as readers get them, little-endian, of which missing chunks consist.
  var fill: [UInt8] = []
  /// What lies in the key before and between the numbers of a chunk.
  var keyPrefix = ""
  var separator = "."
  /// The axes in the order in which the elements of a chunk lie; `nil` in the order of C.
  var order: [Int]?
  /// What packs the bytes of a chunk, in the order in which it was done.
  var codecs: [ZarrCodec] = []
  /// How chunks lie in shards; `nil` where each is an object of its own.
  var shard: ZarrShard?
  /// What is said of the storage and the type: `chunks [16, 5], blosc`.
  var storage = ""
  /// What whole numbers count that are dates.
  var dates: NPYDates?

  /// Bytes of an element as it is stored.
  var storedSize: Int { (isHalf ? 2 : type.size) * (isComplex ? 2 : 1) }
  /// Bytes of an element as readers get it.
  var size: Int { type.size * (isComplex ? 2 : 1) }
  /// Elements of a chunk.
  var chunkCount: Int { chunk.reduce(1, *) }

  /// The most bytes of a chunk that is read.
  private static let mostChunk = 1 << 30

  /// Why an array is not read.
  struct Unread: Error { var why: String }

  /// Refuses shapes that cannot be, and chunks that are larger than memory is given for.
  func check() throws(Unread) {
    guard shape.count == chunk.count, shape.count <= 32, shape.allSatisfy({ $0 >= 0 }),
      chunk.allSatisfy({ $0 > 0 })
    else { throw Unread(why: "its shape \(shape) and chunks \(chunk) do not fit each other") }
    for sizes in [shape, chunk] {
      var bytes = size
      for axis in sizes where axis > 0 {
        let (product, overflow) = bytes.multipliedReportingOverflow(by: axis)
        guard !overflow, product < 1 << 60 else {
          throw Unread(why: "its shape \(sizes) is more than any store holds")
        }
        bytes = product
      }
    }
    guard chunkCount * size <= Self.mostChunk else {
      throw Unread(why: "its chunks \(chunk) are larger than 1 GiB, which is not read")
    }
  }

  /// The key of the object that holds a chunk, by the numbers of the object.
  func key(_ numbers: [Int]) -> String {
    if numbers.isEmpty { return keyPrefix.isEmpty ? "0" : String(keyPrefix.dropLast()) }
    return keyPrefix + numbers.map { String($0) }.joined(separator: separator)
  }
}

/// What packs the bytes of a chunk.
enum ZarrCodec: Sendable, Equatable {
  case blosc, zstd, gzip, lz4, bz2, crc32c
  /// Byte `p` of element `e` of `count` lies at `p · count + e`.
  case shuffle(Int)
  /// Each number is stored as its difference to the one before it.
  case delta
}

/// How chunks lie in shards: one after the other, with a table of places at the end or the start.
struct ZarrShard: Sendable {
  /// How many chunks a shard has along each axis.
  var counts: [Int] = []
  var isIndexAtEnd = true
  /// Whether a CRC-32C stands behind the table.
  var hasChecksum = false
  var isIndexBigEndian = false

  var count: Int { counts.reduce(1, *) }
  var indexBytes: Int { 16 * count + (hasChecksum ? 4 : 0) }
}

extension ZarrArray {
  /// Reads the number that stands for missing elements.
  static func fill(
    _ value: JSONValue?, _ array: ZarrArray
  ) throws(Unread) -> [UInt8] {
    if array.isComplex {
      guard let parts = value?.array, parts.count == 2 else {
        guard value == nil || value == .null || value?.double == 0 else { throw wrong(value) }
        return [UInt8](repeating: 0, count: array.size)
      }
      return try number(parts[0], array) + number(parts[1], array)
    }
    return try number(value, array)
  }

  private static func wrong(_ value: JSONValue?) -> Unread {
    Unread(why: "its fill value \(value?.text() ?? "") is no number of its type")
  }

  private static func bytes(_ value: some FixedWidthInteger) -> [UInt8] {
    withUnsafeBytes(of: value.littleEndian) { Array($0) }
  }

  private static func number(_ value: JSONValue?, _ array: ZarrArray) throws(Unread) -> [UInt8] {
    guard let value, value != .null else { return [UInt8](repeating: 0, count: array.type.size) }
    if array.type.isFloat {
      var number: Double
      switch value.string {
      case "NaN": number = .nan
      case "Infinity": number = .infinity
      case "-Infinity": number = -.infinity
      case let text?:
        // The bits of a number, as version 3 writes NaN with a payload.
        guard text.hasPrefix("0x"), let bits = UInt64(text.dropFirst(2), radix: 16) else {
          throw wrong(value)
        }
        if array.isHalf {
          number = Double(Float16(bitPattern: UInt16(truncatingIfNeeded: bits)))
        } else if array.type == .float32 {
          return bytes(UInt32(truncatingIfNeeded: bits))
        } else {
          return bytes(bits)
        }
      case nil:
        guard let plain = value.double else { throw wrong(value) }
        number = plain
      }
      if array.isHalf { number = Double(Float16(number)) }
      return array.type == .float32 ? bytes(Float(number).bitPattern) : bytes(number.bitPattern)
    }
    if array.dates != nil, value.string == "NaT" { return bytes(Int64.min) }
    if let flag = value.bool { return bytes(Int64(flag ? 1 : 0)).prefix(array.type.size) + [] }
    if case .int(let n) = value { return Array(bytes(n).prefix(array.type.size)) }
    if case .uint(let n) = value, array.type == .uint64 { return bytes(n) }
    if let plain = value.double, let n = UInt64(exactly: plain) {
      return Array(bytes(n).prefix(array.type.size))
    }
    if let plain = value.double, let n = Int64(exactly: plain) {
      return Array(bytes(n).prefix(array.type.size))
    }
    throw wrong(value)
  }
}
