import TrajpackFormat

extension Rule {
  static let learningDuplicate = Rule(
    "learning.duplicate", .warning, "episodes are equal",
    reason:
      "A recording that is there twice counts twice in training, and in a test it is no second piece of evidence.",
    example: """
      Episodes 000007 and 000031 have the same rows in all streams of numbers. They are compared by checksums, counts and extremes of each \
      channel. Episodes without a channel that varies are not reported (of whole numbers: by 16 and more, up and down, at least 32 times); where they are of two splits, 'learning.leakage' reports them.
      """,
    remedy: "Leave one of them out.",
    check: .dataset { DuplicateCheck(leakage: false) })

  static let learningLeakage = Rule(
    "learning.leakage", .error, "the same rows, or nearly the same, are in two splits",
    reason:
      "A model is tested on what it was trained on, so its score says nothing about new data.",
    example: """
      Training and test files with the same content, as in a published EEG set; windows that overlap and were shuffled before \
      the split; a copy whose values were rounded. Episodes are compared whole, by hashes of some of their windows of 16 rows, chosen by content (up to six columns of a stream, spread over those that are continuous and no times), \
      and by hashes of some rounded windows (up to three of these columns, eight of their rows at unequal distances, in steps of about a hundredth of the window's range): \
      reported where a quarter of an episode's 32 hashes of a kind (at least 4, of rounded windows 8) are those of an episode of another split, so that a stretch which is less than \
      about a quarter of the episode may go unseen. A rounded window counts only if its middle row is an extreme of one of the columns that moves there and its shape comes once in the recording, to about a thirtieth of its range and wherever the rows lie in it; such windows are reported only where three quarters of those that two episodes share lie equally far apart in both, to a row in each stream. So recordings of one oscillation, which are alike anywhere, are no copies, and copies of it are not seen by rounded windows. Where such recordings were rounded to a few digits, though, stretches of them may be equal by chance, and are reported. A column rests in a window, and is left out of its hash, where it moves by less than a five-hundredth of \
      its range in the recording so far (without the most extreme row, which may be a wrong one). What counts is how large rounding or noise is beside the range of values within 16 rows around extremes: a copy stored as float32, or with noise of a ten-thousandth of that range, is found; \
      one with noise of a thousandth of it (four decimals, where 16 rows go by 0.05), with fewer than 8 such windows left, one that is smooth without extremes, repeats itself, is in another unit or at another rate mostly is not. \
      A stream of which two thirds of the episodes and more share windows is a reference that all follow, and does not count as long as another stream is none; the report names it under what was not checked. Rows are taken as the shards have \
      them. Splits are those of the split scheme that counts (or --scheme), else the episodes' own; episodes that a scheme cuts are not compared.
      """,
    remedy: "Split by recordings before they are cut into windows ('trajpack split').",
    check: .dataset { DuplicateCheck(leakage: true) })

  static let learningShort = Rule(
    "learning.short", .warning, "episodes are too short for the window",
    reason:
      "They give no window, so that a part of the data is never trained on, and nobody is told.",
    example: """
      An episode of 40 rows where windows of 64 are taken. It needs "window": 64 in the configuration; without it, only episodes \
      whose streams have no rows at all are reported.
      """,
    remedy: "Take shorter windows, pad, or leave these episodes out.",
    check: .episode { episode, hits in
      let own = episode.tracks.filter { $0.track.entity == nil }
      let rows = (own.isEmpty ? episode.tracks : own).map(\.track.rows).max() ?? 0
      let window = episode.tracks.first?.track.window
      guard rows < window ?? 1 else { return }
      hits.add(
        Hit(
          stream: nil, channel: nil, entity: nil,
          what: window.map { "episodes shorter than a window of \($0) rows" }
            ?? "episodes without rows",
          count: 1, places: [(0..<rows, [], "\(rows) rows")]))
    })
}

/// Compares episodes by their content.
private final class DuplicateCheck: DatasetCheck {
  private let leakage: Bool
  private let comparison = EpisodeComparison()
  private var references = StreamReferences()

  init(leakage: Bool) { self.leakage = leakage }

  func add(_ episode: EpisodeFacts) throws(TrajpackError) {
    guard !leakage || !episode.about.split.isEmpty else { return }
    if leakage { references.add(episode) }
    try comparison.add(
      episode.place(), split: episode.about.split, digest: Self.digest(episode),
      hashes: leakage ? episode.tracks.flatMap(\.windows) : [],
      near: leakage ? episode.tracks.flatMap(Self.nearWindows) : [])
  }

  private static func nearWindows(_ track: TrackFacts) -> [EpisodeComparison.Window] {
    let stream = track.track.stream.name.utf8.reduce(0) { ($0 &* 31 &+ Int($1)) & 0xFFFF }
    return zip(track.nearWindows, track.nearRows).map { .init(hash: $0, stream: stream, row: $1) }
  }

  /// A hash of all values of an episode; `nil` where none of them varies.
  private static func digest(_ episode: EpisodeFacts) -> UInt64? {
    var hash: UInt64 = 0xcbf2_9ce4_8422_2325
    var varies = false
    func add(_ value: UInt64) {
      hash = (hash ^ value) &* 0x9e37_79b9_7f4a_7c15
      hash ^= hash >> 31
    }
    for facts in episode.tracks where !facts.track.columns.isEmpty {
      for byte in facts.track.stream.name.utf8 { add(UInt64(byte)) }
      add(UInt64(facts.track.rows))
      for columns in facts.track.columns where columns.channel != facts.track.timeChannel {
        let found = facts.facts(columns)
        add(UInt64(facts.checksums[columns.channel]))
        add(found.minimum.bitPattern)
        add(found.maximum.bitPattern)
        add(UInt64(found.finite))
        varies =
          varies
          || (0..<columns.count).contains { Self.varies(facts.columns[columns.first + $0]) }
      }
    }
    return varies ? hash : nil
  }

  /// Whether the values of a column can tell recordings apart. Whole numbers are often labels, counters and short lists of
  /// actions, which are alike in many: they tell something where they have 16 and more values, go up and down, and change often.
  private static func varies(_ found: ColumnFacts) -> Bool {
    guard found.finite > 1, !found.isConstant, found.step > 0 else { return false }
    let range = found.maximum - found.minimum
    return found.fractions > 0
      || range >= 16 && found.moves - found.same >= 32 && found.stepSum > 1.5 * range
  }

  func finish(_ hits: inout DatasetHits) throws(TrajpackError) {
    var (equal, known) = try comparison.equal(leakage: leakage)
    if equal.count > 0 {
      hits.add(
        leakage ? "episodes of two splits are equal" : "episodes are equal", count: equal.count,
        tracks: equal.count,
        equal.first.map { match in
          var place = match.place
          place.note =
            "equal to \(match.other.episode ?? "")" + (leakage ? " of split '\(match.split)'" : "")
          return place
        })
    }
    guard leakage else { return }
    var ignored: Set<String> = []
    for near in [false, true] {
      let shared = try comparison.sharing(
        near: near, except: &known, ignoring: references.streams(near: near))
      ignored.formUnion(shared.ignored)
      guard shared.count > 0 else { continue }
      hits.add(
        "episodes of two splits share \(near ? "windows that are nearly equal" : "windows")",
        count: shared.count, tracks: shared.count,
        shared.first.map { match in
          var place = match.place
          place.note =
            "\(match.shared) of \(match.of) windows are \(near ? "nearly those of" : "in") "
            + "\(match.other.episode ?? "") of split '\(match.split)'"
          return place
        })
    }
    for stream in ignored.sorted() {
      hits.leaveOut(
        "windows of stream '\(stream)' that episodes of two splits share: it is alike in most episodes, and was taken for a reference "
          + "that all recordings follow")
    }
  }
}
