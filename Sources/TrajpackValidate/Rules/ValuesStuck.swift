import TrajpackFormat

extension Rule {
  static let valuesStuck = Rule(
    "values.stuck", .warning, "a sensor stands still while the others move",
    reason:
      "The recorder repeated its last value after the sensor had failed. A model learns that nothing happens.",
    example: """
      A voltage that changes in every row keeps one value for 200 rows while other channels go on. Reported of channels \
      that change in at least 95 % of all other steps, for 32 equal rows or more, and only where another channel of the \
      stream changes meanwhile: when all rest, nothing moved. A value that stays within a hundredth of the \
      largest or smallest of the track has reached an end (a full tank, a clamp, silence) and is not reported, nor is a channel that rests for 4 rows or \
      more elsewhere.
      """,
    remedy: "Mark these rows as missing in the source.",
    implies: ["values.saturated"],
    needs: .still,
    check: .track { StuckCheck($0) })
}

/// The longest run of equal values of each column that changes nearly always.
private final class StuckCheck: TrackCheck {
  private struct Stretch {
    var value = Double.nan
    var first = 0
    var length = 0
    var longest = 0..<0
    var longestValue = Double.nan
    /// Stretches of 4 rows to ``least``: a signal that has some repeats itself by nature.
    var short = 0
  }
  private let track: TrackContext
  private let items: [Quantity]
  private var stretches: [[Stretch]]
  private static let least = 32

  init?(_ track: TrackContext) {
    guard track.rows >= 4 * Self.least else { return nil }
    let items = track.quantities.filter { !$0.columns.isField && $0.columns.count <= 64 }
    guard items.reduce(0, { $0 + $1.columns.count }) >= 2 else { return nil }
    self.track = track
    self.items = items
    stretches = items.map { Array(repeating: Stretch(), count: $0.columns.count) }
  }

  func add(_ run: TrackRun) {
    for (i, item) in items.enumerated() {
      for element in 0..<item.columns.count {
        // Where every row differs from the one before, a stretch ends with the first and the last begins the next.
        if run.facts[item.columns.first + element].same == 0 {
          close(&stretches[i][element])
          let last = run.count - 1
          stretches[i][element].value = run.number(item.columns, element, row: last)
          stretches[i][element].first = run.first + last
          stretches[i][element].length = 1
          continue
        }
        let column = run.column(item.columns, element)
        for row in 0..<run.count {
          if column[row] == stretches[i][element].value {
            stretches[i][element].length += 1
          } else {
            close(&stretches[i][element])
            stretches[i][element].value = column[row]
            stretches[i][element].first = run.first + row
            stretches[i][element].length = 1
          }
        }
      }
    }
  }

  private func close(_ stretch: inout Stretch) {
    if (4..<Self.least).contains(stretch.length) { stretch.short += 1 }
    guard stretch.length > stretch.longest.count else { return }
    stretch.longest = stretch.first..<stretch.first + stretch.length
    stretch.longestValue = stretch.value
  }

  func finish(_ facts: TrackFacts, _ hits: inout Hits) {
    for i in stretches.indices {
      for element in stretches[i].indices { close(&stretches[i][element]) }
    }
    for (i, item) in items.enumerated() {
      var found: [(element: Int, stretch: Stretch)] = []
      for element in 0..<item.columns.count {
        let stretch = stretches[i][element]
        let known = facts.columns[item.columns.first + element]
        let stuck = stretch.longest.count
        guard stuck >= Self.least, stuck * 2 < track.rows, known.fractions * 2 > known.finite,
          (0.01...0.99).contains(
            (stretch.longestValue - known.minimum) / (known.maximum - known.minimum)),
          stretch.short < 2
        else { continue }
        // All other steps but a twentieth change something.
        let others = known.moves - (stuck - 1)
        let still = known.same - (stuck - 1)
        guard others >= 2 * Self.least, still * 20 <= others,
          moves(elsewhere: i, element, stretch.longest, facts)
        else { continue }
        found.append((element, stretch))
      }
      guard let first = found.first else { continue }
      hits.add(
        "one value for many rows, while other channels change", track,
        channel: item.columns.channel,
        count: first.stretch.longest.count, rows: first.stretch.longest,
        values: [first.stretch.longestValue])
    }
  }

  /// Whether another column that changes nearly always goes on in these rows: its own longest stretch is short.
  private func moves(elsewhere i: Int, _ element: Int, _ rows: Range<Int>, _ facts: TrackFacts)
    -> Bool
  {
    for (j, item) in items.enumerated() where j != i || items.count == 1 {
      for other in 0..<item.columns.count where j != i || other != element {
        let known = facts.columns[item.columns.first + other]
        if known.same * 20 <= known.moves, known.moves > 0,
          stretches[j][other].longest.count * 4 <= rows.count
        {
          return true
        }
      }
    }
    return false
  }
}
