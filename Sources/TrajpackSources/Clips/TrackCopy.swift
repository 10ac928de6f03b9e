import TrajpackCodecs
import TrajpackFormat
import TrajpackStore

/// Copies rows of a track, as they are stored, into a track of another dataset.
struct TrackCopy {
  /// The member of a track's metadata that says which frames of a whole video are meant.
  static let frames = "clip"

  let track: TrackReader
  let stream: Int
  let schema: Schema

  /// - Parameters:
  ///   - stream: The stream of the new dataset.
  ///   - schema: That of the new dataset's shard.
  init(_ track: TrackReader, _ stream: Int, _ schema: Schema) {
    (self.track, self.stream, self.schema) = (track, stream, schema)
  }

  /// Chosen rows, which may come in any order and several times.
  func rows(_ rows: [Int], _ clock: Clock) throws(TrajpackError) -> TrackDraft {
    let text = RowSpool()
    var filled = 0
    var channels: [ChannelRows] = []
    for number in track.stream.channels.indices {
      let spool = RowSpool()
      let piece = 4096
      for first in stride(from: 0, to: rows.count, by: piece) {
        let some = rows[first..<min(first + piece, rows.count)]
        guard let low = some.min(), let high = some.max() else { continue }
        let values = try track.read(channel: number, rows: low..<high + 1)
        let width = values.bytes.count / max(values.count, 1)
        if values.channel.type != .bytes, some.count == high + 1 - low,
          some.elementsEqual(low...high)
        {
          try spool.append(values.bytes)
          continue
        }
        var bytes: [UInt8] = []
        bytes.reserveCapacity(some.count * width)
        for row in some {
          guard values.channel.type == .bytes else {
            bytes += values.bytes[(row - low) * width..<(row - low + 1) * width]
            continue
          }
          // Texts are laid one after the other anew; rows say where.
          guard let own = try track.bytes(values, row - low) else {
            bytes += values.bytes[(row - low) * width..<(row - low + 1) * width]
            continue
          }
          try text.append(own)
          for number in [Int64(filled), Int64(own.count)] {
            withUnsafeBytes(of: number.littleEndian) { bytes += $0 }
          }
          filled += own.count
        }
        try spool.append(bytes)
      }
      channels.append(ChannelRows(spool: spool))
    }
    var draft = TrackDraft(
      stream: stream, entity: track.track.entity, clock: clock, count: rows.count,
      metadata: try metadata(), rows: [])
    draft.rows = try schema.blockRows(of: stream, channels, count: rows.count)
    if schema.streams[stream].blob != nil { draft.bytes = .spool(text, 0..<filled) }
    return draft
  }

  /// All rows and bytes, as of a video, whose frames depend on those before.
  ///
  /// - Parameter frames: Which of the frames are meant, for the track's metadata; `nil` where all are.
  func whole(_ clock: Clock, frames: JSONValue?) throws(TrajpackError) -> TrackDraft {
    var channels: [ChannelRows] = []
    for number in track.stream.channels.indices {
      let spool = RowSpool()
      try track.forEachRun { (run) throws(TrajpackError) in
        try spool.append(try track.read(channel: number, rows: run).bytes)
      }
      channels.append(ChannelRows(spool: spool))
    }
    var members = try metadata().members ?? []
    if let frames {
      members.removeAll { $0.name == Self.frames }
      members.append(.init(Self.frames, frames))
    }
    var draft = TrackDraft(
      stream: stream, entity: track.track.entity, clock: clock, count: track.count,
      metadata: .object(members), rows: [])
    draft.rows = try schema.blockRows(of: stream, channels, count: track.count)
    if track.track.blob.count > 0, schema.streams[stream].blob != nil {
      let spool = RowSpool()
      var at = 0
      while at < track.track.blob.count {
        let end = min(at + 1 << 20, track.track.blob.count)
        try spool.append(try track.bytes(at..<end))
        at = end
      }
      draft.bytes = .spool(spool, 0..<track.track.blob.count)
    }
    return draft
  }

  func metadata() throws(TrajpackError) -> JSONValue {
    track.track.metadata.isEmpty
      ? .object([]) : try JSONValue(parsing: Array(track.track.metadata.utf8))
  }

  /// The layout of a shard of the new dataset.
  ///
  /// - Parameters:
  ///   - old: That of the shards that rows are copied from.
  ///   - keeps: Whether a stream is taken.
  static func schema(
    _ old: Schema, _ layout: LayoutOptions, attributes: JSONValue,
    keeps: (TrajpackFormat.Stream) -> Bool
  ) -> Schema {
    var plans: [StreamPlan] = []
    for stream in old.streams where keeps(stream) {
      var new = stream
      new.blob = nil
      plans.append(
        StreamPlan(
          new,
          channels: stream.channels.map {
            ChannelPlan($0, stored: old.blocks[$0.storage.block].type)
          },
          blobBytes: stream.blob.map { old.blocks[$0].rows } ?? 0,
          blobIsText: stream.blob.map { old.blocks[$0].codec != .none } ?? true))
    }
    let used = Set(plans.compactMap(\.stream.skeleton))
    return Schema(
      layingOut: plans, skeletons: old.skeletons.filter { used.contains($0.name) },
      attributes: attributes, options: layout)
  }
}

/// What was set of a dataset's recordings after it was written, for shards that are made of parts of them.
struct CarriedValues: Sendable {
  private let annotations: ValueAnnotations?
  private let rows: [String: Int]

  /// None where `dataset` is `nil`.
  ///
  /// - Throws: A data error where the side file of values is damaged.
  init(_ dataset: Dataset?) throws(TrajpackError) {
    let annotations = try dataset?.valueAnnotations()
    self.annotations = annotations
    rows = Dictionary(
      (annotations?.ids ?? []).enumerated().map { ($1, $0) },
      uniquingKeysWith: { first, _ in first })
  }

  /// The attributes of a schema, with the fields of these values among its own.
  func attributes(_ attributes: JSONValue) -> JSONValue {
    annotations?.attributes(attributes) ?? attributes
  }

  /// An episode's metadata, with these values in the place of its own.
  func metadata(_ members: [JSONValue.Member], of id: String) -> [JSONValue.Member] {
    annotations?.metadata(members, row: rows[id]) ?? members
  }

  /// Changes when the values do; `nil` where there are none.
  var digest: String? {
    annotations.map { all in Array(all.json.text().utf8).withUnsafeBytes { SHA256.of($0) } }
  }
}
