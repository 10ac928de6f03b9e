import TrajpackFormat

extension TrackClock {
  /// The rows whose times lie in a range.
  func rows(in range: TimeRange) -> Range<Int> {
    let begin = range.from.map { first(notBefore: $0) } ?? 0
    return begin..<max(begin, range.to.map { first(notBefore: $0) } ?? rows)
  }

  /// The clock of some of the rows, which keep their times.
  func cut(_ range: Range<Int>) -> TrackClock {
    if range == 0..<rows { return self }
    switch self {
    case .regular(let start, let rate, let period, _):
      return .regular(
        start: start + .exact(Int128(range.lowerBound), 1) * period, rate: rate, period: period,
        rows: range.count)
    case .ticks(let times, let tick): return .ticks(Array(times[range]), tick: tick)
    case .real(let times): return .real(Array(times[range]))
    }
  }
}
