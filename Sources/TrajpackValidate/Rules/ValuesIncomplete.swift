import TrajpackFormat

extension Rule {
  static let valuesIncomplete = Rule(
    "values.incomplete", .warning, "rows of a few episodes lack a value that all others have",
    reason: """
      NaN in a log that has none elsewhere is a sensor that failed for a moment, or a division that went wrong. Code that was tried on the other episodes has \
      no mask, and one NaN makes a loss NaN.
      """,
    example: """
      NaN in row 40 of the actions of one of 50 demonstrations. Reported where a channel of numbers has missing values in at most a tenth of the episodes that have it, from 10 episodes \
      on, and observed ones in the same episodes. Channels that many episodes observe now and then are not reported, nor those of entities.
      """,
    remedy: "Interpolate or mask these rows, or leave the episodes out.",
    check: .dataset { IncompleteCheck() })
}

private final class IncompleteCheck: DatasetCheck {
  private struct Known {
    var episodes = 0
    var without = 0
    var missing = 0
    var places: [Place] = []
  }
  private let known = ChannelTable<Known>()

  var isFull: Bool { known.isFull }

  func add(_ episode: EpisodeFacts) {
    for facts in episode.tracks where facts.track.rows > 0 && facts.track.entity == nil {
      for columns in facts.track.columns
      where columns.channel != facts.track.timeChannel
        && facts.track.stream.channels[columns.channel].missing != .never
      {
        guard let place = known.place(facts.track, columns, orElse: Known()) else { continue }
        known[place].episodes += 1
        let all = facts.columns[columns.first..<columns.first + columns.count]
        let missing = all.reduce(0) { $0 + $1.missing }
        guard missing > 0, all.contains(where: { $0.finite > 0 }) else { continue }
        known[place].without += 1
        known[place].missing += missing
        if known[place].places.count < Finding.mostPlaces {
          known[place].places.append(
            episode.place(rows: facts.holes[columns.channel].map { $0..<$0 + 1 }))
        }
      }
    }
  }

  func finish(_ hits: inout DatasetHits) {
    for entry in known.entries {
      let found = entry.value
      guard found.episodes >= 10, found.without > 0, found.without * 10 <= found.episodes
      else { continue }
      hits.add(
        "missing in rows of a few episodes, and nowhere else", stream: entry.stream,
        channel: entry.channel, count: found.missing, tracks: found.without, found.places)
    }
  }
}
