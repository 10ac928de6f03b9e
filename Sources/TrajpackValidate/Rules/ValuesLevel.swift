import TrajpackFormat

extension Rule {
  static let valuesLevel = Rule(
    "values.level", .warning, "a signal jumps to another level once and stays there",
    reason: """
      A sensor that was bumped, tared or replaced in the middle of a recording has an offset from then on. A model takes the offset \
      for something that happened.
      """,
    example: """
      A temperature near 20.1 that is near 23.6 from row 130 on, in one of 40 episodes. Looked at are scalar channels of up to 64 numbers, in episodes of 128 rows or more in which no value of \
      the channel is missing or infinite and most are no whole numbers. Reported where the largest step between two rows is more than eight times the mean step and a third of the range, all values \
      before it lie on one side and all after it on the other, the gap between them is wider than the range of either side, both sides have 32 rows or more and more than one value, at most a \
      quarter of the steps are 0, and at most a tenth of the episodes have such a jump, from 10 episodes on. What is switched on and off, a heading that goes through north (steps of nine tenths of a turn and more within a turn of degrees or radians), channels of entities, and those that are called positions or \
      quaternions are not reported.
      """,
    remedy:
      "Take the offset away from that row on, cut the episode there, or leave it out.",
    check: .dataset { LevelShiftCheck() })
}

/// Where a column jumps to another level and stays.
struct LevelShift: Sendable {
  /// The column of the track, and the first row of the other level.
  var column: Int
  var row: Int
  /// The middle of the values before and after.
  var before: Double
  var after: Double
}

/// Looks for columns of a track that jump to another level once. Only what has a step of the size of its range is looked at row by row.
final class LevelSampler {
  private struct Side {
    var low = Double.infinity
    var high = -Double.infinity
    var rows = 0
    var range: Double { high - low }

    mutating func add(_ low: Double, _ high: Double, _ rows: Int) {
      (self.low, self.high) = (min(self.low, low), max(self.high, high))
      self.rows += rows
    }
  }
  private struct Known {
    var column: Int
    var before = Side()
    var after = Side()
    var row = 0
    var isOpen = true
  }

  private let columns: [(columns: TrackContext.Columns, element: Int)]
  private var known: [Known]

  /// Rows of a track, and of each side of a jump.
  static let leastRows = 128
  private static let least = 32
  private static let mostElements = 64

  /// Whether a channel of a track is one that is looked at.
  static func takes(_ item: Quantity, _ track: TrackContext) -> Bool {
    track.entity == nil && track.rows >= leastRows && item.channel.kind == .scalar
      && !item.isPosition && !item.isQuaternion && !item.columns.isField
      && item.columns.count <= mostElements
  }

  /// Whether a column may jump by more than the range of both of its sides.
  static func hasJump(
    step: Double, sum: Double, moves: Double, minimum: Double, maximum: Double
  ) -> Bool {
    moves > 0 && step * moves > 8 * sum && 3 * step > maximum - minimum
  }

  /// `nil` where the track has no such channel.
  init?(_ track: TrackContext) {
    let columns = track.quantities.filter { Self.takes($0, track) }.flatMap { item in
      (0..<item.columns.count).map { (columns: item.columns, element: $0) }
    }
    guard !columns.isEmpty else { return nil }
    self.columns = columns
    known = columns.map { Known(column: $0.columns.first + $0.element) }
  }

  func add(_ run: TrackRun) {
    for (i, item) in columns.enumerated() where known[i].isOpen {
      let facts = run.facts[known[i].column]
      guard facts.missing == 0, facts.infinite == 0, facts.fractions * 2 > facts.finite else {
        known[i].isOpen = false
        continue
      }
      var side = known[i]
      let mayJump = Self.hasJump(
        step: facts.step, sum: facts.step_sum, moves: Double(facts.moves),
        minimum: min(facts.minimum, side.before.low), maximum: max(facts.maximum, side.before.high))
      if side.after.rows > 0 {
        side.after.add(facts.minimum, facts.maximum, run.count)
      } else if mayJump {
        look(run, run.column(item.columns, item.element), &side)
      } else {
        side.before.add(facts.minimum, facts.maximum, run.count)
      }
      if side.after.rows > 0, !Self.isApart(side) { side.isOpen = false }
      known[i] = side
    }
  }

  /// Takes the largest step of some rows as the jump.
  private func look(_ run: TrackRun, _ column: UnsafePointer<Double>, _ side: inout Known) {
    var (at, size) = (-1, 0.0)
    for row in 1 - min(run.carry, 1)..<max(run.count, 1) {
      let step = (column[row] - column[row - 1]).magnitude
      if step > size { (at, size) = (row, step) }
    }
    for row in 0..<run.count {
      if at >= 0, row >= at {
        side.after.add(column[row], column[row], 1)
      } else {
        side.before.add(column[row], column[row], 1)
      }
    }
    side.row = run.first + at
    // A step to the last row of the others, or from the first, may be none: the rows go on at the old level.
    if !Self.isApart(side) {
      side.before.add(side.after.low, side.after.high, side.after.rows)
      side.after = Side()
    }
  }

  private static func isApart(_ side: Known) -> Bool {
    let gap = max(side.after.low - side.before.high, side.before.low - side.after.high)
    return gap > 0 && gap > side.before.range && gap > side.after.range
  }

  /// The jumps that were found.
  func shifts(_ facts: [ColumnFacts]) -> [LevelShift] {
    known.compactMap { side in
      let found = facts[side.column]
      guard side.isOpen, side.before.rows >= Self.least, side.after.rows >= Self.least,
        Self.isApart(side), found.same * 4 <= found.moves, side.before.range > 0,
        side.after.range > 0,
        !TrackSketch.isTurn(step: found.step, minimum: found.minimum, maximum: found.maximum),
        Self.hasJump(
          step: found.step, sum: found.stepSum, moves: Double(found.moves),
          minimum: found.minimum, maximum: found.maximum)
      else { return nil }
      return LevelShift(
        column: side.column, row: side.row, before: (side.before.low + side.before.high) / 2,
        after: (side.after.low + side.after.high) / 2)
    }
  }
}

private final class LevelShiftCheck: DatasetCheck {
  private struct Known {
    var episodes = 0
    var shifted = 0
    var places: [Place] = []
  }
  private let known = ChannelTable<Known>()

  var isFull: Bool { known.isFull }

  func add(_ episode: EpisodeFacts) {
    for facts in episode.tracks where facts.track.entity == nil {
      for item in facts.track.quantities where LevelSampler.takes(item, facts.track) {
        guard let place = known.place(facts.track, item.columns, orElse: Known()) else { continue }
        known[place].episodes += 1
        let columns = item.columns.first..<item.columns.first + item.columns.count
        guard let shift = facts.levels.first(where: { columns.contains($0.column) }) else {
          continue
        }
        known[place].shifted += 1
        if known[place].places.count < Finding.mostPlaces {
          known[place].places.append(
            episode.place(
              rows: shift.row..<shift.row + 1, values: [shift.before, shift.after],
              note: "the level before and after"))
        }
      }
    }
  }

  func finish(_ hits: inout DatasetHits) {
    for entry in known.entries {
      let found = entry.value
      guard found.episodes >= 10, found.shifted > 0, found.shifted * 10 <= found.episodes else {
        continue
      }
      hits.add(
        "jumps to another level and stays there", stream: entry.stream, channel: entry.channel,
        count: found.shifted, found.places)
    }
  }
}
