import TrajpackFormat

/// How a camera moves from row to row, and how much its pictures change: whether one comes later than the other.
public enum VideoMotion {
  /// By how many rows pictures come later than the motion, and how well they agree then.
  public struct Shift: Sendable, Equatable {
    /// Rows; never 0.
    public var rows: Int
    /// Pearson's correlation at this shift.
    public var correlation: Double
    /// The correlation without a shift.
    public var unshifted: Double
  }

  /// The largest shift that is looked for, in rows.
  public static let most = 8
  /// Parts of a recording that must agree, and rows of each.
  static let parts = 3
  static let leastRows = 64

  /// Compares them at shifts of up to ``most`` rows.
  ///
  /// - Parameters:
  ///   - pictures: How much each picture differs from the one before; number 0 is of the second picture. NaN where it is not known.
  ///   - motion: How far the camera moved from the row before, likewise.
  /// - Returns: `nil` where they agree best without a shift, or do not agree well enough to tell: the correlation of what changes
  ///   from step to step must be 0.6 or more at the same shift in each of three parts, and 0.1 above that without one.
  public static func shift(pictures: [Double], motion: [Double]) -> Shift? {
    let count = min(pictures.count, motion.count)
    guard count >= parts * leastRows else { return nil }
    let (a, b) = (changes(motion, count), changes(pictures, count))
    var found: Int?
    for part in 0..<parts {
      let rows = part * a.count / parts..<(part + 1) * a.count / parts
      let all = (-most...most).map { ($0, correlation(a, b, rows, shift: $0)) }
      guard let best = all.max(by: { $0.1 < $1.1 }), best.1 >= 0.6, best.0 != 0,
        best.1 - all[most].1 >= 0.1, found == nil || found == best.0
      else { return nil }
      found = best.0
    }
    guard let rows = found else { return nil }
    return Shift(
      rows: rows, correlation: correlation(a, b, a.indices, shift: rows),
      unshifted: correlation(a, b, a.indices, shift: 0))
  }

  /// How much each step differs from the one before: slow changes, such as light, do not count.
  private static func changes(_ steps: [Double], _ count: Int) -> [Double] {
    zip(steps[1..<count], steps).map { $0 - $1 }
  }

  /// Pearson's correlation of `a[i]` and `b[i + shift]`, for i in `rows`.
  private static func correlation(
    _ a: [Double], _ b: [Double], _ rows: Range<Int>, shift: Int
  ) -> Double {
    var (n, x, y, xx, yy, xy) = (0.0, 0.0, 0.0, 0.0, 0.0, 0.0)
    for i in rows where b.indices.contains(i + shift) {
      let (u, v) = (a[i], b[i + shift])
      guard u.isFinite, v.isFinite else { continue }
      (n, x, y) = (n + 1, x + u, y + v)
      (xx, yy, xy) = (xx + u * u, yy + v * v, xy + u * v)
    }
    let spread = (xx - x * x / n) * (yy - y * y / n)
    guard n >= Double(leastRows) / 2, spread > 0 else { return 0 }
    return (xy - x * y / n) / spread.squareRoot()
  }
}
