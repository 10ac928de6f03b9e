import TrajpackFormat

extension Rule {
  static let labelsEndFlag = Rule(
    "labels.end-flag", .suggestion,
    "a few episodes lack the flag that ends all others, or go on after it",
    reason: """
      A learner of rewards takes the value behind a row that is flagged as the last for 0. Where the flag is missing it goes on \
      into the next episode, and where it comes early the rest is never seen.
      """,
    example: """
      'done' is true in the last row of 38 of 40 episodes, and in two it never is. Looked at are channels of one number that is 0 or 1 ('done', 'is_last', 'is_first'): reported \
      where nine of ten episodes of 10 or more have one such row, the first or the last, and these none, several, or one in the middle. An episode that was cut off at a time limit may have \
      none by right.
      """,
    remedy: "Set the flag in the source; or cut the episode where it is set.",
    check: .dataset { EndFlagCheck() })
}

private final class EndFlagCheck: DatasetCheck {
  private enum Fault: Int, CaseIterable {
    case absent, several, within

    var what: String {
      switch self {
      case .absent: return "never set, unlike in other episodes, where it is in one row at an end"
      case .several:
        return "set in several rows, unlike in other episodes, where it is in one at an end"
      case .within: return "set within the episode, unlike in others, where it is at an end"
      }
    }
  }
  private struct Known {
    var episodes = 0
    var marked = 0
    var isFlag = true
    var faults: [Fault: (count: Int, places: [Place])] = [:]
  }
  private let known = ChannelTable<Known>()

  var isFull: Bool { known.isFull }

  func add(_ episode: EpisodeFacts) {
    for facts in episode.tracks where facts.track.rows > 1 && facts.track.entity == nil {
      for columns in facts.track.columns
      where columns.channel != facts.track.timeChannel && columns.elements == 1
        && facts.track.stream.channels[columns.channel].categories == nil
      {
        let column = facts.columns[columns.first]
        let isFlag =
          column.finite == facts.track.rows && column.minimum >= 0 && column.maximum <= 1
          && column.fractions == 0
        // A channel that is no flag in one episode is none: nothing is remembered of it.
        guard isFlag || known.place(columns) != nil,
          let place = known.place(facts.track, columns, orElse: Known())
        else { continue }
        guard isFlag else {
          known[place].isFlag = false
          continue
        }
        known[place].episodes += 1
        // One row at an end has one step, from it or to it; in the middle it has two.
        let fault: Fault
        switch (column.sum, column.stepSum) {
        case (1, 1):
          known[place].marked += 1
          continue
        case (0, _): fault = .absent
        case (1, _): fault = .within
        default: fault = .several
        }
        var found = known[place].faults[fault] ?? (0, [])
        found.count += 1
        if found.places.count < Finding.mostPlaces {
          found.places.append(episode.place(values: [column.sum]))
        }
        known[place].faults[fault] = found
      }
    }
  }

  func finish(_ hits: inout DatasetHits) {
    for entry in known.entries {
      let found = entry.value
      guard found.isFlag, found.episodes >= 10, found.marked < found.episodes,
        found.marked * 10 >= found.episodes * 9
      else { continue }
      for fault in Fault.allCases {
        guard let (count, places) = found.faults[fault] else { continue }
        hits.add(
          fault.what, stream: entry.stream, channel: entry.channel, count: count, places)
      }
    }
  }
}
