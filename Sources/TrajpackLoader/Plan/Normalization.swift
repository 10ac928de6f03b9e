import TrajpackFormat

extension SelectedChannel {
  /// Finds what to subtract and to multiply by, an element each.
  ///
  /// `standard` is `(x - mean) / std`; `minmax` and `quantile` map the smallest and largest value, or the
  /// 1 % and 99 % quantiles, to -1 and 1. A component that does not vary becomes 0. Names, ids
  /// and rotations cannot be scaled; events, images, depth and booleans are where the channel is named.
  ///
  /// - Parameter unmeasured: why statistics say nothing of it.
  /// - Throws: A usage error where the channel has no such statistics.
  mutating func normalize(
    by rule: LoaderOptions.Normalization, _ statistics: [ComponentStatistics]?, isNamed: Bool,
    unmeasured: String? = nil
  ) throws(TrajpackError) {
    switch channel.kind {
    case .categorical, .label, .packet, .text, .quaternion, .matrix:
      guard !isNamed else {
        throw TrajpackError(
          .usage,
          "option 'normalize': channel '\(path)' is of kind \(channel.kind.rawValue), whose values cannot be "
            + "scaled: leave it out, or declare it as a scalar where it is recorded")
      }
      isLeftRaw = true
      return
    case .event, .image, .depth:
      guard isNamed else {
        isLeftRaw = true
        return
      }
    default: break
    }
    guard channel.type != .bool || isNamed else {
      isLeftRaw = true
      return
    }
    if let unmeasured {
      throw TrajpackError(.usage, "option 'normalize': channel '\(path)' \(unmeasured)")
    }
    let components = ComponentRule.components(of: channel)
    guard let statistics, statistics.count == components.count,
      statistics.contains(where: { $0.count > 0 })
    else {
      guard isNamed else {
        isLeftRaw = true
        return
      }
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

extension SelectedChannel {
  /// Takes the value that stands in place of one that was not observed.
  ///
  /// Floats take any. Integers take one that their type holds: of a rule for all channels, another leaves the
  /// smallest integer there.
  ///
  /// - Throws: A usage error where a value that was not observed would look like one that was.
  mutating func setFill(_ rules: Rules<LoaderOptions.Fill>) throws(TrajpackError) {
    let name = channel.name
    let given = rules.value(stream: stream, channel: name)
    let isRule = rules.rules.contains { $0.pattern.matches(stream: stream, channel: name) }
    fill = given
    guard !type.isFloat, channel.missing != .never else { return }
    if let given, given.integer.map({ type.holds($0) }) != true {
      guard !isRule else {
        throw TrajpackError(
          .usage,
          "option 'fill': \(given.integer.map { "\($0)" } ?? "\(given.number)") is no \(type.rawValue), which "
            + "'\(path)' is")
      }
      fill = nil
    }
    guard fill == nil, !type.tellsMissing(of: channel.type) else { return }
    throw TrajpackError(
      .usage,
      "channel '\(path)' may be missing, which \(type.rawValue) cannot say: give 'fill' a whole number for it, "
        + "as {\"\(path)\": 0}, or a 'dtype' of floats or of 64 bits")
  }
}

extension ElementType {
  /// Whether a whole number is one of the type.
  func holds(_ number: Int) -> Bool {
    switch self {
    case .bool: number == 0 || number == 1
    case .int8: Int8(exactly: number) != nil
    case .int16: Int16(exactly: number) != nil
    case .int32: Int32(exactly: number) != nil
    case .int64: true
    case .uint8: UInt8(exactly: number) != nil
    case .uint16: UInt16(exactly: number) != nil
    case .uint32: UInt32(exactly: number) != nil
    case .uint64: UInt64(exactly: number) != nil
    case .float32, .float64: true
    case .bytes: false
    }
  }

  /// Whether the smallest integer of the type stands for what was not observed in values of another type, and
  /// for nothing else: it does where all of these fit.
  func tellsMissing(of stored: ElementType) -> Bool {
    switch self {
    case .int32, .int64: stored.isFloat || stored.size <= size
    case .int8, .int16: stored == self
    default: false
    }
  }
}
