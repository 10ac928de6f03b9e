import CPlatform
import TrajpackFormat

/// Gathers the statistics of a shard from its chunks, in one pass.
///
/// Chunks are looked at by many threads (``observe(stream:chunk:first:spans:)``); their partial results are
/// merged in the order of the file (``merge(_:)``), so that the same rows always give the same bytes.
struct StatisticsGatherer: Sendable {
  /// Rows of one split in a chunk of a stream.
  struct Span: Sendable {
    var split: String
    var rows: Range<Int>
  }

  /// What one chunk has to add.
  struct Partial: Sendable {
    var stream: Int
    var splits: [String: [tp_moments]] = [:]
    var samples: [String: Samples] = [:]
  }

  /// Components of rows that are kept for the quantiles: the rows with the smallest keys are a uniform
  /// sample without replacement, whatever the order.
  struct Samples: Sendable {
    var keys: [UInt64] = []
    /// Those of each row that have quantiles, row by row.
    var values: [Double] = []
  }

  /// Rows that are kept for each stream and split.
  static let sampleSize = 1024

  /// Neighbouring components that are elements of one channel.
  private struct Part: Sendable {
    var channel: Int
    var block: Int
    /// The first column, and how many there are.
    var column: Int
    var width: Int
    /// Column i is of component i modulo this number.
    var components: Int
    var reading: ElementReading
    var hasQuantiles: Bool
  }

  private let schema: Schema
  private let parts: [[Part]]
  private var totals: [[String: [tp_moments]]]
  private var samples: [[String: Samples]]
  private var thresholds: [[String: UInt64]]

  init(_ schema: Schema) {
    self.schema = schema
    parts = schema.streams.map { stream in
      stream.channels.enumerated().compactMap { number, channel in
        let components = StatisticsComponents.count(of: channel)
        guard components > 0 else { return nil }
        return Part(
          channel: number, block: channel.storage.block, column: channel.storage.column,
          width: channel.elements, components: components,
          reading: ElementReading(channel, stored: schema.blocks[channel.storage.block].type),
          hasQuantiles: components <= 64)
      }
    }
    totals = Array(repeating: [:], count: schema.streams.count)
    samples = Array(repeating: [:], count: schema.streams.count)
    thresholds = Array(repeating: [:], count: schema.streams.count)
  }

  /// The key of a row.
  static func key(_ row: Int) -> UInt64 { SplitMix64.first(ofSeed: UInt64(bitPattern: Int64(row))) }

  /// Looks at a chunk of a stream: the rows of its blocks. `first` is the number of the chunk's first row in
  /// the stream.
  func observe(
    stream: Int, chunk: [(number: Int, rows: ChunkBytes)], first: Int, spans: [Span]
  ) -> Partial {
    var partial = Partial(stream: stream)
    for span in spans where !span.rows.isEmpty {
      var found: [tp_moments] = []
      for part in parts[stream] {
        guard let rows = chunk.first(where: { $0.number == part.block })?.rows else { continue }
        let size = schema.blocks[part.block].rowBytes
        rows.withBytes { bytes in
          moments(
            of: part, bytes.baseAddress.unsafelyUnwrapped + span.rows.lowerBound * size,
            rows: span.rows.count, stride: size, into: &found)
        }
      }
      if var known = partial.splits[span.split] {
        Self.merge(found, into: &known)
        partial.splits[span.split] = known
      } else {
        partial.splits[span.split] = found
      }
      let threshold = thresholds[stream][span.split] ?? .max
      let sampled = span.rows.filter { Self.key(first + $0) <= threshold }
      partial.samples[span.split, default: Samples()].keys += sampled.map { Self.key(first + $0) }
      sample(
        stream, chunk, rows: sampled, first: first,
        into: &partial.samples[span.split, default: Samples()].values)
    }
    return partial
  }

  /// The values of some rows of a chunk that the quantiles are estimated from, row by row. Of a component
  /// of several elements the key of the row says which one enters.
  func sample(
    _ stream: Int, _ chunk: [(number: Int, rows: ChunkBytes)], rows: [Int], first: Int,
    into values: inout [Double]
  ) {
    struct Place {
      var start: UnsafeRawPointer
      var rowBytes: Int
      /// Bytes of the elements of a turn, which are `count`.
      var step: Int
      var count: Int
      var turns: Int
      var reading: ElementReading
    }
    let places = parts[stream].filter(\.hasQuantiles).compactMap { part -> Place? in
      let block = schema.blocks[part.block]
      guard let rows = chunk.first(where: { $0.number == part.block })?.rows.bytes.baseAddress
      else {
        return nil
      }
      return Place(
        start: rows + part.column * block.type.size, rowBytes: block.rowBytes,
        step: part.components * block.type.size, count: part.components,
        turns: part.width / part.components, reading: part.reading)
    }
    let needed = values.count + rows.count * places.reduce(0) { $0 + $1.count }
    // At least twice as much: a caller may come row by row, and an exact size would copy all values for each row.
    if needed > values.capacity { values.reserveCapacity(max(needed, 2 * values.capacity)) }
    places.withUnsafeBufferPointer { places in
      for row in rows {
        let pick = Int(Self.key(first + row) >> 40)
        for place in places {
          let turn = place.turns == 1 ? 0 : pick % place.turns
          place.reading.append(
            place.start + row * place.rowBytes + turn * place.step, count: place.count, to: &values)
        }
      }
    }
    withExtendedLifetime(chunk) {}
  }

  /// The blocks that rows for the quantiles are read from.
  func sampledBlocks(of stream: Int) -> [Int] {
    Set(parts[stream].filter(\.hasQuantiles).map(\.block)).sorted()
  }

  /// The components of a stream, in the order of the statistics.
  func componentNumbers(of stream: Int) -> [(channel: Int, component: Int)] {
    parts[stream].flatMap { part in (0..<part.components).map { (part.channel, $0) } }
  }

  /// Appends the moments of a part's components over `rows` rows that begin at `start`.
  private func moments(
    of part: Part, _ start: UnsafeRawPointer, rows: Int, stride: Int, into out: inout [tp_moments]
  ) {
    let size = schema.blocks[part.block].type.size
    let columns = [tp_moments](unsafeUninitializedCapacity: part.width) { found, used in
      used = part.width
      let at = start + part.column * size
      switch part.reading.type {
      case .float32: tp_moments_f32(at, rows, stride, part.width, found.baseAddress)
      case .float64: tp_moments_f64(at, rows, stride, part.width, found.baseAddress)
      default:
        // Integers become numbers first, some columns at a time.
        let most = min(part.width, max(8, 4096 / rows / 8 * 8))
        withUnsafeTemporaryAllocation(of: Double.self, capacity: rows * most) { numbers in
          for first in Swift.stride(from: 0, to: part.width, by: most) {
            let width = min(most, part.width - first)
            for column in 0..<width {
              part.reading.doubles(
                at + (first + column) * size, count: rows, stride: stride,
                into: numbers.baseAddress.unsafelyUnwrapped + column, every: width)
            }
            tp_moments_f64(
              numbers.baseAddress, rows, width * 8, width,
              found.baseAddress.unsafelyUnwrapped + first)
          }
        }
      }
    }
    for component in 0..<part.components {
      var sum = tp_moments.none
      columns.withUnsafeBufferPointer {
        tp_moments_add(
          &sum, $0.baseAddress.unsafelyUnwrapped + component, part.width / part.components,
          part.components)
      }
      out.append(sum)
    }
  }

  private static func merge(_ more: [tp_moments], into known: inout [tp_moments]) {
    for i in known.indices where i < more.count {
      withUnsafePointer(to: more[i]) { tp_moments_add(&known[i], $0, 1, 1) }
    }
  }

  /// Adds what a chunk has to add.
  mutating func merge(_ partial: Partial) {
    let stream = partial.stream
    for (split, stats) in partial.splits {
      if totals[stream][split] == nil {
        totals[stream][split] = stats
      } else {
        Self.merge(stats, into: &totals[stream][split, default: []])
      }
    }
    for (split, more) in partial.samples {
      samples[stream][split, default: Samples()].keys += more.keys
      samples[stream][split, default: Samples()].values += more.values
      guard let kept = samples[stream][split], kept.keys.count > 2 * Self.sampleSize else {
        continue
      }
      let best = kept.best(Self.sampleSize)
      samples[stream][split] = best
      thresholds[stream][split] = best.keys.last
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
      for stream in parts.indices {
        guard let stats = totals[stream][split] else { continue }
        let kept = (samples[stream][split] ?? Samples()).best(Self.sampleSize)
        let found = kept.quantiles(ComponentStatistics.probabilities)
        let none = [Float](repeating: .nan, count: ComponentStatistics.probabilities.count)
        var (at, position) = (0, 0)
        for part in parts[stream] {
          for number in 0..<part.components {
            let stat = stats[at]
            at += 1
            moments += [
              Double(s - 1), Double(stream), Double(part.channel), Double(number),
              Double(stat.count), Double(stat.missing), Double(stat.infinite),
              stat.count > 0 ? stat.minimum : .nan, stat.count > 0 ? stat.maximum : .nan,
              stat.count > 0 ? stat.mean : .nan, stat.m2,
            ]
            quantiles += part.hasQuantiles && position < found.count ? found[position] : none
            if part.hasQuantiles { position += 1 }
          }
        }
      }
    }
    return (moments, quantiles)
  }
}

extension StatisticsGatherer.Samples {
  /// Values of a row.
  private var width: Int { keys.isEmpty ? 0 : values.count / keys.count }

  /// The rows with the smallest keys, in the order of their keys.
  func best(_ count: Int) -> Self {
    let width = width
    var best = Self()
    best.values.reserveCapacity(min(count, keys.count) * width)
    for i in keys.indices.sorted(by: { keys[$0] < keys[$1] }).prefix(count) {
      best.keys.append(keys[i])
      best.values += values[i * width..<(i + 1) * width]
    }
    return best
  }

  /// The quantiles of each value of a row: linear in the sorted finite ones, NaN where there are none.
  func quantiles(_ probabilities: [Double]) -> [[Float]] {
    var out: [[Float]] = []
    let (width, lanes) = (width, 8)
    var sorted = [Double](repeating: .infinity, count: keys.count * lanes)
    for first in stride(from: 0, to: width, by: lanes) {
      var counts = [Int](repeating: 0, count: lanes)
      let columns = min(lanes, width - first)
      for row in keys.indices {
        for c in 0..<columns {
          let value = values[row * width + first + c]
          // What is not finite goes behind what is.
          sorted[row * lanes + c] = value.isFinite ? value : .infinity
          if value.isFinite { counts[c] += 1 }
        }
      }
      sorted.withUnsafeMutableBufferPointer { tp_sort_lanes($0.baseAddress, keys.count) }
      for c in 0..<columns {
        out.append(
          probabilities.map { p in
            guard counts[c] > 0 else { return .nan }
            let at = p * Double(counts[c] - 1)
            let low = sorted[Int(at) * lanes + c]
            let high = sorted[min(Int(at) + 1, counts[c] - 1) * lanes + c]
            return Float(low + (high - low) * (at - Double(Int(at))))
          })
      }
    }
    return out
  }
}

extension tp_moments {
  /// Of no numbers.
  static var none: tp_moments {
    tp_moments(
      count: 0, missing: 0, infinite: 0, minimum: .infinity, maximum: -.infinity, mean: 0, m2: 0)
  }
}
