/// How far a row may lie from a moment and count as the one at it, because times were rounded.
public struct StampRounding: Sendable, Hashable {
  /// Where nobody has said, in units of time: what was rounded to thousandths lies within it, be both rounded.
  public static let usual = 0.001

  /// What was asked for; `nil` for ``usual``.
  public let given: Double?

  /// A rounding of so much time; `nil` for ``usual``.
  public init(_ given: Double? = nil) { self.given = given }

  /// The distance that counts between rows so far apart (0: there is one row only).
  ///
  /// By default it is a quarter of the interval at most; what was asked for counts up to half of it, since beyond
  /// that another row is nearer.
  public func limit(interval: Double) -> Double {
    let (asked, share) = given.map { ($0, 0.5) } ?? (Self.usual, 0.25)
    return interval > 0 ? min(asked, interval * share) : asked
  }
}
