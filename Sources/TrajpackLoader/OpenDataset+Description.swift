import TrajpackFormat
import TrajpackStore

/// What a dataset holds, as JSON; `trajpack.h` names the members.
extension OpenDataset {
  /// The dataset: streams, channels, splits, shards.
  public var description: JSONValue {
    let facts = StreamProfile([shards.map { ShardView($0) }])
    var streams: [TrajpackFormat.Stream] = []
    var rows: [String: Int] = [:]
    var tracks: [String: Int] = [:]
    var splits: [(name: String, count: Int)] = []
    var skeletons: [Skeleton] = []
    for shard in shards {
      for (number, stream) in shard.schema.streams.enumerated() {
        rows[stream.name, default: 0] += shard.index.streamRows[number]
        if let at = streams.firstIndex(where: { $0.name == stream.name }) {
          if streams[at].channels == stream.channels { continue }
          let known = streams[at].channelNumbers
          streams[at].channels += stream.channels.filter { known[$0.name] == nil }
        } else {
          streams.append(stream)
        }
      }
      for (stream, tally) in zip(shard.schema.streams, shard.index.streamTallies)
      where tally.tracks > 0 {
        tracks[stream.name, default: 0] += tally.tracks
      }
      let tallies = shard.index.splitTallies
      for split in tallies.indices.sorted(by: { tallies[$0].first < tallies[$1].first })
      where tallies[split].count > 0 {
        let name = split == 0 ? "" : shard.schema.splits[split - 1]
        if let at = splits.firstIndex(where: { $0.name == name }) {
          splits[at].count += tallies[split].count
        } else {
          splits.append((name, tallies[split].count))
        }
      }
      for skeleton in shard.schema.skeletons
      where !skeletons.contains(where: { $0.name == skeleton.name }) {
        skeletons.append(skeleton)
      }
    }
    return .record([
      "path": .string(dataset.path), "digest": .string(digest),
      "complete": .bool(dataset.isComplete),
      "episodes": .int(Int64(episodeCount)), "tracks": .int(Int64(trackCount)),
      "bytes": .int(Int64(shards.reduce(0) { $0 + $1.file.length })),
      "shards": .array(shards.map { .string($0.name) }),
      "splits": .object(splits.map { .init($0.name, .int(Int64($0.count))) }),
      "side_files": .object(
        SideFile.Role.allCases.map { role in
          .init(role.rawValue, .array(dataset.sideFiles(role).map { .string($0.name) }))
        }),
      "attributes": shards[0].schema.attributes,
      "skeletons": .array(
        skeletons.map { skeleton in
          .record([
            "name": .string(skeleton.name),
            "edges": .array(skeleton.edges.map { .array($0.map { .int(Int64($0)) }) }),
          ])
        }),
      "streams": .array(
        streams.map { stream in
          let rates = facts.rates(stream.name) ?? []
          return .record([
            "name": .string(stream.name),
            "description": stream.description.map { .string($0) } ?? .null,
            "time_unit": .string(stream.timeUnit),
            "skeleton": stream.skeleton.map { .string($0) } ?? .null,
            "rows": .int(Int64(rows[stream.name] ?? 0)),
            "tracks": .int(Int64(tracks[stream.name] ?? 0)),
            "entities": .int(Int64(facts.entities[stream.name] ?? 0)),
            "rate": rates.count == 1 ? rates.first.map { .string("\($0)") } ?? .null : .null,
            "attributes": stream.attributes, "channels": .array(stream.channels.map(Self.json)),
          ])
        }),
    ])
  }

  private static func json(_ channel: Channel) -> JSONValue {
    .record([
      "name": .string(channel.name), "kind": .string(channel.kind.rawValue),
      "type": .string(channel.type.rawValue),
      "shape": .array(channel.shape.map { .int(Int64($0)) }),
      "units": channel.units.map { .string($0) } ?? .null,
      "description": channel.description.map { .string($0) } ?? .null,
      "conventions": .object(channel.conventions),
      "categories": channel.categories.map { .array($0.map { .string($0) }) } ?? .null,
      "missing": .string(channel.missing.rawValue),
    ])
  }

  /// Some episodes: ids, splits, rows, metadata.
  ///
  /// - Throws: A data error where metadata is no JSON.
  public func episodes(_ range: Range<Int>) throws(TrajpackError) -> JSONValue {
    var out: [JSONValue] = []
    out.reserveCapacity(range.count)
    for number in range {
      let (shard, local, _) = try episode(number)
      let episode = shard.index.episode(local)
      let rows = episode.tracks.map { shard.index.rows(ofTrack: $0).count }.max() ?? 0
      out.append(
        .record([
          "id": .string(episode.id), "split": .string(episode.split), "rows": .int(Int64(rows)),
          "metadata": try Self.metadata(episode.metadata, shard, episode.id),
        ]))
    }
    return .array(out)
  }

  /// One episode and its tracks.
  ///
  /// - Throws: A usage error where there is none of that number.
  public func describe(episode number: Int) throws(TrajpackError) -> JSONValue {
    let (shard, local, first) = try episode(number)
    let episode = shard.index.episode(local)
    var tracks: [JSONValue] = []
    for number in episode.tracks {
      let track = shard.index.track(number)
      tracks.append(
        .record([
          "track": .int(Int64(first + number)),
          "stream": .string(shard.schema.streams[track.stream].name),
          "entity": track.entity.map { entity in
            .record([
              "kind": .string(entity.kind), "index": .int(Int64(entity.index)),
              "type": .int(Int64(entity.type)),
            ])
          } ?? .null,
          "rows": .int(Int64(track.rows.count)), "clock": Self.json(track.clock),
          "metadata": try Self.metadata(track.metadata, shard, episode.id),
        ]))
    }
    return .record([
      "id": .string(episode.id), "split": .string(episode.split),
      "metadata": try Self.metadata(episode.metadata, shard, episode.id), "tracks": .array(tracks),
    ])
  }

  private static func json(_ clock: Clock) -> JSONValue {
    switch clock {
    case .regular(let start, let rate):
      return .record([
        "type": "regular", "start": .string("\(start)"), "rate": .string("\(rate)"),
      ])
    case .ticks(let tick): return .record(["type": "ticks", "tick": .string("\(tick)")])
    case .float64: return .record(["type": "float64"])
    }
  }

  private static func metadata(
    _ text: String, _ shard: Shard, _ id: String
  ) throws(TrajpackError) -> JSONValue {
    if text.isEmpty { return .object([]) }
    return try within(
      "\(shard.name), metadata of episode '\(id)'", at: ErrorPlace(file: shard.name, episode: id)
    ) { () throws(TrajpackError) in
      try JSONValue(parsing: text)
    }
  }
}
