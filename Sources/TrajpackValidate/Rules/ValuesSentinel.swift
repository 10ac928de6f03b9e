import TrajpackFormat

extension Rule {
  static let valuesSentinel = Rule(
    "values.sentinel", .warning, "a number that stands for 'missing' poses as data",
    reason: "-999 or 9999 in a mean, a normalisation or a target is taken at its face value.",
    example: """
      Wind speeds between 0 and 30, and -9999 in some rows. Reported of -1, -99, -999, -9999, -99999, 99, 999, 9999, \
      99999, 1e20 and the like where the number comes at least twice and lies further from all other values of the track \
      than twice what those cover, or, if it is negative and they are not, than what they cover (for -1 among values of 0 and more: where they are no whole numbers). -1, -99 and 99 \
      are not reported in more than half of the rows, nor others where fewer than 16 rows have another value; -1 is none in channels whose name has the word reward, return, cost, penalty or score, nor -99 and the like where units or name say dB. Of labels, which arrays of integers are unless something else is said, only those \
      are looked at that change in at least half of the steps and whose other values cover 16 and more: a few ids with a number of none are meant so.
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
    var words: [Double: Int] = [:]
  }
  /// Kinds of channels that are looked at; rotations have rules of their own.
  private static let kinds: Set<Kind> = [.scalar, .position, .angle, .direction]
  private let track: TrackContext
  private let items: [Quantity]
  private var known: [Known?]
  /// Of each column the extremes of the runs in which it has none.
  private var rest: [(low: Double, high: Double)]
  /// Of each channel where numbers of any of its columns are.
  private var spots: [[Double: Spots]]
  private var places: [Int] = []

  init?(_ track: TrackContext) {
    guard track.rows >= 16 else { return nil }
    items = track.numbers.filter {
      !$0.columns.isField && ($0.isCount || Self.kinds.contains($0.channel.kind))
    }
    guard !items.isEmpty else { return nil }
    self.track = track
    var count = 0
    for item in items {
      places.append(count)
      count += item.columns.count
    }
    known = Array(repeating: nil, count: count)
    rest = Array(repeating: (.infinity, -.infinity), count: count)
    spots = Array(repeating: [:], count: items.count)
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
            found.words[value, default: 0] += 1
            spots[i][value, default: Spots()].add(run.first + row, value)
          } else {
            found.low = min(found.low, value)
            found.high = max(found.high, value)
          }
        }
        known[at] = found
      }
    }
  }

  func finish(_ facts: TrackFacts, _ hits: inout Hits) {
    for (i, item) in items.enumerated() {
      // A number that stands for 'missing' in one column of a vector does so in all.
      var words: Set<Double> = []
      for element in 0..<item.columns.count {
        let at = places[i] + element
        guard let found = known[at] else { continue }
        let others = (low: min(found.low, rest[at].low), high: max(found.high, rest[at].high))
        let column = facts.columns[item.columns.first + element]
        guard others.low < others.high, !item.isCount || Self.isMeasured(column, others) else {
          continue
        }
        let word = found.words.keys.sorted().first {
          !Self.isMeant($0, item.channel) && Self.isWord($0, found.words[$0] ?? 0, column, others)
        }
        if let word { words.insert(word) }
      }
      for word in words.sorted() {
        hits.add(
          "\(word) stands apart from all other values, as a word for 'missing' does", track,
          channel: item.columns.channel, spots[i][word] ?? Spots())
      }
    }
  }

  private static let scores: Set<String> = [
    "reward", "rewards", "return", "returns", "cost", "costs", "penalty", "score", "scores",
  ]
  private static let levels: Set<String> = ["db", "dbfs", "dbm", "dba", "dbw", "dbv"]

  /// Whether a number is what its channel says by itself: a price of a failure, or the least level of a meter.
  private static func isMeant(_ value: Double, _ channel: Channel) -> Bool {
    func isNamed(_ text: String, _ words: Set<String>) -> Bool {
      text.lowercased().split { !$0.isLetter }.contains { words.contains(String($0)) }
    }
    if value == -1 { return isNamed(channel.name, scores) }
    return (-100..<0).contains(value)
      && (isNamed(channel.units ?? "", levels) || isNamed(channel.name, levels))
  }

  /// Whether a column of labels goes up and down as measurements do.
  private static func isMeasured(_ column: ColumnFacts, _ others: (low: Double, high: Double))
    -> Bool
  {
    others.high - others.low >= 16 && column.same * 2 <= column.moves
  }

  /// Whether a number that comes `count` times in a column is none of its values.
  private static func isWord(
    _ value: Double, _ count: Int, _ column: ColumnFacts, _ others: (low: Double, high: Double)
  ) -> Bool {
    // A default or a score may be one of these in most rows.
    let isShort = value.magnitude < 100
    guard count >= 2,
      isShort ? count * 2 < column.finite : count + 16 <= column.finite || count * 2 < column.finite
    else { return false }
    if value == -1 {
      // Among values of zero and more that are no whole numbers.
      return others.low >= 0 && column.fractions * 2 > column.finite
    }
    let (low, high) = others
    let distance = value < low ? low - value : value > high ? value - high : 0
    // What is never negative otherwise is not so by chance.
    return distance > (value < 0 && low >= 0 ? 1 : 2) * (high - low)
  }
}
