import TrajpackFormat

extension TrackReader {
  /// The channel that holds the times of rows; `nil` where a clock gives them, beside which a channel may be called `time`.
  package var timeChannel: Int? { stream.timeChannel(on: track.clock) }

  /// What the channel of times holds.
  ///
  /// - Throws: A data error where there is none.
  package func storedTimes(_ rows: Range<Int>) throws(TrajpackError) -> ChannelValues {
    guard let channel = timeChannel else {
      throw TrajpackError(
        .data, file: shard.name,
        "stream '\(stream.name)' has explicit times but no channel 'time'")
    }
    return try read(channel: channel, rows: rows)
  }

  /// The ticks of all rows, where times are ticks.
  ///
  /// - Throws: What `missing` makes of the first row that has none.
  package func ticks(
    missing: (Int) -> TrajpackError
  ) throws(TrajpackError) -> [Int64] {
    let values = try storedTimes(0..<count)
    var ticks: [Int64] = []
    ticks.reserveCapacity(count)
    for row in 0..<count {
      guard case .int(let tick) = values.value(row, 0) else { throw missing(row) }
      ticks.append(tick)
    }
    return ticks
  }

  /// The times of rows, exact where the clock is; `nil` where a row has none.
  package func instants(_ rows: Range<Int>) throws(TrajpackError) -> [Instant?] {
    switch track.clock {
    case .regular: return rows.map { track.clock.instant(ofRow: $0) }
    case .ticks(let tick):
      let values = try storedTimes(rows)
      return (0..<rows.count).map { row in
        guard case .int(let n) = values.value(row, 0) else { return nil }
        return .exact(Int128(n) * Int128(tick.numerator), Int128(tick.denominator))
      }
    case .float64: return try storedTimes(rows).doubles().map { .real($0) }
    }
  }

  /// The times of rows, in the unit of the stream, NaN where a row has none. Exact until the one division, so that the
  /// nearest double comes out.
  package func times(_ rows: Range<Int>) throws(TrajpackError) -> [Double] {
    if track.clock.isRegular { return rows.map { track.clock.time(ofRow: $0) ?? .nan } }
    return try instants(rows).map { $0?.value ?? .nan }
  }
}
