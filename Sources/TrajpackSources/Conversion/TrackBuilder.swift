import TrajpackFormat
import TrajpackStore

/// Builds the packed rows of a stream, a row after the other: values are stored at the addresses of their channels,
/// then ``append()`` adds the row. Rows become tracks in the end.
///
/// Where the columns of a track are whole already, `Schema.blockRows(of:_:count:)` lays them into rows.
final class TrackBuilder {
  /// The row under way of a block, and the same row where nothing was observed.
  private struct Row {
    var bytes: UnsafeMutableRawBufferPointer
    var blank: UnsafeRawPointer
  }

  /// The stream, by its number in the schema.
  let stream: Int
  /// The bytes that rows of bytes channels point into.
  let bytes = RowSpool()
  /// Rows so far.
  private(set) var count = 0
  private let schema: Schema
  private let blocks: [Int]
  private let buffers: [ByteBuffer]
  private let rows: [Row]
  private var spools: [RowSpool]

  /// A builder of a stream's rows, each block of which keeps up to `spoolBytes` in memory. The first row begins as one
  /// in which nothing was observed.
  init(_ schema: Schema, stream: Int, spoolBytes: Int = 4 << 20) {
    (self.schema, self.stream) = (schema, stream)
    blocks = schema.rowBlocks(of: stream)
    buffers = blocks.map { ByteBuffer(2 * schema.blocks[$0].rowBytes) }
    rows = buffers.map { buffer in
      let bytes = UnsafeMutableRawBufferPointer(rebasing: buffer.bytes[..<(buffer.bytes.count / 2)])
      return Row(
        bytes: bytes,
        blank: UnsafeRawPointer(bytes.baseAddress.unsafelyUnwrapped + bytes.count))
    }
    spools = blocks.map { _ in RowSpool(limit: spoolBytes) }
    for row in rows { row.bytes.initializeMemory(as: UInt8.self, repeating: 0) }
    for channel in schema.streams[stream].channels { storeMissing(channel) }
    for row in rows {
      UnsafeMutableRawPointer(mutating: row.blank)
        .copyMemory(from: row.bytes.baseAddress.unsafelyUnwrapped, byteCount: row.bytes.count)
    }
  }

  /// The address of a channel's first element in the row under way, as long as the builder lives.
  func address(of channel: Channel) -> UnsafeMutableRawPointer {
    let block = channel.storage.block
    let row = rows[blocks.firstIndex(of: block) ?? 0].bytes
    return row.baseAddress.unsafelyUnwrapped
      + channel.storage.column * schema.blocks[block].type.size
  }

  private func storeMissing(_ channel: Channel) {
    let first = address(of: channel)
    if channel.type == .bytes { return Self.store(pointer: nil, at: first) }
    guard channel.missing != .never else { return }
    let type = schema.blocks[channel.storage.block].type
    for at in (0..<channel.elements).map({ first + $0 * type.size }) {
      switch type {
      case .float32: at.storeBytes(of: Float.nan.bitPattern.littleEndian, as: UInt32.self)
      case .float64: at.storeBytes(of: Double.nan.bitPattern.littleEndian, as: UInt64.self)
      case .int8: at.storeBytes(of: .min, as: Int8.self)
      case .int16: at.storeBytes(of: Int16.min.littleEndian, as: Int16.self)
      case .int32: at.storeBytes(of: Int32.min.littleEndian, as: Int32.self)
      case .int64: at.storeBytes(of: Int64.min.littleEndian, as: Int64.self)
      default: break
      }
    }
  }

  /// Makes the row under way one in which nothing was observed.
  @inline(__always)
  func clear() {
    for row in rows {
      row.bytes.baseAddress.unsafelyUnwrapped.copyMemory(
        from: row.blank, byteCount: row.bytes.count)
    }
  }

  /// Adds the row under way, which stays as it is.
  @inline(__always)
  func append() throws(TrajpackError) {
    for i in rows.indices { try spools[i].append(UnsafeRawBufferPointer(rows[i].bytes)) }
    count += 1
  }

  /// Has a bytes channel at an address point to some bytes of the track; to none where `nil`.
  static func store(pointer: (offset: Int, count: Int)?, at address: UnsafeMutableRawPointer) {
    address.storeBytes(of: Int64(pointer?.offset ?? -1).littleEndian, as: Int64.self)
    address.storeBytes(
      of: Int64(pointer?.count ?? 0).littleEndian, toByteOffset: 8, as: Int64.self)
  }

  /// Adds a text, and has the bytes channel at an address point to it in a track whose bytes begin with byte `start`.
  func store(
    text: [UInt8], at address: UnsafeMutableRawPointer, since start: Int = 0
  ) throws(TrajpackError) {
    Self.store(pointer: (bytes.count - start, text.count), at: address)
    try bytes.append(text)
  }

  /// Puts the rows into another order: row `i` is the one that was row `order[i]`.
  func reorder(_ order: [Int]) throws(TrajpackError) {
    for i in spools.indices {
      let sorted = RowSpool()
      for row in order {
        try spools[i].read(at: row * rows[i].bytes.count, into: rows[i].bytes)
        try sorted.append(UnsafeRawBufferPointer(rows[i].bytes))
      }
      spools[i] = sorted
    }
  }

  /// Some of the rows as a track, with the bytes that they point into; all of them where nothing is said.
  func track(
    rows range: Range<Int>? = nil, bytes part: Range<Int>? = nil, entity: Entity? = nil,
    clock: Clock, metadata: JSONValue = .object([])
  ) -> TrackDraft {
    let range = range ?? 0..<count
    return TrackDraft(
      stream: stream, entity: entity, clock: clock, count: range.count, metadata: metadata,
      rows: zip(spools, rows).map { .init($0, offset: range.lowerBound * $1.bytes.count) },
      bytes: schema.streams[stream].blob == nil ? nil : .spool(bytes, part ?? 0..<bytes.count))
  }
}

extension Channel {
  /// The number of each category.
  var categoryCodes: [String: Int32] {
    Dictionary(
      (categories ?? []).enumerated().map { ($1, Int32($0)) },
      uniquingKeysWith: { first, _ in first })
  }
}
