import TrajpackFormat
import TrajpackSignal
import TrajpackStore

/// The windows of one dataset: timelines of episodes, counted by prefix sums. Nothing is kept for a
/// window, so a number is found by bisection, and nothing for a timeline that is like the one before.
struct WindowSource: Sendable {
  /// Where a window lies.
  struct Location: Sendable {
    var shard: LoadedShard
    /// The track of the reference stream, by its number in the shard.
    var track: Int
    /// The row of the reference clock that is the window's start, of the track's rows.
    var anchor: Int
    /// The clip that it is.
    var clip: PlacedClip?
    /// The span of the split that it lies in; `nil` where nothing is cut off.
    var span: SplitScheme.Span?
  }

  let shards: [LoadedShard]
  /// The first timeline of each shard, and one more.
  private var shardStarts: [Int] = [0]
  /// The track of each timeline, by its number in the shard, and the windows before it; where a split cuts episodes,
  /// also its span (-1: none) and its first window's start.
  private let lines: PackedTable
  private let rule: WindowRule
  /// The clips that windows are, and what identifies them; `nil` where windows are cut by the rule.
  let clips: [PlacedClip]?
  private let clipDigest: String?
  /// What a split scheme selects.
  let split: SplitSelection?

  /// Those that are chosen; all where `nil`.
  var chosen: WindowSet?

  /// Windows, but for those that are not chosen.
  var count: UInt64 { chosen?.count ?? candidates }
  /// Windows before some are chosen.
  let candidates: UInt64
  /// Timelines: tracks of the reference stream that windows are cut from.
  var timelines: Int { lines.count }

  /// The most windows of a loader.
  static let maximum = 1 << 60

  /// The error of more.
  static var tooMany: TrajpackError {
    TrajpackError(.usage, "there are more than 2^60 windows; make 'stride' larger or 'rate' lower")
  }

  /// Counts the windows of the episodes that `filter` keeps.
  init(
    _ shards: [LoadedShard], _ rule: WindowRule, _ filter: EpisodeFilter,
    split: SplitSelection? = nil
  ) throws(TrajpackError) {
    self.shards = shards
    self.rule = rule
    self.split = split
    clips = nil
    clipDigest = nil
    let columns = split?.cutsEpisodes == true ? 4 : 2
    let most = Self.mostTimelines(shards)
    let memory = IndexMemory(
      indexBytes: most * columns * 8, room: PackedTable.room(rows: most, columns: columns))
    var lines = PackedTable.Builder(columns: columns, rows: most, memory: memory)
    var windows = 0
    for (number, shard) in shards.enumerated() {
      if let stream = shard.programs.reference {
        try Self.add(
          shard, number, stream: stream, rule, filter, split, to: &lines, &windows)
      }
      shardStarts.append(lines.count)
    }
    self.lines = lines.table()
    memory.settle()
    candidates = UInt64(windows)
  }

  /// Timelines of all episodes, or more; where a split cuts episodes into spans, also fewer.
  private static func mostTimelines(_ shards: [LoadedShard]) -> Int {
    shards.reduce(0) { sum, shard in
      guard let stream = shard.programs.reference else { return sum }
      return sum + shard.view.tallies[stream].tracks
    }
  }

  /// Windows that are clips, in the order of their list.
  init(
    _ shards: [LoadedShard], _ rule: WindowRule, clips: PlacedClips, dataset: Int,
    split: SplitSelection?
  ) {
    self.shards = shards
    self.rule = rule
    self.split = split
    self.clips = clips.datasets[dataset]
    clipDigest = clips.digest
    shardStarts = [Int](repeating: 0, count: shards.count + 1)
    lines = PackedTable.Builder(columns: 2).table()
    candidates = UInt64(clips.datasets[dataset].count)
  }

  /// Windows before a timeline, or before one after the last.
  private func before(_ timeline: Int) -> UInt64 {
    timeline < lines.count ? UInt64(lines[timeline, 1]) : candidates
  }

  private static func add(
    _ shard: LoadedShard, _ number: Int, stream: Int, _ rule: WindowRule, _ filter: EpisodeFilter,
    _ split: SplitSelection?, to lines: inout PackedTable.Builder, _ windows: inout Int
  ) throws(TrajpackError) {
    // There may be millions: nothing is counted, copied or called for one that could be before.
    let index = shard.index
    let list = ShardIndex.TrackList(index)
    let prepared = shard.view.prepared?.tracks
    let keepsAll = filter.keepsAll
    let countsRows = rule.countsRows
    var last = (rows: -1, windows: 0)
    var part = SplitSelection.Part.whole
    let cuts = split?.cutsEpisodes == true
    func add(_ track: Int, _ count: Int, span: Int = -1, first: Int = 0) throws(TrajpackError) {
      guard count > 0 else { return }
      if cuts { lines.append(track, windows, span, first) } else { lines.append(track, windows) }
      guard let sum = windows.adding(count), sum <= Self.maximum else { throw Self.tooMany }
      windows = sum
    }
    func take(_ track: Int, _ numbers: ShardIndex.TrackRecord) throws(TrajpackError) {
      if case .spans(let range) = part, let split {
        for span in range {
          let starts = try rule.starts(in: split.spans[span], shard, track)
          try add(track, starts.count, span: span, first: starts.first)
        }
        return
      }
      if numbers.count != last.rows || !countsRows {
        let rows = try rule.rows(of: numbers.count, shard, track: track)
        last = (numbers.count, rule.windows(rows: rows, shard.clocks[numbers.clock]))
      }
      try add(track, last.windows)
    }
    for episode in 0..<index.episodeCount {
      if let split {
        part = split.part(ofEpisode: episode, shard: number)
        if case .nothing = part { continue }
      }
      if !keepsAll, !(try filter.keeps(index, episode)) { continue }
      // A stream of entities counts time by the one that is there the longest.
      var longest: (track: Int, numbers: ShardIndex.TrackRecord)?
      for track in list.tracks(ofEpisode: episode) {
        let numbers = prepared?[track] ?? list.numbers(ofTrack: track)
        guard numbers.stream == stream else { continue }
        if numbers.entity < 0 {
          try take(track, numbers)
        } else if numbers.count > longest?.numbers.count ?? 0 {
          longest = (track, numbers)
        }
      }
      if let longest { try take(longest.track, longest.numbers) }
    }
  }

  /// Windows of one timeline.
  struct Part {
    var shard: LoadedShard
    /// The track of the reference stream, by its number in the shard.
    var track: Int
    /// The number of the first of them, before some are chosen.
    var first: UInt64
    /// Where each starts.
    var anchors: [Int]
    /// The clip that the only one of them is.
    var clip: PlacedClip?
    /// The span of the split that they lie in.
    var span: SplitScheme.Span?
  }

  /// Calls `body` with windows `range`, counted before some are chosen, a timeline at a time.
  func forEachTimeline(
    _ range: Range<UInt64>, _ body: (Part) throws(TrajpackError) -> Void
  ) throws(TrajpackError) {
    guard !range.isEmpty else { return }
    if let clips {
      for number in range {
        let clip = clips[Int(number)]
        try body(
          Part(
            shard: shards[clip.shard], track: clip.track, first: number, anchors: [clip.anchor],
            clip: clip, span: clip.span.flatMap { split?.spans[$0] }))
      }
      return
    }
    var timeline = timeline(of: range.lowerBound)
    while timeline < lines.count, before(timeline) < range.upperBound {
      let (shard, track) = place(ofTimeline: timeline)
      let first = max(range.lowerBound, before(timeline))
      let end = min(range.upperBound, before(timeline + 1))
      let numbers = Int(first - before(timeline))..<Int(end - before(timeline))
      try body(
        Part(
          shard: shard, track: track, first: first,
          anchors: numbers.map { anchor($0, timeline, shard, track) }, span: span(timeline)))
      timeline += 1
    }
  }

  /// Rows of a timeline, which the starts of its windows count.
  func rows(of part: Part) throws(TrajpackError) -> Int {
    let numbers = part.shard.numbers(ofTrack: part.track)
    return try rule.rows(of: numbers.count, part.shard, track: part.track)
  }

  private func timeline(of number: UInt64) -> Int {
    var (low, high) = (0, lines.count)
    while high - low > 1 {
      let middle = (low + high) / 2
      if before(middle) <= number { low = middle } else { high = middle }
    }
    return low
  }

  private func place(ofTimeline timeline: Int) -> (shard: LoadedShard, track: Int) {
    // Shards without timelines share their start with the next one.
    var (first, last) = (0, shards.count)
    while last - first > 1 {
      let middle = (first + last) / 2
      if shardStarts[middle] <= timeline { first = middle } else { last = middle }
    }
    return (shards[first], lines[timeline, 0])
  }

  /// What decides which window has which number, as text.
  var ruleText: String {
    "\(rule.reach) \(rule.seconds.map { "\($0)" } ?? "-") \(rule.stride) \(rule.edge.rawValue) "
      + "\(rule.rate.map { "\($0)" } ?? "-") \(rule.tolerance.map { "\($0)" } ?? "-") \(candidates)"
      + (clipDigest.map { " clips=\($0)" } ?? "")
      + (split.map { " \($0.identity)" } ?? "")
  }

  /// Where window `number` lies; it is below ``count``.
  func locate(_ chosenNumber: UInt64) -> Location {
    let number = chosen?.select(chosenNumber) ?? chosenNumber
    if let clips {
      let clip = clips[Int(number)]
      return Location(
        shard: shards[clip.shard], track: clip.track, anchor: clip.anchor, clip: clip,
        span: clip.span.flatMap { split?.spans[$0] })
    }
    let low = timeline(of: number)
    let (shard, track) = place(ofTimeline: low)
    return Location(
      shard: shard, track: track, anchor: anchor(Int(number - before(low)), low, shard, track),
      span: span(low))
  }

  /// The start of a window of a timeline.
  private func anchor(_ number: Int, _ timeline: Int, _ shard: LoadedShard, _ track: Int) -> Int {
    if lines.columns == 4, lines[timeline, 2] >= 0 {
      return lines[timeline, 3] + number * rule.stride
    }
    return rule.anchor(number, shard.clocks[shard.numbers(ofTrack: track).clock])
  }

  private func span(_ timeline: Int) -> SplitScheme.Span? {
    guard lines.columns == 4, lines[timeline, 2] >= 0 else { return nil }
    return split?.spans[lines[timeline, 2]]
  }
}

/// How windows are cut from a timeline.
struct WindowRule: Sendable {
  /// Rows from a window's start to its first and last row, offsets of the reference stream included.
  var reach: ClosedRange<Int>
  /// The same for offsets in seconds.
  var seconds: ClosedRange<Double>?
  var stride: Int
  var edge: LoaderOptions.Edge
  /// Rows a second of a grid that replaces the tracks' own clocks.
  var rate: Rational?
  /// The option 'tolerance'.
  var tolerance: Double?

  /// Whether tracks of as many rows have as many windows, whatever their clocks.
  var countsRows: Bool { rate == nil && (seconds == nil || edge != .drop) }

  /// Rows of a timeline: of the track, or of the grid over its time.
  func rows(
    of count: Int, _ shard: LoadedShard, track: Int
  ) throws(TrajpackError) -> Int {
    guard let rate, count > 0 else { return count }
    let times = try shard.view.trackClock(track, reader: BlockReader(shard.shard))
    return try within(shard.place(ofTrack: track), at: shard.errorPlace(ofTrack: track)) {
      () throws(TrajpackError) in
      try times.grid(rate)?.rows ?? 0
    }
  }

  func reach(_ clock: Clock) -> ClosedRange<Int> {
    guard let seconds else { return reach }
    guard let own = (rate ?? clock.rate)?.value else { return reach }
    // What is within the tolerance of a row is that row. Beyond 2^40 rows, no window reaches.
    let spare = StampRounding(tolerance).limit(interval: 1 / own) * own + 1e-9
    let most = 1 << 40
    let low = Int(clamping: (seconds.lowerBound * own + spare).rounded(.down))
    let high = Int(clamping: (seconds.upperBound * own - spare).rounded(.up))
    return min(reach.lowerBound, max(low, -most))...max(reach.upperBound, min(high, most))
  }

  /// Windows of a timeline of `rows`.
  func windows(rows: Int, _ clock: Clock) -> Int {
    guard edge == .drop else { return rows == 0 ? 0 : (rows - 1) / stride + 1 }
    let reach = reach(clock)
    let free = rows - max(reach.upperBound, 0) + min(reach.lowerBound, 0)
    return free <= 0 ? 0 : (free - 1) / stride + 1
  }

  /// The start of window `number` of a timeline.
  func anchor(_ number: Int, _ clock: Clock) -> Int {
    number * stride + (edge == .drop ? -min(reach(clock).lowerBound, 0) : 0)
  }
}
