import TrajpackFormat

/// The rows of a regular clock, and those that clips at another rate take of them.
struct ClipLine {
  let start: Rational
  let rate: Rational
  let rows: Int

  /// The time of a row; `nil` where it is no fraction of 64 bits.
  func time(_ row: Int) -> Rational? {
    Rational(Instant(ofRow: row, start: start, rate: rate))
  }

  /// Rows a step at a rate, as a fraction.
  private static func step(of own: Rational, at rate: Rational) -> (Int128, Int128) {
    (
      Int128(own.numerator) * Int128(rate.denominator),
      Int128(own.denominator) * Int128(rate.numerator)
    )
  }

  /// For each instant of a clip that begins on a row, how many rows after it the nearest one is, of two the
  /// earlier; `nil` where that is more than a recording can have.
  static func offsets(_ length: Int, of own: Rational, at rate: Rational) -> [Int]? {
    let (p, q) = step(of: own, at: rate)
    guard p <= (1 << 90) else { return nil }
    return (0..<length).map { k in
      let (whole, rest) = (Int128(k) * p).quotientAndRemainder(dividingBy: q)
      return Int(clamping: whole + (2 * rest > q ? 1 : 0))
    }
  }

  /// Rows after the first that a clip needs to lie within the recording.
  static func reach(_ length: Int, of own: Rational, at rate: Rational) -> Int {
    let (p, q) = step(of: own, at: rate)
    return Int(clamping: (Int128(length - 1) * p + q - 1) / q)
  }

  static func fits(_ length: Int, of own: Rational, at rate: Rational, rows: Int) -> Bool {
    reach(length, of: own, at: rate) < rows
  }
}
