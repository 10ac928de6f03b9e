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
    guard let bytes = try shard.section(.statistics) else { return }
    let quantileBytes = try shard.section(.quantiles) ?? []
    let width = ComponentStatistics.probabilities.count
    let rows = bytes.count / 88
    guard bytes.count % 88 == 0, quantileBytes.count == rows * width * 4 else {
      throw TrajpackError(.data, "\(shard.name): the statistics are damaged: rows are not whole")
    }
    let schema = shard.schema
    let numbers = bytes.withUnsafeBytes { raw in
      (0..<rows * 11).map {
        Double(
          bitPattern: UInt64(
            littleEndian: raw.loadUnaligned(fromByteOffset: $0 * 8, as: UInt64.self)))
      }
    }
    let quantiles = quantileBytes.withUnsafeBytes { raw in
      (0..<rows * width).map {
        Double(
          Float(
            bitPattern: UInt32(
              littleEndian: raw.loadUnaligned(fromByteOffset: $0 * 4, as: UInt32.self))))
      }
    }
    var found: [String: [String: [ComponentStatistics]]] = [:]
    for row in 0..<rows {
      let n = Array(numbers[row * 11..<row * 11 + 11])
      guard let split = Int(exactly: n[0]), let stream = Int(exactly: n[1]),
        let channel = Int(exactly: n[2]), let component = Int(exactly: n[3]),
        let count = Int(exactly: n[4]), let missing = Int(exactly: n[5]),
        let infinite = Int(exactly: n[6]), (-1..<schema.splits.count).contains(split),
        schema.streams.indices.contains(stream),
        schema.streams[stream].channels.indices.contains(channel),
        (0..<ComponentRule.count(of: schema.streams[stream].channels[channel])).contains(component),
        count >= 0, missing >= 0, infinite >= 0
      else { throw TrajpackError(.data, "\(shard.name): row \(row) of the statistics is damaged") }
      var stats = ComponentStatistics()
      stats.missing = missing
      stats.infinite = infinite
      if count > 0 {
        stats.count = count
        (stats.minimum, stats.maximum, stats.mean, stats.m2) = (n[7], n[8], n[9], n[10])
        let q = Array(quantiles[row * width..<(row + 1) * width])
        stats.quantiles = q.allSatisfy(\.isFinite) ? q : []
      }
      let name = "\(schema.streams[stream].name)/\(schema.streams[stream].channels[channel].name)"
      let splitName = split < 0 ? "" : schema.splits[split]
      guard found[splitName, default: [:]][name, default: []].count == component else {
        throw TrajpackError(
          .data, "\(shard.name): row \(row) of the statistics is damaged: it is out of place")
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

  private static func json(_ stats: [ComponentStatistics]) -> JSONValue {
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
