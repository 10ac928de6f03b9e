import TrajpackFormat
import TrajpackStore

/// The times of messages: when they are written down, when they were sent, and their own.
struct MCAPTimes {
  struct Stamp {
    var log: UInt64
    var publish: UInt64
    /// ns since 1970, or since the recording's own beginning where it does not say when that was.
    var stamp: Int64
  }

  /// What is added to the times of rows, in ns.
  let origin: Int64
  private let rate: Rational?

  /// - Parameter rate: Rows a second of streams whose times are not in seconds; `nil` for one.
  init(origin: Int64, rate: Rational?) { (self.origin, self.rate) = (origin, rate) }

  /// The times of rows in ns, before ``origin`` is added.
  func nanoseconds(_ track: TrackReader, _ rows: Range<Int>) throws(TrajpackError) -> [Int64] {
    if track.stream.timeUnit != "s", let rate {
      return try rows.map { (row) throws(TrajpackError) in
        let time = Double(row) * 1e9 * Double(rate.denominator) / Double(rate.numerator)
        return try Self.checked(Int64(exactly: time.rounded()), track, row)
      }
    }
    let times = try TrackTimes(track).nanoseconds(rows)
    return try zip(rows, times).map { (row, time) throws(TrajpackError) in
      try Self.checked(time, track, row)
    }
  }

  private static func checked(
    _ time: Int64?, _ track: TrackReader, _ row: Int
  ) throws(TrajpackError) -> Int64 {
    guard let time else {
      throw TrajpackError(
        .data, "row \(row) of '\(track.stream.name)' has no time that fits into ns",
        at: ErrorPlace(stream: track.stream.name, row: row))
    }
    return time
  }

  /// The times of the messages of rows: the channels `log_time` and `publish_time` where they hold ns since 1970, else the
  /// row's time.
  func stamps(_ track: TrackReader, _ rows: Range<Int>) throws(TrajpackError) -> [Stamp] {
    let own = try nanoseconds(track, rows)
    let log = try times("log_time", track, rows)
    let publish = try times("publish_time", track, rows)
    return try own.indices.map { (i) throws(TrajpackError) in
      let (stamp, isBeyond) = own[i].addingReportingOverflow(origin)
      let written = log?[i] ?? stamp
      guard !isBeyond, written >= 0, (publish?[i] ?? 0) >= 0 else {
        throw TrajpackError(
          .data,
          "row \(rows.lowerBound + i) of '\(track.stream.name)' lies before 1970 or beyond 292 years, and an MCAP file has no "
            + "such time", at: ErrorPlace(stream: track.stream.name, row: rows.lowerBound + i))
      }
      return Stamp(
        log: UInt64(written), publish: UInt64(publish?[i] ?? written), stamp: stamp)
    }
  }

  private func times(
    _ name: String, _ track: TrackReader, _ rows: Range<Int>
  ) throws(TrajpackError) -> [Int64]? {
    guard let number = track.stream.channel(named: name), track.stream.channels[number].isTime,
      track.stream.channels[number].missing == .never
    else { return nil }
    let values = try track.read(channel: number, rows: rows)
    return (0..<rows.count).map { if case .int(let n) = values.value($0, 0) { n } else { 0 } }
  }
}
