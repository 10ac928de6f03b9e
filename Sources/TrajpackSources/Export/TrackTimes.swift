import TrajpackFormat
import TrajpackStore

/// The times of a track's rows, as numbers or as the text that the source had.
package struct TrackTimes {
  private let track: TrackReader
  private let form: DateForm?

  package init(_ track: TrackReader) {
    self.track = track
    form = TablePlan.pattern(of: track.stream).flatMap { DateForm(pattern: $0) }
  }

  /// The form that gives every time of the track back: that of the source where it does, else one of ISO
  /// 8601 with as many digits as are needed. `nil` for numbers: where the source wrote no dates, and where
  /// a time is no date of the years 1 to 9999.
  func dateForm() throws(TrajpackError) -> DateForm? {
    guard let form else { return nil }
    var fit = FormFit(form)
    try track.forEachRun { (rows) throws(TrajpackError) in
      for instant in try instants(rows) { fit.add(instant) }
    }
    return fit.form
  }

  /// The times of rows as dates, where the source wrote dates and the times are dates of the years 1 to
  /// 9999; `nil` elsewhere. They have the form of the source where it gives these rows back, else that of
  /// ISO 8601.
  package func dates(_ rows: Range<Int>) throws(TrajpackError) -> [String]? {
    guard let form else { return nil }
    var fit = FormFit(form)
    for instant in try instants(rows) { fit.add(instant) }
    guard let fitting = fit.form else { return nil }
    return try texts(rows, as: fitting)
  }

  /// Finds the form that gives times back.
  private struct FormFit {
    private let source: DateForm
    private var isSource = true
    private var digits = 0
    private var areDates = true

    init(_ source: DateForm) { self.source = source }

    mutating func add(_ instant: DateInstant?) {
      guard let instant, DateForm.years.contains(instant.seconds) else {
        areDates = false
        return
      }
      isSource = isSource && instant.isExact && source.holds(instant.seconds, instant.nanoseconds)
      while instant.nanoseconds % DateText.power(9 - digits) != 0 { digits += 1 }
    }

    var form: DateForm? {
      if !areDates { return nil }
      return isSource ? source : source.complete(fractionDigits: digits)
    }
  }

  /// The times of rows as text: as dates of that form, or as numbers.
  func texts(_ rows: Range<Int>, as form: DateForm?) throws(TrajpackError) -> [String] {
    guard let form else { return try numbers(rows) }
    return try instants(rows).map { instant in
      instant.map { form.text(seconds: $0.seconds, nanoseconds: $0.nanoseconds) } ?? ""
    }
  }

  /// The times of rows as numbers: the doubles that a reader has, but all digits of those that are exact and
  /// have more than a double holds, such as nanoseconds since 1970.
  private func numbers(_ rows: Range<Int>) throws(TrajpackError) -> [String] {
    zip(try track.times(rows), try exactNumbers(rows)).map { $1 ?? $0.description }
  }

  /// The times of rows as text where they are exact and have more digits than a double holds; `nil` elsewhere.
  package func exactNumbers(_ rows: Range<Int>) throws(TrajpackError) -> [String?] {
    if case .float64 = track.track.clock { return rows.map { _ in nil } }
    return try track.instants(rows).map { instant in
      guard case .exact(let top, let bottom) = instant else { return nil }
      return Self.longDecimal(top, bottom)
    }
  }

  /// `top / bottom` as a decimal number of 16 digits or more; `nil` where it has fewer, or does not end.
  private static func longDecimal(_ top: Int128, _ bottom: Int128) -> String? {
    guard bottom > 0 else { return nil }
    let (whole, start) = top.magnitude.quotientAndRemainder(dividingBy: bottom.magnitude)
    var rest = start
    var digits = ""
    while rest != 0, digits.utf8.count < 18 {
      let (next, overflow) = rest.multipliedReportingOverflow(by: 10)
      if overflow { return nil }
      rest = next % bottom.magnitude
      digits += String(next / bottom.magnitude)
    }
    let text = String(whole)
    guard rest == 0, (whole == 0 ? 0 : text.utf8.count) + digits.utf8.count > 15 else { return nil }
    return (top < 0 ? "-" : "") + text + (digits.isEmpty ? "" : ".\(digits)")
  }

  /// A time since 1970-01-01, to the nearest nanosecond.
  private struct DateInstant {
    let seconds: Int64
    let nanoseconds: Int64
    let isExact: Bool

    /// `nil` for a time that is not exact, and one that leaves 128 bits or 64 bits of seconds.
    init?(_ instant: Instant?) {
      let second: Int128 = 1_000_000_000
      guard case .exact(let top, let bottom) = instant, let scaled = top.multiplied(by: second)
      else { return nil }
      var (total, rest) = scaled.quotientAndRemainder(dividingBy: bottom)
      isExact = rest == 0
      if rest < 0 { (total, rest) = (total - 1, rest + bottom) }
      if rest >= bottom - rest, rest > 0 { total += 1 }
      var (whole, part) = total.quotientAndRemainder(dividingBy: second)
      if part < 0 { (whole, part) = (whole - 1, part + second) }
      guard let whole = Int64(exactly: whole) else { return nil }
      (seconds, nanoseconds) = (whole, Int64(part))
    }
  }

  /// The times of rows in ns, to the nearest one, where the stream's unit is the second; `nil` where a time is beyond 292
  /// years, or none.
  func nanoseconds(_ rows: Range<Int>) throws(TrajpackError) -> [Int64?] {
    try instants(rows).map { instant in
      guard let instant else { return nil }
      let (whole, tooLarge) = instant.seconds.multipliedReportingOverflow(by: 1_000_000_000)
      let (sum, isBeyond) = whole.addingReportingOverflow(instant.nanoseconds)
      return tooLarge || isBeyond ? nil : sum
    }
  }

  private func instants(_ rows: Range<Int>) throws(TrajpackError) -> [DateInstant?] {
    try track.instants(rows).map { instant in
      guard case .real(let time) = instant, track.track.clock == .float64 else {
        return DateInstant(instant)
      }
      // The shortest decimal that is this time, as numbers are written: 0.1 s, not 0.100000143.
      if let exact = Rational(decimal: time.description) { return DateInstant(Instant(exact)) }
      return Int128(exactly: (time * 1e9).rounded()).flatMap {
        DateInstant(.exact($0, 1_000_000_000))
      }
    }
  }
}

extension TrackReader {
  /// The stream and whose rows they are, as a name for files and arrays: `npc[0]`, `skeleton/em_21[monster 0]`.
  /// `run` counts the tracks of the same entity.
  package func label(run: Int) -> String {
    var name = stream.name
    if let entity = track.entity {
      name += entity.kind == stream.name ? "[\(entity.index)]" : "[\(entity.kind) \(entity.index)]"
    }
    return run == 0 ? name : "\(name)#\(run + 1)"
  }

  /// Whether the stream's bytes are a video file that was taken over.
  var isVideo: Bool { stream.attributes["video"]?.bool == true }
}

/// Names for the tracks of an episode: the same entity's second track is its second run.
func labelled(_ tracks: [TrackReader]) -> [(name: String, track: TrackReader)] {
  var seen: [String: Int] = [:]
  return tracks.map { track in
    let name = track.label(run: 0)
    let run = seen[name, default: 0]
    seen[name] = run + 1
    return (track.label(run: run), track)
  }
}
