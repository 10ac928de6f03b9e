/// Decimal numbers as scaled integers.
///
/// A number that was written as decimal text with at most `k` digits after the point is stored as the
/// integer `n = value · 10^k`, and read as `Double(n) / 10^k`. The division gives the double nearest to
/// `n / 10^k`, because both operands are exact (`|n| < 2^53`, `k ≤ 22`) and IEEE 754 division rounds
/// once: the same double that parsing the text gives. Recordings written as text shrink by half so.
///
/// The four smallest integers of the stored type are kept for what has no digits.
public enum DecimalCode {
  /// The stored integers that stand for something else, as distances from the smallest one.
  public enum Special: Int, Sendable {
    case missing = 0
    case negativeZero = 1
    case infinity = 2
    case negativeInfinity = 3
  }

  /// Powers of ten that a double holds exactly.
  public static let powers: [Double] = (0...22).map { k in (0..<k).reduce(1.0) { p, _ in p * 10 } }

  /// The most digits after the point that the code can carry.
  public static let maximumDecimals = 22

  /// The value of stored integer `stored` at `decimals` digits after the point; NaN where missing.
  @inlinable
  public static func value<Stored: FixedWidthInteger>(_ stored: Stored, scale: Double) -> Double {
    if stored < Stored.min + 4 { return special(Int(stored - Stored.min)) }
    return Double(stored) / scale
  }

  @usableFromInline
  static func special(_ code: Int) -> Double {
    switch Special(rawValue: code) {
    case .negativeZero: return -0.0
    case .infinity: return .infinity
    case .negativeInfinity: return -.infinity
    case .missing, nil: return .nan
    }
  }
}
