import CPlatform
import TrajpackFormat

/// A row of a shard's statistics (section 10 of the format).
struct StatisticsRow {
  /// The split's number, -1 for none.
  var split: Int
  var stream: Int
  var channel: Int
  var component: Int
  var moments: tp_moments
  /// Empty where there are none.
  var quantiles: [Double]
}

extension StatisticsRow {
  /// What it says, as other statistics say it.
  var statistics: ComponentStatistics {
    var stats = ComponentStatistics()
    (stats.missing, stats.infinite) = (Int(moments.missing), Int(moments.infinite))
    if moments.count > 0 {
      stats.count = Int(moments.count)
      (stats.minimum, stats.maximum) = (moments.minimum, moments.maximum)
      (stats.mean, stats.m2) = (moments.mean, moments.m2)
      stats.quantiles = quantiles
    }
    return stats
  }
}

extension Shard {
  /// What the index says of each component, by the numbers of split (-1 for none), stream and channel; `nil`
  /// where it has no statistics.
  ///
  /// - Throws: A data error where they are damaged.
  package func storedStatistics() throws(TrajpackError) -> [(
    split: Int, stream: Int, channel: Int, component: Int, statistics: ComponentStatistics
  )]? {
    try statisticsRows()?.map { ($0.split, $0.stream, $0.channel, $0.component, $0.statistics) }
  }

  /// The rows of the statistics, checked; `nil` where the shard has none.
  func statisticsRows() throws(TrajpackError) -> [StatisticsRow]? {
    guard let bytes = try section(.statistics) else { return nil }
    let quantileBytes = try section(.quantiles) ?? []
    let width = ComponentStatistics.probabilities.count
    let rows = bytes.count / 88
    guard bytes.count % 88 == 0, quantileBytes.count == rows * width * 4 else {
      throw TrajpackError(.data, "\(name): the statistics are damaged: rows are not whole")
    }
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
    var out: [StatisticsRow] = []
    for row in 0..<rows {
      let n = Array(numbers[row * 11..<row * 11 + 11])
      guard let split = Int(exactly: n[0]), let stream = Int(exactly: n[1]),
        let channel = Int(exactly: n[2]), let component = Int(exactly: n[3]),
        let count = Int(exactly: n[4]), let missing = Int(exactly: n[5]),
        let infinite = Int(exactly: n[6]), (-1..<schema.splits.count).contains(split),
        schema.streams.indices.contains(stream),
        schema.streams[stream].channels.indices.contains(channel),
        (0..<StatisticsComponents.count(of: schema.streams[stream].channels[channel])).contains(
          component),
        count >= 0, missing >= 0, infinite >= 0
      else { throw TrajpackError(.data, "\(name): row \(row) of the statistics is damaged") }
      var moments = tp_moments.none
      (moments.missing, moments.infinite) = (Int64(missing), Int64(infinite))
      var found: [Double] = []
      if count > 0 {
        moments.count = Int64(count)
        (moments.minimum, moments.maximum, moments.mean, moments.m2) = (n[7], n[8], n[9], n[10])
        found = Array(quantiles[row * width..<(row + 1) * width])
      }
      out.append(
        StatisticsRow(
          split: split, stream: stream, channel: channel, component: component, moments: moments,
          quantiles: found.allSatisfy(\.isFinite) ? found : []))
    }
    return out
  }
}

/// Statistics of rows that were gathered before.
extension StatisticsGatherer {
  /// Adds those of a shard with the same streams and channels; the samples are not among them.
  mutating func add(_ shard: Shard) throws(TrajpackError) {
    let rows = try shard.statisticsRows() ?? []
    var next = 0
    while next < rows.count {
      let (split, stream) = (rows[next].split, rows[next].stream)
      let expected = componentNumbers(of: stream)
      let part = rows[next..<min(next + expected.count, rows.count)]
      guard part.count == expected.count,
        zip(part, expected).allSatisfy({
          $0.split == split && $0.stream == stream && $0.channel == $1.channel
            && $0.component == $1.component
        })
      else {
        throw TrajpackError(
          .data, "\(shard.name): row \(next) of the statistics is damaged: it is out of place")
      }
      merge(
        Partial(
          stream: stream, splits: [split < 0 ? "" : shard.schema.splits[split]: part.map(\.moments)]
        ))
      next += expected.count
    }
  }

  /// Adds rows for the quantiles.
  mutating func add(_ samples: Samples, stream: Int, split: String) {
    merge(Partial(stream: stream, samples: [split: samples]))
  }

  /// Of rows of these ranges, in their order, those that quantiles are estimated from.
  static func chosen(_ ranges: [Range<Int>]) -> [Int] {
    let count = ranges.reduce(0) { $0 + $1.count }
    guard count > sampleSize else { return ranges.flatMap { Array($0) } }
    // Keys are spread evenly, so that this many of the smallest are enough but for bad luck.
    var share = Double(sampleSize + 256) / Double(count)
    while true {
      let limit = share < 1 ? UInt64(share * 0x1p64) : .max
      var found: [(key: UInt64, row: Int)] = []
      for range in ranges {
        for row in range where key(row) <= limit { found.append((key(row), row)) }
      }
      if found.count >= sampleSize || share >= 1 {
        return found.sorted { $0.key < $1.key }.prefix(sampleSize).map(\.row).sorted()
      }
      share *= 2
    }
  }
}
