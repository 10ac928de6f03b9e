import Glibc
import Testing
import TrajpackFormat
import TrajpackTestSupport

@testable import TrajpackStore

@Suite struct ExactMomentsTests {
  private func moments(_ values: [Double]) -> ExactMoments {
    var out = ExactMoments()
    let table = ExactMoments.Table()
    values.withUnsafeBufferPointer { _ = out.add($0, table) }
    return out
  }

  /// Numbers of all sizes and signs, and what is none.
  private func numbers(_ count: Int, _ random: inout SeededGenerator) -> [Double] {
    (0..<count).map { _ in
      switch Int.random(in: 0..<20, using: &random) {
      case 0: return Double(bitPattern: random.next())
      case 1: return .nan
      case 2: return .infinity
      case 3: return Double.leastNonzeroMagnitude * Double(Int.random(in: -9...9, using: &random))
      case 4: return -1.7e308
      default:
        return Double.random(in: -1...1, using: &random)
          * pow(10, Double(Int.random(in: -20...20, using: &random)))
      }
    }
  }

  @Test func orderAndCutsChangeNothing() {
    for seed in 0..<30 as Range<UInt64> {
      var random = SeededGenerator(seed: seed)
      let values = numbers(Int.random(in: 0...500, using: &random), &random)
      let whole = moments(values)
      #expect(whole == moments(values.shuffled(using: &random)))
      var merged = ExactMoments()
      var rest = values.shuffled(using: &random)[...]
      while !rest.isEmpty {
        let part = rest.prefix(Int.random(in: 1...100, using: &random))
        merged.merge(moments(Array(part)))
        rest = rest.dropFirst(part.count)
      }
      #expect(merged == whole)
      #expect(merged.statistics == whole.statistics || whole.statistics.m2.isNaN)
    }
  }

  @Test func sumsAreExactWhereDoublesAreNot() {
    let cancelling = moments([1e300, 1, -1e300, 2]).statistics
    #expect(cancelling.mean == 0.75)
    let far = moments((0..<1000).map { 1e15 + Double($0 % 2) }).statistics
    #expect(far.mean == 1e15 + 0.5 && far.m2 == 250 && far.deviation == 0.5)
    let equal = moments([Double](repeating: 0.1, count: 999)).statistics
    #expect(equal.mean == 0.1 && equal.m2 == 0)
    let tiny = Double.leastNonzeroMagnitude
    let least = moments([tiny, tiny]).statistics
    #expect(least.mean == tiny && least.m2 == 0)
    let none = moments([.nan, .infinity]).statistics
    #expect(none.count == 0 && none.missing == 1 && none.infinite == 1 && none.deviation == nil)
  }
}

@Suite struct QuantileSketchTests {
  private func sketch(_ values: [Double], pieces: Int = 1) -> QuantileSketch {
    var out = QuantileSketch()
    let size = max((values.count + pieces - 1) / pieces, 1)
    for first in stride(from: 0, to: values.count, by: size) {
      values[first..<min(first + size, values.count)].withUnsafeBufferPointer { out.append($0) }
      out.settle(out.takeUnsorted().map(QuantileSketch.sorted))
    }
    return out
  }

  /// Values that are hard on sketches.
  private static func hard(_ name: String, _ count: Int) -> [Double] {
    var random = SeededGenerator(seed: 7)
    func uniform() -> Double { Double.random(in: 0..<1, using: &random) }
    return (0..<count).map { i in
      switch name {
      case "skewed": return exp(-20 * uniform())
      case "heavy tails": return tan(.pi * (uniform() - 0.5))
      case "sorted": return Double(i)
      case "falling": return Double(-i)
      case "constant": return 0.1
      case "few values": return (uniform() * 7).rounded()
      case "sawtooth": return Double(i % 32_768)
      case "two heaps": return i % 1000 == 0 ? 1e9 : uniform()
      default: return uniform() - 0.5
      }
    }
  }

  private static let names = [
    "skewed", "heavy tails", "sorted", "falling", "constant", "few values", "sawtooth", "two heaps",
    "uniform",
  ]

  @Test(arguments: names) func ranksAreOffByLessThanAThousandth(_ name: String) {
    let values = Self.hard(name, 300_000)
    let sketch = sketch(values)
    #expect(!sketch.isExact)
    let probabilities = [0, 0.0005, 0.01, 0.05, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95, 0.99, 0.9995, 1]
    for (p, found) in zip(probabilities, sketch.quantiles(probabilities)) {
      let below = Double(values.count { $0 < found }) / Double(values.count)
      let upTo = Double(values.count { $0 <= found }) / Double(values.count)
      #expect(below <= p + 0.001 && upTo >= p - 0.001, "\(name) \(p) \(below) \(upTo)")
    }
    // Neither pieces nor sorting at other times change a bit.
    #expect(
      self.sketch(values, pieces: 13).quantiles(probabilities) == sketch.quantiles(probabilities))
  }

  @Test func fewValuesHaveTheirOwnQuantiles() {
    var random = SeededGenerator(seed: 3)
    for count in [1, 2, 3, 10, 1001, 16_384, 16_385, 99_999, 100_000] {
      let values = (0..<count).map { _ in Double.random(in: -9...9, using: &random) }
      let sketch = sketch(values, pieces: 3)
      #expect(sketch.isExact)
      let sorted = values.sorted()
      for (p, found) in zip(
        [0, 0.1, 0.25, 0.5, 0.99, 1], sketch.quantiles([0, 0.1, 0.25, 0.5, 0.99, 1]))
      {
        let place = p * Double(count - 1)
        let (a, b) = (sorted[Int(place)], sorted[min(Int(place) + 1, count - 1)])
        #expect(abs(found - (a + (b - a) * (place - place.rounded(.down)))) < 1e-12)
      }
    }
    #expect(QuantileSketch().quantiles([0.5]).isEmpty)
    #expect(sketch([-0.0, 0]).quantiles([0, 1]).allSatisfy { $0.sign == .plus })
    #expect(sketch([-1.7e308, 1.7e308]).quantiles([0.5]) == [0])
  }

  @Test func aMergeIsAsGoodAsTheWhole() {
    var random = SeededGenerator(seed: 5)
    for name in ["skewed", "sorted", "heavy tails"] {
      let values = Self.hard(name, 300_000)
      var merged = QuantileSketch()
      var rest = values[...]
      while !rest.isEmpty {
        let part = rest.prefix(Int.random(in: 1...90_000, using: &random))
        merged.merge(sketch(Array(part)))
        rest = rest.dropFirst(part.count)
      }
      #expect(merged.count == values.count)
      for (p, found) in zip([0.01, 0.3, 0.5, 0.99], merged.quantiles([0.01, 0.3, 0.5, 0.99])) {
        let below = Double(values.count { $0 < found }) / Double(values.count)
        let upTo = Double(values.count { $0 <= found }) / Double(values.count)
        #expect(below <= p + 0.001 && upTo >= p - 0.001)
      }
    }
  }
}

@Suite struct SubsetStatisticsTests {
  /// Rows of one stream of a scalar and a vector, in shards that are cut as asked.
  private func shards(_ rows: [[Double]], cuts: [Int], _ scratch: Scratch) throws -> [Shard] {
    let schema = Schema(
      layingOut: [
        StreamPlan(
          Stream(name: "s"),
          channels: [
            ChannelPlan(Channel(name: "x", kind: .scalar, type: .float64, missing: .nan)),
            ChannelPlan(
              Channel(name: "v", kind: .scalar, type: .float64, shape: [2], missing: .nan)),
          ])
      ], options: LayoutOptions(chunkRows: 50))
    var out: [Shard] = []
    for (number, range) in zip(cuts, cuts.dropFirst()).enumerated() {
      let path = "\(scratch.path)/\(cuts.count)-\(number).h5"
      let writer = try ShardWriter(
        path, schema: schema, level: nil, pool: try WorkerPool(threads: 1)
      ) {
        (path) throws(TrajpackError) in try RandomShard.backend(path)
      }
      for episode in range.0..<range.1 {
        let spool = RowSpool()
        let values = rows[episode]
        try spool.append(littleEndian(values.map(\.bitPattern)))
        try writer.append(
          EpisodeDraft(
            id: "e\(episode)", split: "",
            tracks: [
              TrackDraft(
                stream: 0, clock: .regular(start: .zero, rate: .one), count: values.count / 3,
                rows: [TrackDraft.Rows(spool)])
            ]))
      }
      _ = try writer.commit()
      out.append(try Shard(path))
    }
    return out
  }

  private static let channels = [
    MeasuredChannel(stream: "s", name: "x", shape: [], components: [[0]], hasQuantiles: true),
    MeasuredChannel(stream: "s", name: "v", shape: [2], components: [[0, 1]], hasQuantiles: true),
  ]

  @Test func threadsAndShardsChangeNoBit() throws {
    var random = SeededGenerator(seed: 11)
    let rows = (0..<12).map { _ in
      (0..<3 * Int.random(in: 1...14_000, using: &random)).map { _ -> Double in
        Int.random(in: 0..<50, using: &random) == 0
          ? .nan : Double.random(in: -5...5, using: &random)
      }
    }
    #expect(rows.reduce(0) { $0 + $1.count } / 3 > 60_000)
    let scratch = Scratch()
    var seen: [[ComponentStatistics]] = []
    for cuts in [[0, 12], [0, 5, 12], Array(0...12)] {
      let shards = try shards(rows, cuts: cuts, scratch)
      let parts = shards.enumerated().flatMap { number, shard in
        (0..<shard.index.trackCount).map {
          TrackPart(shard: number, track: $0, rows: 0..<shard.index.rows(ofTrack: $0).count)
        }
      }
      for threads in [1, 3] {
        // Alone and among other groups: the same.
        let subset = try SubsetStatistics(shards, Self.channels)
        let found = try subset.measure([parts, Array(parts.prefix(2)), parts], threads: threads)
        #expect(found[0] == found[2])
        if seen.isEmpty { seen = found[0] }
        #expect(found[0] == seen, "\(cuts) \(threads)")
        let one = try SubsetStatistics(shards, [Self.channels[1]]).measure(
          [parts], threads: threads)
        #expect(one[0] == [seen[1]])
      }
    }
    let all = rows.flatMap { $0 }
    let x = stride(from: 0, to: all.count, by: 3).map { all[$0] }.filter { !$0.isNaN }
    #expect(seen[0][0].count == x.count && seen[0][0].minimum == x.min())
    #expect(seen[1][0].count > QuantileSketch.exactCount)
    #expect(abs(seen[0][0].mean - x.reduce(0, +) / Double(x.count)) < 1e-12)
  }

  @Test func anotherShapeIsRefused() throws {
    let scratch = Scratch()
    let shards = try shards([[1, 2, 3]], cuts: [0, 1], scratch)
    let error = failure {
      _ = try SubsetStatistics(
        shards,
        [
          MeasuredChannel(
            stream: "s", name: "v", shape: [3], components: [[0]], hasQuantiles: false)
        ])
    }
    #expect(error?.message.contains("'s/v' has rows of shape [2]") == true)
  }
}
