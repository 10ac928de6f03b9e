import Testing
import TrajpackFormat
import TrajpackSignal

@Suite struct ResamplerTests {
  @Test func everyKindHasADefaultButAngles() throws {
    for kind in Kind.allCases where kind != .angle {
      let method = try Resampler.defaultMethod(for: kind)
      try Resampler.require(method, fits: kind)
    }
    #expect(throws: TrajpackError.self) { try Resampler.defaultMethod(for: .angle) }
  }

  @Test(arguments: [Kind.label, .categorical, .event, .image, .depth, .packet, .text, .matrix])
  func whatHasNoMeanIsNeverAveraged(_ kind: Kind) {
    for method in [Interpolation.linear, .pchip, .akima, .cubic(.natural), .hermiteBackward] {
      #expect(throws: TrajpackError.self) {
        try Resampler.require(.interpolate(method), fits: kind)
      }
    }
    #expect(throws: Never.self) {
      try Resampler.require(.interpolate(.nearest(.later)), fits: kind)
    }
  }

  @Test func quaternionsAreNotInterpolatedByComponent() {
    #expect(throws: TrajpackError.self) {
      try Resampler.require(.interpolate(.linear), fits: .quaternion)
    }
    #expect(throws: TrajpackError.self) {
      try Resampler.require(.sphere(.directions), fits: .quaternion)
    }
  }

  @Test func theReportSaysWhichFilterRan() throws {
    var random = Seeded(1)
    let x = random.values(600)
    let fast = try regular(rational(60), 600)
    let slow = try resampled(.scalar, x, from: fast, to: regular(rational(15), 150))
    #expect(slow.report == .polyphase(up: 1, down: 4, halfLength: 40, beta: 5))
    let up = try resampled(.scalar, x, from: fast, to: regular(rational(120), 100))
    #expect(up.report == .none("the rate does not go down"))
    let off = try resampled(
      .scalar, x, from: fast, to: regular(rational(15), 150), antiAliasing: false)
    #expect(off.report == .none("switched off"))
    #expect(off.values[7] == x[28])
    let shifted = try resampled(
      .scalar, x, from: fast, to: regular(rational(15), 100, start: rational(1, 7)))
    guard case .sinc(let cutoff, _, _) = shifted.report else {
      Issue.record("a shifted clock goes by a windowed sinc")
      return
    }
    #expect(cutoff == 0.25)
    let labels = try resampled(.label, x, from: fast, to: regular(rational(15), 150))
    #expect(labels.report == .none("rows are selected, not averaged"))
    #expect(labels.values[9] == x[36])
  }

  @Test func aTimesWithoutARateIsAveragedByMovingMean() throws {
    let ticks = (0..<500).map { Int64($0 * 10 + ($0 % 3)) }
    try ticks.withUnsafeBufferPointer { ticks in
      let source = Times.ticks(ticks, unit: try rational(1, 1000))
      let out = try resampled(
        .scalar, [Double](repeating: 3, count: 500), from: source, to: regular(rational(10), 40))
      guard case .movingMean = out.report else {
        Issue.record("no moving mean")
        return
      }
      #expect(out.values.allSatisfy { abs($0 - 3) < 1e-12 })
    }
  }

  @Test func whatIsAliasedIsRemovedByDefault() throws {
    // 12 Hz seen at 15 Hz would be a 3 Hz wave.
    let x = (0..<1200).map { row in
      var sum = 0.0
      // cos(2π · 12 · row / 60) by exact turns.
      let turns = Double((row * 12) % 60) / 60
      sum +=
        [1.0, 0.309016994374947, -0.809016994374947, -0.809016994374947, 0.309016994374947][
          Int((turns * 5).rounded())]
      return sum
    }
    let source = try regular(rational(60), 1200)
    let target = try regular(rational(15), 300)
    let filtered = try resampled(.scalar, x, from: source, to: target)
    let plain = try resampled(.scalar, x, from: source, to: target, antiAliasing: false)
    let inner = 30..<270
    #expect(inner.allSatisfy { abs(filtered.values[$0]) < 0.05 })
    #expect(inner.contains { abs(plain.values[$0]) > 0.9 })
  }

  @Test(arguments: [UInt64](1...8)) func noRowDependsOnRowsBeyondABreak(_ seed: UInt64) throws {
    var random = Seeded(seed)
    let x = random.values(90)
    var changed = x
    for i in 50..<90 { changed[i] += 100 }
    let source = try regular(rational(30), 90)
    let target = try regular(rational(7), 20)
    for method in [Interpolation.linear, .cubic(.natural), .akima, .pchip] {
      func run(_ values: [Double]) throws -> [Double] {
        let resampler = try Resampler(
          .scalar, from: source, to: target, method: .interpolate(method), breaks: [50])
        var out = [Double](repeating: 0, count: 20)
        var mask = [UInt8](repeating: 0, count: 20)
        try values.withUnsafeBufferPointer { values in
          try out.withUnsafeMutableBufferPointer { out in
            try mask.withUnsafeMutableBufferPointer { mask in
              try resampler.apply(values, components: 1, into: out, mask: mask)
            }
          }
        }
        return out
      }
      let (a, b) = (try run(x), try run(changed))
      // Row j of 7 Hz lies at source row 30j/7; up to row 49 nothing may change.
      for j in 0..<20 where 30 * j <= 49 * 7 { #expect(a[j] == b[j]) }
    }
  }

  @Test func rowsOfAnyTypeAreGathered() throws {
    let source: [UInt16] = [7, 8, 9, 10, 11, 12]
    let indices: [Int32] = [2, -1, 0]
    var out = [UInt16](repeating: 99, count: 6)
    try indices.withUnsafeBufferPointer { indices in
      try source.withUnsafeBytes { source in
        try out.withUnsafeMutableBytes { out in
          try gatherRows(indices, from: source, rowBytes: 4, into: out)
        }
      }
    }
    #expect(out == [11, 12, 0, 0, 7, 8])
    let bad: [Int32] = [3, 0, 0]
    #expect(throws: TrajpackError.self) {
      try bad.withUnsafeBufferPointer { indices in
        try source.withUnsafeBytes { source in
          try out.withUnsafeMutableBytes { out in
            try gatherRows(indices, from: source, rowBytes: 4, into: out)
          }
        }
      }
    }
  }
}
