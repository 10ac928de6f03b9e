import Glibc
import TrajpackFormat

extension ResampleStage {
  /// The new clock of a track: rows that lie within the rows that are here, and of a stream of the episode
  /// itself all rows of the clock it goes onto.
  func target(
    of clock: PlanClock, isEntity: Bool, reference: (String) throws(TrajpackError) -> PlanClock
  ) throws(TrajpackError) -> PlanClock {
    let clock = try source(clock).clock
    switch step.target {
    case .rate(let rate): return try grid(clock, rate)
    case .ratio(let up, let down):
      guard case .regular(let own, _, _) = clock else { return clock }
      let top = Int128(own.rate.numerator) * Int128(up)
      guard let rate = Rational(wide: top, Int128(own.rate.denominator) * Int128(down)) else {
        throw TrajpackError(.usage, "a rate of \(own.rate) times \(up)/\(down) leaves 64 bits")
      }
      return try grid(clock, rate)
    case .onto(let stream):
      let onto = try reference(stream)
      return isEntity ? try onto.within(clock) : onto
    case .times(let times):
      let onto = PlanClock.floats(times, first: 0, origin: times[0])
      return isEntity ? try onto.within(clock) : onto
    }
  }

  /// The clock that rows come from: what multiplies a rate and what filters between two takes times that are regular
  /// but for their rounding as regular.
  func source(
    _ clock: PlanClock
  ) throws(TrajpackError) -> (clock: PlanClock, line: ClockLine?) {
    var reading = ClockReading.auto
    if case .path(_, let rules) = step.how { reading = rules.clock }
    if case .ratio = step.target {
      return try clock.regular(reading, for: "'up' and 'down' multiply a rate")
    }
    guard ways.contains(where: { if case .polyphase = $0 { true } else { false } }) else {
      return (clock, nil)
    }
    return try clock.regular(reading, for: "a polyphase filter goes from one rate to another")
  }

  /// A regular grid over the rows that are here.
  private func grid(_ clock: PlanClock, _ rate: Rational) throws(TrajpackError) -> PlanClock {
    if case .bins(_, let label) = step.how {
      // Labels move with the bins.
      let bins = try binGrid(clock, rate)
      let moved = try BinPlan.labels(
        of: bins.clock, label == .left ? .left : (label == .centre ? .centre : .right))
      return .regular(moved, first: bins.rows.lowerBound, count: bins.rows.count)
    }
    if case .floats(let times, _, let origin) = clock { return try floats(times, origin, rate) }
    let (grid, rows) = try exactGrid(clock, rate, isBins: false)
    return .regular(grid, first: rows.lowerBound, count: rows.count)
  }

  /// The bins that the rows that are here fall into.
  func binGrid(
    _ clock: PlanClock, _ rate: Rational
  ) throws(TrajpackError) -> (clock: RegularClock, rows: Range<Int>) {
    guard case .floats(let times, _, let origin) = clock else {
      return try exactGrid(clock, rate, isBins: true)
    }
    var start = Rational.zero
    if step.origin == .start {
      guard let exact = Rational(decimal: origin.description) else {
        throw TrajpackError(
          .usage, "bins from \(origin) on have no exact edges: give \"origin\": \"zero\"")
      }
      start = exact
    }
    let grid = try RegularClock(start: start, rate: rate)
    guard let a = times.first, let b = times.last else { return (grid, 0..<0) }
    func bin(_ time: Double) throws(TrajpackError) -> Int {
      let place = ((time - start.value) * rate.value).rounded(.down)
      guard let row = Int(exactly: place), row.magnitude < 1 << 31 else {
        throw TrajpackError(.usage, "time \(time) lies beyond 2^31 bins: use a lower rate")
      }
      return row
    }
    // One more on either side: the edges are exact, and the times are not.
    let (first, last) = (try bin(a), try bin(b))
    let wide = max(first - 1, step.origin == .start ? 0 : first - 1)..<last + 2
    let plan = try clock.withTimes { (source) throws(TrajpackError) in
      try BinPlan(
        source, bins: try grid.starting(atRow: wide.lowerBound), count: wide.count)
    }
    let used = plan.index.filter { $0 >= 0 }
    let lower = wide.lowerBound + Int(used.min() ?? 0)
    return (grid, lower..<max(wide.lowerBound + Int(used.max() ?? -1) + 1, lower))
  }

  private func exactGrid(
    _ clock: PlanClock, _ rate: Rational, isBins: Bool
  ) throws(TrajpackError) -> (clock: RegularClock, rows: Range<Int>) {
    var span: (Rational, Rational)?
    let anchor: Rational
    switch clock {
    case .regular(let own, let first, let count):
      anchor = own.start
      if count > 0 { span = (try own.time(ofRow: first), try own.time(ofRow: first + count - 1)) }
    case .ticks(let ticks, let unit, _, let origin):
      anchor = try Self.time(origin, unit)
      if let a = ticks.first, let b = ticks.last {
        span = (try Self.time(a, unit), try Self.time(b, unit))
      }
    case .floats: anchor = .zero
    }
    let start: Rational
    if step.origin == .start {
      start = anchor
    } else {
      let row = try Self.row(anchor, .zero, rate)
      guard let whole = row.floor.adding(isBins || row.isWhole ? 0 : 1) else {
        throw Self.tooManyRows(rate)
      }
      start = try RegularClock(rate: rate).time(ofRow: whole)
    }
    let grid = try RegularClock(start: start, rate: rate)
    guard let (a, b) = span else { return (grid, 0..<0) }
    let (low, high) = (try Self.row(a, start, rate), try Self.row(b, start, rate))
    guard let first = low.floor.adding(isBins || low.isWhole ? 0 : 1),
      let span = high.floor.subtracting(first), span < Int(Int32.max) - 1,
      let end = high.floor.adding(1)
    else { throw Self.tooManyRows(rate) }
    return (grid, first..<max(end, first))
  }

  private static func tooManyRows(_ rate: Rational) -> TrajpackError {
    TrajpackError(.usage, "a rate of \(rate) makes over 2^31 rows of one track: use a lower one")
  }

  /// Where a time lies among the rows of a grid, exactly.
  private static func row(
    _ time: Rational, _ start: Rational, _ rate: Rational
  ) throws(TrajpackError) -> (floor: Int, isWhole: Bool) {
    let place = (Instant(time) - Instant(start)) * Instant(rate)
    guard case .exact = place else {
      throw TrajpackError(
        .usage, "the clocks and a rate of \(rate) have no common tick: use simpler numbers")
    }
    let (floor, rest) = place.split
    guard floor > .min, floor < .max else {
      throw TrajpackError(.usage, "a rate of \(rate) makes over 2^63 rows: use a lower one")
    }
    return (floor, rest == 0)
  }

  private static func time(_ tick: Int64, _ unit: Rational) throws(TrajpackError) -> Rational {
    guard let time = Rational(wide: Int128(tick) * Int128(unit.numerator), Int128(unit.denominator))
    else { throw TrajpackError(.usage, "tick \(tick) of \(unit) leaves 64 bits") }
    return time
  }

  /// Floating-point rows `start + j / rate`, each rounded as written.
  private func floats(
    _ times: [Double], _ origin: Double, _ rate: Rational
  ) throws(TrajpackError) -> PlanClock {
    let step = rate.value
    let start = self.step.origin == .start ? origin : (origin * step).rounded(.up) / step
    guard let a = times.first, let b = times.last else {
      return .floats([], first: 0, origin: start)
    }
    func time(_ row: Int) -> Double { start + Double(row) / step }
    func row(_ time: Double) throws(TrajpackError) -> Double {
      let place = (time - start) * step
      guard place.magnitude < 1e15 else { throw Self.tooManyRows(rate) }
      return place
    }
    var first = Int(clamping: try row(a).rounded(.down)) - 1
    var last = Int(clamping: try row(b).rounded(.up)) + 1
    guard last - first < Int(Int32.max) - 1 else { throw Self.tooManyRows(rate) }
    while time(first) < a { first += 1 }
    last = max(last, first - 1)
    while last >= first, time(last) > b { last -= 1 }
    return .floats(
      (0..<max(last - first + 1, 0)).map { time(first + $0) }, first: first, origin: time(0))
  }
}
