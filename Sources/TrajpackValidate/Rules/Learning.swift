import TrajpackFormat

extension Rule {
  static let learningDuplicate = Rule(
    "learning.duplicate", .warning, "episodes are equal",
    reason:
      "A recording that is there twice counts twice in training, and in a test it is no second piece of evidence.",
    example: """
      Episodes 000007 and 000031 have the same rows in all streams of numbers. They are compared by checksums, counts and extremes of each \
      channel. Episodes without a channel that varies are not reported; where they are of two splits, 'learning.leakage' reports them.
      """,
    remedy: "Leave one of them out.",
    check: .dataset { DuplicateCheck(leakage: false) })

  static let learningLeakage = Rule(
    "learning.leakage", .error, "the same rows are in two splits",
    reason:
      "A model is tested on what it was trained on, so its score says nothing about new data.",
    example: """
      Training and test files with the same content, as in a published EEG set; windows that overlap and were shuffled before \
      the split. Episodes are compared whole, and by hashes of some of their windows of 16 rows, chosen by content: \
      reported where a quarter of an episode's hashes (at least 4) are those of an episode of another split. Rows are taken as the shards have \
      them; rules of splits in side files (rows within episodes) are not looked at.
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
      let window = episode.tracks.first?.track.config.window
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
  private struct Seen {
    var place: Place
    var split: String
  }
  private let leakage: Bool
  private var whole: [UInt64: Seen] = [:]
  private var equal: [(Place, Seen)] = []
  private var equalCount = 0
  /// Of each window's hash, the first episode that has it, by number.
  private var windows: [UInt64: Int32] = [:]
  private var episodes: [Int32: Seen] = [:]
  private var number: Int32 = 0
  private var shared: [(place: Place, other: Seen, count: Int, of: Int)] = []
  private var sharedCount = 0
  /// Hashes at this or above are forgotten, so that no more than ``most`` are kept.
  private var limit: UInt64 = .max
  private static let most = 2 << 20

  init(leakage: Bool) { self.leakage = leakage }

  func add(_ episode: EpisodeFacts) {
    number += 1
    let split = episode.about.split
    if let digest = Self.digest(episode) {
      if let seen = whole[digest] {
        if (seen.split != split) == leakage {
          equalCount += 1
          if equal.count < Finding.mostPlaces { equal.append((episode.place(), seen)) }
          return
        }
      } else if whole.count < Self.most {
        whole[digest] = Seen(place: episode.place(), split: split)
      }
    }
    guard leakage else { return }
    let hashes = episode.tracks.flatMap(\.windows).filter { $0 < limit }
    var others: [Int32: Int] = [:]
    for hash in hashes {
      if let other = windows[hash] {
        if other != number { others[other, default: 0] += 1 }
      } else {
        windows[hash] = number
      }
    }
    episodes[number] = Seen(place: episode.place(), split: split)
    let worst = others.filter { episodes[$0.key]?.split != split }
      .max { ($0.value, -$0.key) < ($1.value, -$1.key) }
    if let worst, let other = episodes[worst.key], worst.value >= 4, worst.value * 4 >= hashes.count
    {
      sharedCount += 1
      if shared.count < Finding.mostPlaces {
        shared.append((episode.place(), other, worst.value, hashes.count))
      }
    }
    while windows.count > Self.most {
      limit /= 2
      windows = windows.filter { $0.key < limit }
    }
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
          varies || (found.finite > 1 && !found.isConstant && found.fractions > 0 && found.step > 0)
      }
    }
    return varies ? hash : nil
  }

  func finish(_ hits: inout DatasetHits) {
    if !equal.isEmpty {
      hits.add(
        leakage ? "episodes of two splits are equal" : "episodes are equal", count: equalCount,
        equal.map { place, seen in
          var place = place
          place.note =
            "equal to \(seen.place.episode ?? "")"
            + (leakage ? " of split '\(seen.split)'" : "")
          return place
        })
    }
    if !shared.isEmpty {
      hits.add(
        "episodes of two splits share windows", count: sharedCount,
        shared.map { item in
          var place = item.place
          place.note =
            "\(item.count) of \(item.of) windows are in \(item.other.place.episode ?? "") of split '\(item.other.split)'"
          return place
        })
    }
  }
}
