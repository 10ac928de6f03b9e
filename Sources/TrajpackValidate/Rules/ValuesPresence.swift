import TrajpackFormat

extension Rule {
  static let valuesNotANumber = Rule(
    "values.nan", .error, "NaN in a channel that is said to have no missing values",
    reason:
      "One NaN in a batch makes the loss NaN, and the loader gives no mask for a channel without missing values.",
    example: """
      A float channel written with missing='never' that holds NaN. In channels that mark missing values as NaN a NaN is \
      a value that was not observed, and not reported here.
      """,
    remedy: "Declare that values may be missing, or find out what computed the NaN.",
    needs: .missing,
    check: .track { track in
      WholeCheck(track, { $0.channel.missing == .never && $0.channel.type.isFloat }) { facts in
        facts.missing > 0 ? ("NaN in a channel without missing values", facts.missing) : nil
      } spot: {
        $0.isNaN
      }
    })

  static let valuesInfinite = Rule(
    "values.infinite", .error, "infinite values",
    reason:
      "A mean, a deviation or a loss over them is infinite or NaN; normalising by them makes all other values zero.",
    example: "A rate computed by a division through zero.",
    remedy: "Mark such values as missing in the source, or clip them there.",
    needs: .infinite,
    check: .track { track in
      WholeCheck(track, { _ in true }) { facts in
        facts.infinite > 0 ? ("infinite values", facts.infinite) : nil
      } spot: {
        $0.isInfinite
      }
    })

  static let valuesDenormal = Rule(
    "values.denormal", .suggestion, "many values are smaller than any normal float32",
    reason: """
      Such numbers come from memory that was never written, or from a decay that nobody stopped. As float32 they are \
      denormal, with few digits, and many processors compute with them a hundred times slower.
      """,
    example: "1e-41 in a tenth of the rows. Reported where more than 1 % of the values are so.",
    remedy: "Set them to zero in the source, or look for a type that was read wrongly.",
    needs: .tiny,
    check: .track { track in
      WholeCheck(track, { $0.channel.type.isFloat }) { facts in
        facts.tiny > 0 && facts.tiny * 100 > facts.finite
          ? ("values smaller than any normal float32", facts.tiny) : nil
      } spot: {
        $0 != 0 && $0.magnitude < 0x1p-126
      }
    })
}

/// Counts values by what one pass tells of each column, and remembers where the first ones are.
private final class WholeCheck: TrackCheck {
  typealias Item = Quantity
  private let track: TrackContext
  private let items: [Item]
  private let verdict: (ColumnFacts) -> (what: String, count: Int)?
  private let isSpot: (Double) -> Bool
  private var spots: [Spots]

  init?(
    _ track: TrackContext, _ isWanted: (Item) -> Bool,
    _ verdict: @escaping (ColumnFacts) -> (what: String, count: Int)?,
    spot: @escaping (Double) -> Bool
  ) {
    let items = track.layout.all.filter {
      $0.columns.channel != track.timeChannel && isWanted($0)
    }
    guard !items.isEmpty else { return nil }
    self.track = track
    self.items = items
    self.verdict = verdict
    isSpot = spot
    spots = Array(repeating: Spots(), count: items.count)
  }

  func add(_ run: TrackRun) {
    for (i, item) in items.enumerated() where spots[i].places.count < Finding.mostPlaces {
      for element in 0..<item.columns.count {
        var facts = ColumnFacts()
        facts.add(run.facts[item.columns.first + element])
        guard verdict(facts) != nil else { continue }
        let column = run.column(item.columns, element)
        let width = item.columns.isField ? item.columns.elements : 1
        for at in 0..<run.length(item.columns) where isSpot(column[at]) {
          spots[i].add(run.first + at / width, column[at])
        }
      }
    }
  }

  func finish(_ facts: TrackFacts, _ hits: inout Hits) {
    for (i, item) in items.enumerated() {
      guard let (what, count) = verdict(facts.facts(item.columns)) else { continue }
      hits.add(
        Hit(
          stream: track.stream.name, channel: item.channel.name, entity: track.entityName,
          what: what,
          count: count, places: spots[i].places.map { ($0.rows, $0.values, nil) }))
    }
  }
}
