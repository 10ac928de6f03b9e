import Testing
import TrajpackFormat
import TrajpackSignal

@Suite struct IrregularTests {
  @Test func theThreeAbsencesStayApart() throws {
    let t1: [Double] = [0, 1, 3]
    let t2: [Double] = [1, 2]
    let x1: [Float] = [10, .nan, 12]
    let x2: [Float] = [20, 21]
    let present: [UInt8] = [1, 1, 1]
    let absent: [UInt8] = [0, 1]
    let batch = try t1.withUnsafeBufferPointer { t1 in
      try t2.withUnsafeBufferPointer { t2 in
        try x1.withUnsafeBufferPointer { x1 in
          try x2.withUnsafeBufferPointer { x2 in
            try present.withUnsafeBufferPointer { present in
              try absent.withUnsafeBufferPointer { absent in
                try UnionBatch(
                  [
                    BatchSeries(times: .floats(t1), values: x1, present: present),
                    BatchSeries(times: .floats(t2), values: x2, present: absent),
                  ], components: 1)
              }
            }
          }
        }
      }
    }
    // Time 1 has no observed value anywhere and is dropped.
    #expect(batch.times == [0, 2, 3])
    let expected: [Presence] = [
      .observed, .notObserved, .observed, .padding, .observed, .padding,
    ]
    #expect(batch.presence == expected.map(\.rawValue))
    #expect(batch.values == [10, 0, 12, 0, 21, 0])
  }

  @Test(arguments: [UInt64](1...6)) func unionsOfExactClocksAreExact(_ seed: UInt64) throws {
    var random = Seeded(seed)
    // Ticks of 1/90000 s beyond 2^53, where floats do not tell neighbours apart, against 1/30 s.
    let first = Int64(1) << 54
    let ticks = Set((0..<60).map { _ in first + Int64(random.next() % 9000) }).sorted()
    let unit = try rational(1, 90_000)
    let clock = try regular(rational(30), 4, start: rational(first, 90_000))
    let (a, b) = ([Double](repeating: 1, count: ticks.count), [Double](repeating: 2, count: 4))
    let batch = try ticks.withUnsafeBufferPointer { t in
      try a.withUnsafeBufferPointer { a in
        try b.withUnsafeBufferPointer { b in
          try UnionBatch(
            [
              BatchSeries(times: .ticks(t, unit: unit), values: a),
              BatchSeries(times: clock, values: b),
            ], components: 1)
        }
      }
    }
    let grid = (0..<4).map { first + 3000 * $0 }
    let found = try #require(batch.ticks)
    let perTick = batch.ticksPerUnit / 90_000
    #expect(found == Set(ticks + grid).sorted().map { $0 * perTick })
    for (row, tick) in found.enumerated() {
      let observed = Presence.observed.rawValue
      #expect((batch.presence[row] == observed) == ticks.contains(tick / perTick))
      #expect((batch.presence[found.count + row] == observed) == grid.contains(tick / perTick))
    }
  }

  @Test func recipesComposeAndOnlyTakeAway() throws {
    let x = [Float](repeating: 1, count: 600)
    let recipes: [Missingness] = [
      .entries(probability: 0.2), .rows(fraction: 0.3), .exactEntries(fraction: 0.1),
      .blocks(fraction: 0.1, length: 5, width: 2), .channels(count: 1),
    ]
    var mask = [UInt8](repeating: 1, count: 600)
    for (seed, recipe) in recipes.enumerated() {
      let before = mask
      try x.withUnsafeBufferPointer { x in
        try mask.withUnsafeMutableBufferPointer { mask in
          try recipe.apply(x, rows: 150, components: 4, mask: mask, seed: UInt64(seed))
        }
      }
      #expect(zip(before, mask).allSatisfy { $0 >= $1 })
      #expect(before != mask)
    }
  }

  @Test func theElapsedCounterCountsSteps() throws {
    let mask: [UInt8] = [1, 0, 0, 1, 1, 0]
    let steps = try mask.withUnsafeBufferPointer {
      try elapsedSteps($0, rows: 6, components: 1)
    }
    #expect(steps.kept == [0, 3, 4])
    #expect(steps.elapsed == [1, 3, 1])
  }
}
