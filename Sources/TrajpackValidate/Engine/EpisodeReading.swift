import TrajpackFormat
import TrajpackStore

/// What came of one episode: what each rule found, and what is remembered for rules that compare episodes.
struct EpisodeOutcome: @unchecked Sendable {
  var facts: EpisodeFacts
  /// For each active rule, what it found.
  var hits: [Int: [Hit]] = [:]
  var rows = 0
  var values = 0
  /// The active rules of rows that had something to look at.
  var applied = RuleNumbers()
  /// Why the rest of it could not be read.
  var failure: TrajpackError?
}

/// Some of the active rules. The first 128 take no memory of their own: every episode has such a set.
struct RuleNumbers {
  private var low: UInt64 = 0
  private var high: UInt64 = 0
  private var others: Set<Int> = []

  mutating func insert(_ number: Int) {
    if number < 64 {
      low |= 1 << UInt64(number)
    } else if number < 128 {
      high |= 1 << UInt64(number - 64)
    } else {
      others.insert(number)
    }
  }

  func contains(_ number: Int) -> Bool {
    number < 64
      ? low >> UInt64(number) & 1 == 1
      : number < 128 ? high >> UInt64(number - 64) & 1 == 1 : others.contains(number)
  }

  mutating func formUnion(_ other: RuleNumbers) {
    low |= other.low
    high |= other.high
    if !other.others.isEmpty { others.formUnion(other.others) }
  }

  init() {}

  func encode(to out: inout ByteEncoder) {
    out.add(low)
    out.add(high)
    out.add(others.sorted()) { $0.add($1) }
  }

  init(from bytes: inout ByteDecoder) {
    (low, high) = (bytes.word(), bytes.word())
    others = Set(bytes.list { $0.int() })
  }
}

/// The rules that are run, sorted by what they look at: once for all episodes.
struct RuleSet: Sendable {
  typealias Making = @Sendable (TrackContext) -> (any TrackCheck)?
  typealias Concern = @Sendable (Quantity) -> Bool
  typealias Looking = @Sendable (EpisodeFacts, inout Hits) -> Void
  var tracks: [(rule: Int, needs: TrackSketch, concerns: Concern?, make: Making)] = []
  var episodes: [(rule: Int, check: Looking)] = []
  /// What is kept of rows for rules that compare tracks.
  let gathered: SampleNeeds
  /// Whether rules compare episodes by their content.
  let isCompared: Bool

  init(_ rules: [Rule]) {
    for (number, rule) in rules.enumerated() {
      switch rule.check {
      case .track(let make): tracks.append((number, rule.needs, rule.concerns, make))
      case .episode(let check): episodes.append((number, check))
      default: break
      }
    }
    gathered = SampleNeeds(rules)
    isCompared = rules.contains { $0.family == "learning" }
  }
}

/// What is kept from episode to episode of one schema: how streams lie in columns, and room for their rows.
struct ReadingCache {
  private let channels: ChannelNumbers
  private var schema: Schema?
  /// Of each stream how it lies in columns, room for its rows, and the rules that may have something to look at in it, by
  /// their places in ``RuleSet/tracks``.
  fileprivate var layouts: [TrackContext.Layout?] = []
  fileprivate var runs: [TrackRun?] = []
  private var rules: [[Int]?] = []
  /// Of each stream the rules that are known to look at some of its tracks.
  private var met: [RuleNumbers] = []

  init(_ channels: ChannelNumbers) { self.channels = channels }

  /// Forgets what does not hold of another schema.
  mutating func begin(_ other: Schema) {
    if schema == other { return }
    schema = other
    layouts = Array(repeating: nil, count: other.streams.count)
    runs = Array(repeating: nil, count: other.streams.count)
    rules = Array(repeating: nil, count: other.streams.count)
    met = Array(repeating: RuleNumbers(), count: other.streams.count)
  }

  /// How a stream lies in columns.
  mutating func layout(_ about: EpisodeAbout, stream: Int) -> TrackContext.Layout {
    if let known = layouts[stream] { return known }
    let layout = TrackContext.Layout(about.schema, stream: stream, channels)
    layouts[stream] = layout
    return layout
  }
}

extension ReadingCache {
  /// The rules of tracks that may have something to look at in tracks of a stream.
  fileprivate mutating func concerned(_ track: TrackContext, _ all: RuleSet) -> [Int] {
    if let known = rules[track.streamNumber] { return known }
    let places = all.tracks.indices.filter { place in
      all.tracks[place].concerns.map { track.layout.all.contains(where: $0) } ?? true
    }
    rules[track.streamNumber] = places
    return places
  }

  /// Whether a rule has something to look at in tracks like this one; its check is not used.
  fileprivate mutating func meets(
    _ track: TrackContext, _ rule: Int, _ make: RuleSet.Making
  ) -> Bool {
    if met[track.streamNumber].contains(rule) { return true }
    guard make(track) != nil else { return false }
    met[track.streamNumber].insert(rule)
    return true
  }
}

/// The caches that no thread uses at the moment.
final class ReadingCaches: @unchecked Sendable {
  private let lock = ConditionLock()
  private var idle: [ReadingCache] = []
  private let channels = ChannelNumbers()

  func take() -> ReadingCache { lock.locked { idle.popLast() } ?? ReadingCache(channels) }

  func give(back cache: ReadingCache) { lock.locked { idle.append(cache) } }
}

extension EpisodeOutcome {
  /// Reads an episode once, in runs of rows, and has all rules look at it.
  ///
  /// - Parameter cache: Of the schema that the episode has.
  init(
    _ data: any EpisodeData, _ rules: RuleSet, _ config: ValidateConfig,
    cache: inout ReadingCache
  ) {
    let about = data.about
    var tracks: [TrackFacts] = []
    tracks.reserveCapacity(about.tracks.count)
    var found = Findings()
    for number in about.tracks.indices {
      let stream = about.tracks[number].stream
      let layout = cache.layout(about, stream: stream)
      do throws(TrajpackError) {
        tracks.append(
          try found.look(
            TrackContext(about, track: number, layout, config.settings), data, rules, &cache))
      } catch {
        failure = error
        break
      }
    }
    facts = EpisodeFacts(about: about, tracks: tracks)
    (hits, applied) = (found.hits, found.applied)
    (rows, values) = (found.rows, found.values)
    if failure != nil { return }
    compareTracks(rules.gathered)
    for (number, check) in rules.episodes {
      var found = Hits()
      check(facts, &found)
      if !found.list.isEmpty { hits[number, default: []] += found.list }
    }
  }

  /// What needs several tracks; the rows that were kept for it are forgotten.
  private func compareTracks(_ wanted: SampleNeeds) {
    guard !wanted.isDisjoint(with: [.scene, .motion]) else { return }
    if wanted.contains(.scene) { facts.scene = SceneTally(facts.about, facts.tracks) }
    if wanted.contains(.motion) { facts.shifts = StreamShift.all(facts.tracks) }
    for track in facts.tracks {
      track.motion = []
      (track.poses, track.points) = ([], [])
    }
  }
}

/// What rules find in the tracks of an episode.
private struct Findings {
  var hits: [Int: [Hit]] = [:]
  var rows = 0
  var values = 0
  var applied = RuleNumbers()

  /// Reads a track and has all rules look at it.
  mutating func look(
    _ track: TrackContext, _ data: any EpisodeData, _ rules: RuleSet, _ cache: inout ReadingCache
  ) throws(TrajpackError) -> TrackFacts {
    let isCompared = rules.isCompared
    let run: TrackRun
    if let known = cache.runs[track.streamNumber], known.fits(track) {
      run = known
      run.begin(track)
    } else {
      run = TrackRun(track, isCompared: isCompared)
      cache.runs[track.streamNumber] = run
    }
    var columns = Array(repeating: ColumnFacts(), count: track.columnCount)
    let windows = isCompared && !track.about.split.isEmpty ? WindowHashes(track) : nil
    var isRead = try run.advance(data)
    let sketch = isRead && run.count == track.rows ? TrackSketch(run.facts) : nil
    var wanted = rules.gathered
    if let sketch, !sketch.contains(.level) { wanted.remove(.levels) }
    if let sketch, !sketch.contains(.ends) { wanted.remove(.ends) }
    let samples = wanted.isEmpty ? nil : TrackSamples(track, wanted)
    var checks: [(rule: Int, check: any TrackCheck)] = []
    for place in cache.concerned(track, rules) {
      let (number, needs) = (rules.tracks[place].rule, rules.tracks[place].needs)
      if let sketch, !needs.isEmpty, sketch.isDisjoint(with: needs) {
        if cache.meets(track, number, rules.tracks[place].make) { applied.insert(number) }
        continue
      }
      guard let check = rules.tracks[place].make(track) else { continue }
      checks.append((number, check))
      applied.insert(number)
    }
    while isRead {
      run.add(to: &columns)
      windows?.add(run)
      samples?.add(run)
      for (_, check) in checks { check.add(run) }
      isRead = run.first + run.count < track.rows ? try run.advance(data) : false
    }
    let known = TrackFacts(
      track, columns: columns, checksums: isCompared ? run.checksums : run.noChecksums)
    if !run.holes.isEmpty { known.holes = run.holes }
    if let windows {
      (known.windows, known.nearWindows) = (windows.hashes, windows.nearHashes)
      known.nearRows = windows.nearRows
    }
    if let samples {
      (known.classes, known.motion) = (samples.classes, samples.steps)
      (known.poses, known.points) = (samples.poses, samples.points)
      known.levels = samples.shifts(known.columns)
      known.ends = samples.ends(known.columns)
    }
    known.times = track.times(known)
    for (number, check) in checks {
      var found = Hits()
      check.finish(known, &found)
      if !found.list.isEmpty { hits[number, default: []] += found.list }
    }
    rows += track.rows
    values += columns.reduce(0) { $0 + $1.finite + $1.missing + $1.infinite }
    return known
  }
}

extension TrackContext {
  /// When its rows are, from the first to the last; `nil` where there are none, or no times.
  fileprivate func times(_ facts: TrackFacts) -> ClosedRange<Double>? {
    guard rows > 0 else { return nil }
    if clock.isRegular {
      guard let first = clock.time(ofRow: 0), let last = clock.time(ofRow: rows - 1), first <= last
      else { return nil }
      return first...last
    }
    guard let channel = timeChannel, columnsOfChannel[channel] >= 0 else { return nil }
    let known = facts.facts(columns[columnsOfChannel[channel]])
    guard known.finite > 0 else { return nil }
    return known.minimum * clock.timeScale...known.maximum * clock.timeScale
  }
}
