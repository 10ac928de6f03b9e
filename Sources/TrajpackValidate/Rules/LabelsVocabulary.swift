import TrajpackFormat

extension Rule {
  static let labelsVocabulary = Rule(
    "labels.vocabulary", .error, "numbers of a categorical channel that have no name",
    reason:
      "A class that is not in the list of names cannot be read back, and an embedding of as many rows as names fails on it.",
    example:
      "A channel with the names walk, run, jump that holds 3, or -1 where missing values are not declared.",
    remedy: "Add the name, or mark these rows as missing.",
    implies: ["values.sentinel"],
    concerns: { $0.channel.categories != nil }, check: .track { VocabularyCheck($0) })
}

private final class VocabularyCheck: TrackCheck {
  private let track: TrackContext
  private let items: [(columns: TrackContext.Columns, names: Int)]
  private var spots: [Spots]

  init?(_ track: TrackContext) {
    items = track.columns.compactMap { columns in
      let channel = track.stream.channels[columns.channel]
      guard let names = channel.categories, !columns.isField else { return nil }
      return (columns, names.count)
    }
    guard !items.isEmpty else { return nil }
    self.track = track
    spots = Array(repeating: Spots(), count: items.count)
  }

  func add(_ run: TrackRun) {
    for (i, item) in items.enumerated() {
      for element in 0..<item.columns.count {
        let facts = run.facts[item.columns.first + element]
        guard facts.minimum < 0 || facts.maximum >= Double(item.names) || facts.fractions > 0 else {
          continue
        }
        let column = run.column(item.columns, element)
        for row in 0..<run.count {
          let value = column[row]
          if value < 0 || value >= Double(item.names) || value != value.rounded(), !value.isNaN {
            spots[i].add(run.first + row, value)
          }
        }
      }
    }
  }

  func finish(_ facts: TrackFacts, _ hits: inout Hits) {
    for (i, item) in items.enumerated() {
      hits.add(
        "numbers that stand for none of the names", track, channel: item.columns.channel, spots[i])
    }
  }
}
