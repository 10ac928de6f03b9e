import TrajpackFormat
import TrajpackSignal
import TrajpackStore

/// The times of a track's rows.
enum TrackClock: Sendable {
  /// Row `i` lies at `start + i / rate`.
  case regular(start: Instant, rate: Instant, period: Instant, rows: Int)
  /// Row `i` lies at `times[i] · tick`; in order.
  case ticks([Int64], tick: Instant)
  /// Row `i` lies at `times[i]`; in order.
  case real([Double])

  init(start: Instant, rate: Rational, rows: Int) {
    self = .regular(
      start: start, rate: Instant(rate), period: Instant(periodOf: rate), rows: rows)
  }

  init(start: Rational, rate: Rational, rows: Int) {
    self.init(start: Instant(start), rate: rate, rows: rows)
  }

  var rows: Int {
    switch self {
    case .regular(_, _, _, let rows): return rows
    case .ticks(let times, _): return times.count
    case .real(let times): return times.count
    }
  }

  /// The moment of a row; rows outside lie on the continuation of a regular clock, and `nil` of another.
  func instant(_ row: Int) -> Instant? {
    switch self {
    case .regular(let start, _, let period, _): return start + .exact(Int128(row), 1) * period
    case .ticks(let times, let tick):
      return times.indices.contains(row) ? .exact(Int128(times[row]), 1) * tick : nil
    case .real(let times): return times.indices.contains(row) ? .real(times[row]) : nil
    }
  }

  /// Where a moment lies among the rows.
  enum Position {
    /// That long before the first row; `interval` is that to the second row, 0 where there is none.
    case before(Double, interval: Double)
    /// At or after a row and before the next, `rest` of the way to it, from 0 to 1.
    case inside(row: Int, rest: Double, interval: Double)
    /// That long after the last row; `interval` is the one before it, 0 where there is none.
    case after(Double, interval: Double)
  }

  /// Where a moment lies; `nil` where there are no rows.
  func position(_ moment: Instant) -> Position? {
    switch self {
    case .regular(let start, let rate, let period, let rows):
      guard rows > 0 else { return nil }
      let (row, rest) = ((moment - start) * rate).split
      let interval = period.value
      if row < 0 { return .before(((start - moment).value), interval: interval) }
      guard row >= rows - 1 else { return .inside(row: row, rest: rest, interval: interval) }
      return .after((Double(row - (rows - 1)) + rest) * interval, interval: interval)
    case .ticks(let times, let tick):
      return search(times.count, moment) { .exact(Int128(times[$0]), 1) * tick }
    case .real(let times):
      return search(times.count, moment) { .real(times[$0]) }
    }
  }

  /// The first row at or after a moment; `rows` where there is none.
  func first(notBefore moment: Instant) -> Int {
    switch self {
    case .regular(let start, let rate, _, let rows):
      let (row, rest) = ((moment - start) * rate).split
      return row >= rows ? rows : max(rest > 0 ? row + 1 : row, 0)
    case .ticks, .real:
      var (low, high) = (0, rows)
      while low < high {
        let middle = (low + high) / 2
        if let time = instant(middle), time < moment { low = middle + 1 } else { high = middle }
      }
      return low
    }
  }

  /// The most rows of a grid that replaces a track's own clock: as many as can be added to any other number of
  /// rows that a loader counts.
  static let maximumGrid = 1 << 48

  /// A grid of `rate` rows a unit of time from the first row to the last; `nil` where there are no rows.
  ///
  /// - Throws: A usage error where it would have more than ``maximumGrid`` rows.
  func grid(_ rate: Rational) throws(TrajpackError) -> TrackClock? {
    guard rows > 0, let first = instant(0), let last = instant(rows - 1) else { return nil }
    var span = last - first
    // A late start may have no exact times, but how long the rows last is exact.
    if case .regular(_, _, let period, let rows) = self {
      span = .exact(Int128(rows - 1), 1) * period
    }
    let whole = (span * Instant(rate)).split.whole
    guard (0..<Self.maximumGrid).contains(whole) else {
      throw TrajpackError(
        .usage,
        "its rows span \(span.value), so that a grid of 'rate' \(rate) would have more than 2^48 rows; make "
          + "'rate' lower")
    }
    return TrackClock(start: first, rate: rate, rows: whole + 1)
  }

  /// The first row at or after a moment, or within the tolerance before it.
  func first(near moment: Instant, _ rounding: StampRounding) -> Int {
    let row = first(notBefore: moment)
    guard row > 0, let before = instant(row - 1) else { return row }
    let interval: Double
    if case .regular(_, _, let period, _) = self {
      interval = period.value
    } else if let next = row < rows ? instant(row) : nil {
      interval = (next - before).value
    } else {
      interval = row > 1 ? (instant(row - 2).map { (before - $0).value } ?? 0) : 0
    }
    let spare = moment.value.magnitude * 4 * Double.ulpOfOne
    let limit = rounding.limit(interval: interval) * (1 + 1e-9) + spare
    // Rows of one time belong together.
    return (moment - before).value <= limit ? first(notBefore: before) : row
  }

  private func search(_ count: Int, _ moment: Instant, _ time: (Int) -> Instant)
    -> Position?
  {
    guard count > 0 else { return nil }
    func interval(after row: Int) -> Double {
      count > 1 ? (time(row + 1) - time(row)).value : 0
    }
    if moment < time(0) {
      return .before((time(0) - moment).value, interval: interval(after: 0))
    }
    var (low, high) = (0, count)
    while high - low > 1 {
      let middle = (low + high) / 2
      if moment < time(middle) { high = middle } else { low = middle }
    }
    let since = (moment - time(low)).value
    if low == count - 1 { return .after(since, interval: interval(after: max(low - 1, 0))) }
    let gap = interval(after: low)
    return .inside(row: low, rest: gap > 0 ? since / gap : 0, interval: gap)
  }
}

extension TrackClock {
  /// The clock of a track whose times are data.
  ///
  /// - Throws: A data error where a time is missing or times go back.
  init(
    _ shard: Shard, track number: Int, reader: BlockReader
  ) throws(TrajpackError) {
    let track = TrackReader(shard, track: number, reader: reader)
    func refuse(_ what: String) -> TrajpackError {
      TrajpackError(
        .data, file: shard.name,
        "stream '\(track.stream.name)', episode "
          + "'\(shard.index.episode(track.track.episode).id)': \(what)")
    }
    if case .ticks(let tick) = track.track.clock {
      let times = try track.ticks { row in
        refuse("row \(row) has no time, so other clocks cannot be aligned to it")
      }
      guard zip(times, times.dropFirst()).allSatisfy({ $0 <= $1 }) else {
        throw refuse("its times go back, so other clocks cannot be aligned to it")
      }
      self = .ticks(times, tick: Instant(tick))
    } else {
      let times = try track.storedTimes(0..<track.count).doubles()
      guard times.allSatisfy(\.isFinite), zip(times, times.dropFirst()).allSatisfy({ $0 <= $1 })
      else {
        throw refuse("its times are missing or go back, so other clocks cannot be aligned to it")
      }
      self = .real(times)
    }
  }
}
