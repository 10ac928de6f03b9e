import TrajpackFormat

/// A rule of the user's configuration.
public struct UserRule: Sendable {
  /// What it asks of the data.
  enum Condition: Sendable {
    case expression(Expression)
    case range(String, low: Limit?, high: Limit?)
    case units(String, String)
    case monotonic(String, isRising: Bool, isStrict: Bool)
    case required([String])
    case rate(String, Rational)
    case rows(String, least: Int?, most: Int?)
    /// A function that Python runs.
    case python(String)
  }

  /// A number that values are compared with.
  struct Limit: Sendable {
    var value: Double
    /// It, where it was written as a whole number: a float64 does not tell all of 64 bits apart.
    var whole: Int128?

    func isAbove(_ other: Limit) -> Bool {
      if let whole, let most = other.whole { whole > most } else { value > other.value }
    }

    // As a float64 is written, as long as it is one: baselines know findings by it.
    var text: String {
      whole.map { Int128(exactly: value) == $0 ? "\(value)" : "\($0)" } ?? "\(value)"
    }
  }

  var id: String
  var severity: Severity
  var summary: String?
  var remedy: String?
  var condition: Condition

  /// The rule, as the engine runs it.
  func rule() -> Rule {
    let what = Self.words(condition)
    let check: Rule.Check
    switch condition {
    case .expression(let expression):
      check = .track { MissingElement($0, expression) ?? ExpressionCheck($0, expression) }
    case .range(let pattern, let low, let high):
      check = .track { RangeCheck($0, pattern, what, low, high) }
    case .monotonic(let pattern, let isRising, let isStrict):
      check = .track { OrderCheck($0, pattern, what, isRising: isRising, isStrict: isStrict) }
    case .units(let pattern, let units):
      check = .track { UnitCheck($0, Pattern(pattern), units) }
    case .rate(let pattern, let rate):
      check = .track { RateCheck($0, Pattern(pattern), rate) }
    case .required(let patterns):
      check = .episode { episode, hits in
        for pattern in patterns where !Self.has(episode, pattern) {
          hits.add(
            Hit(
              stream: nil, channel: nil, entity: nil, what: "there is no '\(pattern)'", count: 1,
              places: [(nil, [], nil)]))
        }
      }
    case .python: check = .elsewhere
    case .rows(let pattern, let least, let most):
      check = .track { RowsCheck($0, Pattern(pattern), what, (least ?? 0)...(most ?? .max)) }
    }
    return Rule(
      "user.\(id)", severity, summary ?? what, reason: "The configuration asks for it.",
      example: what, remedy: remedy ?? "Correct the data, or the rule.", check: check)
  }

  private static func has(_ episode: EpisodeFacts, _ pattern: String) -> Bool {
    let wanted = Pattern(pattern)
    return episode.tracks.contains { facts in
      let stream = facts.track.stream
      return facts.track.rows > 0
        && (wanted.matches(stream.name)
          || stream.channels.contains { wanted.matches(stream: stream.name, channel: $0.name) })
    }
  }

  /// What breaks the rule, in words.
  private static func words(_ condition: Condition) -> String {
    switch condition {
    case .expression(let expression): return "not '\(expression.text)'"
    case .range(_, let low, let high):
      return "outside \(low.map(\.text) ?? "...") to \(high.map(\.text) ?? "...")"
    case .units(_, let units): return "not in '\(units)'"
    case .monotonic(_, let isRising, let isStrict):
      return isRising
        ? (isStrict ? "does not rise" : "falls") : (isStrict ? "does not fall" : "rises")
    case .required(let patterns): return "without \(patterns.joined(separator: ", "))"
    case .rate(_, let rate): return "not \(rate) rows a unit of time"
    case .python(let place): return "'\(place)' finds something"
    case .rows(_, let least, let most):
      return "rows outside \(least.map(String.init) ?? "0") to \(most.map(String.init) ?? "...")"
    }
  }
}

/// Limits of each value of some channels.
private final class RangeCheck: TrackCheck {
  private let track: TrackContext
  private let columns: [TrackContext.Columns]
  private let what: String
  private let (low, high): (UserRule.Limit?, UserRule.Limit?)
  private var spots: [Spots]

  init?(
    _ track: TrackContext, _ pattern: String, _ what: String, _ low: UserRule.Limit?,
    _ high: UserRule.Limit?
  ) {
    let wanted = Pattern(pattern)
    columns = track.columns.filter {
      wanted.matches(stream: track.stream.name, channel: track.stream.channels[$0.channel].name)
    }
    guard !columns.isEmpty else { return nil }
    self.track = track
    self.what = what
    (self.low, self.high) = (low, high)
    spots = Array(repeating: Spots(), count: columns.count)
  }

  func add(_ run: TrackRun) {
    let (least, most) = (low?.value ?? -.infinity, high?.value ?? .infinity)
    for (i, columns) in columns.enumerated() {
      let isWhole = columns.isWhole && !columns.isField
      for element in 0..<columns.count {
        let facts = run.facts[columns.first + element]
        // A whole number beyond a limit may be the same float64.
        guard
          facts.minimum < least || facts.maximum > most
            || isWhole && (facts.minimum == least || facts.maximum == most)
        else { continue }
        let column = run.column(columns, element)
        let wholes = isWhole ? run.wholes(columns, element) : nil
        let width = columns.isField ? columns.elements : 1
        for at in 0..<run.length(columns) where !column[at].isNaN {
          if isBad(column[at], wholes?[at]) { spots[i].add(run.first + at / width, column[at]) }
        }
      }
    }
  }

  private func isBad(_ value: Double, _ whole: Int128?) -> Bool {
    let isLow = low.map { limit in
      if let whole, let least = limit.whole { whole < least } else { value < limit.value }
    }
    let isHigh = high.map { limit in
      if let whole, let most = limit.whole { whole > most } else { value > limit.value }
    }
    return isLow == true || isHigh == true
  }

  func finish(_ facts: TrackFacts, _ hits: inout Hits) {
    for (i, columns) in columns.enumerated() {
      hits.add(what, track, channel: columns.channel, spots[i])
    }
  }
}

/// Compares each value of some channels with the last one that was observed.
private final class OrderCheck: TrackCheck {
  /// A value; of whole numbers of 64 bits all bits.
  private enum Value {
    case whole(Int128)
    case number(Double)
  }

  private let track: TrackContext
  private let columns: [TrackContext.Columns]
  private let what: String
  private let (isRising, isStrict): (Bool, Bool)
  private var spots: [Spots]
  /// The last value of each column.
  private var last: [[Value?]]

  init?(
    _ track: TrackContext, _ pattern: String, _ what: String, isRising: Bool, isStrict: Bool
  ) {
    let wanted = Pattern(pattern)
    columns = track.columns.filter {
      !$0.isField
        && wanted.matches(
          stream: track.stream.name, channel: track.stream.channels[$0.channel].name)
    }
    guard !columns.isEmpty else { return nil }
    (self.track, self.what) = (track, what)
    (self.isRising, self.isStrict) = (isRising, isStrict)
    spots = Array(repeating: Spots(), count: columns.count)
    last = columns.map { Array(repeating: nil, count: $0.count) }
  }

  func add(_ run: TrackRun) {
    for (i, columns) in columns.enumerated() {
      for element in 0..<columns.count {
        let column = run.column(columns, element)
        let wholes = run.wholes(columns, element)
        for row in 0..<run.count where !column[row].isNaN {
          // Doubles cannot tell two nanoseconds of this century apart.
          let here = wholes.map { Value.whole($0[row]) } ?? .number(column[row])
          if let before = last[i][element], isBad(here, before) {
            spots[i].add(run.first + row, column[row])
          }
          last[i][element] = here
        }
      }
    }
  }

  private func isBad(_ here: Value, _ before: Value) -> Bool {
    let (isLess, isEqual): (Bool, Bool) =
      switch (here, before) {
      case (.whole(let a), .whole(let b)): (a < b, a == b)
      case (.number(let a), .number(let b)): (a < b, a == b)
      default: (false, false)
      }
    return isEqual ? isStrict : isLess == isRising
  }

  func finish(_ facts: TrackFacts, _ hits: inout Hits) {
    for (i, columns) in columns.enumerated() {
      hits.add(what, track, channel: columns.channel, spots[i])
    }
  }
}

private final class UnitCheck: TrackCheck {
  private let track: TrackContext
  private let wanted: Pattern
  private let units: String

  init?(_ track: TrackContext, _ wanted: Pattern, _ units: String) {
    guard
      track.stream.channels.contains(where: {
        wanted.matches(stream: track.stream.name, channel: $0.name)
      })
    else { return nil }
    self.track = track
    self.wanted = wanted
    self.units = units
  }

  func finish(_ facts: TrackFacts, _ hits: inout Hits) {
    for (c, channel) in track.stream.channels.enumerated()
    where wanted.matches(stream: track.stream.name, channel: channel.name) && channel.units != units
    {
      hits.add(
        "not in '\(units)'", track, channel: c,
        note: channel.units.map { "its units are '\($0)'" } ?? "it has no units")
    }
  }
}

private final class RowsCheck: TrackCheck {
  private let track: TrackContext
  private let what: String
  private let wanted: ClosedRange<Int>

  init?(_ track: TrackContext, _ stream: Pattern, _ what: String, _ wanted: ClosedRange<Int>) {
    guard stream.matches(track.stream.name) else { return nil }
    (self.track, self.what, self.wanted) = (track, what, wanted)
  }

  func finish(_ facts: TrackFacts, _ hits: inout Hits) {
    guard !wanted.contains(track.rows) else { return }
    hits.add(what, track, values: [Double(track.rows)])
  }
}

private final class RateCheck: TrackCheck {
  private let track: TrackContext
  private let rate: Rational

  init?(_ track: TrackContext, _ wanted: Pattern, _ rate: Rational) {
    guard wanted.matches(track.stream.name), track.rows > 0 else { return nil }
    self.track = track
    self.rate = rate
  }

  func finish(_ facts: TrackFacts, _ hits: inout Hits) {
    if let found = track.rate {
      guard found != rate else { return }
      hits.add("not \(rate) rows a unit of time", track, values: [found.value])
    } else if let times = facts.times, track.rows > 1, times.upperBound > times.lowerBound {
      // Explicit times have the rate where as many rows came as it asks for, within one.
      let expected = (times.upperBound - times.lowerBound) * rate.value + 1
      guard (Double(track.rows) - expected).magnitude > 1 else { return }
      hits.add(
        "not \(rate) rows a unit of time", track,
        values: [Double(track.rows - 1) / (times.upperBound - times.lowerBound)])
    }
  }
}
