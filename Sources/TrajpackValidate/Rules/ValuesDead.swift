import TrajpackFormat

extension Rule {
  static let valuesDead = Rule(
    "values.dead", .warning, "a channel has one value for whole episodes, and varies in the others",
    reason: """
      The sensor was off, or the recorder wrote a default. A model learns that this value goes with whatever happened in \
      these episodes.
      """,
    example: """
      A force that is 3.25 in every row of one of 20 episodes, and changes in all others. Reported of scalar channels that \
      are no whole numbers, where at least nine of ten episodes vary, from 10 episodes on. A value at or beyond the least or the greatest \
      of the other episodes is a rest position (a brake that nobody touched), and is not reported.
      """,
    remedy: "Mark the channel as missing in these episodes, or leave them out.",
    check: .dataset { DeadCheck() })
}

private final class DeadCheck: DatasetCheck {
  private struct Key: Hashable {
    var stream: String
    var channel: String
  }
  private struct Known {
    var varying = 0
    var minimum = Double.infinity
    var maximum = -Double.infinity
    /// Of the first episodes with one value: the value and the place.
    var dead: [(value: Double, place: Place)] = []
    var deadCount = 0
  }
  private static let most = 4096
  private var known: [Key: Known] = [:]
  private var order: [Key] = []

  func add(_ episode: EpisodeFacts) {
    for facts in episode.tracks where facts.track.entity == nil && facts.track.rows >= 32 {
      for item in facts.track.quantities
      where item.channel.kind == .scalar && item.columns.elements == 1 {
        let (channel, columns) = (item.channel, item.columns)
        let found = facts.facts(columns)
        guard found.finite >= 32 else { continue }
        let key = Key(stream: facts.track.stream.name, channel: channel.name)
        if known[key] == nil { order.append(key) }
        if !found.isConstant {
          guard found.fractions * 2 > found.finite else { continue }
          var item = known[key] ?? Known()
          item.varying += 1
          item.minimum = min(item.minimum, found.minimum)
          item.maximum = max(item.maximum, found.maximum)
          known[key] = item
          continue
        }
        known[key, default: Known()].deadCount += 1
        if (known[key]?.dead.count ?? 0) < Self.most {
          known[key]?.dead.append(
            (
              found.minimum,
              episode.place(rows: 0..<facts.track.rows, values: [found.minimum])
            ))
        }
      }
    }
  }

  func finish(_ hits: inout DatasetHits) {
    for key in order {
      guard let found = known[key], found.deadCount > 0,
        found.varying + found.deadCount >= 10, found.varying >= 9 * found.deadCount
      else { continue }
      let places = found.dead.filter { $0.value > found.minimum && $0.value < found.maximum }
      guard !places.isEmpty else { continue }
      hits.add(
        "one value for whole episodes, and varying in the others", stream: key.stream,
        channel: key.channel, places.map(\.place))
    }
  }
}
