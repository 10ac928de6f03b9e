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
      are no whole numbers, where at least nine of ten episodes vary, from 10 episodes on. Of a vector all numbers have one value, or one of them that changes in 95 % of the steps of every other episode (a joint that \
      moves rarely rests; a position whose one number stays moves in a plane). A value at or beyond the least or the greatest \
      of the other episodes is a rest position (a brake that nobody touched), and is not reported, nor is exactly 0 of all numbers, or of the one, where most other episodes go through 0 there: a base that was not driven.
      """,
    remedy: "Mark the channel as missing in these episodes, or leave them out.",
    check: .dataset { DeadCheck() })
}

private final class DeadCheck: DatasetCheck {
  /// Episodes in which all numbers of the channel have one value throughout.
  private struct Dead {
    var values: [Double]
    var count = 0
    var places: [Place] = []
  }
  /// What is known of one number of a channel.
  private struct Element {
    /// In the episodes in which it varies.
    var minimum = Double.infinity
    var maximum = -Double.infinity
    /// Episodes in which it varies, those in which it changes nearly always, and those in which it alone has one value.
    var varying: Int32 = 0
    var lively: Int32 = 0
    /// Episodes in which it varies and goes to 0 or through it.
    var crossing: Int32 = 0
    var dead: Int32 = 0
    var deadLow = Double.infinity
    var deadHigh = -Double.infinity
    /// Of the first of these.
    var place: Place?

    /// Whether it may come to rest at 0.
    var restsAtZero: Bool { 2 * crossing > varying }
    /// Whether it has one value in some episodes because it rests.
    var isResting: Bool { deadLow == 0 && deadHigh == 0 && restsAtZero }
  }
  private struct Known {
    var varying = 0
    var elements: [Element]
    var deadCount = 0
    /// By value, in the order in which they came; the first few values.
    var dead: [Dead] = []
    /// Of further values: how many episodes, and between which values of the first number.
    var more = 0
    var moreLow = Double.infinity
    var moreHigh = -Double.infinity

    /// The number that stands for all: the first that varies.
    var main: Int? { elements.firstIndex { $0.minimum < $0.maximum } }
  }
  /// Different values that are told apart of a channel, and places that are kept of all channels.
  private static let most = 256
  private static let mostPlaces = 1 << 15
  private static let mostElements = 64
  private var places = 0
  /// Values that are kept of all channels, and numbers of all channels that are looked at.
  private static let mostValues = 1 << 16
  private static let mostNumbers = 1 << 16
  private var values = 0
  private let known = ChannelTable<Known>(mostColumns: mostNumbers)

  func add(_ episode: EpisodeFacts) {
    for facts in episode.tracks where facts.track.entity == nil && facts.track.rows >= 32 {
      for item in facts.track.quantities
      where (item.channel.kind == .scalar || item.channel.kind == .position)
        && item.columns.elements <= Self.mostElements && !item.columns.isField
      {
        let columns = facts.columns[
          item.columns.first..<item.columns.first + item.columns.count]
        let main = columns.first { !$0.isConstant }
        guard let found = main ?? columns.first, found.finite >= 32 else { continue }
        let isDead = columns.allSatisfy(\.isConstant)
        guard isDead || found.fractions * 2 > found.finite else { continue }
        let place = known.place(
          facts.track, item.columns,
          orElse: Known(elements: Array(repeating: Element(), count: item.columns.count)))
        guard let place else { continue }
        if isDead {
          add(columns.map(\.minimum), facts.track.rows, episode, to: &known[place])
        } else {
          known[place].varying += 1
          note(columns, facts.track.rows, episode, &known[place], alone: !item.isPosition)
        }
      }
    }
  }

  /// Notes what each number of a channel does, where some of them vary.
  private func note(
    _ columns: ArraySlice<ColumnFacts>, _ rows: Int, _ episode: EpisodeFacts, _ item: inout Known,
    alone: Bool
  ) {
    for (element, found) in zip(item.elements.indices, columns) where found.finite >= 32 {
      if !found.isConstant {
        item.elements[element].varying += 1
        if found.same * 20 <= found.moves { item.elements[element].lively += 1 }
        if found.minimum <= 0, found.maximum >= 0 { item.elements[element].crossing += 1 }
        item.elements[element].minimum = min(item.elements[element].minimum, found.minimum)
        item.elements[element].maximum = max(item.elements[element].maximum, found.maximum)
        continue
      }
      guard alone else { continue }
      item.elements[element].dead += 1
      item.elements[element].deadLow = min(item.elements[element].deadLow, found.minimum)
      item.elements[element].deadHigh = max(item.elements[element].deadHigh, found.minimum)
      if item.elements[element].place == nil, places < Self.mostPlaces {
        places += 1
        item.elements[element].place = episode.place(
          rows: 0..<rows, values: [found.minimum], note: "element \(element)")
      }
    }
  }

  private func add(
    _ found: [Double], _ rows: Int, _ episode: EpisodeFacts, to item: inout Known
  ) {
    item.deadCount += 1
    var at = item.dead.firstIndex { $0.values == found } ?? item.dead.count
    if at == item.dead.count {
      guard at < Self.most, values + found.count <= Self.mostValues else {
        item.more += 1
        item.moreLow = min(item.moreLow, found[0])
        item.moreHigh = max(item.moreHigh, found[0])
        return
      }
      values += found.count
      item.dead.append(Dead(values: found))
      at = item.dead.count - 1
    }
    item.dead[at].count += 1
    if item.dead[at].places.count < Finding.mostPlaces, places < Self.mostPlaces {
      places += 1
      item.dead[at].places.append(
        episode.place(rows: 0..<rows, values: Array(found.prefix(Finding.mostPlaces))))
    }
  }

  private static func rests(_ values: [Double], _ item: Known) -> Bool {
    values.allSatisfy { $0 == 0 }
      && item.elements.allSatisfy { $0.varying == 0 || $0.restsAtZero }
  }

  var isFull: Bool { known.isFull }

  func finish(_ hits: inout DatasetHits) {
    for entry in known.entries {
      let found = entry.value
      if found.deadCount > 0, found.varying + found.deadCount >= 10,
        found.varying >= 9 * found.deadCount, let main = found.main
      {
        let (low, high) = (found.elements[main].minimum, found.elements[main].maximum)
        let inside = found.dead.filter {
          $0.values.count > main && $0.values[main] > low && $0.values[main] < high
            && !Self.rests($0.values, found)
        }
        var count = inside.reduce(0) { $0 + $1.count }
        if main == 0, found.more > 0, found.moreLow > low, found.moreHigh < high {
          count += found.more
        }
        if count > 0 {
          hits.add(
            "one value for whole episodes, and varying in the others", stream: entry.stream,
            channel: entry.channel, count: count, tracks: count,
            Array(inside.flatMap(\.places).prefix(Finding.mostPlaces)))
        }
      }
      // A number of a vector that never rests elsewhere.
      let alone = found.elements.filter {
        $0.dead > 0 && $0.varying + $0.dead >= 10 && $0.varying >= 9 * $0.dead
          && $0.lively == $0.varying && !$0.isResting && $0.deadLow > $0.minimum
          && $0.deadHigh < $0.maximum
      }
      if !alone.isEmpty {
        let count = alone.reduce(0) { $0 + Int($1.dead) }
        hits.add(
          "one number of a vector has one value for whole episodes, and varies in the others",
          stream: entry.stream, channel: entry.channel, count: count, tracks: count,
          Array(alone.compactMap(\.place).prefix(Finding.mostPlaces)))
      }
    }
  }
}
