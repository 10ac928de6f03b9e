import Testing
import TrajpackFormat
import TrajpackSignal

@Suite struct AlignTests {
  @Test func eventsBecomeCountsLastAndTimeSince() throws {
    let events: [Double] = [0.5, 1, 1, 2.5]
    let clock: [Double] = [0, 1, 2, 3]
    try events.withUnsafeBufferPointer { events in
      try clock.withUnsafeBufferPointer { clock in
        let summary = try EventSummary(.floats(events), onto: .floats(clock))
        #expect(summary.counts == [0, 3, 0, 1])
        #expect(summary.last == [-1, 2, 2, 3])
        #expect(summary.timeSince[0].isNaN)
        #expect(Array(summary.timeSince.dropFirst()) == [0, 1, 0.5])
      }
    }
  }

  @Test func theUnionOfExactClocksIsExact() throws {
    let (ticks, unit) = try unionOfTimes([
      regular(rational(30000, 1001), 3), regular(rational(10), 2, start: rational(1, 15)),
    ])
    let seconds = ticks.map { Double($0) * unit.value }
    let expected = [0, 1001.0 / 30000, 2002.0 / 30000, 1.0 / 15, 1.0 / 6].sorted()
    #expect(seconds.count == 5)
    for (a, b) in zip(seconds, expected) { #expect(abs(a - b) < 1e-15) }
  }

  @Test func incommensurableClocksAreRefused() throws {
    let a = try regular(rational(4_611_686_018_427_387_847), 2)
    let b = try regular(rational(4_611_686_018_427_387_903), 2)
    #expect(throws: TrajpackError.self) { try AlignPlan(a, to: b, .nearest) }
  }

  @Test(arguments: [UInt64](1...6)) func backwardThenForwardEnclose(_ seed: UInt64) throws {
    var random = Seeded(seed)
    var a: [Int64] = [0]
    var b: [Int64] = [3]
    for _ in 0..<200 {
      a.append((a.last ?? 0) + Int64.random(in: 1...9, using: &random))
      b.append((b.last ?? 0) + Int64.random(in: 1...9, using: &random))
    }
    let tick = try rational(1, 90)
    try a.withUnsafeBufferPointer { a in
      try b.withUnsafeBufferPointer { b in
        let (stream, reference) = (Times.ticks(a, unit: tick), Times.ticks(b, unit: tick))
        let before = try AlignPlan(stream, to: reference, .backward).rows
        let after = try AlignPlan(stream, to: reference, .forward).rows
        let near = try AlignPlan(stream, to: reference, .nearest).rows
        for i in 0..<b.count {
          if before[i] >= 0 { #expect(a[Int(before[i])] <= b[i]) }
          if after[i] >= 0 { #expect(a[Int(after[i])] >= b[i]) }
          #expect(near[i] == before[i] || near[i] == after[i])
          if before[i] >= 0, after[i] >= 0 { #expect(after[i] - before[i] <= 1) }
        }
      }
    }
  }

  @Test func binsLabelLeftCentreRight() throws {
    let clock = try RegularClock(start: rational(1, 3), rate: rational(4))
    #expect(try BinPlan.labels(of: clock, .left).start == rational(1, 3))
    #expect(try BinPlan.labels(of: clock, .centre).start == rational(11, 24))
    #expect(try BinPlan.labels(of: clock, .right).start == rational(7, 12))
  }
}

@Suite struct ExtremeClocks {
  @Test func hugeClocksAreExactOrRefused() throws {
    let big = Int64.max - 1
    let rates = try [
      rational(1), rational(big), rational(1, big), rational(30000, 1001), rational(big, big - 1),
    ]
    let starts = try [rational(0), rational(big), rational(-big), rational(1, 3), rational(1, big)]
    for rate in rates {
      for start in starts {
        for other in rates {
          let a = try regular(rate, 5, start: start)
          let b = try regular(other, 4, start: .zero)
          // Either an answer or a refusal, never a trap.
          _ = try? AlignPlan(a, to: b, .nearest, tolerance: .exact(rational(1, big)))
          for edges in [EdgePolicy.missing, .hold, .extrapolate, .reflect] {
            _ = try? ResamplePlan(from: a, to: b, edges: edges, gapLimit: .units(1e300))
          }
          _ = try? unionOfTimes([a, b])
        }
        if case .regular(let clock, _) = try regular(rate, 5, start: start) {
          _ = try? BinPlan.labels(of: clock, .centre)
        }
      }
    }
    let ticks: [Int64] = [.min, -1, 0, .max]
    ticks.withUnsafeBufferPointer { ticks in
      for unit in rates {
        let a = Times.ticks(ticks, unit: unit)
        for edges in [EdgePolicy.missing, .hold, .extrapolate, .reflect] {
          _ = try? ResamplePlan(from: a, to: a, edges: edges)
        }
        _ = try? AlignPlan(a, to: a, .exact, tolerance: .units(.infinity))
        _ = try? unionOfTimes([a, a])
      }
    }
  }
}
