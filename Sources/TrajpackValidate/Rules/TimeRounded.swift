import TrajpackFormat

extension Rule {
  static let timeRounded = Rule(
    "time.rounded", .suggestion, "times of a regular clock were rounded",
    reason: """
      A time that was rounded up lies after the row that it belongs to: as-of joins with another stream take the wrong row there, \
      and velocities from differences alternate.
      """,
    example: """
      30 Hz as 0.000, 0.033, 0.067, 0.100: steps of 0.033 and 0.034. Reported where all times are multiples of a power of ten \
      of a second, steps are of two neighbouring lengths only, each of a twentieth of the steps or more, and \
      the lengths differ by at least 0.2 % of the step. Microseconds of a clock that counts since 1970 are not looked at: a float64 holds no more than these.
      """,
    remedy: "State the rate when converting (--rate 30), so that the clock is regular and exact.",
    implies: ["time.jitter"],
    check: .track { RoundedCheck($0) })
}

/// Counts the lengths of steps; two of them are enough to be kept.
private final class RoundedCheck: TrackCheck {
  private let track: TrackContext
  private let columns: TrackContext.Columns
  private let scale: Double
  /// Units of a decimal clock, in seconds, the coarsest first.
  private static let units = [1, 0.1, 0.01, 1e-3, 1e-4, 1e-5, 1e-6]
  private var lengths: [(length: Double, count: Int)] = []
  /// Whether all times so far are multiples of each unit.
  private var fits = [Bool](repeating: true, count: units.count)
  private var isOther = false
  private var latest = 0.0

  init?(_ track: TrackContext) {
    guard let channel = track.timeChannel, track.columnsOfChannel[channel] >= 0, track.rows >= 64,
      track.stream.timeUnit == "s"
    else { return nil }
    scale = track.clock.timeScale
    self.track = track
    columns = track.columns[track.columnsOfChannel[channel]]
  }

  func add(_ run: TrackRun) {
    guard !isOther else { return }
    let times = run.column(columns)
    for row in 0..<run.count {
      let time = times[row] * scale
      guard time.isFinite else { return isOther = true }
      latest = max(latest, time.magnitude)
      for (i, unit) in Self.units.enumerated() where fits[i] {
        let multiple = time / unit
        if (multiple - multiple.rounded()).magnitude > 1e-3 { fits[i] = false }
      }
      guard row > 0 || run.carry > 0 else { continue }
      let step = time - times[row - 1] * scale
      if let known = lengths.firstIndex(where: { (step / $0.length - 1).magnitude < 1e-4 }) {
        lengths[known].count += 1
      } else if lengths.count == 2 || !(step > 0) {
        return isOther = true
      } else {
        lengths.append((step, 1))
      }
    }
  }

  func finish(_ facts: TrackFacts, _ hits: inout Hits) {
    guard !isOther, lengths.count == 2, let found = fits.firstIndex(of: true) else { return }
    let unit = Self.units[found]
    let sorted = lengths.sorted { $0.length < $1.length }
    let total = sorted[0].count + sorted[1].count
    // Of the last digits of a float64 nothing is concluded. Those of a time since 1970 are 0.00000024 s: milliseconds stand out.
    guard sorted[0].count * 20 >= total, sorted[1].count * 20 >= total,
      ((sorted[1].length - sorted[0].length) / unit - 1).magnitude < 0.01,
      unit >= 0.002 * sorted[0].length, latest.ulp < 1e-3 * unit
    else { return }
    hits.add(
      "times of a regular clock are rounded", track, channel: track.timeChannel, count: total,
      values: [sorted[0].length, sorted[1].length],
      note: "all are multiples of \(unit) s, and steps alternate")
  }
}
