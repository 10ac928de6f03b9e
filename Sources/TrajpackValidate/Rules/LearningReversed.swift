import TrajpackFormat

extension Rule {
  static let learningReversed = Rule(
    "learning.reversed", .warning, "a series looks as if it ran backwards in time",
    reason: """
      A table with the newest row first, whose times were dropped: a model learns effects before their causes, and what it predicts is the past. A published stock set is so.
      """,
    example: """
      A step number that falls by one in every row; prices at opening that lie near the next row's closing price and far from that of the row before; velocities \
      that are the steps of a position with the other sign. Looked at are channels named so ('step', 'frame', 'index', 'time' and the like; 'open' and 'close'; 'pos' and 'vel', \
      'position' and 'velocity', 'qpos' and 'qvel' of one shape, also at the end of longer names: 'robot0_eef_pos') in tracks of 64 rows or more. A 'time' or 't' that falls may be a clock that counts down: it is reported where its numbers \
      are dates (seconds since 1970 of 1973 and later, or larger). A 'step', 'timestep', 'time_step', 'step_index', 'index' or 'tick' that falls in all of ten episodes and more is meant so (steps of a diffusion). Velocities that go the other \
      way in all of ten episodes and more are a convention (depth is positive), and where of the other episodes less than three quarters have velocities that go with their positions, the two are of different frames: both are not reported. That a series ran backwards cannot be seen in other channels.
      """,
    remedy: "Turn the rows around in the source, or correct the sign of the velocity.",
    peers: { ReversedPeers() }, check: .track { ReversedCheck($0) })
}

/// What is found in all episodes, and velocities of which other episodes say nothing either.
private final class ReversedPeers: ShareOfTracks {
  private static let counters: Set<String> = [
    "step", "timestep", "time_step", "step_index", "index", "tick",
  ]
  private static let mostChannels = 4096
  /// Of each channel, by stream: tracks whose positions and velocities are compared, and those in which they agree.
  private var courses: [[String]: (tracks: Int, agreeing: Int)] = [:]

  init() {
    super.init(1) { finding in
      if finding.what.hasPrefix(ReversedCheck.moves) { return true }
      guard finding.what == ReversedCheck.falls else { return false }
      let name = finding.channel?.lowercased().split(separator: "/").last ?? ""
      return Self.counters.contains(String(name))
    }
  }

  override func add(_ episode: EpisodeFacts, _ hits: [Hit]) {
    super.add(episode, hits)
    for facts in episode.tracks {
      for (channel, course) in facts.courses {
        let stream = facts.track.stream
        let key = [stream.name, stream.channels[channel].name]
        guard courses[key] != nil || courses.count < Self.mostChannels else { continue }
        courses[key, default: (0, 0)].tracks += 1
        if course > 0.9 { courses[key, default: (0, 0)].agreeing += 1 }
      }
    }
  }

  override func isUsual(_ finding: Finding) -> Bool {
    if super.isUsual(finding) { return true }
    guard finding.what.hasPrefix(ReversedCheck.moves),
      let known = courses[[finding.stream ?? "", finding.channel ?? ""]]
    else { return false }
    return 4 * known.agreeing < 3 * (known.tracks - finding.tracks)
  }
}

/// Looks for what can only be so in a series that runs backwards.
private final class ReversedCheck: TrackCheck {
  fileprivate static let falls = "falls in every row"
  fileprivate static let moves = "moves against '"
  private static let counters: Set<String> = [
    "time", "timestamp", "t", "date", "step", "timestep", "time_step", "frame", "frame_index",
    "frame_id", "frame_number", "index", "row", "tick", "step_index",
  ]
  /// Words with which names end, and those of what belongs to them: 'pos', 'eef_pos'.
  private static let pairs = [
    ("open", "close"), ("pos", "vel"), ("position", "velocity"), ("qpos", "qvel"),
    ("positions", "velocities"),
  ]

  /// The name of what belongs to a channel of that name; `nil` where it does not end so.
  private static func partner(of name: String, _ first: String, _ second: String) -> String? {
    guard name == first || name.hasSuffix("_" + first) else { return nil }
    return name.dropLast(first.count) + second
  }
  /// Seconds since 1970 of a day in 1973: no game is so long, and no recording is older.
  private static let leastDate = 1e8
  private struct Counter {
    var columns: TrackContext.Columns
    /// Whether it may be what is left of a game.
    var mayCountDown: Bool
    var falls = true
  }
  private struct Pair {
    var first: TrackContext.Columns
    var second: TrackContext.Columns
    var isPrice: Bool
    /// Prices: distances to the closing price of the row before, and of the row after. Else the sums of a correlation.
    var sums = (0.0, 0.0, 0.0)
    var count = 0
  }
  private let track: TrackContext
  private var counters: [Counter] = []
  private var pairs: [Pair] = []

  init?(_ track: TrackContext) {
    guard track.rows >= 64 else { return nil }
    self.track = track
    func name(_ columns: TrackContext.Columns) -> String {
      let whole = track.stream.channels[columns.channel].name.lowercased()
      return whole.split { $0 == "/" || $0 == "." }.last.map(String.init) ?? whole
    }
    var named: [String: TrackContext.Columns] = [:]
    for columns in track.columns
    where columns.channel != track.timeChannel && !columns.isField {
      let name = name(columns)
      if named[name] == nil { named[name] = columns }
      if columns.elements == 1, Self.counters.contains(name) {
        counters.append(Counter(columns: columns, mayCountDown: name == "time" || name == "t"))
      }
    }
    for (name, a) in named.sorted(by: { $0.key < $1.key }) {
      let found = Self.pairs.lazy.compactMap { first, second in
        Self.partner(of: name, first, second).map { (first, $0) }
      }.first
      guard let (first, other) = found, let b = named[other], a.count == b.count else { continue }
      if first != "open" {
        // An angle that wraps, and what has other shapes, says nothing.
        guard track.stream.channels[a.channel].kind != .angle,
          track.stream.channels[a.channel].kind != .quaternion
        else { continue }
      }
      pairs.append(Pair(first: a, second: b, isPrice: first == "open"))
    }
    if counters.isEmpty && pairs.isEmpty { return nil }
  }

  func add(_ run: TrackRun) {
    let rows = 1 - min(run.carry, 1)..<max(run.count, 1)
    for i in counters.indices where counters[i].falls {
      let column = run.column(counters[i].columns)
      counters[i].falls = rows.allSatisfy { column[$0] < column[$0 - 1] }
    }
    for i in pairs.indices {
      for element in 0..<pairs[i].first.count {
        let (a, b) = (run.column(pairs[i].first, element), run.column(pairs[i].second, element))
        if pairs[i].isPrice {
          for row in rows {
            let (x, y) = ((a[row] - b[row - 1]).magnitude, (a[row - 1] - b[row]).magnitude)
            guard x.isFinite, y.isFinite else { continue }
            pairs[i].sums.0 += x
            pairs[i].sums.1 += y
            pairs[i].count += 1
          }
        } else {
          compare(a, b, run.count, &pairs[i])
        }
      }
    }
  }

  /// Rows over which a position is compared with its velocities: noise of single rows does not count.
  private static let stretch = 8

  private func compare(
    _ a: UnsafePointer<Double>, _ b: UnsafePointer<Double>, _ count: Int, _ pair: inout Pair
  ) {
    for row in stride(from: Self.stretch, to: count, by: Self.stretch / 2) {
      let x = a[row] - a[row - Self.stretch]
      let y = (row - Self.stretch + 1...row).reduce(0.0) { $0 + b[$1] }
      guard x.isFinite, y.isFinite else { continue }
      pair.sums.0 += x * y
      pair.sums.1 += x * x
      pair.sums.2 += y * y
      pair.count += 1
    }
  }

  func finish(_ facts: TrackFacts, _ hits: inout Hits) {
    for counter in counters where counter.falls {
      if counter.mayCountDown, facts.columns[counter.columns.first].minimum < Self.leastDate {
        continue
      }
      hits.add(
        Self.falls, track, channel: counter.columns.channel, count: track.rows,
        rows: 0..<track.rows)
    }
    for pair in pairs where pair.count >= 14 {
      let other = track.stream.channels[pair.second.channel].name
      if pair.isPrice {
        guard pair.sums.1 < 0.5 * pair.sums.0 else { continue }
        hits.add(
          "lies near the next row's '\(other)', not near that of the row before", track,
          channel: pair.first.channel, count: track.rows, rows: 0..<track.rows,
          values: [pair.sums.0 / Double(pair.count), pair.sums.1 / Double(pair.count)],
          note: "mean distances to '\(other)' of the row before, and of the next one")
      } else {
        let spread = (pair.sums.1 * pair.sums.2).squareRoot()
        guard spread > 0 else { continue }
        facts.courses[pair.first.channel] = pair.sums.0 / spread
        guard pair.sums.0 / spread < -0.9 else { continue }
        hits.add(
          Self.moves + "\(other)'", track, channel: pair.first.channel, count: track.rows,
          rows: 0..<track.rows, values: [pair.sums.0 / spread],
          note: "the correlation of its steps with '\(other)'")
      }
    }
  }
}
