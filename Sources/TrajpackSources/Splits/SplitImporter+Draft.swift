import TrajpackFormat
import TrajpackLoader
import TrajpackStore

extension SplitImporter {
  /// The member of an episode's metadata that says which part of a recording it is.
  public static let metadataName = "part"

  /// Reads a part's rows; see ``Importer``.
  public func draft(
    _ recording: Recording, _ examination: PartNumber, _ schema: Schema
  ) throws(TrajpackError) -> EpisodeDraft {
    let part = parts[examination.value]
    let stretch = part.stretch
    let shard = data.shards[stretch.shard]
    let episode = shard.index.episode(stretch.episode)
    let reader = BlockReader(shard)
    var next = 0
    let targets = shard.schema.streams.map { stream -> Int? in
      guard keeps(stream) else { return nil }
      next += 1
      return next - 1
    }
    var cuts: [(track: TrackReader, stream: Int, rows: Range<Int>)] = []
    for number in shard.index.tracks(ofEpisode: stretch.episode) {
      let track = TrackReader(shard, track: number, reader: reader)
      guard let stream = targets[track.track.stream], track.count > 0 else { continue }
      let rows = try stretch.rows(ofTrack: number, of: data, reader)
      if !rows.isEmpty { cuts.append((track, stream, rows)) }
    }
    var origin: Rational?
    if choice.countsFromZero, stretch.isCut {
      for cut in cuts {
        let clock = try cut.track.track.clock.from(row: cut.rows.lowerBound)
        guard case .regular(let start, _) = clock else { continue }
        if start.value < origin?.value ?? .infinity { origin = start }
      }
    }
    var tracks: [TrackDraft] = []
    for (track, stream, rows) in cuts {
      let copy = TrackCopy(track, stream, schema)
      if track.stream.isVideo {
        if choice.video == .cut, stretch.isCut {
          let clock = try track.track.clock.from(row: rows.lowerBound, since: origin)
          let cut = try copy.cut(Array(rows), clock)
          tally.count(track.stream.name, isCut: cut != nil)
          if let cut {
            tracks.append(cut)
            continue
          }
        }
        let clock = try track.track.clock.from(row: 0, since: origin)
        tracks.append(
          try copy.whole(
            clock,
            frames: stretch.isCut
              ? .record([
                "first": .int(Int64(rows.lowerBound)), "frames": .int(Int64(rows.count)),
              ]) : nil))
      } else {
        let clock = try track.track.clock.from(row: rows.lowerBound, since: origin)
        tracks.append(try copy.rows(Array(rows), clock))
      }
    }
    var metadata =
      episode.metadata.isEmpty
      ? [] : try JSONValue(parsing: Array(episode.metadata.utf8)).members ?? []
    metadata = values.metadata(metadata, of: episode.id)
    if stretch.isCut {
      metadata.removeAll { $0.name == Self.metadataName }
      if shard.schema.attributes["source"]?.string == "wildworld" {
        // What a sample says of its frames is said of the part's.
        let most = cuts.map(\.rows.count).max() ?? 0
        metadata = metadata.map {
          $0.name == "frames" ? .init("frames", .int(Int64(most))) : $0
        }
      }
      metadata.append(
        .init(
          Self.metadataName,
          .record([
            "episode": .string(episode.id), "scheme": .string(scheme),
            "split": .string(part.split), "from": stretch.from.map { .double($0) },
            "to": stretch.to.map { .double($0) }, "times": origin == nil ? nil : "part",
          ])))
    }
    return EpisodeDraft(
      id: part.id, split: part.split, metadata: .object(metadata), tracks: tracks)
  }
}
