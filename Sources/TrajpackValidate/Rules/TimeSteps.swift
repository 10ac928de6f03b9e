import TrajpackFormat

extension Rule {
  static let timeGap = Rule(
    "time.gap", .warning, "a nearly regular clock has gaps",
    reason: """
      Rows are missing, and windows by rows reach over the hole as if nothing had happened: a model sees jumps that \
      never were.
      """,
    example: """
      A sensor of 100 Hz that is silent for a second. A gap is a step of more than 8 times the usual one in a track \
      where 99 % of the steps are within half of the usual one. Weekends in daily series are shorter than that.
      """,
    remedy: "Cut the recording at the gap, resample with a mask, or take windows by time.",
    check: .track { TimeStepCheck($0, wanted: .gap) })

  static let timeJitter = Rule(
    "time.jitter", .suggestion, "a clock that is meant to be regular jitters",
    reason:
      "Windows by rows take the steps to be equal; velocities from differences are off by as much as the steps are.",
    example: """
      Steps of 10 ms that vary by 3 ms. Reported where most steps are near the usual one but more than a tenth are off \
      by more than a fifth of it; series whose steps differ widely are irregular on purpose and not reported.
      """,
    remedy: "Resample to a regular clock ('trajpack resample'), or take windows by time.",
    check: .track { TimeStepCheck($0, wanted: .jitter) })

  static let timeFloat32 = Rule(
    "time.float32", .warning, "times were kept as float32",
    reason: """
      A float32 has 24 bits: after three hours its steps are a millisecond, so that times repeat or jump and as-of joins \
      take the wrong row.
      """,
    example: """
      Steps of 0.01 that alternate between 0.0098 and 0.0107 because every time is exactly a float32; seconds since 1970, of which a float32 tells apart \
      every 128th: a quarter of the rows or more share their time with the one before, and all times are float32 whose next ones are as far apart as the usual step that is not 0. Else times whose steps \
      are equal are not reported, whatever their type was.
      """,
    remedy: "Record times as integers of a fixed unit or as float64, and convert again.",
    implies: ["time.jitter", "time.duplicate"],
    check: .track { TimeStepCheck($0, wanted: .float32) })
}

/// Looks at the steps of explicit times. The usual step is the median of the first 4,096.
private final class TimeStepCheck: TrackCheck {
  enum Wanted { case gap, jitter, float32 }

  private let track: TrackContext
  private let wanted: Wanted
  private let columns: TrackContext.Columns
  private let channel: Int
  private let scale: Double
  private var usual: Double?
  private var last: Double?
  private var steps = 0
  /// Rows, and those with the time of the one before.
  private var rows = 0
  private var still = 0
  private var isWhole = true
  private var near = 0
  private var off = 0
  private var gaps = Spots()
  private var roughly = 0
  private var isSingle = true
  private var latest = 0.0
  private var worst = Spots()
  private var shortest = Double.infinity
  private var longest = 0.0

  init?(_ track: TrackContext, wanted: Wanted) {
    guard let channel = track.timeChannel, track.columnsOfChannel[channel] >= 0, track.rows >= 32
    else { return nil }
    if wanted == .float32 {
      guard case .float64 = track.clock else { return nil }
    }
    scale = track.clock.timeScale
    self.track = track
    self.wanted = wanted
    self.channel = channel
    columns = track.columns[track.columnsOfChannel[channel]]
  }

  func add(_ run: TrackRun) {
    let times = run.column(columns)
    if usual == nil {
      var first: [Double] = []
      for row in 1..<max(min(run.count, 4096), 1) {
        let step = times[row] - times[row - 1]
        if step > 0, step.isFinite { first.append(step) }
      }
      first.sort()
      usual = first.isEmpty ? nil : first[first.count / 2]
    }
    for row in 0..<run.count {
      let time = times[row]
      guard time.isFinite else { continue }
      if Double(Float(time)) != time { isSingle = false }
      if time != time.rounded(.towardZero) { isWhole = false }
      latest = max(latest, time.magnitude)
      rows += 1
      if time == last { still += 1 }
      if let last, let usual {
        let step = time - last
        steps += 1
        let part = step / usual
        if abs(part - 1) <= 0.5 { near += 1 }
        if abs(part - 1) <= 0.75 { roughly += 1 }
        if abs(part - 1) > 0.2, part < 8 {
          off += 1
          worst.add(run.first + row, step * scale)
        }
        if part > 8 { gaps.add(run.first + row, step * scale) }
        if part > 0.25, part < 4 {
          shortest = min(shortest, step)
          longest = max(longest, step)
        }
      }
      last = time
    }
  }

  func finish(_ facts: TrackFacts, _ hits: inout Hits) {
    if wanted == .float32, sharesTimes {
      let unit = Double(Float(latest).ulp)
      return hits.add(
        "times are float32 and too coarse for their steps", track, channel: channel, count: still,
        values: [latest],
        note: "\(still) of \(rows) rows have the time of the one before; a float32 near \(latest) "
          + "has steps of \(unit)")
    }
    guard let usual, steps > 0 else { return }
    switch wanted {
    case .gap:
      guard near * 100 >= steps * 99 else { return }
      hits.add("gaps in a nearly regular clock (steps)", track, channel: channel, gaps)
    case .jitter:
      guard roughly * 10 >= steps * 9, off * 10 > steps, !isQuantised(usual) else { return }
      hits.add("steps of time that differ from the usual one", track, channel: channel, worst)
    case .float32:
      let unit = Double(Float(latest).ulp)
      guard isSingle, longest > shortest, longest - shortest >= 0.5 * unit,
        longest - shortest <= 8 * unit, unit > 1e-4 * usual
      else { return }
      hits.add(
        "times are float32 and too coarse for their steps", track, channel: channel, count: steps,
        values: [shortest, longest],
        note: "steps from \(shortest) to \(longest), where a float32 near \(latest) has \(unit)")
    }
  }

  /// Whether times are so coarse that rows share them: each is a float32, and the usual step that is not 0 is from one float32 to the
  /// next. Whole numbers lie on a grid of their own, and some of them are float32 by chance: only steps of 8 and more count, and of 64
  /// where all times are the same.
  private var sharesTimes: Bool {
    let unit = Double(Float(latest).ulp)
    guard isSingle, rows >= 32, unit.isFinite, still * 4 >= rows else { return false }
    guard let usual else { return unit >= 64 }
    return usual >= 0.5 * unit && usual <= 2 * unit && (!isWhole || unit >= 8)
  }

  /// Whether the steps differ as those of a calendar do: months and quarters in days.
  private func isQuantised(_ usual: Double) -> Bool {
    let day = 86_400.0
    let (short, long) = (shortest * scale, longest * scale)
    return track.stream.timeUnit == "s" && short >= 28 * day && long <= 366 * day
      && short.truncatingRemainder(dividingBy: day) == 0
  }
}
