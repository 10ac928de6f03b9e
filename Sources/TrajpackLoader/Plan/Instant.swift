import TrajpackFormat

/// A moment: an exact fraction wherever the clocks are exact, so that rows which lie on the same moment
/// are found to, and a double where they are not.
enum Instant: Sendable {
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

  private static func fraction(_ n: Int128, _ d: Int128) -> Instant {
    // Lowest terms only where numbers become large; most never do.
    guard n.magnitude > 1 << 62 || d > 1 << 62 else { return .exact(n, d) }
    var (a, b) = (n.magnitude, d.magnitude)
    while b != 0 { (a, b) = (b, a % b) }
    let g = Int128(max(a, 1))
    return .exact(n / g, d / g)
  }

  /// The sum of two, as doubles where the exact one is out of reach.
  static func + (a: Instant, b: Instant) -> Instant {
    guard case .exact(let n, let d) = a, case .exact(let m, let e) = b else {
      return .real(a.value + b.value)
    }
    if d == e { return fraction(n &+ m, d) }
    let (x, o1) = n.multipliedReportingOverflow(by: e)
    let (y, o2) = m.multipliedReportingOverflow(by: d)
    let (z, o3) = d.multipliedReportingOverflow(by: e)
    let (s, o4) = x.addingReportingOverflow(y)
    return o1 || o2 || o3 || o4 ? .real(a.value + b.value) : fraction(s, z)
  }

  static func - (a: Instant, b: Instant) -> Instant {
    switch b {
    case .exact(let n, let d): return a + .exact(-n, d)
    case .real(let x): return a + .real(-x)
    }
  }

  static func * (a: Instant, b: Instant) -> Instant {
    guard case .exact(let n, let d) = a, case .exact(let m, let e) = b else {
      return .real(a.value * b.value)
    }
    let (x, o1) = n.multipliedReportingOverflow(by: m)
    let (z, o2) = d.multipliedReportingOverflow(by: e)
    return o1 || o2 ? .real(a.value * b.value) : fraction(x, z)
  }

  /// The whole part below, and what is above it, from 0 to 1.
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

  static func < (a: Instant, b: Instant) -> Bool {
    switch a - b {
    case .exact(let n, _): return n < 0
    case .real(let x): return x < 0
    }
  }
}
