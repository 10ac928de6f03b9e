import TrajpackFormat

extension Rule {
  static let valuesSentinel = Rule(
    "values.sentinel", .warning, "a number that stands for 'missing' poses as data",
    reason: "-999 or 9999 in a mean, a normalisation or a target is taken at its face value.",
    example: """
      Wind speeds between 0 and 30, and -9999 in some rows. Reported of -1, -99, -999, -9999, -99999, 99, 999, 9999, \
      99999, 1e20 and the like where the number comes at least twice and lies further from all other values of the track \
      than those from each other (for -1 among values of 0 and more: where they are no whole numbers).
      """,
    remedy:
      "Name it as missing when converting (--missing -9999), or mark these values in the source.",
    implies: ["values.spike", "values.units"],
    needs: .word,
    check: .track { SentinelCheck($0) })
}

private final class SentinelCheck: TrackCheck {
  private struct Known {
    var low = Double.infinity
    var high = -Double.infinity
    var spots: [Double: Spots] = [:]
  }
  private let track: TrackContext
  private let items: [Quantity]
  private var known: [Known?]
  private var places: [Int] = []

  init?(_ track: TrackContext) {
    guard track.rows >= 16 else { return nil }
    items = track.quantities.filter {
      !$0.columns.isField && $0.columns.count <= 64
        && ($0.channel.kind == .scalar || $0.channel.kind == .position)
    }
    guard !items.isEmpty else { return nil }
    self.track = track
    var count = 0
    for item in items {
      places.append(count)
      count += item.columns.count
    }
    known = Array(repeating: nil, count: count)
  }

  func add(_ run: TrackRun) {
    for (i, item) in items.enumerated() {
      for element in 0..<item.columns.count {
        let facts = run.facts[item.columns.first + element]
        let at = places[i] + element
        // A sentinel is an extreme: columns whose extremes are none end here.
        guard
          known[at] != nil || TrackSketch.isWord(facts.minimum) || TrackSketch.isWord(facts.maximum)
        else {
          rest[at].low = min(rest[at].low, facts.minimum)
          rest[at].high = max(rest[at].high, facts.maximum)
          continue
        }
        var found = known[at] ?? Known()
        let column = run.column(item.columns, element)
        for row in 0..<run.count {
          let value = column[row]
          guard value.isFinite else { continue }
          if value == facts.minimum || value == facts.maximum, TrackSketch.isWord(value) {
            found.spots[value, default: Spots()].add(run.first + row, value)
          } else {
            found.low = min(found.low, value)
            found.high = max(found.high, value)
          }
        }
        known[at] = found
      }
    }
  }

  private lazy var rest: [(low: Double, high: Double)] = Array(
    repeating: (Double.infinity, -Double.infinity), count: known.count)

  func finish(_ facts: TrackFacts, _ hits: inout Hits) {
    for (i, item) in items.enumerated() {
      for element in 0..<item.columns.count {
        let at = places[i] + element
        guard let found = known[at] else { continue }
        let (low, high) = (min(found.low, rest[at].low), max(found.high, rest[at].high))
        let column = facts.columns[item.columns.first + element]
        for (value, spots) in found.spots.sorted(by: { $0.key < $1.key }) {
          guard spots.count >= 2, low <= high, spots.count * 2 < column.finite else { continue }
          let distance = value < low ? low - value : value > high ? value - high : 0
          let span = high - low
          let isFar: Bool
          if value == -1 {
            // Among values of zero and more that are no whole numbers.
            isFar = low >= 0 && high > low && column.fractions * 10 > column.finite * 5
          } else {
            isFar = distance > 2 * span && distance > 0 && high > low
          }
          guard isFar else { continue }
          hits.add(
            "\(value) stands apart from all other values, as a word for 'missing' does", track,
            channel: item.columns.channel, spots)
          break
        }
      }
    }
  }
}
