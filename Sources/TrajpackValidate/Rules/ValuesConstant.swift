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
  private struct Known {
    /// A hash of the values of its columns: which of them is one is all that counts.
    var minimum: UInt64 = 0
    var rows = 0
    var episodes = 0
    var place: Place?
    /// Whether it was seen to vary: nothing more is kept of it.
    var varies = false
  }
  private let known = ChannelTable<Known>()

  func add(_ episode: EpisodeFacts) {
    for facts in episode.tracks where facts.track.entity == nil && facts.track.rows > 0 {
      for item in facts.track.quantities
      where (item.channel.kind == .scalar || item.channel.kind == .position)
        && !item.columns.isField
      {
        guard let place = known.place(facts.track, item.columns, orElse: Known()) else { continue }
        if known[place].varies { continue }
        let columns = item.columns.first..<item.columns.first + item.columns.count
        let found = facts.columns[columns]
        if found.allSatisfy({ $0.finite == 0 && $0.infinite == 0 }) { continue }
        let minimum = Self.hash(found)
        if known[place].episodes > 0 && known[place].minimum != minimum
          || found.contains(where: { !$0.isConstant || $0.infinite > 0 || $0.missing > 0 })
        {
          known[place] = Known(varies: true)
          continue
        }
        if known[place].place == nil {
          known[place].minimum = minimum
          known[place].place = episode.place(values: found.prefix(3).map(\.minimum))
        }
        known[place].rows += facts.track.rows
        known[place].episodes += 1
      }
    }
  }

  private static func hash(_ columns: ArraySlice<ColumnFacts>) -> UInt64 {
    columns.reduce(0xcbf2_9ce4_8422_2325) {
      // 0 and -0 are one value.
      let mixed = ($0 ^ ($1.minimum + 0).bitPattern) &* 0x9e37_79b9_7f4a_7c15
      return mixed ^ mixed >> 29
    }
  }

  var isFull: Bool { known.isFull }

  func finish(_ hits: inout DatasetHits) {
    for entry in known.entries {
      let item = entry.value
      guard !item.varies, item.episodes >= 2, item.rows >= 1000, let place = item.place
      else { continue }
      hits.add(
        "one value in every row of all episodes", stream: entry.stream, channel: entry.channel,
        count: item.rows, [place])
    }
  }
}
