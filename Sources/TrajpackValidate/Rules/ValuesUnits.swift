import TrajpackFormat

extension Rule {
  static let valuesUnits = Rule(
    "values.units", .warning, "an episode has a channel in another unit than its peers",
    reason:
      "Millimetres among metres, or degrees among radians: the normalisation of all is spoilt, and these episodes are lost.",
    example: """
      In 1 of 40 episodes the values are 1000 times as large as in all others. Reported for factors of 1000, 100 and \
      57.2958 (and their inverses) that are met within a tenth, in channels whose size differs by less than a factor of \
      two between the other episodes; from 8 episodes on.
      """,
    remedy: "Convert these episodes to the unit of the others in the source.",
    check: .dataset { UnitsCheck() })
}

private final class UnitsCheck: DatasetCheck {
  private struct Key: Hashable {
    var stream: String
    var channel: String
  }
  private struct Known {
    /// Of each episode: the mean size of its values, and its place; of the first 4,096.
    var sizes: [(size: Double, place: Place)] = []
  }
  private static let most = 4096
  private var known: [Key: Known] = [:]
  private var order: [Key] = []

  func add(_ episode: EpisodeFacts) {
    for facts in episode.tracks where facts.track.entity == nil && facts.track.rows >= 8 {
      for item in facts.track.quantities
      where item.channel.kind == .scalar || item.channel.kind == .position
        || item.channel.kind == .angle
      {
        let (channel, columns) = (item.channel, item.columns)
        let found = facts.facts(columns)
        guard found.finite > 0, found.fractions * 2 > found.finite, !found.isConstant else {
          continue
        }
        let key = Key(stream: facts.track.stream.name, channel: channel.name)
        if known[key] == nil { order.append(key) }
        guard (known[key]?.sizes.count ?? 0) < Self.most else { continue }
        known[key, default: Known()].sizes.append(
          (found.meanSize, episode.place(values: [found.meanSize])))
      }
    }
  }

  func finish(_ hits: inout DatasetHits) {
    for key in order {
      guard let sizes = known[key]?.sizes, sizes.count >= 8 else { continue }
      let sorted = sizes.map(\.size).sorted()
      let median = sorted[sorted.count / 2]
      guard median > 0 else { continue }
      var places: [Place] = []
      var others: [Double] = []
      var factor = 0.0
      for (size, place) in sizes {
        let ratio = size / median
        let met = [1000, 100, 57.29577951308232].flatMap { [$0, 1 / $0] }.first {
          (ratio / $0 - 1).magnitude <= 0.1
        }
        if let met {
          factor = met
          places.append(place)
        } else {
          others.append(size)
        }
      }
      guard !places.isEmpty, places.count * 4 <= sizes.count, let low = others.min(),
        let high = others.max(), low > 0, high <= 2 * low
      else { continue }
      hits.add(
        "about \(factor >= 1 ? factor : 1 / factor) times \(factor >= 1 ? "larger" : "smaller") than in the other episodes",
        stream: key.stream, channel: key.channel, places)
    }
  }
}
