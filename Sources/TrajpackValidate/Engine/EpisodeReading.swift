import TrajpackFormat
import TrajpackStore

/// What came of one episode: what each rule found, and what is remembered for rules that compare episodes.
struct EpisodeOutcome: @unchecked Sendable {
  var facts: EpisodeFacts
  /// For each active rule, what it found.
  var hits: [Int: [Hit]] = [:]
  var rows = 0
  var values = 0
  /// The active rules of the user that had something to look at.
  var applied: Set<Int> = []
  /// Why the rest of it could not be read.
  var failure: TrajpackError?
}

/// The rules that are run, sorted by what they look at: once for all episodes.
struct RuleSet: Sendable {
  typealias Making = @Sendable (TrackContext) -> (any TrackCheck)?
  typealias Looking = @Sendable (EpisodeFacts, inout Hits) -> Void
  var tracks: [(rule: Int, needs: TrackSketch, make: Making)] = []
  var episodes: [(rule: Int, check: Looking)] = []
  /// What is kept of rows for rules that compare tracks.
  let gathered: SampleNeeds
  /// Whether rules compare episodes by their content.
  let isCompared: Bool
  /// The rules of the user: where none had anything to look at, that is said.
  let own: Set<Int>

  init(_ rules: [Rule]) {
    for (number, rule) in rules.enumerated() {
      switch rule.check {
      case .track(let make): tracks.append((number, rule.needs, make))
      case .episode(let check): episodes.append((number, check))
      default: break
      }
    }
    own = Set(rules.indices.filter { rules[$0].id.hasPrefix("user.") })
    gathered = SampleNeeds(rules)
    isCompared = rules.contains { $0.family == "learning" }
  }
}

/// What is kept from episode to episode of one schema: how streams lie in columns, and room for their rows.
struct ReadingCache {
  private let channels: ChannelNumbers
  private var schema: Schema?
  fileprivate var layouts: [Int: TrackContext.Layout] = [:]
  fileprivate var runs: [Int: TrackRun] = [:]

  init(_ channels: ChannelNumbers) { self.channels = channels }

  /// Forgets what does not hold of another schema.
  mutating func begin(_ other: Schema) {
    if schema == other { return }
    schema = other
    (layouts, runs) = ([:], [:])
  }

  /// How a stream lies in columns.
  mutating func layout(_ about: EpisodeAbout, stream: Int) -> TrackContext.Layout {
    if let known = layouts[stream] { return known }
    let layout = TrackContext.Layout(about.schema, stream: stream, channels)
    layouts[stream] = layout
    return layout
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
    facts = EpisodeFacts(about: about, tracks: [])
    for number in about.tracks.indices {
      let stream = about.tracks[number].stream
      let layout = cache.layout(about, stream: stream)
      do throws(TrajpackError) {
        try look(TrackContext(about, track: number, layout, config), data, rules, &cache)
      } catch {
        failure = error
        return
      }
    }
    compareTracks(rules.gathered)
    for (number, check) in rules.episodes {
      var found = Hits()
      check(facts, &found)
      if !found.list.isEmpty { hits[number, default: []] += found.list }
    }
  }

  /// What needs several tracks; the rows that were kept for it are forgotten.
  private mutating func compareTracks(_ wanted: SampleNeeds) {
    if wanted.contains(.scene) { facts.scene = SceneTally(facts.about, facts.tracks) }
    if wanted.contains(.motion) { facts.shifts = StreamShift.all(facts.tracks) }
    for number in facts.tracks.indices {
      facts.tracks[number].motion = []
      (facts.tracks[number].poses, facts.tracks[number].points) = ([], [])
    }
  }

  private mutating func look(
    _ track: TrackContext, _ data: any EpisodeData, _ rules: RuleSet, _ cache: inout ReadingCache
  ) throws(TrajpackError) {
    let isCompared = rules.isCompared
    let run: TrackRun
    if let known = cache.runs[track.streamNumber], known.fits(track) {
      run = known
      run.begin(track)
    } else {
      run = TrackRun(track, isCompared: isCompared)
      cache.runs[track.streamNumber] = run
    }
    let known = TrackFacts(
      track, columns: Array(repeating: ColumnFacts(), count: track.columnCount), checksums: [])
    let windows = isCompared && !track.about.split.isEmpty ? WindowHashes(track) : nil
    var isRead = try run.advance(data)
    let sketch = isRead && run.count == track.rows ? TrackSketch(run.facts) : nil
    var wanted = rules.gathered
    if let sketch, !sketch.contains(.level) { wanted.remove(.levels) }
    let samples = wanted.isEmpty ? nil : TrackSamples(track, wanted)
    var checks: [(rule: Int, check: any TrackCheck)] = []
    for (number, needs, make) in rules.tracks {
      if let sketch, !needs.isEmpty, sketch.isDisjoint(with: needs) { continue }
      guard let check = make(track) else { continue }
      checks.append((number, check))
      if rules.own.contains(number) { applied.insert(number) }
    }
    while isRead {
      for column in known.columns.indices { known.columns[column].add(run.facts[column]) }
      windows?.add(run)
      samples?.add(run)
      for (_, check) in checks { check.add(run) }
      isRead = run.first + run.count < track.rows ? try run.advance(data) : false
    }
    known.checksums = run.checksums
    known.holes = run.holes
    known.windows = windows?.hashes ?? []
    known.nearWindows = windows?.nearHashes ?? []
    if let samples {
      (known.classes, known.motion) = (samples.classes, samples.steps)
      (known.poses, known.points) = (samples.poses, samples.points)
      known.levels = samples.shifts(known.columns)
    }
    known.times = TrackTimeSpan.span(track, known)
    for (number, check) in checks {
      var found = Hits()
      check.finish(known, &found)
      if !found.list.isEmpty { hits[number, default: []] += found.list }
    }
    rows += track.rows
    values += known.columns.reduce(0) { $0 + $1.finite + $1.missing + $1.infinite }
    facts.tracks.append(known)
  }
}

/// When the rows of a track are.
enum TrackTimeSpan {
  /// From the first row to the last; `nil` where there are none, or no times.
  static func span(_ track: TrackContext, _ facts: TrackFacts) -> ClosedRange<Double>? {
    guard track.rows > 0 else { return nil }
    if case .regular = track.clock {
      guard let first = track.clock.time(ofRow: 0),
        let last = track.clock.time(ofRow: track.rows - 1), first <= last
      else { return nil }
      return first...last
    }
    guard let channel = track.timeChannel, track.columnsOfChannel[channel] >= 0 else { return nil }
    let known = facts.facts(track.columns[track.columnsOfChannel[channel]])
    guard known.finite > 0 else { return nil }
    var scale = 1.0
    if case .ticks(let tick) = track.clock { scale = tick.value }
    return known.minimum * scale...known.maximum * scale
  }
}
