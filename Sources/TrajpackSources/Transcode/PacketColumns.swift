import TrajpackFormat
import TrajpackStore

/// The rows of a video track: for each frame its packet and times.
struct PacketColumns: Sendable {
  static let absent = Int64.min
  var offset: [Int64] = []
  var size: [Int64] = []
  var pts: [Int64] = []
  var dts: [Int64] = []
  var duration: [Int64] = []
  var keyframe: [Int64] = []
  /// CRC-32C of the decoded frames; empty where the stream has none.
  var hashes: [Int64] = []

  /// Frames.
  var count: Int { offset.count }

  private static let columns:
    [(name: String, element: Int, path: any WritableKeyPath<PacketColumns, [Int64]> & Sendable)] = [
      ("packet", 0, \.offset), ("packet", 1, \.size), ("pts", 0, \.pts), ("dts", 0, \.dts),
      ("duration", 0, \.duration), ("keyframe", 0, \.keyframe),
    ]

  /// The columns that a stream has.
  private static func columns(of stream: Stream) -> [(
    name: String, element: Int, path: any WritableKeyPath<PacketColumns, [Int64]> & Sendable
  )] {
    let hashes = SourceVideo.hashName
    return columns + (stream.channel(named: hashes) == nil ? [] : [(hashes, 0, \.hashes)])
  }

  init() {}

  /// Reads those of a draft.
  ///
  /// - Throws: A data error where the stream has no such columns.
  init(_ draft: TrackDraft, _ schema: Schema) throws(TrajpackError) {
    for (name, element, path) in Self.columns(of: schema.streams[draft.stream]) {
      let (rows, block, first) = try Self.place(draft, schema, name, element)
      var values: [Int64] = []
      values.reserveCapacity(draft.count)
      let size = block.type.size
      let buffer = ByteBuffer(max(draft.count * block.rowBytes, 1))
      try rows.spool.read(
        at: rows.offset,
        into: UnsafeMutableRawBufferPointer(
          rebasing: buffer.bytes[..<(draft.count * block.rowBytes)]))
      for row in 0..<draft.count {
        let at = row * block.rowBytes + first
        switch size {
        case 8:
          values.append(
            Int64(littleEndian: buffer.bytes.loadUnaligned(fromByteOffset: at, as: Int64.self)))
        case 4:
          values.append(
            Int64(
              UInt32(
                littleEndian: buffer.bytes.loadUnaligned(fromByteOffset: at, as: UInt32.self))))
        default: values.append(Int64(buffer.bytes[at]))
        }
      }
      self[keyPath: path] = values
    }
  }

  private static func place(
    _ draft: TrackDraft, _ schema: Schema, _ name: String, _ element: Int
  ) throws(TrajpackError) -> (rows: TrackDraft.Rows, block: Block, first: Int) {
    let stream = schema.streams[draft.stream]
    let blocks = schema.rowBlocks(of: draft.stream)
    guard let number = stream.channel(named: name),
      let at = blocks.firstIndex(of: stream.channels[number].storage.block),
      [1, 4, 8].contains(schema.blocks[blocks[at]].type.size)
    else {
      throw TrajpackError(
        .data, "the stream '\(stream.name)' of a video has no channel '\(name)' of packets")
    }
    let block = schema.blocks[blocks[at]]
    let column = stream.channels[number].storage.column + element
    return (draft.rows[at], block, column * block.type.size)
  }

  /// Puts these into the rows of a draft, whose other columns stay.
  func put(into draft: inout TrackDraft, _ schema: Schema) throws(TrajpackError) {
    precondition(draft.count == count, "a draft keeps its rows")
    let blocks = schema.rowBlocks(of: draft.stream)
    for (at, number) in blocks.enumerated() {
      let block = schema.blocks[number]
      let buffer = ByteBuffer(max(count * block.rowBytes, 1))
      let rows = UnsafeMutableRawBufferPointer(rebasing: buffer.bytes[..<(count * block.rowBytes)])
      try draft.rows[at].spool.read(at: draft.rows[at].offset, into: rows)
      for (name, element, path) in Self.columns(of: schema.streams[draft.stream]) {
        let place = try Self.place(draft, schema, name, element)
        guard place.block == block else { continue }
        let values = self[keyPath: path]
        for row in 0..<count {
          let to = row * block.rowBytes + place.first
          switch block.type.size {
          case 8: rows.storeBytes(of: values[row].littleEndian, toByteOffset: to, as: Int64.self)
          case 4:
            rows.storeBytes(
              of: UInt32(truncatingIfNeeded: values[row]).littleEndian, toByteOffset: to,
              as: UInt32.self)
          default: rows[to] = UInt8(truncatingIfNeeded: values[row])
          }
        }
      }
      let spool = RowSpool()
      try spool.append(UnsafeRawBufferPointer(rows))
      draft.rows[at] = TrackDraft.Rows(spool)
    }
  }
}
