/// How the values of a component are scaled, in plans and in a loader: what is taken off, and what distance from it
/// becomes 1.
public enum NormalizationMethod: String, Sendable, CaseIterable {
  /// The mean, and the standard deviation.
  case standard
  /// The smallest and the largest value become the ends of a range.
  case minmax
  /// The 1 % and the 99 % quantile become the ends of a range.
  case quantile
  /// The median, and the distance between the quartiles.
  case robust

  /// Whether it goes by quantiles.
  package var needsQuantiles: Bool { self == .quantile || self == .robust }

  /// What a method was called in plans of version 0: `zscore` is `standard`.
  package static let older = ["zscore": NormalizationMethod.standard]
}

extension ComponentStatistics {
  /// What a method takes off, and the distance from it that becomes 1. The two values of `minmax` and `quantile` become
  /// 0 and 1 with `fromZero`, else -1 and 1. Without quantiles, those that need them are `standard`.
  package func center(
    of method: NormalizationMethod, fromZero: Bool
  ) -> (center: Double, spread: Double) {
    func ends(_ low: Double, _ high: Double) -> (Double, Double) {
      fromZero ? (low, high - low) : (low + (high - low) / 2, (high - low) / 2)
    }
    let q = quantiles
    switch method {
    case .quantile where q.count == 9: return ends(q[0], q[8])
    case .robust where q.count == 9: return (q[4], q[5] - q[3])
    case .minmax: return ends(minimum, maximum)
    default: return (mean, deviation ?? 0)
    }
  }
}
