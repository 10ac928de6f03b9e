import TrajpackFormat

extension SelectedChannel {
  /// Whether a channel is one that can be scaled, and is: names, ids and rotations cannot be, events, images,
  /// depth and booleans are where the channel is named.
  static func isScaled(_ channel: Channel, isNamed: Bool) -> Bool {
    switch channel.kind {
    case .categorical, .label, .packet, .text, .quaternion, .matrix: false
    case .event, .image, .depth: isNamed
    default: channel.type != .bool || isNamed
    }
  }

  /// Finds what to subtract and to multiply by, an element each, for each group.
  ///
  /// `standard` is `(x - mean) / std`; `minmax` and `quantile` map the smallest and largest value, or the
  /// 1 % and 99 % quantiles, to -1 and 1, or the ends of a `range`; `robust` is `(x - median) / (q75 - q25)`. A
  /// component that does not vary becomes 0, or the lower end.
  ///
  /// - Parameter unmeasured: why statistics say nothing of it.
  /// - Throws: A usage error where the channel has no such statistics.
  mutating func normalize(
    by rule: NormalizationRule, _ statistics: NormalizationStatistics, isNamed: Bool,
    unmeasured: String? = nil
  ) throws(TrajpackError) {
    guard Self.isScaled(channel, isNamed: isNamed) else {
      guard !isNamed else {
        throw TrajpackError(
          .usage, option: "normalize",
          "channel '\(path)' is of kind \(channel.kind.rawValue), whose values cannot be "
            + "scaled: leave it out, or declare it as a scalar where it is recorded")
      }
      isLeftRaw = true
      return
    }
    if let unmeasured {
      throw TrajpackError(.usage, option: "normalize", "channel '\(path)' \(unmeasured)")
    }
    let fit = statistics.fits[path]
    guard let fit, fit.groups.contains(where: { $0.contains { $0.count > 0 } }),
      fit.groups.allSatisfy({ $0.count == fit.components.count })
    else {
      guard isNamed else {
        isLeftRaw = true
        return
      }
      throw TrajpackError(
        .usage, option: "normalize",
        "channel '\(path)' has no statistics of the split to normalise by; choose another with "
          + "'normalize_split'")
    }
    guard picture == nil || fit.components.count == 1 else {
      throw TrajpackError(
        .usage, option: "normalize",
        "channel '\(path)' is cut or scaled as a picture, and its elements have statistics each: leave "
          + "it out, or declare it as an image where it is recorded")
    }
    shift = [Double](repeating: 0, count: fit.groups.count * channel.elements)
    scale = [Double](repeating: 1, count: shift.count)
    for (group, components) in fit.groups.enumerated() {
      for (elements, s) in zip(fit.components, components) where s.count > 0 {
        let (center, spread) = s.center(of: rule.method, fromZero: false)
        var (shift, scale) = (s.shift(to: center), s.scale(of: spread))
        if let range = rule.range {
          // The middle and the half become those of the range; one value its lower end.
          let isOne = scale == 1 && !(spread > 0) || s.isConstant
          if !isOne { scale *= (range.high - range.low) / 2 }
          shift -= (isOne ? range.low : range.low + (range.high - range.low) / 2) / scale
        }
        // All of a picture is one component, however large what is given out of it is.
        for element in picture == nil ? elements : Array(0..<channel.elements)
        where element < channel.elements {
          self.shift[group * channel.elements + element] = shift
          self.scale[group * channel.elements + element] = scale
        }
      }
    }
    grouping = fit.grouping
    self.rule = rule
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
          .usage, option: "fill",
          "\(given.integer.map { "\($0)" } ?? "\(given.number)") is no \(type.rawValue), which "
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
    isFloat || range?.contains(Int128(number)) == true
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
