import TrajpackFormat
import TrajpackStore

/// The times of a track's rows, as numbers or as the text that the source had.
struct TrackTimes {
  private let track: TrackReader
  private let channel: Int?
  private let form: DateForm?

  init(_ track: TrackReader) {
    self.track = track
    if case .regular = track.track.clock {
      channel = nil
    } else {
      channel = track.stream.channel(named: "time")
    }
    form = TablePlan.pattern(of: track.stream).flatMap { DateForm(pattern: $0) }
  }

  /// The times of rows, in the unit of the stream.
  func doubles(_ rows: Range<Int>) throws(TrajpackError) -> [Double] {
    if let channel {
      let values = try track.read(channel: channel, rows: rows).doubles()
      guard case .ticks(let tick) = track.track.clock else { return values }
      return values.map { $0 * Double(tick.numerator) / Double(tick.denominator) }
    }
    return rows.map { track.track.clock.time(ofRow: $0) ?? .nan }
  }

  /// The times of rows as text: as dates where the source wrote dates.
  func texts(_ rows: Range<Int>) throws(TrajpackError) -> [String] {
    guard let form else { return try doubles(rows).map(\.description) }
    let nanoseconds: [Int128?]
    switch track.track.clock {
    case .regular(let start, let rate):
      nanoseconds = rows.map { row in
        // start + row / rate, in nanoseconds, exactly.
        let n =
          Int128(start.numerator) * Int128(rate.numerator)
          + Int128(row) * Int128(rate.denominator) * Int128(start.denominator)
        let d = Int128(start.denominator) * Int128(rate.numerator)
        let (product, overflow) = n.multipliedReportingOverflow(by: 1_000_000_000)
        return overflow ? nil : product / d
      }
    case .ticks(let tick):
      let values = try track.read(channel: channel ?? 0, rows: rows)
      nanoseconds = (0..<rows.count).map { row in
        guard case .int(let n) = values.value(row, 0) else { return nil }
        return Int128(n) * Int128(tick.numerator) * 1_000_000_000 / Int128(tick.denominator)
      }
    case .float64: return try doubles(rows).map(\.description)
    }
    return nanoseconds.map { value in
      guard let value else { return "" }
      let second: Int128 = 1_000_000_000
      let whole = value >= 0 ? value / second : (value - second + 1) / second
      guard let seconds = Int64(exactly: whole), seconds.magnitude < 1 << 40 else { return "" }
      return form.text(seconds: seconds, nanoseconds: Int64(value - whole * second))
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
