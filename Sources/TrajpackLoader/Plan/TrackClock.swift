import TrajpackFormat
import TrajpackStore

/// The times of a track's rows.
enum TrackClock: Sendable {
  /// Row `i` lies at `start + i / rate`.
  case regular(start: Instant, rate: Instant, period: Instant, rows: Int)
  /// Row `i` lies at `times[i] · tick`; in order.
  case ticks([Int64], tick: Instant)
  /// Row `i` lies at `times[i]`; in order.
  case real([Double])

  init(start: Rational, rate: Rational, rows: Int) {
    self = .regular(
      start: Instant(start), rate: Instant(rate),
      period: .exact(Int128(rate.denominator), Int128(rate.numerator)), rows: rows)
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

  /// The last row at or before a moment, and how far the moment lies on the way to the next row, from 0
  /// to 1. The last row holds for as long as the interval before it. `nil` outside.
  func position(_ moment: Instant) -> (row: Int, rest: Double)? {
    switch self {
    case .regular(let start, let rate, _, let rows):
      let (row, rest) = ((moment - start) * rate).split
      guard row >= 0, row < rows else { return nil }
      return row == rows - 1 ? (row, 0) : (row, rest)
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
    guard let first = instant(0), let last = instant(rows - 1) else { return nil }
    let span = last - first
    let whole = (span * Instant(rate)).split.whole
    guard (0..<Self.maximumGrid).contains(whole) else {
      throw TrajpackError(
        .usage,
        "its rows span \(span.value), so that a grid of 'rate' \(rate) would have more than 2^48 rows; make "
          + "'rate' lower")
    }
    return .regular(
      start: first, rate: Instant(rate),
      period: .exact(Int128(rate.denominator), Int128(rate.numerator)), rows: whole + 1)
  }

  private func search(
    _ count: Int, _ moment: Instant, _ time: (Int) -> Instant
  ) -> (row: Int, rest: Double)? {
    guard count > 0, !(moment < time(0)) else { return nil }
    var (low, high) = (0, count)
    while high - low > 1 {
      let middle = (low + high) / 2
      if moment < time(middle) { high = middle } else { low = middle }
    }
    let since = (moment - time(low)).value
    if low == count - 1 {
      let hold = count > 1 ? (time(low) - time(low - 1)).value : 0
      return since == 0 || since < hold ? (low, 0) : nil
    }
    let gap = (time(low + 1) - time(low)).value
    return (low, gap > 0 ? since / gap : 0)
  }
}

extension TrackClock {
  /// The clock of a track whose times are data.
  ///
  /// - Throws: A data error where a time is missing or times go back.
  init(
    _ shard: Shard, track number: Int, clock: Clock, reader: BlockReader
  ) throws(TrajpackError) {
    let track = TrackReader(shard, track: number, reader: reader)
    func refuse(_ what: String) -> TrajpackError {
      TrajpackError(
        .data,
        "\(shard.name): stream '\(track.stream.name)', episode "
          + "'\(shard.index.episode(track.track.episode).id)': \(what)")
    }
    if case .regular(let start, let rate) = clock {
      self.init(start: start, rate: rate, rows: track.count)
      return
    }
    guard let channel = track.stream.channel(named: "time") else {
      throw refuse("has explicit times but no channel 'time'")
    }
    let values = try track.read(channel: channel, rows: 0..<track.count)
    if case .ticks(let tick) = clock {
      var times: [Int64] = []
      times.reserveCapacity(track.count)
      for row in 0..<track.count {
        guard case .int(let time) = values.value(row, 0) else {
          throw refuse("row \(row) has no time, so other clocks cannot be aligned to it")
        }
        times.append(time)
      }
      guard zip(times, times.dropFirst()).allSatisfy({ $0 <= $1 }) else {
        throw refuse("its times go back, so other clocks cannot be aligned to it")
      }
      self = .ticks(times, tick: Instant(tick))
    } else {
      let times = values.doubles()
      guard times.allSatisfy(\.isFinite), zip(times, times.dropFirst()).allSatisfy({ $0 <= $1 })
      else {
        throw refuse("its times are missing or go back, so other clocks cannot be aligned to it")
      }
      self = .real(times)
    }
  }
}
