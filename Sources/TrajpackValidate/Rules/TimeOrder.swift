import TrajpackFormat

extension Rule {
  static let timeBackwards = Rule(
    "time.backwards", .error, "times go back",
    reason: """
      Rows are not in the order in which they happened: windows over them show a future before its past, and streams \
      cannot be joined by time.
      """,
    example:
      "Times 0.0, 0.1, 0.3, 0.2. A table that lists the newest row first has all its times go back.",
    remedy:
      "Sort the rows of the source by time, or cut the recording where its clock was set anew.",
    implies: ["time.gap", "time.jitter"],
    check: .track { TimeOrderCheck($0, wanted: .backwards) })

  static let timeMissing = Rule(
    "time.missing", .error, "rows have no time",
    reason:
      "A row without a time belongs nowhere: it can neither be joined with other streams nor resampled.",
    example: "An empty cell in the column of times.",
    remedy: "Remove these rows from the source, or give them times.",
    implies: ["time.gap"],
    check: .track { TimeOrderCheck($0, wanted: .missing) })

  static let timeDuplicate = Rule(
    "time.duplicate", .warning, "neighbouring rows have the same time",
    reason: """
      One of them was probably written twice, or times were rounded. A derivative over these rows divides by zero, and \
      joins by time take one of them by chance.
      """,
    example:
      """
      Times 0.1, 0.2, 0.2, 0.3; a clock that stands still from row 100 on. Streams most of whose rows share times (events) are not reported, unless it is one stretch of 32 rows or more that has most of them. \
      Where steps are of many sizes (fewer than half are within a half of the median), events fall on one time by chance: only rows that are equal otherwise, too, are reported.
      """,
    remedy: "Remove repeated rows, or keep more digits of the times.",
    implies: ["time.jitter"],
    check: .track { TimeOrderCheck($0, wanted: .duplicate) })
}

/// Compares each explicit time with the one before.
private final class TimeOrderCheck: TrackCheck {
  enum Wanted { case backwards, missing, duplicate }

  private let track: TrackContext
  private let wanted: Wanted
  private let columns: TrackContext.Columns
  private let channel: Int
  private let isTicks: Bool
  private var last: Double?
  private var lastTick: Int128?
  private var spots = Spots()
  /// Those of which the whole row is equal.
  private var copies = Spots()
  /// Steps that are not 0, and those of them that are about as long as most.
  private var steps = (all: 0, usual: 0)
  /// Neighbouring rows that share a time, now and at most.
  private var still = 0
  private var longest = 0

  init?(_ track: TrackContext, wanted: Wanted) {
    guard let channel = track.timeChannel, track.columnsOfChannel[channel] >= 0, track.rows > 1
    else { return nil }
    self.track = track
    self.wanted = wanted
    self.channel = channel
    columns = track.columns[track.columnsOfChannel[channel]]
    if case .ticks = track.clock { isTicks = true } else { isTicks = false }
  }

  func add(_ run: TrackRun) {
    let times = run.column(columns)
    let ticks = isTicks ? run.wholes(columns) : nil
    for row in 0..<run.count {
      let time = times[row]
      guard time.isFinite else {
        if wanted == .missing { spots.add(run.first + row, time) }
        continue
      }
      // Doubles cannot tell two nanoseconds of this century apart.
      let tick = ticks?[row]
      let isLess: Bool
      let isEqual: Bool
      if let tick, let before = lastTick {
        (isLess, isEqual) = (tick < before, tick == before)
      } else {
        (isLess, isEqual) = (last.map { time < $0 } ?? false, last == time)
      }
      if wanted == .backwards, isLess { spots.add(run.first + row, time) }
      if wanted == .duplicate, isEqual {
        spots.add(run.first + row, time)
        if isCopy(run, row) { copies.add(run.first + row, time) }
      }
      still = isEqual ? still + 1 : 0
      longest = max(longest, still)
      (last, lastTick) = (time, tick)
    }
    if wanted == .duplicate { countSteps(times, run) }
  }

  /// Whether all numbers of a row are those of the row before.
  private func isCopy(_ run: TrackRun, _ row: Int) -> Bool {
    guard row - 1 >= -run.carry else { return false }
    return track.columns.allSatisfy { columns in
      columns.isField
        || (0..<columns.count).allSatisfy {
          let column = run.column(columns, $0)
          return column[row] == column[row - 1] || column[row].isNaN && column[row - 1].isNaN
        }
    }
  }

  private func countSteps(_ times: UnsafePointer<Double>, _ run: TrackRun) {
    var found: [Double] = []
    for row in 1 - min(run.carry, 1)..<max(run.count, 1) {
      let step = (times[row] - times[row - 1]).magnitude
      if step > 0, step.isFinite { found.append(step) }
    }
    guard !found.isEmpty else { return }
    found.sort()
    let median = found[found.count / 2]
    steps.all += found.count
    steps.usual += found.count { (0.5...1.5).contains($0 / median) }
  }

  func finish(_ facts: TrackFacts, _ hits: inout Hits) {
    switch wanted {
    case .backwards: hits.add("times go back", track, channel: channel, spots)
    case .missing: hits.add("rows have no time", track, channel: channel, spots)
    case .duplicate:
      let hasStopped = longest >= 32 && longest * 2 > spots.count
      guard spots.count * 2 < track.rows || hasStopped else { return }
      hits.add(
        "neighbouring rows have the same time", track, channel: channel,
        hasStopped || steps.usual * 2 >= steps.all ? spots : copies)
    }
  }
}
