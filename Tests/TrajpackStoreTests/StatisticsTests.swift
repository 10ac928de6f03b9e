import Testing
import TrajpackFormat
import TrajpackTestSupport

@testable import TrajpackStore

@Suite struct StatisticsTests {
  /// A shard of one stream `s` with a scalar `x`, a vector `v` and points `p`, and the numbers in it.
  private struct Sample {
    static let width = 1 + 3 + 2 * 3
    var rows: [(split: String, values: [Double])] = []

    init(seed: UInt64, count: Int) {
      var random = SeededGenerator(seed: seed)
      let splits = ["", "train", "test"]
      for n in 0..<count {
        let values = (0..<Self.width).map { column -> Double in
          switch Int.random(in: 0..<40, using: &random) {
          case 0: return .nan
          case 1: return column % 2 == 0 ? .infinity : -.infinity
          default: return 1000 + Double(column) * 50 + Double.random(in: -3...3, using: &random)
          }
        }
        rows.append((splits[n / 37 % 3], values))
      }
    }

    static let schema = Schema(
      layingOut: [
        StreamPlan(
          Stream(name: "s"),
          channels: [
            ChannelPlan(Channel(name: "x", kind: .scalar, type: .float64, missing: .nan)),
            ChannelPlan(
              Channel(name: "v", kind: .scalar, type: .float64, shape: [3], missing: .nan)),
            ChannelPlan(
              Channel(name: "p", kind: .position, type: .float64, shape: [2, 3], missing: .nan)),
          ])
      ], options: LayoutOptions(chunkRows: 16))

    /// Writes rows `range`, an episode a run of equal splits.
    func write(_ path: String, _ range: Range<Int>, jobs: Int = 2) throws -> Shard {
      let writer = try ShardWriter(
        path, schema: Self.schema, level: nil, pool: try WorkerPool(threads: jobs)
      ) { (path) throws(TrajpackError) in try RandomShard.backend(path) }
      var first = range.lowerBound
      while first < range.upperBound {
        var end = first
        while end < range.upperBound, rows[end].split == rows[first].split { end += 1 }
        let spools = Self.schema.blocks.enumerated().map { number, _ in
          let spool = RowSpool()
          for row in rows[first..<end] {
            let part = number == 0 ? row.values[..<4] : row.values[4...]
            try? spool.append(littleEndian(part.map(\.bitPattern)))
          }
          return TrackDraft.Rows(spool)
        }
        try writer.append(
          EpisodeDraft(
            id: "e\(first)", split: rows[first].split,
            tracks: [
              TrackDraft(
                stream: 0, clock: .regular(start: .zero, rate: .one), count: end - first,
                rows: spools)
            ]))
        first = end
      }
      _ = try writer.commit()
      return try Shard(path)
    }

    /// The values of a component: of `p`, an axis over both points.
    func values(_ name: String, _ component: Int, split: String, in range: Range<Int>) -> [Double] {
      rows[range].filter { $0.split == split }.flatMap { row -> [Double] in
        switch name {
        case "s/x": return [row.values[0]]
        case "s/v": return [row.values[1 + component]]
        default: return [row.values[4 + component], row.values[7 + component]]
        }
      }
    }
  }

  private func near(_ a: Double, _ b: Double, _ tolerance: Double) -> Bool {
    abs(a - b) <= tolerance * max(abs(a), abs(b))
  }

  /// `each`: elements of a row that belong to the component.
  private func check(_ stats: ComponentStatistics, _ values: [Double], each: Int) {
    let finite = values.filter(\.isFinite)
    #expect(stats.count == finite.count)
    #expect(stats.missing == values.count { $0.isNaN })
    #expect(stats.infinite == values.count { $0.isInfinite })
    #expect(stats.minimum == finite.min() && stats.maximum == finite.max())
    // Two plain passes, each sum with its compensation (Neumaier 1974).
    let mean = sum(finite) / Double(finite.count)
    let m2 = sum(finite.map { ($0 - mean) * ($0 - mean) })
    #expect(near(stats.mean, mean, 1e-13))
    #expect(near(stats.m2, m2, 1e-11))
    // Up to 1,024 rows of one element are exact; beyond, and of rows of many elements, of which each row
    // gives one, a sample has this standard error: five of them.
    let rows = values.count / each
    let error = rows <= 1024 && each == 1 ? 0 : 0.5 / Double(min(rows, 1024)).squareRoot()
    checkRanks(stats, finite, slack: 5 * error + 1 / Double(finite.count - 1))
  }

  private func checkRanks(_ stats: ComponentStatistics, _ finite: [Double], slack: Double) {
    for (p, q) in zip(ComponentStatistics.probabilities, stats.quantiles) {
      let below = Double(finite.count { $0 < q - 1e-3 }) / Double(finite.count)
      let atMost = Double(finite.count { $0 <= q + 1e-3 }) / Double(finite.count)
      #expect(below - slack <= p && p <= atMost + slack, "\(p): \(q) lies at \(below) to \(atMost)")
    }
    #expect(stats.quantiles.count == ComponentStatistics.probabilities.count)
  }

  private func sum(_ values: [Double]) -> Double {
    var total = 0.0
    var lost = 0.0
    for value in values {
      let next = total + value
      lost += abs(total) >= abs(value) ? (total - next) + value : (value - next) + total
      total = next
    }
    return total + lost
  }

  private static let components = [("s/x", 1), ("s/v", 3), ("s/p", 3)]

  @Test(arguments: [(1, 90), (2, 1500), (3, 9000)]) func oneShardEqualsPlainPasses(
    seed: Int, count: Int
  ) throws {
    let scratch = Scratch()
    let sample = Sample(seed: UInt64(seed), count: count)
    var found = DatasetStatistics()
    try found.add(try sample.write("\(scratch.path)/s.h5", 0..<count))
    #expect(found.splits.keys.sorted() == ["", "test", "train"])
    for split in found.splits.keys {
      for (name, width) in Self.components {
        let stats = try #require(found.splits[split]?[name])
        try #require(stats.count == width)
        for component in 0..<width {
          check(
            stats[component], sample.values(name, component, split: split, in: 0..<count),
            each: name == "s/p" ? 2 : 1)
        }
      }
    }
  }

  @Test(arguments: [(11, 3000, 2), (12, 3000, 7), (13, 400, 5)])
  func shardsMergeIntoTheWhole(seed: Int, count: Int, parts: Int) throws {
    let scratch = Scratch()
    let sample = Sample(seed: UInt64(seed), count: count)
    var whole = DatasetStatistics()
    try whole.add(try sample.write("\(scratch.path)/whole.h5", 0..<count))
    var merged = DatasetStatistics()
    var first = 0
    for part in 0..<parts {
      let end = part == parts - 1 ? count : first + count / parts + part
      try merged.add(try sample.write("\(scratch.path)/part\(part).h5", first..<end))
      first = end
    }
    for (split, channels) in whole.splits {
      for (name, stats) in channels {
        let others = try #require(merged.splits[split]?[name])
        for (component, (a, b)) in zip(stats, others).enumerated() {
          #expect(a.count == b.count && a.missing == b.missing && a.infinite == b.infinite)
          #expect(a.minimum == b.minimum && a.maximum == b.maximum)
          #expect(near(a.mean, b.mean, 1e-12) && near(a.m2, b.m2, 1e-12))
          // Between the known quantiles a mixture is a straight line, which fits these columns but for
          // `p`, which has two heaps.
          guard name != "s/p" else { continue }
          let values = sample.values(name, component, split: split, in: 0..<count)
          checkRanks(b, values.filter(\.isFinite), slack: 0.06)
        }
      }
    }
  }

  @Test func countsFromFilesNeverTrap() {
    var a = ComponentStatistics()
    (a.count, a.missing, a.infinite) = (.max - 1, .max, .max)
    (a.minimum, a.maximum) = (0, 1)
    a.quantiles = ComponentStatistics.probabilities
    let b = a
    a.merge(b)
    #expect(a.count == .max && a.missing == .max && a.infinite == .max)
    #expect(a.missingShare > 0.3 && a.missingShare < 0.4)
  }

  @Test(arguments: Kind.allCases) func componentsAreCountedWithoutMakingThem(kind: Kind) {
    for shape in [[], [1], [3], [4], [7], [2, 3], [5, 4, 3]] {
      for type in [ElementType.float32, .bytes, .uint8] {
        let channel = Channel(name: "c", kind: kind, type: type, shape: shape)
        let components = StatisticsComponents.components(of: channel)
        #expect(StatisticsComponents.count(of: channel) == components.count)
        #expect(type == .bytes || Set(components.joined()) == Set(0..<channel.elements))
        for component in 0...components.count + 2 {
          _ = StatisticsComponents.name(component, of: channel)
        }
      }
    }
  }
}
