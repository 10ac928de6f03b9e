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
  private struct Key: Hashable {
    var stream: String
    var channel: String
  }
  private struct Known {
    var episodes = 0
    var without = 0
    var places: [Place] = []
  }
  private var known: [Key: Known] = [:]
  private var order: [Key] = []

  func add(_ episode: EpisodeFacts) {
    var observed: [Key: Bool] = [:]
    var seen: [Key] = []
    for facts in episode.tracks where facts.track.rows > 0 && facts.track.entity == nil {
      for columns in facts.track.columns {
        let channel = facts.track.stream.channels[columns.channel]
        let key = Key(stream: facts.track.stream.name, channel: channel.name)
        if observed[key] == nil { seen.append(key) }
        let found = facts.facts(columns)
        observed[key] = observed[key] ?? false || found.finite + found.infinite > 0
      }
    }
    for key in seen {
      if known[key] == nil { order.append(key) }
      known[key, default: Known()].episodes += 1
      guard observed[key] == false else { continue }
      known[key]?.without += 1
      if (known[key]?.places.count ?? 0) < Finding.mostPlaces {
        known[key]?.places.append(episode.place())
      }
    }
  }

  func finish(_ hits: inout DatasetHits) {
    for key in order {
      guard let found = known[key], found.without > 0, found.without * 10 <= found.episodes
      else { continue }
      hits.add(
        "never observed in some episodes, which others do observe", stream: key.stream,
        channel: key.channel, count: found.without, found.places)
    }
  }
}
