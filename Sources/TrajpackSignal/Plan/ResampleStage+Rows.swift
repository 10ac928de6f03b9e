import TrajpackFormat

extension ResampleStage {
  var isLocal: Bool {
    switch step.target {
    case .onto, .times: return false
    case .rate, .ratio: break
    }
    guard case .path(_, let rules) = step.how else { return true }
    if rules.edge != .missing { return false }
    for (way, channel) in zip(ways, inputs) {
      switch way {
      case .rows: continue
      case .path(_, let method, _):
        guard case .interpolate(let how) = method else { return false }
        if case .cubic = how { return false }
        // Missing entries are joined over as far as the gap limit; without one, to the ends.
        if channel.mayMissInput, rules.gap == nil { return false }
      case .polyphase: if channel.mayMissInput, rules.gap == nil { return false }
      case .count, .since: return false
      case .bin, .binAngle, .binSphere, .binRow: continue
      }
    }
    return true
  }

  func needs(_ rows: Range<Int>, _ input: PlanClock, _ output: PlanClock) -> Range<Int>? {
    guard case .regular(let from, _, _) = input, case .regular(let to, _, _) = output,
      let ratio = from.rate.divided(by: to.rate),
      ratio.numerator < 1 << 30, ratio.denominator < 1 << 30
    else { return nil }
    // The phases of a filter of several differ a little in gain, so what it takes off as a background
    // matters: it must be the whole track's.
    if ratio.denominator > 1, mayFilter(ratio) { return nil }
    let offset = (to.start.value - from.start.value) * from.rate.value
    // Three knots on either side are what Akima looks at.
    var reach = 4
    if case .path(_, let rules) = step.how {
      if let gap = rules.gap {
        reach += Int(clamping: min(2 * gap.value * from.rate.value, 1e9)) + 2
      }
      // A filter reaches ten rows of the slower clock to either side.
      reach += Int((20 * max(1, ratio.value)).rounded(.up)) + 2
    } else {
      reach += Int(ratio.value.rounded(.up)) + 1
    }
    let first = (Double(rows.lowerBound) * ratio.value + offset).rounded(.down)
    let last = (Double(rows.upperBound) * ratio.value + offset).rounded(.up)
    guard abs(first) < 1e15, abs(last) < 1e15 else { return nil }
    // Where the grids meet, so that a filter has the same phases.
    let period = Int(ratio.numerator)
    var low = Int(first) - reach
    low -= (low % period + period) % period
    return low..<max(Int(last) + reach, low)
  }

  /// Behind an anti-aliasing filter.
  var mayRoundInRuns: Bool {
    ways.contains { way in
      switch way {
      case .polyphase: true
      case .path(_, .interpolate(let how), let rules):
        rules.antiAlias && !how.isSelection && how != .counter
      case .path(_, .angle, let rules): rules.antiAlias
      default: false
      }
    }
  }
}

extension ResampleStage {
  /// Whether some channel goes through a low-pass, from `ratio` times the new rate.
  private func mayFilter(_ ratio: Rational) -> Bool {
    ways.contains { way in
      switch way {
      case .polyphase: true
      case .path(_, .interpolate(let how), let rules):
        rules.antiAlias && ratio.numerator > ratio.denominator && !how.isSelection
          && how != .counter
      default: false
      }
    }
  }
}

extension Channel {
  /// Whether entries may be missing.
  fileprivate var mayMissInput: Bool { missing != .never }
}

extension ResampleStep {
  package static var name: String { "resample" }
  package var selection: ChannelSelection { streams }
  package var isOfStreams: Bool { true }

  package var onto: [String] {
    if case .onto(let stream) = target { return [stream] }
    return []
  }

  package var ruleSelectors: [(member: String, selectors: [ChannelSelector])] {
    switch how {
    case .path(let rules, _): [("method", rules.rules.map(\.selector))]
    case .bins(let rules, _): [("bin", rules.rules.map(\.selector))]
    }
  }

  package func stage(
    in program: inout PlanProgram, isVideo: Bool
  ) throws(TrajpackError) -> (any PlanStage)? {
    guard try program.takesRows(streams, onto: onto, isVideo: isVideo) else { return nil }
    let made = try ResampleStage(self, program.stream, program.outputs)
    program.outputs = made.outputs
    for (channel, way) in zip(made.outputs, made.ways) {
      // Means, like what stands between two rows, are still values of the size that the source has.
      guard case .bin(let statistic) = way, statistic != .mean,
        program.changed[channel.name] == nil
      else { continue }
      program.changed[channel.name] = .binned(statistic)
    }
    return made
  }
}

extension ResampleStage {
  func run(
    _ track: inout PlanTrack, _ key: PlanKey, _ target: PlanTarget
  ) throws(TrajpackError) {
    try run(&track, key, target: target())
  }

  func clock(
    behind clock: PlanClock, _ key: PlanKey,
    _ reference: (String) throws(TrajpackError) -> PlanClock
  ) throws(TrajpackError) -> PlanClock {
    try target(of: clock, isEntity: key.entity != nil, reference: reference)
  }

  func sort(
    behind sort: PlanClock.Sort, _ reference: (String) throws(TrajpackError) -> PlanClock.Sort
  ) throws(TrajpackError) -> PlanClock.Sort {
    switch step.target {
    case .onto(let stream): return try reference(stream)
    case .times: return .floats
    case .ratio: return .regular
    case .rate:
      if case .bins = step.how { return .regular }
      return sort == .ticks ? .regular : sort
    }
  }
}
