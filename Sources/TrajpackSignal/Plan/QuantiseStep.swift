import TrajpackFormat

/// Rounds times to a grid, and makes one row of the rows of a grid time.
package struct QuantiseStep: PlanStep {
  package let streams: ChannelSelection
  package let quantum: Rational

  package init(_ r: inout PlanReader) throws(TrajpackError) {
    streams = try r.selection("streams", .all)
    guard let value = r.value("quantum") else {
      throw TrajpackError(.usage, "\(r.path) has no grid: add \"quantum\", the time between rows")
    }
    guard let quantum = PlanNumber.rational(value), quantum.numerator > 0 else {
      throw r.wrong("quantum", value, "a time above 0, like 0.5 or \"1/30\"")
    }
    self.quantum = quantum
  }

  package var json: JSONValue {
    .object([
      .init("step", "quantise"), .init("streams", streams.json),
      .init("quantum", PlanNumber.json(quantum)),
    ])
  }
}

extension QuantiseStep {
  package static var name: String { "quantise" }
  package var selection: ChannelSelection { streams }
  package var isOfStreams: Bool { true }

  package func stage(
    in program: inout PlanProgram, isVideo: Bool
  ) throws(TrajpackError) -> (any PlanStage)? {
    guard try program.takesRows(streams, isVideo: isVideo) else { return nil }
    for i in program.outputs.indices where program.outputs[i].isAveraged {
      program.outputs[i].becomeFloat()
      program.outputs[i].missing = .nan
    }
    return QuantiseStage(quantum: quantum)
  }
}

/// The grid bound to a stream.
struct QuantiseStage: PlanStage {
  let quantum: Rational

  /// Averages the rows of a grid time, or takes the last one where the kind has no mean.
  func run(
    _ track: inout PlanTrack, _ key: PlanKey, _ target: PlanTarget
  ) throws(TrajpackError) {
    let groups = try QuantisedRows(track.clock, quantum)
    let last = groups.rows.map { $0.upperBound - 1 }
    track.columns = track.columns.map { column in
      guard column.channel.isAveraged else { return column.rows(last) }
      return column.asFloats().means(groups.rows)
    }
    track.clock = groups.clock
  }

  func clock(
    behind clock: PlanClock, _ key: PlanKey,
    _ reference: (String) throws(TrajpackError) -> PlanClock
  ) throws(TrajpackError) -> PlanClock {
    try QuantisedRows(clock, quantum).clock
  }

  func sort(
    behind sort: PlanClock.Sort, _ reference: (String) throws(TrajpackError) -> PlanClock.Sort
  ) -> PlanClock.Sort { .ticks }
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
