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
      if track.stream.isVideo, video != .samples {
        if video == .cut, let cut = try cut(track, stream, placed, number, schema, fromZero, reader)
        {
          tally.count(track.stream.name, isCut: true)
          tracks.append(cut)
          continue
        }
        tally.count(track.stream.name, isCut: false)
        tracks.append(try whole(track, stream, placed, number, schema, fromZero, reader))
        continue
      }
      var frames: TrackFrames?
      if track.stream.isVideo {
        let decoded = try TrackFrames(
          clipped.data, track: clipped.data.firstTracks[placed.shard] + number)
        // Colours are no depth, whatever their stream is called.
        guard decoded.format == "gray8" || decoded.format == "gray16" else { continue }
        frames = decoded
      }
      func copy(_ rows: [Int], _ clock: Clock) throws(TrajpackError) -> TrackDraft {
        let copy = TrackCopy(track, stream, schema)
        guard let frames else { return try copy.rows(rows, clock) }
        return try copy.samples(rows, clock, frames)
      }
      switch try clipped.part(placed, track: number, reader) {
      case .rows(let rows):
        guard !rows.isEmpty else { continue }
        let clock = try clipped.clock(
          placed, track: number, from: rows.lowerBound, atInstants: false, fromZero: fromZero,
          reader)
        tracks.append(try copy(Array(rows), clock))
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
          tracks.append(try copy(Array(rows[first..<end]), clock))
          first = end
        }
      }
    }
    var metadata =
      episode.metadata.isEmpty
      ? [] : try JSONValue(parsing: Array(episode.metadata.utf8)).members ?? []
    metadata.removeAll { $0.name == Self.metadataName }
    metadata = values.metadata(metadata, of: episode.id)
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

  /// The clip's frames as a video of their own; `nil` where their packets do not give exactly them.
  private func cut(
    _ track: TrackReader, _ stream: Int, _ placed: PlacedClip, _ number: Int, _ schema: Schema,
    _ fromZero: Bool, _ reader: BlockReader
  ) throws(TrajpackError) -> TrackDraft? {
    let rows: [Int]
    var first = 0
    var atInstants = false
    switch try clipped.part(placed, track: number, reader) {
    case .rows(let range): (rows, first) = (Array(range), range.lowerBound)
    case .instants(let all): (rows, atInstants) = (all, true)
    }
    guard !rows.isEmpty, !rows.contains(where: { $0 < 0 }) else { return nil }
    let clock = try clipped.clock(
      placed, track: number, from: first, atInstants: atInstants, fromZero: fromZero,
      reader)
    return try TrackCopy(track, stream, schema).cut(rows, clock)
  }

  /// A video as it is, and which of its frames are the clip's.
  private func whole(
    _ track: TrackReader, _ stream: Int, _ placed: PlacedClip, _ number: Int, _ schema: Schema,
    _ fromZero: Bool, _ reader: BlockReader
  ) throws(TrajpackError) -> TrackDraft {
    let frames: JSONValue
    switch try clipped.part(placed, track: number, reader) {
    case .rows(let rows):
      frames = .record([
        "first": .int(Int64(rows.lowerBound)), "frames": .int(Int64(rows.count)),
      ])
    case .instants(let rows):
      frames = .record(["rows": .array(rows.map { .int(Int64($0)) })])
    }
    let clock = try clipped.clock(
      placed, track: number, from: 0, atInstants: false, fromZero: fromZero, reader)
    return try TrackCopy(track, stream, schema).whole(clock, frames: frames)
  }
}
