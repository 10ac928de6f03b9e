import TrajpackFormat

/// Gathers the statistics of a shard from its chunks, in one pass.
///
/// Chunks are looked at by many threads (``observe(_:)``); their partial results are merged in the
/// order of the file (``merge(_:)``), so that the same rows always give the same bytes.
struct StatisticsGatherer: Sendable {
  /// Rows of one split in a chunk of a stream.
  struct Span: Sendable {
    var split: String
    var rows: Range<Int>
  }

  /// What one chunk has to add.
  struct Partial: Sendable {
    var stream: Int
    var splits: [String: [ComponentStatistics]]
    var samples: [Sample]
  }

  /// The components of one row, kept for the quantiles: those with the smallest keys are a uniform
  /// sample without replacement, whatever the order.
  struct Sample: Sendable {
    var key: UInt64
    var split: String
    var values: [Double]
  }

  /// Rows that are kept for each stream and split.
  static let sampleSize = 1024

  private struct Component: Sendable {
    var channel: Int
    var block: Int
    var columns: [Int]
    var reading: ElementReading
    var hasQuantiles: Bool
  }

  private let schema: Schema
  private let components: [[Component]]
  private var totals: [[String: [ComponentStatistics]]]
  private var samples: [[String: [Sample]]]
  private var thresholds: [[String: UInt64]]

  init(_ schema: Schema) {
    self.schema = schema
    components = schema.streams.map { stream in
      stream.channels.enumerated().flatMap { number, channel -> [Component] in
        let rows = ComponentRule.components(of: channel)
        let reading = ElementReading(channel, stored: schema.blocks[channel.storage.block].type)
        return rows.map { columns in
          Component(
            channel: number, block: channel.storage.block,
            columns: columns.map { $0 + channel.storage.column }, reading: reading,
            hasQuantiles: rows.count <= 64)
        }
      }
    }
    totals = Array(repeating: [:], count: schema.streams.count)
    samples = Array(repeating: [:], count: schema.streams.count)
    thresholds = Array(repeating: [:], count: schema.streams.count)
  }

  /// The key of a row (SplitMix64's finaliser).
  private static func key(_ row: Int) -> UInt64 {
    var z = UInt64(bitPattern: Int64(row)) &+ 0x9E37_79B9_7F4A_7C15
    z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
    z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
    return z ^ (z >> 31)
  }

  /// Looks at a chunk of a stream: the rows of its blocks, by block number. `first` is the number of
  /// the chunk's first row in the stream.
  func observe(
    stream: Int, chunk: [Int: [UInt8]], first: Int, spans: [Span]
  ) -> Partial {
    var partial = Partial(stream: stream, splits: [:], samples: [])
    let most = spans.reduce(0) { max($0, $1.rows.count) }
    withUnsafeTemporaryAllocation(of: Double.self, capacity: max(most, 1)) { values in
      guard let out = values.baseAddress else { return }
      for span in spans where !span.rows.isEmpty {
        let threshold = thresholds[stream][span.split] ?? .max
        let sampled = span.rows.filter { Self.key(first + $0) <= threshold }
        let base = partial.samples.count
        partial.samples += sampled.map {
          Sample(key: Self.key(first + $0), split: span.split, values: [])
        }
        var stats = partial.splits[span.split] ?? []
        let fresh = stats.isEmpty
        for (c, component) in components[stream].enumerated() {
          var part = ComponentStatistics()
          let block = schema.blocks[component.block]
          guard let bytes = chunk[component.block] else { continue }
          bytes.withUnsafeBytes { raw in
            guard let start = raw.baseAddress else { return }
            for (n, column) in component.columns.enumerated() {
              component.reading.doubles(
                start + span.rows.lowerBound * block.rowBytes + column * block.type.size,
                count: span.rows.count, stride: block.rowBytes, into: out)
              part.add(UnsafeBufferPointer(start: out, count: span.rows.count))
              guard component.hasQuantiles else { continue }
              for (s, row) in sampled.enumerated()
              where Int(Self.key(first + row) >> 40) % component.columns.count == n {
                partial.samples[base + s].values.append(out[row - span.rows.lowerBound])
              }
            }
          }
          if fresh { stats.append(part) } else { stats[c].merge(part) }
        }
        partial.splits[span.split] = stats
      }
    }
    return partial
  }

  /// Adds what a chunk has to add.
  mutating func merge(_ partial: Partial) {
    let stream = partial.stream
    for (split, stats) in partial.splits {
      if var all = totals[stream][split] {
        for i in all.indices { all[i].merge(stats[i]) }
        totals[stream][split] = all
      } else {
        totals[stream][split] = stats
      }
    }
    for sample in partial.samples {
      samples[stream][sample.split, default: []].append(sample)
    }
    for (split, kept) in samples[stream] where kept.count > 2 * Self.sampleSize {
      let best = Array(kept.sorted { $0.key < $1.key }.prefix(Self.sampleSize))
      samples[stream][split] = best
      thresholds[stream][split] = best.last?.key
    }
  }

  /// The rows of the sections `statistics` and `quantiles`; `splits` numbers the splits.
  ///
  /// - Returns: Eleven float64 a row (split, stream, channel, component, count, missing, infinite,
  ///   minimum, maximum, mean, m2), and for each as many quantiles as there are probabilities.
  func tables(splits: [String]) -> (moments: [Double], quantiles: [Float]) {
    var moments: [Double] = []
    var quantiles: [Float] = []
    let names = [""] + splits
    for (s, split) in names.enumerated() {
      for stream in components.indices {
        guard let stats = totals[stream][split] else { continue }
        let kept = (samples[stream][split] ?? []).sorted { $0.key < $1.key }
          .prefix(Self.sampleSize)
        var within: [Int: Int] = [:]
        var position = 0
        for (c, component) in components[stream].enumerated() {
          let stat = stats[c]
          let number = within[component.channel, default: 0]
          within[component.channel] = number + 1
          moments += [
            Double(s - 1), Double(stream), Double(component.channel), Double(number),
            Double(stat.count), Double(stat.missing), Double(stat.infinite),
            stat.count > 0 ? stat.minimum : .nan, stat.count > 0 ? stat.maximum : .nan,
            stat.count > 0 ? stat.mean : .nan, stat.m2,
          ]
          var found: [Double] = []
          if component.hasQuantiles {
            found = kept.map { $0.values[position] }.filter(\.isFinite).sorted()
            position += 1
          }
          quantiles += ComponentStatistics.probabilities.map { p in
            guard !found.isEmpty else { return .nan }
            let at = p * Double(found.count - 1)
            let low = Int(at)
            let high = min(low + 1, found.count - 1)
            return Float(found[low] + (found[high] - found[low]) * (at - Double(low)))
          }
        }
      }
    }
    return (moments, quantiles)
  }
}

extension ComponentStatistics {
  /// Adds a run of values, NaN where not observed: two passes over the run, then one merge.
  mutating func add(_ values: UnsafeBufferPointer<Double>) {
    var part = ComponentStatistics()
    var sum = 0.0
    for value in values {
      if value.isFinite {
        sum += value
        part.count += 1
        if value < part.minimum { part.minimum = value }
        if value > part.maximum { part.maximum = value }
      } else if value.isNaN {
        part.missing += 1
      } else {
        part.infinite += 1
      }
    }
    if part.count > 0 {
      part.mean = sum / Double(part.count)
      for value in values where value.isFinite {
        part.m2 += (value - part.mean) * (value - part.mean)
      }
    }
    merge(part)
  }
}
