import TrajpackFormat
import TrajpackSources
import TrajpackStore

extension Info {
  /// One recording: its metadata and its tracks.
  func show(_ id: String, of opened: Dataset, _ console: Console) throws(TrajpackError) {
    let (shard, number) = try EpisodeSearch.find(id, in: opened)
    let episode = shard.index.episode(number)
    if json {
      console.print(try document(episode, shard, try values(of: id, opened)))
      return
    }
    let split = episode.split.isEmpty ? "" : ", split \(episode.split.printable)"
    console.print("episode \(episode.id.printable)\(split), in \(shard.name)")
    for (name, value) in try values(of: id, opened) {
      console.print("\(name) = \(value.plainText)".printable)
    }
    console.print("")
    var table = Table(
      .text("stream"), .text("entity"), .number("rows"), .number("from"), .number("to"),
      .text("clock"))
    let reader = BlockReader(shard)
    for number in episode.tracks {
      let track = shard.index.track(number)
      let entity = track.entity.map {
        "\($0.kind) \($0.index)\($0.type >= 0 ? " (type \($0.type))" : "")"
      }
      var (from, to) = ("", "")
      if track.rows.count > 0 {
        let rows = TrackReader(shard, track: number, reader: reader)
        from = try Self.time(of: 0, rows)
        to = try Self.time(of: track.rows.count - 1, rows)
      }
      table.add(
        shard.schema.streams[track.stream].name, entity ?? "", Human.count(track.rows.count), from,
        to,
        Self.clock(track.clock, unit: shard.schema.streams[track.stream].timeUnit))
    }
    console.print(table)
    let videos = try Self.videos(episode, shard, reader)
    if !videos.isEmpty { console.print("") }
    for line in videos { console.print(line) }
  }

  /// The time of a row as a date where the source wrote dates, else as a number that no digit is cut from.
  private static func time(of row: Int, _ track: TrackReader) throws(TrajpackError) -> String {
    let times = TrackTimes(track)
    if let date = try times.dates(row..<row + 1)?.first { return date }
    if let exact = try times.exactNumbers(row..<row + 1).first ?? nil { return exact }
    return try track.times(row..<row + 1).first.map(Human.time) ?? ""
  }

  private static func clock(_ clock: Clock, unit: String) -> String {
    switch clock {
    case .regular(_, let rate): return Self.rate(rate, unit: unit)
    case .ticks(let tick): return "ticks of \(tick) \(unit.printable)"
    case .float64: return unit == "s" ? "float64 times" : "float64 times in \(unit.printable)"
    }
  }

  /// The values of an episode, and their names.
  private func values(
    of id: String, _ opened: Dataset
  ) throws(TrajpackError) -> [(name: String, value: EpisodeValue)] {
    let (ids, table) = try opened.values(.known)
    guard let row = ids.firstIndex(of: id) else { return [] }
    return table.columns.compactMap { column in
      column.cells[row] == .missing ? nil : (column.field.name, column.cells[row])
    }
  }

  private func document(
    _ episode: ShardIndex.Episode, _ shard: Shard, _ values: [(name: String, value: EpisodeValue)]
  ) throws(TrajpackError) -> JSONValue {
    .record([
      "values": .object(values.map { .init($0.name, $0.value.json) }),
      "id": .string(episode.id), "split": .string(episode.split), "shard": .string(shard.name),
      "metadata": episode.metadata.isEmpty ? .object([]) : try JSONValue(parsing: episode.metadata),
      "tracks": .array(
        try episode.tracks.mapThrowing { (number) throws(TrajpackError) in
          let track = shard.index.track(number)
          return .record([
            "stream": .string(shard.schema.streams[track.stream].name),
            "entity": track.entity.map { entity in
              .record([
                "kind": .string(entity.kind), "index": .int(Int64(entity.index)),
                "type": .int(Int64(entity.type)),
              ])
            },
            "rows": .int(Int64(track.rows.count)), "first_row": .int(Int64(track.rows.lowerBound)),
            "clock": InfoJSON.clock(track.clock),
            "metadata": track.metadata.isEmpty ? nil : try JSONValue(parsing: track.metadata),
          ])
        }),
    ])
  }

  /// Every recording, a line each.
  func list(_ opened: Dataset, _ console: Console) throws(TrajpackError) {
    var table = Table(
      .text("episode"), .text("split"), .number("tracks"), .number("rows"), .text("shard"))
    var documents: [JSONValue] = []
    for number in opened.shardPaths.indices {
      let shard = try opened.shard(number)
      for n in 0..<shard.index.episodeCount {
        let episode = shard.index.episode(n)
        let rows = episode.tracks.reduce(0) { max($0, shard.index.rows(ofTrack: $1).count) }
        if json {
          documents.append(
            .record([
              "id": .string(episode.id), "split": .string(episode.split),
              "tracks": .int(Int64(episode.tracks.count)), "rows": .int(Int64(rows)),
              "shard": .string(shard.name),
            ]))
        } else {
          table.add(
            episode.id, episode.split, Human.count(episode.tracks.count), Human.count(rows),
            shard.name)
        }
      }
    }
    if json { console.print(.array(documents)) } else { console.print(table) }
  }
}

/// Finds a recording by its id.
enum EpisodeSearch {
  /// The shard and the number of the episode of that id.
  static func find(_ id: String, in dataset: Dataset) throws(TrajpackError) -> (Shard, Int) {
    var ids: [String] = []
    for number in dataset.shardPaths.indices {
      let shard = try dataset.shard(number)
      for n in 0..<shard.index.episodeCount {
        let found = shard.index.episode(n).id
        if found == id { return (shard, n) }
        if ids.count < 10_000 { ids.append(found) }
      }
    }
    throw TrajpackError(
      .usage, file: dataset.path,
      "has no episode '\(id)'\(suggestion(for: id, among: ids)); "
        + "'trajpack info \(dataset.path) --episodes' lists them")
  }
}
