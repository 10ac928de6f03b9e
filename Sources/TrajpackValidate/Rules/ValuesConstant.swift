import TrajpackFormat

extension Rule {
  static let valuesConstant = Rule(
    "values.constant", .suggestion, "a channel has one value in the whole dataset",
    reason: """
      It tells a model nothing, and where training and use differ in it, everything. Normalising by its deviation divides by zero, \
      and often it is a sensor that was never connected.
      """,
    example: """
      A torque that is 0 in all 120 episodes. Reported of scalar and position channels of the episode itself, from 2 episodes and 1,000 rows on. \
      Properties of entities (their maximum of hit points) are constant by nature and not reported; 'trajpack info' lists every constant channel.
      """,
    remedy: "Leave the channel out when training, or find out why it never changes.",
    check: .dataset { ConstantCheck() })
}

private final class ConstantCheck: DatasetCheck {
  private struct Key: Hashable {
    var stream: String
    var channel: String
  }
  private struct Known {
    var minimum: [Double] = []
    var rows = 0
    var episodes = 0
    var place: Place?
    /// Whether it was seen to vary: nothing more is kept of it.
    var varies = false
  }
  private var known: [Key: Known] = [:]
  private var order: [Key] = []

  func add(_ episode: EpisodeFacts) {
    for facts in episode.tracks where facts.track.entity == nil && facts.track.rows > 0 {
      for item in facts.track.quantities
      where (item.channel.kind == .scalar || item.channel.kind == .position)
        && !item.columns.isField
      {
        let (channel, columns) = (item.channel, item.columns)
        let key = Key(stream: facts.track.stream.name, channel: channel.name)
        if known[key]?.varies == true { continue }
        if known[key] == nil { order.append(key) }
        var item = known[key] ?? Known()
        let found = (0..<columns.count).map { facts.columns[columns.first + $0] }
        if found.allSatisfy({ $0.finite == 0 && $0.infinite == 0 }) { continue }
        let values = found.map(\.minimum)
        if !item.minimum.isEmpty && item.minimum != values
          || found.contains(where: { !$0.isConstant || $0.infinite > 0 || $0.missing > 0 })
        {
          known[key] = Known(varies: true)
          continue
        }
        item.minimum = values
        item.rows += facts.track.rows
        item.episodes += 1
        if item.place == nil { item.place = episode.place(values: Array(values.prefix(3))) }
        known[key] = item
      }
    }
  }

  func finish(_ hits: inout DatasetHits) {
    for key in order {
      guard let item = known[key], !item.varies, item.episodes >= 2, item.rows >= 1000,
        let place = item.place
      else { continue }
      hits.add(
        "one value in every row of all episodes", stream: key.stream, channel: key.channel,
        count: item.rows, [place])
    }
  }
}
