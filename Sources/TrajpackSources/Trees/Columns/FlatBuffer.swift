import TrajpackFormat

/// A table of a FlatBuffers message (flatbuffers.dev, internals), read from a stranger's bytes: nothing is read past
/// their end.
struct FlatTable {
  private let bytes: [UInt8]
  private let at: Int
  private let fields: Int
  private let count: Int

  private static let damaged = TrajpackError(.data, "its metadata are damaged")

  /// The table that a message begins with.
  init(_ bytes: [UInt8]) throws(TrajpackError) {
    guard bytes.count >= 8 else { throw Self.damaged }
    try self.init(bytes, at: Int(bytes.little(0, as: UInt32.self)))
  }

  private init(_ bytes: [UInt8], at: Int) throws(TrajpackError) {
    guard at >= 0, at + 4 <= bytes.count else { throw Self.damaged }
    let table = at - Int(bytes.little(at, as: Int32.self))
    guard table >= 0, table + 4 <= bytes.count else { throw Self.damaged }
    let size = Int(bytes.little(table, as: UInt16.self))
    guard size >= 4, table + size <= bytes.count else { throw Self.damaged }
    (self.bytes, self.at, fields, count) = (bytes, at, table + 4, (size - 4) / 2)
  }

  /// Where a field lies; `nil` where it is absent.
  private func place(_ field: Int, _ size: Int) throws(TrajpackError) -> Int? {
    guard field < count else { return nil }
    let offset = Int(bytes.little(fields + 2 * field, as: UInt16.self))
    guard offset > 0 else { return nil }
    guard at + offset + size <= bytes.count else { throw Self.damaged }
    return at + offset
  }

  /// A number.
  func integer<Number: FixedWidthInteger>(
    _ field: Int, _ type: Number.Type, or other: Number = 0
  ) throws(TrajpackError) -> Number {
    guard let place = try place(field, MemoryLayout<Number>.size) else { return other }
    return bytes.little(place, as: type)
  }

  private func target(_ place: Int) throws(TrajpackError) -> Int {
    let target = place + Int(bytes.little(place, as: UInt32.self))
    guard target + 4 <= bytes.count else { throw Self.damaged }
    return target
  }

  /// A table that a field refers to.
  func table(_ field: Int) throws(TrajpackError) -> FlatTable? {
    guard let place = try place(field, 4) else { return nil }
    return try FlatTable(bytes, at: target(place))
  }

  func text(_ field: Int) throws(TrajpackError) -> String? {
    guard let place = try place(field, 4) else { return nil }
    let start = try target(place)
    let length = Int(bytes.little(start, as: UInt32.self))
    guard start + 4 + length <= bytes.count else { throw Self.damaged }
    return String(decoding: bytes[start + 4..<start + 4 + length], as: UTF8.self)
  }

  /// The tables of a vector.
  func tables(_ field: Int) throws(TrajpackError) -> [FlatTable] {
    guard let place = try place(field, 4) else { return [] }
    let start = try target(place)
    let length = Int(bytes.little(start, as: UInt32.self))
    guard length <= (bytes.count - start - 4) / 4 else { throw Self.damaged }
    var out: [FlatTable] = []
    for i in 0..<length { out.append(try FlatTable(bytes, at: target(start + 4 + 4 * i))) }
    return out
  }

  /// The structs of a vector, each of `width` whole numbers of 64 bits.
  func structs(_ field: Int, _ width: Int) throws(TrajpackError) -> [[Int]] {
    guard let place = try place(field, 4) else { return [] }
    let start = try target(place)
    let length = Int(bytes.little(start, as: UInt32.self))
    guard length <= (bytes.count - start - 4) / (8 * width) else { throw Self.damaged }
    return (0..<length).map { i in
      (0..<width).map { Int(bytes.little(start + 4 + 8 * (i * width + $0), as: Int64.self)) }
    }
  }
}
