/// A rational number, in lowest terms with a positive denominator.
public struct Rational: Sendable, Hashable, CustomStringConvertible {
  /// The numerator.
  public let numerator: Int64
  /// The denominator, at least 1.
  public let denominator: Int64

  /// A fraction; `nil` where the denominator is zero or the result does not fit 64 bits.
  public init?(_ numerator: Int64, _ denominator: Int64 = 1) {
    guard denominator != 0, numerator != .min, denominator != .min else { return nil }
    var a = numerator.magnitude
    var b = denominator.magnitude
    while b != 0 { (a, b) = (b, a % b) }
    let divisor = Int64(max(a, 1)) * (denominator < 0 ? -1 : 1)
    self.numerator = numerator / divisor
    self.denominator = denominator / divisor
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

  /// The nearest double.
  public var value: Double { Double(numerator) / Double(denominator) }

  /// The text that people read.
  public var description: String {
    denominator == 1 ? String(numerator) : "\(numerator)/\(denominator)"
  }
}

/// How the rows of a track map to time.
///
/// Never float32: at three hours its steps are a millisecond.
public enum Clock: Sendable, Hashable {
  /// Row `i` lies at `start + i / rate`, exactly.
  case regular(start: Rational, rate: Rational)
  /// Row `i` lies at `time[i] · tick`, where `time` is the stream's int64 channel of that name.
  case ticks(Rational)
  /// Row `i` lies at `time[i]`, the stream's float64 channel of that name: for systems whose time
  /// has no seconds, and sources that recorded floating-point times.
  case float64

  /// The number by which the kind of clock is written.
  var code: Int64 {
    switch self {
    case .regular: return 0
    case .ticks: return 1
    case .float64: return 2
    }
  }

  /// The time of row `row` of a regular clock, in units of the stream's clock.
  public func time(ofRow row: Int) -> Double? {
    guard case .regular(let start, let rate) = self else { return nil }
    // One rounding where the exact value has one: start/d + row·den/num over a common denominator.
    let (a, o1) = start.numerator.multipliedReportingOverflow(by: rate.numerator)
    let (b, o2) = Int64(row).multipliedReportingOverflow(by: rate.denominator)
    let (c, o3) = b.multipliedReportingOverflow(by: start.denominator)
    let (n, o4) = a.addingReportingOverflow(c)
    let (d, o5) = start.denominator.multipliedReportingOverflow(by: rate.numerator)
    if o1 || o2 || o3 || o4 || o5 || n.magnitude > 1 << 53 || d.magnitude > 1 << 53 {
      return start.value + Double(row) * Double(rate.denominator) / Double(rate.numerator)
    }
    return Double(n) / Double(d)
  }
}
