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
      more, which change in at least a third of the rows; whole numbers, and what holds a value for a while (settings, states), are not reported. Nor are levels that begin at 0 or lie evenly around it, where the lowest and the highest level together have at least \
      the average number of rows of one level: choices of a policy or a player are so, while the ends of noise are rare.
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
    /// Rows of each level.
    var counts: [Int] = []
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
    var at = -1
    for row in 0..<count {
      let value = column[row]
      if value.isNaN { continue }
      if at < 0 || known.levels[at] != value {
        at = known.levels.firstIndex(of: value) ?? known.levels.count
        guard at < Self.most else {
          known = Known(isOpen: false)
          return
        }
        if at == known.levels.count {
          known.levels.append(value)
          known.counts.append(0)
        }
      }
      known.counts[at] += 1
    }
  }

  func finish(_ facts: TrackFacts, _ hits: inout Hits) {
    for (i, item) in items.enumerated() {
      for element in 0..<item.columns.count where known[i][element].isOpen {
        let found = facts.columns[item.columns.first + element]
        let levels = known[i][element].levels.sorted()
        guard levels.count >= 3, found.moves >= 199, (found.moves - found.same) * 3 >= found.moves,
          let step = Self.step(levels), !Self.isChoice(known[i][element], levels, found.finite)
        else { continue }
        hits.add(
          "few levels, and changes between them in many rows", track, channel: item.columns.channel,
          count: found.finite, values: Array(levels.prefix(3)),
          note: "\(levels.count) levels, \(step) apart")
        break
      }
    }
  }

  /// Whether levels are choices, as those of discrete actions.
  private static func isChoice(_ known: Known, _ levels: [Double], _ rows: Int) -> Bool {
    guard let low = levels.first, let high = levels.last, low == 0 || low == -high else {
      return false
    }
    let ends = zip(known.levels, known.counts).reduce(0) {
      $0 + ($1.0 == low || $1.0 == high ? $1.1 : 0)
    }
    return ends * levels.count >= rows
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
