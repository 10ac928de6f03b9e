import TrajpackFormat

extension PlanClock {
  /// The sorted union of the times of clocks: exact, in the coarsest tick that all have in common; or, where
  /// one of them is floating-point, as floating-point numbers that are compared as they are.
  static func union(_ clocks: [PlanClock]) throws(TrajpackError) -> PlanClock {
    if clocks.contains(where: { $0.sort == .floats }) {
      var times: [Double] = []
      for clock in clocks {
        times += try clock.withTimes { (t) throws(TrajpackError) in t.rounded() }
      }
      let union = unique(times)
      return .floats(union, first: 0, origin: union.first ?? 0)
    }
    var unit: Int128 = 1
    for clock in clocks {
      let own = try clock.withTimes { (t) throws(TrajpackError) in t.tickDenominator }
      guard let own, unit < 1 << 62 else { unit = 1 << 62; break }
      unit =
        unit / Int128(greatestCommonDivisor(unit.magnitude, UInt128(own.magnitude))) * Int128(own)
    }
    guard let narrow = Int64(exactly: unit), narrow < 1 << 62, let tick = Rational(1, narrow) else {
      throw TrajpackError(
        .usage,
        "the clocks to join have no common tick below 2^62 a second: resample one of them to a simpler rate"
      )
    }
    var ticks: [Int64] = []
    for clock in clocks {
      ticks += try clock.withTimes { (t) throws(TrajpackError) in try t.exactTicks(narrow) }
    }
    let union = unique(ticks)
    return .ticks(union, unit: tick, first: 0, origin: union.first ?? 0)
  }

  private static func unique<T: Comparable>(_ times: [T]) -> [T] {
    var out: [T] = []
    for time in times.sorted() where out.last != time { out.append(time) }
    return out
  }
}
