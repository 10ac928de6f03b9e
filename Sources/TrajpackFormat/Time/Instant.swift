/// A moment, or a length of time: an exact fraction wherever the clocks are exact, so that rows which lie on the same
/// moment are found to, and a double where they are not.
///
/// Loaders find the rows of every window by it: all is inlinable, which members of a `package` type are only where the type
/// is `@usableFromInline`.
@usableFromInline
package enum Instant: Sendable {
  /// A fraction, in any terms; the denominator is at least 1.
  case exact(Int128, Int128)
  case real(Double)

  @inlinable
  package init(_ number: Rational) {
    self = .exact(Int128(number.numerator), Int128(number.denominator))
  }

  /// `start + row / rate`.
  @inlinable
  package init(ofRow row: Int, start: Rational, rate: Rational) {
    self = Instant(start) + .exact(Int128(row), 1) * Instant(periodOf: rate)
  }

  /// The time from a row to the next at a rate, which is positive.
  @inlinable
  package init(periodOf rate: Rational) {
    self = .exact(Int128(rate.denominator), Int128(rate.numerator))
  }

  @inlinable
  package var value: Double {
    switch self {
    case .exact(let n, let d): return Self.ratio(n, d)
    case .real(let x): return x
    }
  }

  /// A fraction as a double. Conversions of 128 bits take long, and most numbers need 64.
  @inlinable
  static func ratio(_ n: Int128, _ d: Int128) -> Double {
    let (a, b) = (Int64(truncatingIfNeeded: n), Int64(truncatingIfNeeded: d))
    return Int128(a) == n && Int128(b) == d ? Double(a) / Double(b) : Double(n) / Double(d)
  }

  /// A fraction whose denominator is at least 1; `nil` where one of the numbers is not known.
  @inlinable
  static func fraction(_ n: Int128?, _ d: Int128?) -> Instant? {
    guard let n, let d else { return nil }
    // Lowest terms only where numbers become large; most never do.
    guard n.magnitude > 1 << 62 || d > 1 << 62 else { return .exact(n, d) }
    // It divides the denominator, so that it fits.
    let divisor = Int128(greatestCommonDivisor(n.magnitude, d.magnitude))
    return .exact(n / divisor, d / divisor)
  }

  /// The sum of two, as doubles where the exact one is out of reach.
  @inlinable
  package static func + (a: Instant, b: Instant) -> Instant {
    guard case .exact(let n, let d) = a, case .exact(let m, let e) = b else {
      return .real(a.value + b.value)
    }
    if d == e { return fraction(n.adding(m), d) ?? .real(a.value + b.value) }
    let sum = n.multiplied(by: e).flatMap { x in m.multiplied(by: d).flatMap { x.adding($0) } }
    return fraction(sum, d.multiplied(by: e)) ?? .real(a.value + b.value)
  }

  @inlinable
  package static func - (a: Instant, b: Instant) -> Instant {
    switch b {
    case .exact(let n, let d):
      return n == .min ? .real(a.value - b.value) : a + .exact(-n, d)
    case .real(let x): return a + .real(-x)
    }
  }

  /// The product of two, as doubles where the exact one is out of reach.
  @inlinable
  package static func * (a: Instant, b: Instant) -> Instant {
    guard case .exact(let n, let d) = a, case .exact(let m, let e) = b else {
      return .real(a.value * b.value)
    }
    return fraction(n.multiplied(by: m), d.multiplied(by: e)) ?? .real(a.value * b.value)
  }

  /// The whole part below, and what is above it, from 0 to 1. A number that an `Int` does not hold becomes the
  /// nearest one that it does: nothing may be added to it without a check.
  @inlinable
  package var split: (whole: Int, rest: Double) {
    switch self {
    case .exact(let n, let d):
      var (q, r) = n.quotientAndRemainder(dividingBy: d)
      if r < 0 { (q, r) = (q - 1, r + d) }
      return (Int(clamping: q), Self.ratio(r, d))
    case .real(let x):
      guard x.magnitude < 1e15 else { return (x > 0 ? Int.max : Int.min, 0) }
      let whole = x.rounded(.down)
      return (Int(whole), x - whole)
    }
  }

  @inlinable
  package static func < (a: Instant, b: Instant) -> Bool {
    switch a - b {
    case .exact(let n, _): return n < 0
    case .real(let x): return x < 0
    }
  }
}

/// The moments from one on up to another; `nil` is the beginning, or the end.
package struct TimeRange: Sendable {
  package var from: Instant?
  package var to: Instant?

  package init(from: Instant?, to: Instant?) { (self.from, self.to) = (from, to) }

  package func contains(_ moment: Instant) -> Bool {
    from.map { !(moment < $0) } ?? true && to.map { moment < $0 } ?? true
  }
}
