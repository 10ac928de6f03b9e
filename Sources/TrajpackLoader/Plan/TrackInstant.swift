import TrajpackFormat

/// A moment: an exact fraction wherever the clocks are exact, so that rows which lie on the same moment
/// are found to, and a double where they are not.
enum TrackInstant: Sendable {
  case exact(Int128, Int128)
  case real(Double)

  init(_ number: Rational) { self = .exact(Int128(number.numerator), Int128(number.denominator)) }

  var value: Double {
    switch self {
    case .exact(let n, let d): return Self.ratio(n, d)
    case .real(let x): return x
    }
  }

  /// A fraction as a double. Conversions of 128 bits take long, and most numbers need 64.
  private static func ratio(_ n: Int128, _ d: Int128) -> Double {
    let (a, b) = (Int64(truncatingIfNeeded: n), Int64(truncatingIfNeeded: d))
    return Int128(a) == n && Int128(b) == d ? Double(a) / Double(b) : Double(n) / Double(d)
  }

  /// A fraction whose denominator is at least 1; `nil` where one of the numbers is not known.
  private static func fraction(_ n: Int128?, _ d: Int128?) -> TrackInstant? {
    guard let n, let d else { return nil }
    // Lowest terms only where numbers become large; most never do.
    guard n.magnitude > 1 << 62 || d > 1 << 62 else { return .exact(n, d) }
    var (a, b) = (n.magnitude, d.magnitude)
    while b != 0 { (a, b) = (b, a % b) }
    // It divides the denominator, so that it fits.
    let g = Int128(max(a, 1))
    return .exact(n / g, d / g)
  }

  /// The sum of two, as doubles where the exact one is out of reach.
  static func + (a: TrackInstant, b: TrackInstant) -> TrackInstant {
    guard case .exact(let n, let d) = a, case .exact(let m, let e) = b else {
      return .real(a.value + b.value)
    }
    if d == e { return fraction(n.adding(m), d) ?? .real(a.value + b.value) }
    let sum = n.multiplied(by: e).flatMap { x in m.multiplied(by: d).flatMap { x.adding($0) } }
    return fraction(sum, d.multiplied(by: e)) ?? .real(a.value + b.value)
  }

  static func - (a: TrackInstant, b: TrackInstant) -> TrackInstant {
    switch b {
    case .exact(let n, let d):
      return n == .min ? .real(a.value - b.value) : a + .exact(-n, d)
    case .real(let x): return a + .real(-x)
    }
  }

  /// The product of two, as doubles where the exact one is out of reach.
  static func * (a: TrackInstant, b: TrackInstant) -> TrackInstant {
    guard case .exact(let n, let d) = a, case .exact(let m, let e) = b else {
      return .real(a.value * b.value)
    }
    return fraction(n.multiplied(by: m), d.multiplied(by: e)) ?? .real(a.value * b.value)
  }

  /// The whole part below, and what is above it, from 0 to 1. A number that an `Int` does not hold becomes the
  /// nearest one that it does: nothing may be added to it without a check.
  var split: (whole: Int, rest: Double) {
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

  static func < (a: TrackInstant, b: TrackInstant) -> Bool {
    switch a - b {
    case .exact(let n, _): return n < 0
    case .real(let x): return x < 0
    }
  }
}
