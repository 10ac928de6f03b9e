import TrajpackFormat
import TrajpackStore

/// The JSON of `trajpack info --json`.
enum InfoJSON {
  static func document(
    _ dataset: Dataset, _ summary: DatasetSummary, _ values: ValueTable, _ remarks: [String]
  ) -> JSONValue {
    .record([
      "dataset": .string(dataset.path), "complete": .bool(dataset.isComplete),
      "digest": dataset.manifest.map { .string($0.digest) },
      "shards": .int(Int64(dataset.shardPaths.count)), "episodes": .int(Int64(summary.episodes)),
      "frames": .int(Int64(summary.frames)),
      "seconds": TimeUnit.seconds(summary.durations).map { .double($0) } ?? .null,
      "durations": .object(
        summary.durations.sorted { $0.key < $1.key }.map { .init($0.key, .double($0.value)) }),
      "bytes": .int(Int64(summary.bytes)),
      "splits": .object(
        summary.splits.sorted { $0.key < $1.key }.map { .init($0.key, .int(Int64($0.value))) }),
      "split_schemes": .array(dataset.sideFiles(.splits).map { .string($0.name) }),
      "skeletons": .array(
        summary.skeletons.map {
          .record([
            "name": .string($0.name),
            "edges": .array($0.edges.map { .array($0.map { .int(Int64($0)) }) }),
          ])
        }), "streams": .array(summary.streams.map { stream($0, summary.statistics) }),
      "values": ValueLines.json(values),
      "remarks": .array(remarks.map { .string($0) }),
      "source": dataset.manifest?.source, "statistics": summary.statistics.json,
    ])
  }

  private static func stream(
    _ stream: DatasetSummary.StreamSummary, _ statistics: DatasetStatistics
  ) -> JSONValue {
    .record([
      "name": .string(stream.stream.name),
      "description": stream.stream.description.map { .string($0) },
      "rows": .int(Int64(stream.rows)), "tracks": .int(Int64(stream.tracks)),
      "entities": .object(
        stream.entityKinds.sorted { $0.key < $1.key }.map { .init($0.key, .int(Int64($0.value))) }),
      "time_unit": .string(stream.stream.timeUnit),
      "rates": .array(stream.rates.sorted { $0.value < $1.value }.map { .string($0.description) }),
      "explicit_times": .bool(stream.hasExplicitTimes),
      "skeleton": stream.stream.skeleton.map { .string($0) },
      "codecs": .array(stream.codecs.sorted().map { .string($0) }),
      "chunk_rows": .array(stream.chunkRows.sorted().map { .int(Int64($0)) }),
      "stored_bytes": .int(Int64(stream.storedBytes)),
      "channels": .array(
        stream.channels.map {
          channel($0, statistics.all("\(stream.stream.name)/\($0.channel.name)"))
        }),
    ])
  }

  private static func channel(
    _ entry: DatasetSummary.ChannelSummary, _ statistics: [ComponentStatistics]
  ) -> JSONValue {
    let channel = entry.channel
    return .record([
      "name": .string(channel.name), "kind": .string(channel.kind.rawValue),
      "type": .string(channel.type.rawValue),
      "shape": .array(channel.shape.map { .int(Int64($0)) }),
      "units": channel.units.map { .string($0) },
      "description": channel.description.map { .string($0) },
      "conventions": channel.conventions.isEmpty ? nil : .object(channel.conventions),
      "categories": channel.categories.map { .array($0.map { .string($0) }) },
      "missing": .string(channel.missing.rawValue),
      "stored_as": .array(entry.stored.map(\.rawValue).sorted().map { .string($0) }),
      "raw_bytes": .int(Int64(entry.rawBytes)), "stored_bytes": .int(Int64(entry.storedBytes)),
      "shares_its_block": .bool(entry.isShared),
      // A component each: whether its values do not vary.
      "constant": statistics.isEmpty ? nil : .array(statistics.map { .bool($0.isConstant) }),
    ])
  }

  static func clock(_ clock: Clock) -> JSONValue {
    switch clock {
    case .regular(let start, let rate):
      return .record([
        "kind": "regular", "start": .string(start.description), "rate": .string(rate.description),
      ])
    case .ticks(let tick): return .record(["kind": "ticks", "tick": .string(tick.description)])
    case .float64: return .record(["kind": "float64"])
    }
  }
}
