import TrajpackFormat

extension Rule {
  static let valuesMissing = Rule(
    "values.missing", .warning, "a channel was observed in some episodes and never in others",
    reason: """
      A sensor that was unplugged, or a column that an export forgot. A model that is trained on all episodes learns \
      from the mask which of them it has before it.
      """,
    example: """
      The channel 'force' is missing in every row of 3 of 40 episodes. Reported where at least nine of ten episodes \
      that have the stream observe the channel. A channel that no episode observes is not reported.
      """,
    remedy: "Leave these episodes out, or leave the channel out, or find the rows.",
    check: .dataset { MissingCheck() })
}

private final class MissingCheck: DatasetCheck {
  private struct Known {
    var episodes = 0
    var without = 0
    var places: [Place] = []
    /// The last episode that has the channel, by number, and whether a track of it observes it.
    var last = -1
    var isObserved = false
  }
  private let known = ChannelTable<Known>()
  private var number = 0

  func add(_ episode: EpisodeFacts) {
    defer { number += 1 }
    var seen: [Int] = []
    for facts in episode.tracks where facts.track.rows > 0 && facts.track.entity == nil {
      for columns in facts.track.columns {
        guard let place = known.place(facts.track, columns, orElse: Known()) else { continue }
        let isObserved = (columns.first..<columns.first + columns.count).contains {
          facts.columns[$0].finite + facts.columns[$0].infinite > 0
        }
        if known[place].last != number {
          (known[place].last, known[place].isObserved) = (number, isObserved)
          known[place].episodes += 1
          if !isObserved { seen.append(place) }
        } else if isObserved {
          known[place].isObserved = true
        }
      }
    }
    for place in seen where !known[place].isObserved {
      known[place].without += 1
      if known[place].places.count < Finding.mostPlaces {
        known[place].places.append(episode.place())
      }
    }
  }

  var isFull: Bool { known.isFull }

  func finish(_ hits: inout DatasetHits) {
    for entry in known.entries {
      let found = entry.value
      guard found.without > 0, found.without * 10 <= found.episodes else { continue }
      hits.add(
        "never observed in some episodes, which others do observe", stream: entry.stream,
        channel: entry.channel, count: found.without, found.places)
    }
  }
}
