import TrajpackFormat

extension Rule {
  static let timeShift = Rule(
    "time.shift", .warning, "a stream is shifted against another in some episodes",
    reason: """
      A row that was lost or doubled at the start puts every row of a stream beside the wrong rows of the others: \
      off by one frame, a model learns effects before their causes.
      """,
    example: """
      Camera and body move together in 39 of 40 episodes, and in one the camera comes a row later. Of each stream with a regular clock the first \
      position (or pose) is taken, and how its speed changes is compared with that of the others at shifts of up to 5 rows. Reported where streams \
      correlate by 0.8 or more in 8 episodes or more, nine of ten episodes have the same shift, and this one has another; the largest twentieth of the changes that are not 0 counts no more than the next smaller one, \
      so that a jump in both streams is no shift. A \
      shift that all episodes share is taken for a property of the recorder. Pictures are not looked at.
      """,
    remedy:
      "Shift the stream's clock in the source, or find the row that was lost or written twice.",
    check: .dataset { ShiftCheck() })

  static let timeDrift = Rule(
    "time.drift", .warning, "clocks of two streams drift apart",
    reason: """
      Rows of both streams were recorded together, but their times say otherwise, more and more: what is joined by time at the end of \
      the episode does not belong together.
      """,
    example: """
      240 rows of 'state' at 50 Hz and 240 rows of 'log' whose times end 0.05 s later. Reported for streams of as many rows (64 or more) that \
      begin within a row of each other and end more than 2 rows and at most 1 % of their duration apart; larger differences are other rates. Of two streams that differ the one is named with which fewer others agree; where as many do, the later one.
      """,
    remedy: "Take one clock for both, or give the true rate when converting (--rate).",
    check: .episode { episode, hits in
      let own = episode.tracks.filter {
        $0.track.entity == nil && $0.track.rows >= 64 && $0.times != nil
          && $0.track.stream.timeUnit == "s"
      }
      // Of each stream how many others its clock agrees with, and from which it drifts.
      var agree = Array(repeating: 0, count: own.count)
      var drifts: [(Int, Int)] = []
      for b in own.indices {
        for a in 0..<b {
          guard let apart = ClockDrift.apart(own[a], own[b]) else { continue }
          if apart {
            drifts.append((a, b))
          } else {
            agree[a] += 1
            agree[b] += 1
          }
        }
      }
      var told: Set<Int> = []
      for (a, b) in drifts {
        let (drifting, sound) = agree[a] < agree[b] ? (a, b) : (b, a)
        guard told.insert(drifting).inserted, let end = own[drifting].times?.upperBound,
          let other = own[sound].times?.upperBound
        else { continue }
        hits.add(
          "its clock drifts against that of another stream", own[drifting].track,
          values: [end, other],
          note:
            "ends at \(end), '\(own[sound].track.stream.name)' at \(other), after as many rows"
        )
      }
    })
}

/// Compares clocks of two tracks.
private enum ClockDrift {
  /// Whether the ends of tracks that begin together lie apart as those of clocks that drift; `nil` where they cannot be compared.
  static func apart(_ a: TrackFacts, _ b: TrackFacts) -> Bool? {
    guard a.track.rows == b.track.rows, let first = a.times, let second = b.times else {
      return nil
    }
    let length = max(
      first.upperBound - first.lowerBound, second.upperBound - second.lowerBound)
    let step = length / Double(a.track.rows - 1)
    guard step > 0, (first.lowerBound - second.lowerBound).magnitude <= step else { return nil }
    let apart = (first.upperBound - second.upperBound).magnitude
    if apart <= 2 * step { return false }
    return apart <= 0.01 * length ? true : nil
  }
}

/// By how many rows the motions of two streams of an episode are shifted.
struct StreamShift: Sendable {
  var stream: String
  var other: String
  /// Rows by which `stream` comes later.
  var rows: Int

  private static let most = 5
  /// Streams of an episode that are compared with each other.
  private static let streams = 4

  /// The shifts of an episode's streams that move alike.
  static func all(_ tracks: [TrackFacts]) -> [StreamShift] {
    var names: Set<String> = []
    // One track of a stream stands for it: an entity's, if its number is the first.
    let moving = tracks.filter {
      $0.motion.count >= 60 && ($0.track.entity?.index ?? 0) == 0
        && names.insert($0.track.stream.name).inserted
    }.prefix(streams)
    var out: [StreamShift] = []
    let changes = moving.map { track in
      capped(zip(track.motion.dropFirst(), track.motion).map { Double($0 - $1) })
    }
    for (i, a) in moving.enumerated() {
      for (j, b) in moving.enumerated() where j > i {
        guard a.track.rate == b.track.rate, case .regular(let start, _) = a.track.clock,
          case .regular(start, _) = b.track.clock
        else { continue }
        if let shift = best(changes[i], changes[j]) {
          out.append(.init(stream: b.track.stream.name, other: a.track.stream.name, rows: shift))
        }
      }
    }
    return out
  }

  /// Changes of which the largest twentieth is cut to the size of the next smaller one: a row that jumps in both streams
  /// would say by itself that they belong together.
  private static func capped(_ changes: [Double]) -> [Double] {
    let sizes = changes.map(\.magnitude).filter { $0 > 0 && $0.isFinite }.sorted()
    guard !sizes.isEmpty else { return changes }
    let most = sizes[(sizes.count - 1) * 19 / 20]
    return changes.map { $0.isFinite ? max(-most, min(most, $0)) : $0 }
  }

  private static func best(_ a: [Double], _ b: [Double]) -> Int? {
    let found = (-most...most).map { ($0, correlation(a, b, shift: $0)) }
    guard let top = found.max(by: { $0.1 < $1.1 }), top.1 >= 0.8 else { return nil }
    return top.0
  }

  /// Pearson's correlation of `a[i]` and `b[i + shift]`.
  private static func correlation(_ a: [Double], _ b: [Double], shift: Int) -> Double {
    let first = max(0, -shift)
    let end = min(a.count, b.count - shift)
    guard end - first >= 48 else { return 0 }
    var (n, x, y, xx, yy, xy) = (0.0, 0.0, 0.0, 0.0, 0.0, 0.0)
    for i in first..<end where a[i].isFinite && b[i + shift].isFinite {
      let (u, v) = (a[i], b[i + shift])
      (n, x, y) = (n + 1, x + u, y + v)
      (xx, yy, xy) = (xx + u * u, yy + v * v, xy + u * v)
    }
    let spread = (xx - x * x / n) * (yy - y * y / n)
    guard n >= 48, spread > 0 else { return 0 }
    return (xy - x * y / n) / spread.squareRoot()
  }
}

private final class ShiftCheck: DatasetCheck {
  private struct Key: Hashable {
    var stream: String
    var other: String
  }
  private struct Known {
    /// Of each shift, how many episodes have it and the first places.
    var shifts: [Int: (count: Int, places: [Place])] = [:]
    var episodes = 0
  }
  private static let most = 1024
  private var known: [Key: Known] = [:]
  private var order: [Key] = []

  func add(_ episode: EpisodeFacts) {
    for shift in episode.shifts {
      let key = Key(stream: shift.stream, other: shift.other)
      if known[key] == nil {
        guard order.count < Self.most else { continue }
        order.append(key)
      }
      var item = known[key] ?? Known()
      item.episodes += 1
      var places = item.shifts[shift.rows] ?? (0, [])
      places.count += 1
      if places.places.count < Finding.mostPlaces {
        places.places.append(episode.place(values: [Double(shift.rows)]))
      }
      item.shifts[shift.rows] = places
      known[key] = item
    }
  }

  private static func said(_ rows: Int) -> String {
    if rows == 0 { return "in step with" }
    let size = rows.magnitude
    return "\(size) row\(size == 1 ? "" : "s") \(rows > 0 ? "later" : "earlier") than"
  }

  func finish(_ hits: inout DatasetHits) {
    for key in order {
      guard let item = known[key], item.episodes >= 8,
        let usual = item.shifts.max(by: { ($0.value.count, -$0.key) < ($1.value.count, -$1.key) }),
        usual.value.count * 10 >= item.episodes * 9
      else { continue }
      for (rows, found) in item.shifts.sorted(by: { $0.key < $1.key }) where rows != usual.key {
        let places = found.places.map { place in
          var place = place
          place.note =
            "\(Self.said(rows)) '\(key.other)', and \(Self.said(usual.key)) it in \(usual.value.count) of "
            + "\(item.episodes) episodes"
          return place
        }
        hits.add(
          "shifted against '\(key.other)', unlike in other episodes (rows)", stream: key.stream,
          count: found.count, places)
      }
    }
  }
}
