/// A rational number, in lowest terms with a positive denominator.
public struct Rational: Sendable, Hashable, CustomStringConvertible {
  /// The numerator.
  public let numerator: Int64
  /// The denominator, at least 1.
  public let denominator: Int64

  /// A fraction; `nil` where the denominator is zero or the result does not fit 64 bits.
  public init?(_ numerator: Int64, _ denominator: Int64 = 1) {
    guard denominator != 0, numerator != .min, denominator != .min else { return nil }
    let divisor =
      Int64(greatestCommonDivisor(numerator.magnitude, denominator.magnitude))
      * (denominator < 0 ? -1 : 1)
    self.numerator = numerator / divisor
    self.denominator = denominator / divisor
  }

  /// A fraction of wide integers; `nil` where it does not fit 64 bits in lowest terms.
  package init?(wide top: Int128, _ bottom: Int128) {
    let divisor = Int128(greatestCommonDivisor(top.magnitude, bottom.magnitude))
    guard let n = Int64(exactly: top / divisor), let d = Int64(exactly: bottom / divisor) else {
      return nil
    }
    self.init(n, d)
  }

  /// The fraction that an instant is; `nil` for a double, and where it does not fit 64 bits.
  package init?(_ instant: Instant?) {
    guard case .exact(let n, let d) = instant else { return nil }
    self.init(wide: n, d)
  }

  private init(whole: Int64) {
    numerator = whole
    denominator = 1
  }

  /// Zero.
  public static let zero = Rational(whole: 0)
  /// One.
  public static let one = Rational(whole: 1)

  /// A decimal number as people write it (`0.05`, `29.97`, `30000/1001`), exactly.
  public init?(decimal text: some StringProtocol) {
    let halves = text.split(separator: "/", omittingEmptySubsequences: false)
    if halves.count == 2 {
      guard let n = Int64(halves[0]), let d = Int64(halves[1]) else { return nil }
      self.init(n, d)
      return
    }
    let parts = text.split(separator: ".", omittingEmptySubsequences: false)
    guard parts.count <= 2, let whole = parts.first else { return nil }
    let fraction = parts.count == 2 ? parts[1] : ""
    guard fraction.count <= 15, fraction.allSatisfy(\.isNumber),
      let n = Int64(String(whole) + fraction)
    else { return nil }
    self.init(n, fraction.reduce(1) { scale, _ in scale * 10 })
  }

  /// The simplest fraction that is the same float as `number`, by its continued fraction; a number that needs
  /// a denominator of more than 31 bits is rounded to 1e-9. `nil` for what is not finite or needs more than
  /// 53 bits before the point.
  public init?(nearest number: Double) {
    guard number.isFinite, number.magnitude < 0x1p53 else { return nil }
    let sign: Int64 = number < 0 ? -1 : 1
    var (before, last) = ((p: Int64(0), q: Int64(1)), (p: Int64(1), q: Int64(0)))
    var rest = number.magnitude
    while rest < 0x1p53 {
      let whole = Int64(rest)
      let (a, o1) = whole.multipliedReportingOverflow(by: last.p)
      let (p, o2) = a.addingReportingOverflow(before.p)
      let (b, o3) = whole.multipliedReportingOverflow(by: last.q)
      let (q, o4) = b.addingReportingOverflow(before.q)
      guard !o1, !o2, !o3, !o4, q < 1 << 31 else { break }
      if Double(p) / Double(q) == number.magnitude {
        self.init(sign * p, q)
        return
      }
      (before, last) = (last, (p, q))
      let fraction = rest - Double(whole)
      guard fraction > 0 else { break }
      rest = 1 / fraction
    }
    let parts = (number * 1e9).rounded()
    guard let whole = Int64(exactly: parts) else {
      self.init(Int64(number.rounded()))
      return
    }
    self.init(whole, 1_000_000_000)
  }

  /// A fraction of wide integers, in any terms.
  package typealias WideFraction = (Int128, Int128)

  /// The fraction with the smallest denominator from one to another, both positive (Stern-Brocot).
  package static func simplestFraction(
    from low: WideFraction, to high: WideFraction
  ) -> WideFraction {
    let whole = low.0 / low.1
    if whole * low.1 == low.0 { return (whole, 1) }
    if whole < high.0 / high.1 { return (whole + 1, 1) }
    let (num, den) = simplestFraction(
      from: (high.1, high.0 - whole * high.1), to: (low.1, low.0 - whole * low.1))
    return (whole * num + den, num)
  }

  /// The quotient of two fractions; `nil` where it does not fit 64 bits, or the other is zero.
  package func divided(by other: Rational) -> Rational? {
    Rational(
      wide: Int128(numerator) * Int128(other.denominator),
      Int128(denominator) * Int128(other.numerator))
  }

  /// The nearest double.
  public var value: Double { Double(numerator) / Double(denominator) }

  /// The text that people read.
  public var description: String {
    denominator == 1 ? String(numerator) : "\(numerator)/\(denominator)"
  }
}

/// The greatest number that divides both; 1 where both are zero.
@inlinable
package func greatestCommonDivisor<T: UnsignedInteger>(_ a: T, _ b: T) -> T {
  var (a, b) = (a, b)
  while b != 0 { (a, b) = (b, a % b) }
  return max(a, 1)
}
