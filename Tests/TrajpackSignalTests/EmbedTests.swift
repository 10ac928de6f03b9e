import Testing
import TrajpackFormat
import TrajpackSignal

@Suite struct EmbedTests {
  @Test func aHankelMatrixIsAStridedView() throws {
    let x = (0..<40).map(Double.init)
    try x.withUnsafeBufferPointer { x in
      let embedding = try DelayEmbedding(dimension: 5, lag: 2)
      let view = try DelayView(embedding, x, components: 1, episodes: Episodes(whole: 40))
      #expect(view.count == 32)
      #expect(view.rowStride == 1 && view.lagStride == 2)
      #expect(view[7, 3] == 13)
      let mixed = try DelayEmbedding([
        DelayCoordinate(channel: 0, lag: 0), DelayCoordinate(channel: 1, lag: 1),
        DelayCoordinate(channel: 0, lag: 5),
      ])
      let wide = try DelayView(mixed, x, components: 2, episodes: Episodes(whole: 20))
      #expect(wide.lagStride == nil && wide.count == 15)
      #expect(wide[3, 1] == 9)
    }
  }

  @Test(arguments: [UInt64](1...6)) func noVectorCrossesEpisodes(_ seed: UInt64) throws {
    var random = Seeded(seed)
    var runs: [Range<Int>] = []
    var row = 0
    for _ in 0..<6 {
      let length = Int.random(in: 1...30, using: &random)
      runs.append(row..<row + length)
      row += length + Int.random(in: 0...3, using: &random)
    }
    let episodes = try Episodes(runs, rows: row)
    for direction in [DelayEmbedding.Direction.forward, .backward] {
      let embedding = try DelayEmbedding(dimension: 4, lag: 3, direction: direction)
      let rows = try embedding.rows(of: episodes, skipsShort: true)
      #expect(rows.reduce(0) { $0 + $1.count } == runs.reduce(0) { $0 + max($1.count - 9, 0) })
      for part in rows {
        let low = direction == .forward ? part.lowerBound : part.lowerBound - 9
        let high = direction == .forward ? part.upperBound + 9 : part.upperBound
        #expect(runs.contains { $0.lowerBound <= low && high <= $0.upperBound })
      }
    }
  }

  @Test func resultsDoNotDependOnThreadsOrType() throws {
    var random = Seeded(3)
    var x = [0.0]
    for step in random.values(800) { x.append((x.last ?? 0) + step) }
    let narrow = x.map { Float($0) }
    func cao(_ threads: Int) throws -> Cao {
      let search = try DimensionSearch(lag: 3, maxDimension: 4, window: 5, threads: threads)
      return try x.withUnsafeBufferPointer {
        try Cao($0, search: search, episodes: Episodes([0..<300, 300..<801], rows: 801))
      }
    }
    let (one, three) = (try cao(1), try cao(3))
    #expect(one.e1 == three.e1 && one.e2 == three.e2)
    let information = try narrow.withUnsafeBufferPointer {
      try MutualInformation($0, maxLag: 5, estimator: .equalBins(8), episodes: Episodes(whole: 801))
    }
    #expect(information.values[0] > information.values[5])
  }

  @Test func overlappingEpisodesAreRefused() {
    #expect(throws: TrajpackError.self) { try Episodes([0..<5, 4..<8], rows: 8) }
    #expect(throws: TrajpackError.self) { try Episodes([0..<5, 5..<9], rows: 8) }
    #expect(throws: TrajpackError.self) { try DelayEmbedding(dimension: 0, lag: 1) }
    #expect(throws: TrajpackError.self) { try AugmentedCovariance(order: 2, lag: 0) }
  }
}
