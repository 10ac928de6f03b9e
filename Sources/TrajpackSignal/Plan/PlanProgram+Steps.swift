import TrajpackFormat

extension PlanProgram {
  /// Gives each row of the target the matching whole row.
  func align(
    _ step: AlignStep, _ track: inout PlanTrack, target: PlanClock
  ) throws(TrajpackError) {
    let clock = track.clock
    let rows = try clock.withTimes { (source) throws(TrajpackError) in
      try target.withTimes { (times) throws(TrajpackError) in
        try AlignPlan(
          source, to: times, step.direction.direction, tolerance: step.tolerance,
          allowsSameTime: step.sameTime, rounding: StampRounding(step.rounding?.value)
        ).rows.map { Int($0) }
      }
    }
    track = PlanTrack(
      clock: target, columns: track.columns.map { $0.rows(rows) }, notes: track.notes)
  }

  /// Averages the rows of a grid time, or takes the last one where the kind has no mean.
  func quantise(_ step: QuantiseStep, _ track: inout PlanTrack) throws(TrajpackError) {
    let groups = try QuantisedRows(track.clock, step.quantum)
    let last = groups.rows.map { $0.upperBound - 1 }
    track.columns = track.columns.map { column in
      guard column.channel.isAveraged else { return column.rows(last) }
      return column.asFloats().means(groups.rows)
    }
    track.clock = groups.clock
  }

  /// Adds columns of the time since each entry was last observed.
  func timeSince(
    _ columns: [Int], _ suffix: String, _ track: inout PlanTrack
  ) throws(TrajpackError) {
    for i in columns {
      let column = track.columns[i]
      let width = column.width
      var since = [Double](repeating: 0, count: track.clock.count * width)
      let mask = column.mask()
      try track.clock.withTimes { (times) throws(TrajpackError) in
        try mask.withUnsafeBufferPointer { (mask) throws(TrajpackError) in
          try since.withUnsafeMutableBufferPointer { (out) throws(TrajpackError) in
            try timeSinceObserved(times, mask: mask, components: width, into: out)
          }
        }
      }
      track.columns.append(
        PlanColumn(
          channel: Channel(
            name: column.channel.name + suffix, kind: .scalar, type: .float64,
            shape: column.channel.type == .bytes ? [] : column.channel.shape),
          values: .float64(since)))
    }
  }
}

/// Rows by the grid time that theirs is rounded to, half to even.
struct QuantisedRows {
  /// A run of rows for each grid time.
  let rows: [Range<Int>]
  /// The grid times, as ticks of the quantum.
  let clock: PlanClock

  init(_ clock: PlanClock, _ quantum: Rational) throws(TrajpackError) {
    var rows: [Range<Int>] = []
    var ticks: [Int64] = []
    func add(_ row: Int, _ tick: Int64) {
      if ticks.last == tick, let open = rows.last {
        rows[rows.count - 1] = open.lowerBound..<row + 1
      } else {
        rows.append(row..<row + 1)
        ticks.append(tick)
      }
    }
    func beyond(_ row: Int) -> TrajpackError {
      TrajpackError(.usage, "row \(row) lies beyond 2^63 steps of \(quantum): use a larger quantum")
    }
    try clock.withTimes { (times) throws(TrajpackError) in
      try times.requireIncreasing("the stream", mayRepeat: true)
      if case .floats(let x) = times {
        for row in 0..<x.count {
          let place = (x[row] / quantum.value).rounded(.toNearestOrEven)
          guard let tick = Int64(exactly: place) else { throw beyond(row) }
          add(row, tick)
        }
        return
      }
      for row in 0..<times.count {
        guard let place = try times.exactPlace(row, quantum) else { throw beyond(row) }
        add(row, place)
      }
    }
    self.rows = rows
    self.clock = .ticks(ticks, unit: quantum, first: 0, origin: ticks.first ?? 0)
  }
}

extension Times {
  /// The time of a row of an exact clock in units of `quantum`, rounded half to even.
  fileprivate func exactPlace(_ row: Int, _ quantum: Rational) throws(TrajpackError) -> Int64? {
    let time: Rational
    switch self {
    case .regular(let clock, _): time = try clock.time(ofRow: row)
    case .ticks(let ticks, let unit):
      guard
        let exact = Rational(
          wide: Int128(ticks[row]) * Int128(unit.numerator), Int128(unit.denominator))
      else { return nil }
      time = exact
    case .floats: return nil
    }
    let (top, overflow) = Int128(time.numerator).multipliedReportingOverflow(
      by: Int128(quantum.denominator))
    let bottom = Int128(time.denominator) * Int128(quantum.numerator)
    if overflow { return nil }
    let rest = Int128.remainder(top, bottom)
    var place = (top - rest) / bottom
    let twice = 2 * UInt128(rest.magnitude)
    if twice > bottom.magnitude || (twice == bottom.magnitude && place % 2 != 0) { place += 1 }
    return Int64(exactly: place)
  }
}

extension PlanColumn {
  /// The mean of what was observed in each run of rows, summed in double.
  fileprivate func means(_ runs: [Range<Int>]) -> PlanColumn {
    let width = channel.elements
    func mean<S: SignalScalar>(_ x: [S]) -> [S] {
      var out: [S] = []
      out.reserveCapacity(runs.count * width)
      for run in runs {
        for c in 0..<width {
          var (sum, count) = (0.0, 0.0)
          for row in run where x[row * width + c] == x[row * width + c] {
            sum += Double(x[row * width + c])
            count += 1
          }
          out.append(count > 0 ? S(sum / count) : .nan)
        }
      }
      return out
    }
    var made = self
    switch values {
    case .float32(let x): made.values = .float32(mean(x))
    case .float64(let x): made.values = .float64(mean(x))
    case .opaque: break
    }
    return made
  }
}
