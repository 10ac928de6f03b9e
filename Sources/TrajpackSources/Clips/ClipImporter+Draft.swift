import TrajpackFormat
import TrajpackLoader
import TrajpackStore

extension ClipImporter {
  /// The member of an episode's metadata that says which clip it is.
  public static let metadataName = "clip"

  /// Reads a clip's rows; see ``Importer``.
  public func draft(
    _ recording: Recording, _ examination: ClipNumber, _ schema: Schema
  ) throws(TrajpackError) -> EpisodeDraft {
    let placed = clipped.clips[examination.value]
    let clip = clipped.clip(placed)
    let shard = clipped.data.shards[placed.shard]
    let reader = BlockReader(shard)
    let episode = clipped.episode(placed)
    var tracks: [TrackDraft] = []
    var next = 0
    let targets = shard.schema.streams.map { stream -> Int? in
      guard keeps(stream) else { return nil }
      next += 1
      return next - 1
    }
    let numbers = shard.index.tracks(ofEpisode: placed.episode)
    let fromZero = clipped.isRegular(placed)
    for number in numbers {
      let track = TrackReader(shard, track: number, reader: reader)
      guard let stream = targets[track.track.stream], track.count > 0 else { continue }
      if track.stream.isVideo {
        tracks.append(try whole(track, stream, placed, number, schema, fromZero, reader))
        continue
      }
      switch try clipped.part(placed, track: number, reader) {
      case .rows(let rows):
        guard !rows.isEmpty else { continue }
        let clock = try clipped.clock(
          placed, track: number, from: rows.lowerBound, atInstants: false, fromZero: fromZero,
          reader)
        tracks.append(try cut(track, stream, Array(rows), clock, schema))
      case .instants(let rows):
        // Where the track has no row there is a gap, and the next rows are a track of their own.
        var first = 0
        while first < rows.count {
          guard rows[first] >= 0 else {
            first += 1
            continue
          }
          var end = first + 1
          while end < rows.count, rows[end] >= 0 { end += 1 }
          let clock = try clipped.clock(
            placed, track: number, from: first, atInstants: true, fromZero: fromZero, reader)
          tracks.append(try cut(track, stream, Array(rows[first..<end]), clock, schema))
          first = end
        }
      }
    }
    var metadata =
      episode.metadata.isEmpty
      ? [] : try JSONValue(parsing: Array(episode.metadata.utf8)).members ?? []
    metadata.removeAll { $0.name == Self.metadataName }
    if shard.schema.attributes["source"]?.string == "wildworld" {
      // What a sample says of its frames is said of the clip's.
      metadata = metadata.map { member in
        switch (member.name, placed.rate) {
        case ("frames", _): return .init("frames", .int(Int64(placed.rows)))
        case ("rate", let rate?): return .init("rate", .string(rate.description))
        default: return member
        }
      }
    }
    metadata.append(.init(Self.metadataName, try facts(placed, clip, fromZero, reader)))
    return EpisodeDraft(
      id: clip.id, split: episode.split, metadata: .object(metadata), tracks: tracks)
  }

  /// Where the clip comes from.
  private func facts(
    _ placed: PlacedClip, _ clip: Clip, _ fromZero: Bool, _ reader: BlockReader
  ) throws(TrajpackError) -> JSONValue {
    .record([
      "episode": .string(clip.episode),
      "start": .double(try clipped.span(placed, reader).start),
      "start_row": .int(Int64(placed.row)),
      "rows": .int(Int64(placed.rows)), "rate": placed.rate.map { .string($0.description) },
      "times": fromZero ? "clip" : "recording",
      "reference": .string(clipped.reference), "label": clip.label.map { .string($0) },
      "source_digest": .string(clipped.data.digest),
    ])
  }

  /// Chosen rows of a track.
  private func cut(
    _ track: TrackReader, _ stream: Int, _ rows: [Int], _ clock: Clock, _ schema: Schema
  ) throws(TrajpackError) -> TrackDraft {
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
      metadata: try metadata(track), rows: [])
    draft.rows = try schema.blockRows(of: stream, channels, count: rows.count)
    if schema.streams[stream].blob != nil { draft.bytes = .spool(text, 0..<filled) }
    return draft
  }

  private func metadata(_ track: TrackReader) throws(TrajpackError) -> JSONValue {
    track.track.metadata.isEmpty
      ? .object([]) : try JSONValue(parsing: Array(track.track.metadata.utf8))
  }

  /// A video as it is, and which of its frames are the clip's.
  private func whole(
    _ track: TrackReader, _ stream: Int, _ placed: PlacedClip, _ number: Int, _ schema: Schema,
    _ fromZero: Bool, _ reader: BlockReader
  ) throws(TrajpackError) -> TrackDraft {
    var channels: [ChannelRows] = []
    for number in track.stream.channels.indices {
      let spool = RowSpool()
      try track.forEachRun { (run) throws(TrajpackError) in
        try spool.append(try track.read(channel: number, rows: run).bytes)
      }
      channels.append(ChannelRows(spool: spool))
    }
    var members = try metadata(track).members ?? []
    let frames: JSONValue
    switch try clipped.part(placed, track: number, reader) {
    case .rows(let rows):
      frames = .record([
        "first": .int(Int64(rows.lowerBound)), "frames": .int(Int64(rows.count)),
      ])
    case .instants(let rows):
      frames = .record(["rows": .array(rows.map { .int(Int64($0)) })])
    }
    members.removeAll { $0.name == Self.metadataName }
    members.append(.init(Self.metadataName, frames))
    var draft = TrackDraft(
      stream: stream, entity: track.track.entity,
      clock: try clipped.clock(
        placed, track: number, from: 0, atInstants: false, fromZero: fromZero, reader),
      count: track.count,
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
}
