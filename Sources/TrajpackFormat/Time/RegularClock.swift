/// A clock whose row `i` has time `start + i / rate`, exactly.
public struct RegularClock: Sendable, Hashable {
  /// Time of row 0, in seconds (or the unit of a dimensionless system).
  public let start: Rational
  /// Rows a second; positive.
  public let rate: Rational

  /// Refuses a rate of zero or less.
  public init(start: Rational = .zero, rate: Rational) throws(TrajpackError) {
    guard rate.numerator > 0 else {
      throw TrajpackError(
        .usage, "a clock of \(rate) rows a second has no rows: give a rate above 0")
    }
    self.start = start
    self.rate = rate
  }

  /// The clock whose row 0 is row `row` of this one.
  package func starting(atRow row: Int) throws(TrajpackError) -> RegularClock {
    if row == 0 { return self }
    return try RegularClock(start: try time(ofRow: row), rate: rate)
  }

  /// The exact time of a row.
  package func time(ofRow row: Int) throws(TrajpackError) -> Rational {
    guard let time = Rational(Instant(ofRow: row, start: start, rate: rate)) else {
      throw TrajpackError(
        .usage, "the time of row \(row) of a clock of \(rate) rows a unit leaves 64 bits")
    }
    return time
  }

  /// The parts of a unit of time of which every time of the clock is a whole number; `nil` where they leave 64 bits.
  package var ticksPerUnit: Int64? {
    let divisor = greatestCommonDivisor(start.denominator.magnitude, rate.numerator.magnitude)
    return (start.denominator / Int64(divisor)).multiplied(by: rate.numerator)
  }
}
