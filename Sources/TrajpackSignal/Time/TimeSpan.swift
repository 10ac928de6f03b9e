import TrajpackFormat

/// A length of time: an exact fraction of the clock's unit, or a float where the clock is one.
public enum TimeSpan: Sendable, Hashable {
  /// An exact span, in seconds (or the unit of the clock).
  case exact(Rational)
  /// A floating-point span in the same unit; compared with exact clocks after rounding down.
  case units(Double)

  /// The nearest `Double`.
  public var value: Double {
    switch self {
    case .exact(let span): span.value
    case .units(let span): span
    }
  }

  /// Refuses a negative span and NaN.
  func requireNotNegative(_ name: StaticString) throws(TrajpackError) {
    guard value >= 0 else {
      throw TrajpackError(.usage, "the \(name) is \(value): give a span of 0 or more")
    }
  }

  /// The longest whole number of ticks that is not longer than this span.
  func limit(unit: Int64) -> Int128 {
    switch self {
    case .exact(let span):
      let top = Int128(span.numerator) * Int128(unit)
      let bottom = Int128(span.denominator)
      return (top - Int128.remainder(top, bottom)) / bottom
    case .units(let span):
      let ticks = (span * Double(unit)).rounded(.down)
      return ticks < 0x1p120 ? Int128(ticks) : 1 << 120
    }
  }
}
