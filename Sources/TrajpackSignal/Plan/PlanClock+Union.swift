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
    let denominators = try clocks.map { (clock) throws(TrajpackError) in
      try clock.withTimes { (t) throws(TrajpackError) in t.tickDenominator }
    }
    guard let unit = leastCommonMultiple(denominators), let tick = Rational(1, unit) else {
      throw TrajpackError(
        .usage,
        "the clocks to join have no common tick below 2^62 a second: resample one of them to a simpler rate"
      )
    }
    var ticks: [Int64] = []
    for clock in clocks {
      ticks += try clock.withTimes { (t) throws(TrajpackError) in try t.exactTicks(unit) }
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
