import TrajpackFormat

/// The statistics of channels, merged over shards: by split, then by `stream/channel`.
public struct DatasetStatistics: Sendable {
  /// The components of each channel, by `stream/channel`, by split; the empty split is that of episodes
  /// that have none.
  public private(set) var splits: [String: [String: [ComponentStatistics]]] = [:]

  /// Of no shards.
  public init() {}

  /// Adds a shard's.
  public mutating func add(_ shard: Shard) throws(TrajpackError) {
    guard let rows = try shard.statisticsRows() else { return }
    let schema = shard.schema
    var found: [String: [String: [ComponentStatistics]]] = [:]
    for (number, row) in rows.enumerated() {
      let stats = row.statistics
      let stream = schema.streams[row.stream]
      let name = "\(stream.name)/\(stream.channels[row.channel].name)"
      let splitName = row.split < 0 ? "" : schema.splits[row.split]
      guard found[splitName, default: [:]][name, default: []].count == row.component else {
        throw TrajpackError(
          .data, "\(shard.name): row \(number) of the statistics is damaged: it is out of place")
      }
      found[splitName, default: [:]][name, default: []].append(stats)
    }
    for (split, channels) in found {
      for (name, stats) in channels {
        if var all = splits[split]?[name], all.count == stats.count {
          for i in all.indices { all[i].merge(stats[i]) }
          splits[split]?[name] = all
        } else {
          splits[split, default: [:]][name] = stats
        }
      }
    }
  }

  /// The components of a channel over all splits.
  public func all(_ channel: String) -> [ComponentStatistics] {
    all(channel, of: splits.keys.sorted())
  }

  /// The components of a channel over some splits.
  public func all(_ channel: String, of names: [String]) -> [ComponentStatistics] {
    var out: [ComponentStatistics] = []
    for split in names {
      guard let stats = splits[split]?[channel] else { continue }
      if out.isEmpty {
        out = stats
      } else {
        for i in out.indices where i < stats.count { out[i].merge(stats[i]) }
      }
    }
    return out
  }

  /// The JSON of the manifest: by split, by channel, an array a figure.
  public var json: JSONValue {
    .object(
      splits.keys.sorted().map { split in
        JSONValue.Member(
          split,
          .object(
            (splits[split] ?? [:]).sorted { $0.key < $1.key }.map { name, stats in
              JSONValue.Member(name, Self.json(stats))
            }))
      })
  }

  /// The figures of components, an array a figure; null where there is none.
  package static func json(_ stats: [ComponentStatistics]) -> JSONValue {
    func each(_ value: (ComponentStatistics) -> JSONValue) -> JSONValue { .array(stats.map(value)) }
    func figure(_ value: @escaping (ComponentStatistics) -> Double?) -> JSONValue {
      each { s in s.count > 0 ? value(s).map { .double($0) } ?? .null : .null }
    }
    return .record([
      "count": each { .int(Int64($0.count)) }, "missing": each { .int(Int64($0.missing)) },
      "infinite": stats.contains { $0.infinite > 0 } ? each { .int(Int64($0.infinite)) } : nil,
      "min": figure { $0.minimum }, "max": figure { $0.maximum }, "mean": figure { $0.mean },
      "std": figure { $0.deviation },
      "quantiles": stats.allSatisfy { $0.quantiles.isEmpty }
        ? nil : each { s in .array(s.quantiles.map { .double($0) }) },
    ])
  }
}
