import TrajpackFormat
import TrajpackSignal
import TrajpackStore

/// Takes the rows of a prepared track, a piece after the other, in the form in which they are stored.
struct TrackWriter {
  /// Rows so far.
  private(set) var count = 0
  /// The clock of the first row; `nil` before it.
  private(set) var clock: Clock?
  /// The channel of times, where the stream has one, and the others.
  private(set) var channels: [ChannelRows] = []
  private var missing = 0
  private var notes: [String] = []
  private let times: PlanClock.Sort?

  /// - Parameter times: the sort of the stream's explicit times; `nil` where it has none.
  init(_ times: PlanClock.Sort?) { self.times = times }

  /// Adds rows.
  mutating func append(_ piece: PlanTrack) throws(TrajpackError) {
    notes += piece.notes.filter { !notes.contains($0) }
    if piece.clock.count == 0 { return }
    let listed = try times.map { (sort) throws(TrajpackError) in try piece.clock.listed(as: sort) }
    let clock = listed ?? piece.clock
    if self.clock == nil {
      self.clock = try clock.stored()
      channels = (0..<piece.columns.count + (times == nil ? 0 : 1)).map { _ in
        ChannelRows(spool: RowSpool())
      }
    }
    var next = 0
    if times != nil {
      try channels[0].spool.append(clock.storedTimes)
      next = 1
    }
    for column in piece.columns {
      try channels[next].spool.append(try column.stored())
      missing += column.missing
      next += 1
    }
    count += clock.count
  }

  /// What was done, for the episode's metadata.
  func report(_ key: PlanKey, before: Int) -> JSONValue {
    .record([
      "stream": .string(key.stream), "entity": key.entity.map { .string($0) },
      "rows_before": .int(Int64(before)), "rows": .int(Int64(count)),
      "missing": .int(Int64(missing)),
      "notes": notes.isEmpty ? nil : .array(notes.map { .string($0) }),
    ])
  }
}
