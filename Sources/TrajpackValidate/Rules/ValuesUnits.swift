import Glibc
import TrajpackFormat

extension Rule {
  static let valuesUnits = Rule(
    "values.units", .warning, "an episode has a channel in another unit than its peers",
    reason:
      "Millimetres among metres, or degrees among radians: the normalisation of all is spoilt, and these episodes are lost.",
    example: """
      In 1 of 40 episodes the values are 1000 times as large as in all others. Reported for factors of 1000, 100 and \
      57.2958 (and their inverses) that are met within a tenth (1000 within a half), in channels whose size differs by less than a factor of \
      two between the other episodes, and where the steps between rows are so, too; from 8 episodes on. \
      Channels are looked at that are stored as floats and mostly are no whole numbers in three quarters of their episodes: counts and labels have no unit. Sizes are remembered to a hundredth, so that memory stays flat.
      """,
    remedy: "Convert these episodes to the unit of the others in the source.",
    implies: ["values.speed"],
    check: .dataset { UnitsCheck() })
}

private final class UnitsCheck: DatasetCheck {
  /// Episodes whose values are about as large: sizes differ by a hundredth at most.
  private struct Bucket {
    var count = 0
    var sum = 0.0
    /// Of the mean steps between rows.
    var steps = 0.0
    var low = Double.infinity
    var high = -Double.infinity
    /// The number of the last episode, and the first places with their numbers.
    var last = 0
    var places: [(number: Int, place: Place)] = []
  }
  private struct Known {
    var count = 0
    /// Episodes whose values mostly are no whole numbers.
    var fractional = 0
    /// By size; empty where sizes are so many that no finding can come of them.
    var buckets: [Int: Bucket] = [:]
    var isOpen = true
  }
  /// A finding has sizes within a factor of two (70 buckets), those that are met within a tenth by four factors (22 each), and within
  /// a half by two (83 each): a channel with more has none.
  private static let most = 384
  /// Places that are kept of all channels.
  private static let mostPlaces = 1 << 15
  private static let logStep = log(1.01)
  /// Buckets that are kept of all channels, and whether there were more.
  private static let mostBuckets = 1 << 17
  private var buckets = 0
  private var isCrowded = false
  private var places = 0
  private var number = 0
  private let known = ChannelTable<Known>()

  func add(_ episode: EpisodeFacts) {
    number += 1
    for facts in episode.tracks where facts.track.entity == nil && facts.track.rows >= 8 {
      for item in facts.track.quantities
      where item.channel.kind == .scalar || item.channel.kind == .position
        || item.channel.kind == .angle
      {
        let found = facts.facts(item.columns)
        guard found.finite > 0, item.channel.type.isFloat, !found.isConstant, found.meanSize > 0,
          found.meanSize.isFinite
        else { continue }
        guard let place = known.place(facts.track, item.columns, orElse: Known()) else { continue }
        if known[place].isOpen { add(found, episode, to: &known[place]) }
      }
    }
  }

  private func add(_ found: ColumnFacts, _ episode: EpisodeFacts, to item: inout Known) {
    let size = found.meanSize
    item.count += 1
    if found.fractions * 2 > found.finite { item.fractional += 1 }
    let at = Int((log(size) / Self.logStep).rounded(.down))
    if let index = item.buckets.index(forKey: at) {
      add(found, episode, to: &item.buckets.values[index])
    } else {
      let isCrowded = buckets == Self.mostBuckets
      if isCrowded || item.buckets.count == Self.most {
        if isCrowded { self.isCrowded = true }
        buckets -= item.buckets.count
        (item.buckets, item.isOpen) = ([:], false)
        return
      }
      buckets += 1
      var bucket = Bucket()
      add(found, episode, to: &bucket)
      item.buckets[at] = bucket
    }
  }

  private func add(_ found: ColumnFacts, _ episode: EpisodeFacts, to bucket: inout Bucket) {
    let size = found.meanSize
    bucket.count += 1
    bucket.sum += size
    bucket.steps += found.meanStep
    bucket.low = min(bucket.low, size)
    bucket.high = max(bucket.high, size)
    bucket.last = number
    guard bucket.places.count < Finding.mostPlaces, places < Self.mostPlaces else { return }
    places += 1
    bucket.places.append((number, episode.place(values: [size])))
  }

  var isFull: Bool { known.isFull || isCrowded }

  func finish(_ hits: inout DatasetHits) {
    for entry in known.entries where entry.value.isOpen && entry.value.count >= 8 {
      guard entry.value.fractional * 4 >= entry.value.count * 3 else { continue }
      let buckets = entry.value.buckets.sorted { $0.key < $1.key }.map(\.value)
      let count = entry.value.count
      var rank = 0
      guard
        let middle = buckets.first(where: {
          rank += $0.count
          return rank > count / 2
        })
      else { continue }
      let median = middle.sum / Double(middle.count)
      let medianStep = middle.steps / Double(middle.count)
      var met: [(bucket: Bucket, factor: Double)] = []
      var (low, high) = (Double.infinity, -Double.infinity)
      for bucket in buckets {
        let ratio = bucket.sum / Double(bucket.count) / median
        // Nothing else is near 1000, and the episode may be as far from the median as its peers.
        let factor = [1000, 100, 57.29577951308232].flatMap { [$0, 1 / $0] }.first {
          let near = ratio / $0
          return $0 == 1000 || $0 == 1 / 1000
            ? max(near, 1 / near) <= 1.5 : (near - 1).magnitude <= 0.1
        }
        // Another unit makes the steps larger, too; a jump or a spike does not.
        let steps = bucket.steps / Double(bucket.count) / medianStep
        if let factor, steps > factor / 4, steps < factor * 4 {
          met.append((bucket, factor))
        } else {
          (low, high) = (min(low, bucket.low), max(high, bucket.high))
        }
      }
      let found = met.reduce(0) { $0 + $1.bucket.count }
      guard let last = met.max(by: { $0.bucket.last < $1.bucket.last }), found * 4 <= count,
        low > 0, high >= low, high <= 2 * low
      else { continue }
      let factor = last.factor
      let places = met.flatMap(\.bucket.places).sorted { $0.number < $1.number }
      hits.add(
        "about \(factor >= 1 ? factor : 1 / factor) times \(factor >= 1 ? "larger" : "smaller") than in the other episodes",
        stream: entry.stream, channel: entry.channel, count: found, tracks: found,
        places.prefix(Finding.mostPlaces).map(\.place))
    }
  }
}
