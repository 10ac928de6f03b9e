import TrajpackFormat

extension Rule {
  static let valuesPadding = Rule(
    "values.padding", .warning, "an episode is filled up with rows that repeat",
    reason: """
      Episodes were made equally long for an array, with zeros or with the last row again. A model learns to stand still at the end, or that everything \
      is 0 there, and statistics of normalisation have these rows, too.
      """,
    example: """
      300 rows, of which the last 80 are 0 in all channels. Reported where no channel moves in the first or the last 8 rows or more of an episode, in all of its streams that \
      have three numbers or more which change in 98 % of all other steps (30 or more). Counters and clocks, which may go on, do not count, nor tracks of entities. A robot that rests now and then is not reported, nor one of \
      several streams that rests (an action that is let go), nor rows that are marked as missing, which is the right way to fill an array up.
      """,
    remedy:
      "Cut these rows off ('trajpack convert' of the lengths that are meant, or windows by the true length), or mark them as missing.",
    check: .episode { episode, hits in
      let ends = episode.tracks.compactMap { facts in
        facts.ends.map { (track: facts.track, ends: $0) }
      }
      for isLast in [true, false] {
        guard !ends.isEmpty, ends.allSatisfy({ $0.ends.repeats(isLast) >= EndRows.least }) else {
          continue
        }
        for (track, ends) in ends {
          let rows = ends.rows(isLast, of: track.rows)
          hits.add(
            Hit(
              stream: track.stream.name, channel: nil, entity: nil,
              what: isLast
                ? "all channels stand still to the end, as if filled up (rows)"
                : "all channels stand still from the start, as if filled up (rows)",
              count: rows.count, places: [(rows, [], ends.isZero(isLast) ? "all are 0" : nil)]))
        }
      }
    })
}

/// How the first and last rows of a track repeat, where it has numbers that change nearly always elsewhere.
struct EndRows: Sendable {
  /// Rows at the start that the next one repeats, and rows at the end that repeat the one before, in all of these numbers.
  var first: Int
  var last: Int
  /// Whether they are 0 there.
  var isFirstZero: Bool
  var isLastZero: Bool

  /// Repetitions from which on a track counts as filled up.
  static let least = 8

  func repeats(_ isLast: Bool) -> Int { isLast ? last : first }
  func isZero(_ isLast: Bool) -> Bool { isLast ? isLastZero : isFirstZero }

  /// The rows that are too many: one that was the last, or will be the first, is the data's, but for zeros.
  func rows(_ isLast: Bool, of count: Int) -> Range<Int> {
    let size = repeats(isLast) + (isZero(isLast) ? 1 : 0)
    return isLast ? count - size..<count : 0..<size
  }
}

/// Looks how columns of a track begin and end. Single numbers are read: most columns have no two equal rows.
final class EndSampler {
  private struct Known {
    var first = 0
    var last = 0
    var isBeginning = true
    var firstValue = 0.0
    var lastValue = 0.0
  }
  private let columns: [(columns: TrackContext.Columns, element: Int)]
  private var known: [Known]

  /// Numbers that must change, and steps that must do so elsewhere.
  static let leastColumns = 3
  private static let leastSteps = 30
  private static let mostElements = 64
  private static let mostColumns = 256

  /// `nil` where the track has too few numbers.
  init?(_ track: TrackContext) {
    guard track.entity == nil, track.rows >= EndRows.least + Self.leastSteps else { return nil }
    let columns = track.quantities.filter {
      !$0.columns.isField && $0.columns.count <= Self.mostElements
    }.flatMap { item in
      (0..<item.columns.count).map { (columns: item.columns, element: $0) }
    }.prefix(Self.mostColumns)
    guard columns.count >= Self.leastColumns else { return nil }
    self.columns = Array(columns)
    known = Array(repeating: Known(), count: columns.count)
  }

  func add(_ run: TrackRun) {
    for (i, item) in columns.enumerated() {
      let facts = run.facts[item.columns.first + item.element]
      func value(_ row: Int) -> Double { run.number(item.columns, item.element, row: row) }
      let steps = run.count - (run.carry > 0 ? 0 : 1)
      var ends = known[i]
      if Int(facts.same) == steps, Int(facts.moves) == steps {
        ends.last += steps
        if ends.isBeginning { ends.first += steps }
      } else {
        let start = run.carry > 0 ? 0 : 1
        ends.last = 0
        while facts.same > 0, ends.last < steps,
          value(run.count - 1 - ends.last) == value(run.count - 2 - ends.last)
        {
          ends.last += 1
        }
        var row = start
        while ends.isBeginning, facts.same > 0, row < run.count, value(row) == value(row - 1) {
          (ends.first, row) = (ends.first + 1, row + 1)
        }
        ends.isBeginning = false
      }
      if run.first == 0 { ends.firstValue = value(0) }
      if ends.last > 0 { ends.lastValue = value(run.count - 1) }
      known[i] = ends
    }
  }

  /// How the rows of the numbers that change nearly always begin and end; `nil` where these are too few.
  func ends(_ facts: [ColumnFacts]) -> EndRows? {
    var found: EndRows?
    var count = 0
    for (ends, item) in zip(known, columns) {
      let facts = facts[item.columns.first + item.element]
      // A column that never changes begins as it ends.
      guard !facts.isConstant, !facts.goesOneWay else { continue }
      let others = facts.moves - ends.first - ends.last
      guard others >= Self.leastSteps, (facts.same - ends.first - ends.last) * 50 <= others else {
        continue
      }
      count += 1
      let own = EndRows(
        first: ends.first, last: ends.last, isFirstZero: ends.firstValue == 0,
        isLastZero: ends.lastValue == 0)
      found =
        found.map {
          EndRows(
            first: min($0.first, own.first), last: min($0.last, own.last),
            isFirstZero: $0.isFirstZero && own.isFirstZero,
            isLastZero: $0.isLastZero && own.isLastZero)
        } ?? own
    }
    return count >= Self.leastColumns ? found : nil
  }
}
