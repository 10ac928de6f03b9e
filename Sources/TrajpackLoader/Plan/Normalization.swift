import TrajpackFormat

extension SelectedChannel {
  /// Finds what to subtract and to multiply by, an element each.
  ///
  /// `standard` is `(x - mean) / std`; `minmax` and `quantile` map the smallest and largest value, or the
  /// 1 % and 99 % quantiles, to -1 and 1. A component that does not vary becomes 0. Names and ids
  /// are left as they are, unless the channel is named.
  ///
  /// - Parameter unmeasured: why statistics say nothing of it.
  /// - Throws: A usage error where the channel has no such statistics.
  mutating func normalize(
    by rule: LoaderOptions.Normalization, _ statistics: [ComponentStatistics]?, isNamed: Bool,
    unmeasured: String? = nil
  ) throws(TrajpackError) {
    switch channel.kind {
    case .categorical, .label, .event, .image, .depth, .packet, .text, .quaternion, .matrix:
      guard isNamed else { return }
    default: break
    }
    guard channel.type != .bool || isNamed else { return }
    if let unmeasured {
      throw TrajpackError(.usage, "option 'normalize': channel '\(path)' \(unmeasured)")
    }
    let components = ComponentRule.components(of: channel)
    guard let statistics, statistics.count == components.count,
      statistics.contains(where: { $0.count > 0 })
    else {
      guard isNamed else { return }
      throw TrajpackError(
        .usage,
        "channel '\(path)' has no statistics of the split to normalise by; choose another with "
          + "'normalize_split'")
    }
    var shift = [Double](repeating: 0, count: channel.elements)
    var scale = [Double](repeating: 1, count: channel.elements)
    for (elements, s) in zip(components, statistics) where s.count > 0 {
      var (low, high) = (s.minimum, s.maximum)
      var middle = s.mean
      var spread = s.deviation ?? 0
      if rule == .quantile, let first = s.quantiles.first, let last = s.quantiles.last {
        (low, high) = (first, last)
      }
      if rule != .standard {
        middle = low + (high - low) / 2
        spread = (high - low) / 2
      }
      for element in elements where element < channel.elements {
        shift[element] = s.shift(to: middle)
        scale[element] = s.scale(of: spread)
      }
    }
    self.shift = shift
    self.scale = scale
  }
}
