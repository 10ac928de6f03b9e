import TrajpackFormat
import TrajpackLoader
import TrajpackStore

/// Proposes clips: stretches of recordings with enough different actions, up to so many of each class.
public struct ClipProposer {
  /// What is asked for.
  public struct Options: Sendable {
    /// Rows of a clip.
    public var length: Int
    /// Rows a unit of time; `nil` for the rate of the reference stream.
    public var rate: Rational?
    /// The fewest runs of actions in a clip.
    public var minActions = 1
    /// The most clips of a class.
    public var perClass = 20
    /// Rows of the reference from one possible start to the next.
    public var stride = 1
    /// Seed of the draw among the clips that would do.
    public var seed: UInt64 = 0
    /// The entity whose actions count.
    public var entity = 0
    /// The stream whose rows clips begin at; the first without entities where `nil`.
    public var reference: String?
    /// A channel or a value of the metadata whose value is the class; the action of most rows where `nil`.
    public var classOf: String?

    /// Clips of so many rows.
    public init(length: Int) { self.length = length }
  }

  /// What was found of one class.
  public struct Class: Sendable {
    /// What its clips are labelled with.
    public var label: String
    /// Starts that would do, overlapping ones each.
    public var starts: Int
    /// Clips that were taken.
    public var taken: Int
  }

  struct Candidate {
    var hash: UInt64
    var shard: Int
    var episode: Int
    var track: Int
    var row: Int
    var label: Int
  }

  let data: OpenDataset
  let reader: ActionReader
  let names: ActionNames?
  let options: Options
  let reference: String
  var labels: [String] = []
  private var labelNumbers: [String: Int] = [:]
  private var starts: [Int] = []
  private var candidates: [Candidate] = []
  /// Episodes whose reference has explicit times or several tracks, so that none of its rows begins a clip.
  public private(set) var skipped = 0

  /// - Throws: A usage error for names that are not there.
  public init(
    _ data: OpenDataset, _ reader: ActionReader, _ names: ActionNames?, _ options: Options
  ) throws(TrajpackError) {
    self.data = data
    self.reader = reader
    self.names = names
    self.options = options
    if let names { try names.check(reader.channels) }
    reference = try data.clipReference(options.reference)
  }

  /// Looks at every episode that `keeps` keeps, and chooses.
  ///
  /// - Returns: The clips, in the order of the dataset, and what there was of each class.
  public mutating func run(
    keeps: (_ shard: Int, _ episode: Int) throws(TrajpackError) -> Bool,
    isInterrupted: () -> Bool = { false }
  ) throws(TrajpackError) -> (clips: [Clip], classes: [Class])? {
    for (number, shard) in data.shards.enumerated() {
      let blocks = BlockReader(shard)
      for episode in 0..<shard.index.episodeCount where try keeps(number, episode) {
        guard !isInterrupted() else { return nil }
        try look(number, episode, blocks)
      }
    }
    return choose()
  }

  mutating func label(_ text: String) -> Int {
    if let known = labelNumbers[text] { return known }
    labelNumbers[text] = labels.count
    labels.append(text)
    starts.append(0)
    return labels.count - 1
  }

  /// Finds the starts of an episode that would do, and keeps for each class those that share no rows.
  private mutating func look(
    _ number: Int, _ episode: Int, _ blocks: BlockReader
  ) throws(TrajpackError) {
    let shard = data.shards[number]
    guard let stream = shard.schema.stream(named: reference) else { return }
    let tracks = shard.index.tracks(ofEpisode: episode).filter {
      shard.index.track($0).stream == stream && shard.index.track($0).rows.count > 0
    }
    guard let track = tracks.first else { return }
    let own = shard.index.track(track)
    guard tracks.count == 1, case .regular(let begin, let ownRate) = own.clock else {
      skipped += 1
      return
    }
    let line = ClipLine(start: begin, rate: ownRate, rows: own.rows.count)
    let offsets = ClipLine.offsets(options.length, of: ownRate, at: options.rate ?? ownRate)
    guard let offsets, let span = offsets.last, span < line.rows,
      ClipLine.fits(options.length, of: ownRate, at: options.rate ?? ownRate, rows: line.rows)
    else { return }
    let actions = try actions(shard, episode, line, blocks)
    let classes = try classes(shard, episode, line, actions, blocks)
    let id = shard.index.episode(episode).id
    let seed = id.utf8.reduce(SplitMix64.first(ofSeed: options.seed)) {
      SplitMix64.first(ofSeed: $0 ^ UInt64($1))
    }
    var found: [Candidate] = []
    var counts = [Int](repeating: 0, count: labels.count)
    let last =
      line.rows - 1 - ClipLine.reach(options.length, of: ownRate, at: options.rate ?? ownRate)
    for row in stride(from: 0, through: last, by: options.stride) {
      var runs = 0
      var before: Int32 = -1
      var touched: [Int] = []
      for offset in offsets {
        let action = actions[row + offset]
        if action >= 0, action != before { runs += 1 }
        before = action
        let label = Int(classes[row + offset])
        guard label >= 0 else { continue }
        if counts[label] == 0 { touched.append(label) }
        counts[label] += 1
      }
      // Of equally many the one that comes first.
      var most: Int?
      for label in touched where counts[label] > most.map({ counts[$0] }) ?? 0 { most = label }
      for label in touched { counts[label] = 0 }
      guard let most, runs >= options.minActions else { continue }
      starts[most] += 1
      found.append(
        Candidate(
          hash: SplitMix64.first(ofSeed: seed ^ UInt64(row)), shard: number, episode: episode,
          track: track,
          row: row, label: most))
    }
    var taken: [Int: [Int]] = [:]
    for candidate in found.sorted(by: Self.precedes) {
      let rows = taken[candidate.label] ?? []
      guard rows.allSatisfy({ abs($0 - candidate.row) > span }) else { continue }
      taken[candidate.label, default: []].append(candidate.row)
      candidates.append(candidate)
    }
  }

  private static func precedes(_ a: Candidate, _ b: Candidate) -> Bool {
    (a.hash, a.shard, a.episode, a.row) < (b.hash, b.shard, b.episode, b.row)
  }

  /// Takes clips class by class, the rarest first, none that shares rows with another.
  private func choose() -> (clips: [Clip], classes: [Class]) {
    var byLabel = [[Candidate]](repeating: [], count: labels.count)
    for candidate in candidates { byLabel[candidate.label].append(candidate) }
    let order = labels.indices.sorted {
      (byLabel[$0].count, labels[$0]) < (byLabel[$1].count, labels[$1])
    }
    var taken: [Candidate] = []
    var rows: [[Int]: [Int]] = [:]
    var counts = [Int](repeating: 0, count: labels.count)
    for label in order {
      for candidate in byLabel[label].sorted(by: Self.precedes) {
        guard counts[label] < options.perClass else { break }
        let key = [candidate.shard, candidate.episode]
        let span = self.span(candidate)
        guard (rows[key] ?? []).allSatisfy({ abs($0 - candidate.row) > span }) else { continue }
        rows[key, default: []].append(candidate.row)
        counts[label] += 1
        taken.append(candidate)
      }
    }
    taken.sort { ($0.shard, $0.episode, $0.row) < ($1.shard, $1.episode, $1.row) }
    let classes = labels.indices.sorted { labels[$0] < labels[$1] }.map {
      Class(label: labels[$0], starts: starts[$0], taken: counts[$0])
    }
    return (taken.map(clip), classes.filter { $0.starts > 0 })
  }

  private func span(_ candidate: Candidate) -> Int {
    guard let rate = data.shards[candidate.shard].index.track(candidate.track).clock.rate else {
      return 0
    }
    return ClipLine.offsets(options.length, of: rate, at: options.rate ?? rate)?.last ?? 0
  }

  private func clip(_ candidate: Candidate) -> Clip {
    let shard = data.shards[candidate.shard]
    let track = shard.index.track(candidate.track)
    let unit = shard.schema.streams[track.stream].timeUnit
    var start = Clip.Start.row(candidate.row)
    var rate = options.rate
    if case .regular(let begin, let own) = track.clock {
      rate = rate ?? own
      if let time = Rational(Instant(ofRow: candidate.row, start: begin, rate: own)) {
        start = .time(time)
      }
    }
    return Clip(
      id: "\(shard.index.episode(candidate.episode).id)@row\(candidate.row)",
      episode: shard.index.episode(candidate.episode).id, start: start,
      extent: .rows(options.length), rate: rate, unit: unit == "s" ? nil : unit,
      label: labels[candidate.label])
  }
}
