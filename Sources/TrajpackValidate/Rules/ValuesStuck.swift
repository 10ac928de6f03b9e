import TrajpackFormat

extension Rule {
  static let valuesStuck = Rule(
    "values.stuck", .warning, "a sensor stands still while the others move",
    reason:
      "The recorder repeated its last value after the sensor had failed. A model learns that nothing happens.",
    example: """
      A voltage that changes in every row keeps one value for 200 rows while other channels go on. Reported of channels \
      that change in at least 95 % of all other steps, 64 or more, for stretches of 32 equal rows or more, and only where another channel of the \
      stream changes meanwhile: when all rest, nothing moved. Such stretches may be up to nine tenths of the rows together. What moves \
      smoothly may rest (a joint that pauses): it is reported only where at least half of the stretches end with a step of four times the mean of all others, because after a fault the value jumps to where the signal went meanwhile, and where the \
      track does not begin with such a stretch. Clocks and counters do not count as other channels. A channel of which every fourth change or more turns around has noise, and does not rest. \
      A value that stays within a hundredth of the \
      largest or smallest of the track has reached an end (a full tank, a clamp, silence) and is not reported, nor is a channel that rests for 4 to 31 rows \
      twice elsewhere. A channel whose numbers all are exactly 0 in these rows rests, as a joystick that was let go. Whole numbers are looked at where they cover 256 and more (fewer repeat by themselves), and a tenth of the changes go up and a tenth go down: counters stop on purpose. Not seen is a sensor that sticks for less than 32 rows, or in a track of less than 96.
      """,
    remedy: "Mark these rows as missing in the source.",
    implies: ["values.saturated"],
    needs: .still,
    check: .track { StuckCheck($0) })
}

/// The long runs of equal values of each column that changes nearly always.
private final class StuckCheck: TrackCheck {
  private struct Stretch {
    var value = Double.nan
    var first = 0
    var length = 0
    var longest = 0
    /// Stretches of ``least`` rows and more: how many rows, how many, the steps with which they end, the first few of them, and
    /// whether one is where the track begins.
    var rows = 0
    var count = 0
    var jumps: [Double] = []
    var jumpSum = 0.0
    var places: [(rows: Range<Int>, value: Double)] = []
    var isFirst = false
    /// Stretches of 4 rows to ``least``: a signal that has some repeats itself by nature.
    var short = 0
    /// Changes upwards and downwards, in runs that are looked at.
    var rises = 0
    var falls = 0
    /// Changes in the other direction than the one before.
    var turns = 0
    var isRising = false

    mutating func change(isRising now: Bool) {
      if now { rises += 1 } else { falls += 1 }
      if now != isRising { turns += 1 }
      isRising = now
    }
  }
  private let track: TrackContext
  private let items: [Quantity]
  private var stretches: [[Stretch]]
  private static let least = 32
  /// Steps beside those at one value from which on it is known that a channel changes nearly always.
  private static let leastOthers = 64

  init?(_ track: TrackContext) {
    guard track.rows >= Self.least + Self.leastOthers else { return nil }
    let items = track.numbers.filter { !$0.columns.isField && $0.columns.count <= 64 }
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
          close(&stretches[i][element], next: run.number(item.columns, element, row: 0))
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
            let before = stretches[i][element].value
            if column[row] > before { stretches[i][element].change(isRising: true) }
            if column[row] < before { stretches[i][element].change(isRising: false) }
            close(&stretches[i][element], next: column[row])
            stretches[i][element].value = column[row]
            stretches[i][element].first = run.first + row
            stretches[i][element].length = 1
          }
        }
      }
    }
  }

  /// Ends a stretch.
  ///
  /// - Parameter next: The value after it; NaN where there is none.
  private func close(_ stretch: inout Stretch, next: Double) {
    stretch.longest = max(stretch.longest, stretch.length)
    guard stretch.length >= Self.least else {
      if stretch.length >= 4 { stretch.short += 1 }
      return
    }
    stretch.rows += stretch.length
    stretch.count += 1
    if stretch.first == 0 { stretch.isFirst = true }
    // Hundreds of stretches are how the channel is.
    let jump = (next - stretch.value).magnitude
    if jump.isFinite, stretch.jumps.count < 256 {
      stretch.jumps.append(jump)
      stretch.jumpSum += jump
    }
    if stretch.places.count < Finding.mostPlaces {
      stretch.places.append((stretch.first..<stretch.first + stretch.length, stretch.value))
    }
  }

  func finish(_ facts: TrackFacts, _ hits: inout Hits) {
    for i in stretches.indices {
      for element in stretches[i].indices { close(&stretches[i][element], next: .nan) }
    }
    for (i, item) in items.enumerated() {
      let stuck = (0..<item.columns.count).lazy.compactMap { self.stuck(i, $0, facts) }.first
      guard let stuck else { continue }
      hits.add(
        Hit(
          stream: track.stream.name, channel: item.channel.name, entity: track.entityName,
          what: "one value for many rows, while other channels change", count: stuck.rows,
          places: stuck.places.map { ($0.rows, [$0.value], nil) }))
    }
  }

  /// The runs of a column at which it is stuck.
  private func stuck(_ i: Int, _ element: Int, _ facts: TrackFacts) -> Stretch? {
    let (item, stretch) = (items[i], stretches[i][element])
    let known = facts.columns[item.columns.first + element]
    let range = known.maximum - known.minimum
    guard stretch.count > 0, stretch.short < 2, stretch.rows * 10 <= 9 * track.rows,
      known.fractions * 2 > known.finite
        || known.fractions == 0 && range >= 256
          && 10 * min(stretch.rises, stretch.falls) >= stretch.rises + stretch.falls,
      stretch.places.allSatisfy({ (0.01...0.99).contains(($0.value - known.minimum) / range) })
    else { return nil }
    // All other steps but a twentieth change something.
    let still = stretch.rows - stretch.count
    let others = known.moves - still
    guard others >= Self.leastOthers, (known.same - still) * 20 <= others,
      moves(elsewhere: i, element, stretch.places[0].rows.count, facts), !rests(i, stretch)
    else { return nil }
    if stretch.turns * 4 >= stretch.rises + stretch.falls { return stretch }
    let usual = (known.stepSum - stretch.jumpSum) / Double(others)
    let jumping = stretch.jumps.count { $0 >= 4 * usual }
    guard !stretch.isFirst, jumping * 2 >= stretch.count else { return nil }
    return stretch
  }

  /// Whether all numbers of a channel are 0 where one of them stands still.
  private func rests(_ i: Int, _ stretch: Stretch) -> Bool {
    stretch.places.allSatisfy { place in
      place.value == 0
        && stretches[i].allSatisfy { other in
          other.count == stretch.count
            && other.places.contains { $0.value == 0 && $0.rows == place.rows }
        }
    }
  }

  /// Whether another column that changes nearly always goes on in these rows: its own longest stretch is short. A clock or
  /// a counter goes on whatever rests.
  private func moves(elsewhere i: Int, _ element: Int, _ rows: Int, _ facts: TrackFacts) -> Bool {
    for (j, item) in items.enumerated() where j != i || items.count == 1 {
      for other in 0..<item.columns.count where j != i || other != element {
        let known = facts.columns[item.columns.first + other]
        if known.same * 20 <= known.moves, known.moves > 0, !known.goesOneWay,
          stretches[j][other].longest * 4 <= rows
        {
          return true
        }
      }
    }
    return false
  }
}
