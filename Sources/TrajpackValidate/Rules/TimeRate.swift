import Glibc
import TrajpackFormat

extension Rule {
  static let timeRate = Rule(
    "time.rate", .warning, "a few episodes are at another rate than the others",
    reason: """
      Windows by rows and differences from row to row take all episodes for equally fast: in one that was recorded at half the rate, or whose times are in another \
      unit, everything moves at another speed.
      """,
    example: """
      One of 40 episodes at 25 rows a second where the others have 50; times in milliseconds in one table. The mean step of each stream (without its largest, which may be a gap) is compared: \
      reported where a stream has 16 rows or more in 10 episodes or more, nine of ten have the same step within 2 %, and this one's is off by more than 15 %. \
      Streams that many episodes have at rates of their own are not reported, nor those of entities.
      """,
    remedy:
      "Give the true rate or unit of time when converting (--rate, --time-unit), resample ('trajpack resample'), or take windows by time.",
    check: .dataset { EpisodeRateCheck() })
}

private final class EpisodeRateCheck: DatasetCheck {
  private struct Key: Hashable {
    var stream: String
    var unit: String
  }
  fileprivate struct Bucket {
    var count = 0
    /// The first ones, each with its step.
    var places: [Place] = []
  }
  private struct Known {
    var episodes = 0
    /// By the logarithm of the step, in hundredths.
    var buckets: [Int: Bucket] = [:]
  }
  /// Streams, and different steps of each, that are remembered; a stream with more steps has none that is usual.
  private static let mostStreams = 1024
  private static let mostBuckets = 1024
  /// Hundredths within which steps are the same, and beyond which they are others.
  private static let same = 2
  private static let apart = 15

  private var known: [Key: Known] = [:]
  private var order: [Key] = []

  func add(_ episode: EpisodeFacts) {
    for facts in episode.tracks where facts.track.entity == nil && facts.track.rows >= 16 {
      let stream = facts.track.stream
      guard let step = facts.meanStep, step > 0, step.isFinite else { continue }
      let key = Key(stream: stream.name, unit: stream.timeUnit)
      if known[key] == nil {
        guard order.count < Self.mostStreams else { continue }
        order.append(key)
      }
      let place = Int((log(step) * 100).rounded())
      known[key, default: Known()].episodes += 1
      guard known[key]?.buckets.count ?? 0 < Self.mostBuckets else { continue }
      known[key]?.buckets[place, default: Bucket()].add(episode, facts.track, step)
    }
  }

  func finish(_ hits: inout DatasetHits) {
    for key in order {
      let unit = key.unit == "s" ? " s" : ""
      guard let found = known[key], found.episodes >= 10,
        found.buckets.count < Self.mostBuckets,
        let usual = found.buckets.max(by: { ($0.value.count, -$0.key) < ($1.value.count, -$1.key) })
      else { continue }
      let alike = found.buckets.reduce(0) {
        $0 + (abs($1.key - usual.key) <= Self.same ? $1.value.count : 0)
      }
      guard alike * 10 >= found.episodes * 9, let step = usual.value.places.first?.values.first
      else { continue }
      let others = found.buckets.filter { abs($0.key - usual.key) >= Self.apart }
      guard !others.isEmpty else { continue }
      let places = others.sorted { $0.key < $1.key }.flatMap { _, bucket in
        bucket.places.map { place in
          var place = place
          let own = place.values.first ?? 0
          place.note =
            "a row every \(Float(own))\(unit), and every \(Float(step))\(unit) in \(alike) of \(found.episodes) "
            + "episodes"
          return place
        }
      }
      hits.add(
        "a rate unlike that of other episodes", stream: key.stream, channel: nil,
        count: others.reduce(0) { $0 + $1.value.count },
        tracks: others.reduce(0) { $0 + $1.value.count }, places)
    }
  }
}

extension EpisodeRateCheck.Bucket {
  mutating func add(_ episode: EpisodeFacts, _ track: TrackContext, _ step: Double) {
    count += 1
    if places.count < Finding.mostPlaces { places.append(episode.place(track, values: [step])) }
  }
}

extension TrackFacts {
  /// The time from a row to the next, on average; without the largest step, which may be a gap, where times are listed.
  fileprivate var meanStep: Double? {
    if let rate = track.clock.rate { return 1 / rate.value }
    guard let channel = track.timeChannel, track.columnsOfChannel[channel] >= 0 else { return nil }
    let facts = self.facts(track.columns[track.columnsOfChannel[channel]])
    guard facts.moves > 1 else { return nil }
    return (facts.stepSum - facts.step) / Double(facts.moves - 1) * track.clock.timeScale
  }
}
