import TrajpackFormat

extension Rule {
  static let valuesQuantised = Rule(
    "values.quantised", .suggestion, "a measurement has few levels",
    reason: """
      The converter has fewer bits than the signal needs: noise jumps between neighbouring levels, and differences between rows are 0 or \
      one level, whatever happened.
      """,
    example: """
      A pressure that flips between 1.2, 1.4 and 1.6. Reported of scalar and position channels of floats with 3 to 24 evenly spaced levels in 200 rows or \
      more, which change in at least a third of the rows; whole numbers, and what holds a value for a while (settings, states), are not reported.
      """,
    remedy:
      "Record with more bits or a smaller range; take derivatives over several rows only.",
    needs: .levels,
    check: .track { LevelCheck($0) })
}

/// The levels of columns, until there are too many.
private final class LevelCheck: TrackCheck {
  private static let most = 24
  private struct Known {
    var levels: [Double] = []
    var isOpen = true
  }
  private let track: TrackContext
  private let items: [Quantity]
  private var known: [[Known]]

  init?(_ track: TrackContext) {
    items = track.quantities.filter {
      !$0.columns.isField && $0.channel.type.isFloat
        && ($0.channel.kind == .scalar || $0.channel.kind == .position)
    }
    guard !items.isEmpty, track.rows >= 200 else { return nil }
    self.track = track
    known = items.map { Array(repeating: Known(), count: $0.columns.count) }
  }

  func add(_ run: TrackRun) {
    for (i, item) in items.enumerated() {
      for element in 0..<item.columns.count where known[i][element].isOpen {
        let facts = run.facts[item.columns.first + element]
        // Whole numbers, and what never repeats, end here without a look at a row.
        guard facts.fractions * 2 > facts.finite || facts.finite == 0, facts.infinite == 0,
          facts.same > 0 || run.count < Self.most
        else {
          known[i][element].isOpen = false
          continue
        }
        look(run.column(item.columns, element), run.count, &known[i][element])
      }
    }
  }

  private func look(_ column: UnsafePointer<Double>, _ count: Int, _ known: inout Known) {
    var last = Double.nan
    for row in 0..<count {
      let value = column[row]
      if value == last || value.isNaN { continue }
      last = value
      guard !known.levels.contains(value) else { continue }
      guard known.levels.count < Self.most else {
        known = Known(levels: [], isOpen: false)
        return
      }
      known.levels.append(value)
    }
  }

  func finish(_ facts: TrackFacts, _ hits: inout Hits) {
    for (i, item) in items.enumerated() {
      for element in 0..<item.columns.count where known[i][element].isOpen {
        let found = facts.columns[item.columns.first + element]
        let levels = known[i][element].levels.sorted()
        guard levels.count >= 3, found.moves >= 199, (found.moves - found.same) * 3 >= found.moves,
          let step = Self.step(levels)
        else { continue }
        hits.add(
          "few levels, and changes between them in many rows", track, channel: item.columns.channel,
          count: found.finite, values: Array(levels.prefix(3)),
          note: "\(levels.count) levels, \(step) apart")
        break
      }
    }
  }

  /// The distance of evenly spaced levels; `nil` where they are not.
  private static func step(_ levels: [Double]) -> Double? {
    let steps = zip(levels.dropFirst(), levels).map { $0 - $1 }
    guard let least = steps.min(), least > 0 else { return nil }
    for step in steps {
      let part = step / least
      guard (part - part.rounded()).magnitude < 0.01, part < 1000 else { return nil }
    }
    return least
  }
}
