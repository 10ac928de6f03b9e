import CPlatform

/// What one pass over the columns of a track says may be found in it. A rule that needs what no column has finds nothing, and is
/// not asked: most episodes are clean, and short ones are many. Only for tracks that are read in one run.
struct TrackSketch: OptionSet, Sendable {
  let rawValue: UInt16

  /// Missing values.
  static let missing = TrackSketch(rawValue: 1)
  /// Infinite values.
  static let infinite = TrackSketch(rawValue: 2)
  /// Values smaller than any normal float32.
  static let tiny = TrackSketch(rawValue: 4)
  /// As many steps of 0 as a stuck sensor has.
  static let still = TrackSketch(rawValue: 8)
  /// A turn far beyond the mean step.
  static let turn = TrackSketch(rawValue: 16)
  /// A step far beyond the mean step.
  static let jump = TrackSketch(rawValue: 32)
  /// An extreme that stands for 'missing' elsewhere.
  static let word = TrackSketch(rawValue: 64)
  /// Values that come again and again, and change often.
  static let levels = TrackSketch(rawValue: 128)
  /// Steps as small as those of a float32.
  static let narrow = TrackSketch(rawValue: 256)

  /// A step of the size of its range.
  static let level = TrackSketch(rawValue: 512)

  /// Three columns with as many steps of 0 as an end that was filled up has.
  static let ends = TrackSketch(rawValue: 1024)

  init(rawValue: UInt16) { self.rawValue = rawValue }

  /// What columns have.
  init(_ columns: UnsafeMutableBufferPointer<tp_column_facts>) {
    self = []
    var still = 0
    for column in columns.indices {
      let facts = columns[column]
      if facts.same >= EndRows.least { still += 1 }
      if facts.missing > 0 { insert(.missing) }
      if facts.infinite > 0 { insert(.infinite) }
      if facts.tiny > 0 { insert(.tiny) }
      if facts.same >= 31 { insert(.still) }
      if Self.hasTurn(facts) { insert(.turn) }
      if Self.hasJump(facts) { insert(.jump) }
      if Self.isWord(facts.minimum) || Self.isWord(facts.maximum) { insert(.word) }
      if facts.same > 0, facts.fractions * 2 > facts.finite,
        (facts.moves - facts.same) * 3 >= facts.moves
      {
        insert(.levels)
      }
      if Self.isNarrow(facts) { insert(.narrow) }
      if facts.fractions * 2 > facts.finite,
        LevelSampler.hasJump(
          step: facts.step, sum: facts.step_sum, moves: Double(facts.moves),
          minimum: facts.minimum, maximum: facts.maximum)
      {
        insert(.level)
      }
    }
    if still >= EndSampler.leastColumns { insert(.ends) }
  }

  /// Whether a row may lie far from both of its neighbours. A spike makes two steps of its size, so that the mean step is at
  /// least 2/moves of it.
  static func hasTurn(_ facts: tp_column_facts) -> Bool {
    facts.turn > 0 && facts.moves >= 8 && facts.fractions * 2 > facts.finite
      && (facts.turn * Double(facts.moves) > min(8, 0.4 * Double(facts.moves)) * facts.step_sum
        || facts.turn > 20 * facts.step_sum / Double(facts.moves))
  }

  /// Whether a step may be 100 times the usual one: it is far beyond the mean step, too.
  static func hasJump(_ facts: tp_column_facts) -> Bool {
    facts.moves >= 32 && facts.fractions * 2 > facts.finite
      && (facts.step * Double(facts.moves) > 40 * facts.step_sum
        || facts.step * 4 > facts.step_sum)
  }

  /// Numbers that stand for 'missing' in many files.
  static let words: [Double] = [
    -1, -99, -999, -9999, -99_999, -999_999, -99.9, -999.9, -99.99, -999.99, 99, 999, 9999, 99_999,
    999_999, 1e20, -1e20, 1e30, -1e30, 1e34, -1e34, 1e35, 1e36, 9.96921e36,
    9.969209968386869e36, -32_768, 32_767, -2_147_483_648, 2_147_483_647,
  ]

  /// Whether a number is one of ``words``, as float64 or float32.
  static func isWord(_ value: Double) -> Bool {
    // All but -1 are far from zero: most values end here.
    (value.magnitude >= 98 || value == -1) && value.isFinite
      && words.contains { $0 == value || Double(Float($0)) == value }
  }

  /// Whether a step goes through the end of a turn: from 359.9 to 0.1, in a column that stays within a turn in degrees or radians. A
  /// source that says no kinds has headings as plain numbers.
  static func isTurn(step: Double, minimum: Double, maximum: Double) -> Bool {
    for turn in [360, 2 * Double.pi] {
      // Values of float32 lie a little beyond the end.
      let whole = turn * (1 + 1e-6)
      guard step > 0.9 * turn, step <= whole else { continue }
      if minimum >= 0, maximum <= whole { return true }
      if minimum >= -whole / 2, maximum <= whole / 2 { return true }
    }
    return false
  }

  private static func isNarrow(_ facts: tp_column_facts) -> Bool {
    let largest = max(facts.maximum, -facts.minimum)
    guard facts.finite > 0, facts.infinite == 0, largest > 0 else { return false }
    let changes = facts.moves - facts.same
    // The step of a float32 is less than a part in 2^22 of it, if it is a normal one: most columns end here.
    guard
      facts.fractions == 0 || largest < 0x1p-126
        || facts.step_sum <= 3 * 0x1p-22 * largest * Double(changes)
    else { return false }
    return facts.fractions == 0 && largest > 16_777_216 && facts.step > 0
      || changes >= 64 && facts.step_sum <= 3 * Double(Float(largest).ulp) * Double(changes)
  }
}
