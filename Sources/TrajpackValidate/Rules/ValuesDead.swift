import TrajpackFormat

extension Rule {
  static let valuesDead = Rule(
    "values.dead", .warning, "a channel has one value for whole episodes, and varies in the others",
    reason: """
      The sensor was off, or the recorder wrote a default. A model learns that this value goes with whatever happened in \
      these episodes.
      """,
    example: """
      A force that is 3.25 in every row of one of 20 episodes, and changes in all others. Reported of scalar and position channels of up to 64 numbers that \
      are no whole numbers, where at least nine of ten episodes vary, from 10 episodes on. A value at or beyond the least or the greatest \
      of the other episodes is a rest position (a brake that nobody touched), and is not reported.
      """,
    remedy: "Mark the channel as missing in these episodes, or leave them out.",
    check: .dataset { DeadCheck() })
}

private final class DeadCheck: DatasetCheck {
  /// Episodes in which the channel has one value throughout.
  private struct Dead {
    var value: Double
    var count = 0
    var places: [Place] = []
  }
  private struct Known {
    var varying = 0
    var minimum = Double.infinity
    var maximum = -Double.infinity
    var deadCount = 0
    /// By value, in the order in which they came; the first few values.
    var dead: [Dead] = []
    /// Of further values: how many episodes, and between which values.
    var more = 0
    var moreLow = Double.infinity
    var moreHigh = -Double.infinity
  }
  /// Different values that are told apart of a channel, and places that are kept of all channels.
  private static let most = 256
  private static let mostPlaces = 1 << 15
  private static let mostElements = 64
  private var places = 0
  /// Values that are kept of all channels.
  private static let mostValues = 1 << 16
  private var values = 0
  private let known = ChannelTable<Known>()

  func add(_ episode: EpisodeFacts) {
    for facts in episode.tracks where facts.track.entity == nil && facts.track.rows >= 32 {
      for item in facts.track.quantities
      where (item.channel.kind == .scalar || item.channel.kind == .position)
        && item.columns.elements <= Self.mostElements && !item.columns.isField
      {
        // Of a vector the first number stands for all: it is dead where none of them changes.
        let columns = item.columns.first..<item.columns.first + item.columns.count
        let found = facts.columns[item.columns.first]
        guard found.finite >= 32 else { continue }
        let isDead = facts.columns[columns].allSatisfy(\.isConstant)
        if !isDead && found.isConstant { continue }
        guard isDead || found.fractions * 2 > found.finite else { continue }
        guard let place = known.place(facts.track, item.columns, orElse: Known()) else { continue }
        if !isDead {
          known[place].varying += 1
          known[place].minimum = min(known[place].minimum, found.minimum)
          known[place].maximum = max(known[place].maximum, found.maximum)
          continue
        }
        add(found.minimum, facts.track.rows, episode, to: &known[place])
      }
    }
  }

  private func add(_ value: Double, _ rows: Int, _ episode: EpisodeFacts, to item: inout Known) {
    item.deadCount += 1
    var at = item.dead.firstIndex { $0.value == value } ?? item.dead.count
    if at == item.dead.count {
      guard at < Self.most, values < Self.mostValues else {
        item.more += 1
        (item.moreLow, item.moreHigh) = (min(item.moreLow, value), max(item.moreHigh, value))
        return
      }
      values += 1
      item.dead.append(Dead(value: value))
      at = item.dead.count - 1
    }
    item.dead[at].count += 1
    if item.dead[at].places.count < Finding.mostPlaces, places < Self.mostPlaces {
      places += 1
      item.dead[at].places.append(episode.place(rows: 0..<rows, values: [value]))
    }
  }

  var isFull: Bool { known.isFull }

  func finish(_ hits: inout DatasetHits) {
    for entry in known.entries {
      let found = entry.value
      guard found.deadCount > 0, found.varying + found.deadCount >= 10,
        found.varying >= 9 * found.deadCount
      else { continue }
      let inside = found.dead.filter { $0.value > found.minimum && $0.value < found.maximum }
      var count = inside.reduce(0) { $0 + $1.count }
      if found.more > 0, found.moreLow > found.minimum, found.moreHigh < found.maximum {
        count += found.more
      }
      guard count > 0 else { continue }
      hits.add(
        "one value for whole episodes, and varying in the others", stream: entry.stream,
        channel: entry.channel, count: count, tracks: count,
        Array(inside.flatMap(\.places).prefix(Finding.mostPlaces)))
    }
  }
}
