import TrajpackFormat

/// Which row of a stream belongs to each row of a reference clock: computed once, applied to any
/// number of channels with ``gatherRows(_:from:rowBytes:into:)``.
public struct AlignPlan: Sendable {
  /// Where the matching row may lie.
  public enum Direction: Sendable, Hashable {
    /// The last row at or before the reference (causal).
    case backward
    /// The first row at or after it.
    case forward
    /// The closer one; the earlier of two equally close.
    case nearest
    /// As `nearest`, and a reference row without a partner in tolerance is an error; without a
    /// tolerance a partner is a row at the same time.
    case exact
  }

  /// The matching row of the stream, or -1, for each reference row.
  public let rows: [Int32]
  /// Time of the matching row minus time of the reference row; NaN where there is none.
  public let offsets: [Double]

  /// Matches a stream to a reference. Exact clocks are compared exactly, at any length.
  ///
  /// Reference times may repeat but not go back; among rows of the stream at one time a backward
  /// match takes the last and a forward match the first, as `pandas.merge_asof`.
  ///
  /// - Parameters:
  ///   - tolerance: the furthest a match may lie away, itself included; `nil` for any distance.
  ///   - allowsSameTime: whether a row at the reference's own time matches.
  ///   - rounding: how far a row may lie on the other side of the reference and count as at its time, within the
  ///     tolerance; `nil` compares exactly. It goes with `allowsSameTime`.
  /// - Throws: `.data` for times that go back, and in `exact` naming the first unmatched row.
  public init(
    _ stream: Times, to reference: Times, _ direction: Direction, tolerance: TimeSpan? = nil,
    allowsSameTime: Bool = true, rounding: StampRounding? = nil
  ) throws(TrajpackError) {
    try stream.requireIncreasing("the stream", mayRepeat: true)
    try reference.requireIncreasing("the reference", mayRepeat: true)
    try tolerance?.requireNotNegative("tolerance")
    let rounding = allowsSameTime ? rounding : nil
    let roundsExact = tolerance == nil && direction == .exact
    let tolerance = tolerance ?? (direction == .exact ? .units(0) : nil)
    guard stream.count < Int(Int32.max) else {
      throw TrajpackError(.usage, "\(stream.count) rows in one plan: align in windows")
    }
    self = try AxisPair.with(stream, reference) { (pair) throws(TrajpackError) -> AlignPlan in
      switch pair {
      case .narrow(let a, let b, let unit):
        let limit = tolerance.map { Int64(clamping: $0.limit(unit: unit)) }
        return AlignPlan(
          a, b, direction, limit, allowsSameTime, 1 / Double(unit), rounding, roundsExact)
      case .wide(let a, let b, let unit):
        let limit = tolerance?.limit(unit: unit)
        return AlignPlan(
          a, b, direction, limit, allowsSameTime, 1 / Double(unit), rounding, roundsExact)
      case .floating(let a, let b):
        return AlignPlan(
          a, b, direction, tolerance?.value, allowsSameTime, 1, rounding, roundsExact)
      }
    }
    if direction == .exact, let row = rows.firstIndex(of: -1) {
      let span = tolerance.map { " within \($0.value)" } ?? ""
      throw TrajpackError(
        .data,
        "row \(row) of the reference has no row of the stream\(span): widen the tolerance, or "
          + "align backward, forward or nearest")
    }
  }

  private init<I: AxisScalar>(
    _ stream: Axis<I>, _ reference: Axis<I>, _ direction: Direction, _ limit: I?,
    _ same: Bool, _ tick: Double, _ rounding: StampRounding?, _ roundsExact: Bool
  ) {
    let n = stream.count
    /// Whether a row lies at a time but for rounding; `step`: where its neighbour beyond that time is.
    func isNear(_ row: Int, _ t: I, _ step: Int) -> Bool {
      guard let rounding, stream.time(row) != t else { return false }
      let distance = abs((stream.time(row) - t).asDouble * tick)
      let other = (0..<n).contains(row + step) ? row + step : row - step
      let interval =
        (0..<n).contains(other)
        ? abs((stream.time(other) - stream.time(row)).asDouble * tick) : 0
      let spare = abs(t.asDouble * tick) * 4 * Double.ulpOfOne
      return distance <= rounding.limit(interval: interval) * (1 + 1e-9) + spare
    }
    func fits(_ row: Int, _ t: I) -> Bool {
      guard let limit else { return true }
      let offset = stream.time(row) - t
      return !(offset > limit || -offset > limit)
    }
    var offsets = [Double](repeating: .nan, count: reference.count)
    rows = [Int32](unsafeUninitializedCapacity: reference.count) { rows, count in
      count = reference.count
      // Rows before `before` are at or before the time; rows from `after` on at or after it.
      var before = 0
      var after = 0
      for i in 0..<reference.count {
        let t = reference.time(i)
        while before < n, same ? stream.time(before) <= t : stream.time(before) < t { before += 1 }
        while after < n, same ? stream.time(after) < t : stream.time(after) <= t { after += 1 }
        var match = -1
        switch direction {
        case .backward:
          match = before - 1
          if before < n, isNear(before, t, -1), fits(before, t) {
            match = before
            while match + 1 < n, stream.time(match + 1) == stream.time(before) { match += 1 }
          }
        case .forward:
          match = after < n ? after : -1
          if after > 0, isNear(after - 1, t, 1), fits(after - 1, t) {
            match = after - 1
            while match > 0, stream.time(match - 1) == stream.time(after - 1) { match -= 1 }
          }
        case .nearest, .exact:
          match = before - 1
          if after < n, match < 0 || stream.time(after) - t < t - stream.time(match) {
            match = after
          }
        }
        if match >= 0 {
          let offset = stream.time(match) - t
          let isMet = fits(match, t) || (roundsExact && isNear(match, t, offset < t - t ? 1 : -1))
          if !isMet {
            match = -1
          } else {
            offsets[i] = offset.asDouble * tick
          }
        }
        rows[i] = Int32(match)
      }
    }
    self.offsets = offsets
  }
}

/// The sorted union of the times of several exact clocks in ticks of a common unit, each once.
///
/// - Throws: `.usage` where a clock is a float or the clocks have no common tick.
public func unionOfTimes(
  _ clocks: [Times]
) throws(TrajpackError) -> (ticks: [Int64], unit: Rational) {
  guard !clocks.contains(where: { if case .floats = $0 { true } else { false } }) else {
    throw TrajpackError(.usage, "floating-point times have no exact union: merge them as floats")
  }
  guard let unit = leastCommonMultiple(clocks.map(\.tickDenominator)), let tick = Rational(1, unit)
  else { throw TrajpackError(.usage, "the clocks have no common 64-bit tick") }
  var all: [Int64] = []
  for (i, clock) in clocks.enumerated() {
    try clock.requireIncreasing("clock \(i)")
    let own = try clock.exactTicks(unit)
    all.append(contentsOf: own)
  }
  all.sort()
  var result: [Int64] = []
  result.reserveCapacity(all.count)
  for t in all where result.last != t { result.append(t) }
  return (result, tick)
}

/// The sorted union of floating-point times, each once.
public func unionOfTimes(_ clocks: [UnsafeBufferPointer<Double>]) -> [Double] {
  var all: [Double] = []
  for clock in clocks { all.append(contentsOf: clock) }
  all.sort()
  var result: [Double] = []
  for t in all where result.last != t { result.append(t) }
  return result
}
