import TrajpackFormat

/// The times of rows of a track: of all of them, or of a run. Rows are numbered in the whole track, so
/// that a run is resampled and masked exactly as the whole is.
public enum PlanClock: Sendable, Equatable {
  /// Row `first + i` of the clock.
  case regular(RegularClock, first: Int, count: Int)
  /// Ticks of `unit` each; `origin` is the tick of row 0 of the whole track.
  case ticks([Int64], unit: Rational, first: Int, origin: Int64)
  /// Floating-point times; `origin` is the time of row 0 of the whole track.
  case floats([Double], first: Int, origin: Double)

  /// Rows that are here.
  public var count: Int {
    switch self {
    case .regular(_, _, let count): count
    case .ticks(let ticks, _, _, _): ticks.count
    case .floats(let times, _, _): times.count
    }
  }

  /// The number of the first row that is here, in the whole track.
  public var first: Int {
    switch self {
    case .regular(_, let first, _), .ticks(_, _, let first, _), .floats(_, let first, _): first
    }
  }

  /// The numbers of the rows that are here.
  public var rows: Range<Int> { first..<first + count }

  /// Calls `body` with the times of the rows that are here.
  func withTimes<Result>(
    _ body: (Times) throws(TrajpackError) -> Result
  ) throws(TrajpackError) -> Result {
    switch self {
    case .regular(let clock, let first, let count):
      return try body(.regular(try clock.starting(atRow: first), count: count))
    case .ticks(let ticks, let unit, _, _):
      return try ticks.withUnsafeBufferPointer { (buffer) throws(TrajpackError) in
        try body(.ticks(buffer, unit: unit))
      }
    case .floats(let times, _, _):
      return try times.withUnsafeBufferPointer { (buffer) throws(TrajpackError) in
        try body(.floats(buffer))
      }
    }
  }

  /// The same clock with fewer rows, counted from the first that is here.
  package func slice(_ range: Range<Int>) -> PlanClock {
    switch self {
    case .regular(let clock, let first, _):
      .regular(clock, first: first + range.lowerBound, count: range.count)
    case .ticks(let ticks, let unit, let first, let origin):
      .ticks(
        Array(ticks[range]), unit: unit, first: first + range.lowerBound, origin: origin)
    case .floats(let times, let first, let origin):
      .floats(Array(times[range]), first: first + range.lowerBound, origin: origin)
    }
  }

  /// Rows that were picked one by one; explicit times stay explicit, a regular clock becomes ticks.
  package func picked(_ rows: [Int]) throws(TrajpackError) -> PlanClock {
    switch self {
    case .regular(let clock, let first, _):
      let unit = try clock.tick
      var ticks: [Int64] = []
      for row in rows { ticks.append(try clock.tick(ofRow: first + row, unit: unit)) }
      return .ticks(ticks, unit: unit, first: 0, origin: ticks.first ?? 0)
    case .ticks(let ticks, let unit, _, let origin):
      return .ticks(rows.map { ticks[$0] }, unit: unit, first: 0, origin: origin)
    case .floats(let times, _, let origin):
      return .floats(rows.map { times[$0] }, first: 0, origin: origin)
    }
  }
}

extension RegularClock {
  /// A tick that makes every time of the clock whole.
  fileprivate var tick: Rational {
    get throws(TrajpackError) {
      guard let tick = ticksPerUnit.flatMap({ Rational(1, $0) }) else {
        throw TrajpackError(.usage, "the times of a clock of \(rate) rows a unit leave 64 bits")
      }
      return tick
    }
  }

  fileprivate func tick(ofRow row: Int, unit: Rational) throws(TrajpackError) -> Int64 {
    let time = try time(ofRow: row)
    let (ticks, overflow) = time.numerator.multipliedReportingOverflow(
      by: unit.denominator / time.denominator)
    guard !overflow else {
      throw TrajpackError(.usage, "row \(row) lies beyond 2^63 ticks of \(unit)")
    }
    return ticks
  }
}
