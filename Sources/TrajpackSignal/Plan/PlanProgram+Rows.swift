import TrajpackFormat

extension PlanProgram {
  /// The rows of the source that ``run(_:key:reference:)`` needs so that output rows `rows` come out as
  /// they do for the whole track; always enough, and all rows where a step looks at all of them.
  ///
  /// Local are: masks by entry, kept row, channel and list; embeddings of regular clocks; `select` and
  /// `normalize`; from one regular clock to another `previous`, `next`, `nearest`, `linear`, `counter`,
  /// `pchip`, `akima`, `makima`, `hermite` and a filter that takes each n-th row, of channels that miss
  /// nothing or have a gap limit; and bins. Slerp (whose sign follows the row before), splines, explicit times, and the rest
  /// need the whole track.
  ///
  /// - Parameters:
  ///   - rows: numbers of rows of the output, as ``clock(_:steps:key:reference:)`` numbers them.
  ///   - clock: of the whole track.
  public func sourceRows(
    for rows: Range<Int>, of clock: PlanClock, key: PlanKey, reference: Reference
  ) throws(TrajpackError) -> Range<Int> {
    let whole = clock.rows
    guard case .regular = clock else { return isIdentity ? rows.clamped(to: whole) : whole }
    var clocks = [clock]
    for number in stages.indices {
      let before = clocks[number]
      guard case .regular = before, stages[number].isLocal else { return whole }
      // Only what stays regular gets here, so that no other clock is asked for.
      clocks.append(
        try self.clock(
          before, from: number, to: number + 1, key: key, reference: reference))
    }
    var wanted = rows
    for number in stages.indices.reversed() {
      guard let needed = stages[number].needs(wanted, clocks[number], clocks[number + 1]) else {
        return whole
      }
      wanted = needed.clamped(to: clocks[number].rows)
    }
    return wanted
  }

  private func clock(
    _ clock: PlanClock, from first: Int, to last: Int, key: PlanKey, reference: Reference
  ) throws(TrajpackError) -> PlanClock {
    var part = self
    part.stages = Array(stages[first..<last])
    return try part.clock(clock, key: key) { (stream, steps) throws(TrajpackError) in
      try reference(stream, first + steps)
    }
  }
}

extension PlanProgram.Stage {
  /// Whether output rows need input rows nearby only.
  fileprivate var isLocal: Bool {
    switch self {
    case .keep, .select, .normalize, .embed, .encode: return true
    case .mask(let stage): return stage.isLocal
    case .align, .quantise, .timeSince, .elapsed, .path: return false
    case .resample(let stage): return stage.isLocal
    }
  }

  /// The input rows that output rows need; `nil` for all.
  fileprivate func needs(
    _ rows: Range<Int>, _ input: PlanClock, _ output: PlanClock
  ) -> Range<Int>? {
    switch self {
    case .embed(let stage):
      return rows.lowerBound - stage.before..<rows.upperBound + stage.after
    case .resample(let stage):
      guard case .regular(let from, _, _) = input, case .regular(let to, _, _) = output else {
        return nil
      }
      return stage.needs(rows, from, to)
    default: return rows
    }
  }
}

extension ResampleStage {
  fileprivate var isLocal: Bool {
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

  fileprivate func needs(_ rows: Range<Int>, _ from: RegularClock, _ to: RegularClock) -> Range<
    Int
  >? {
    guard
      let ratio = Rational(
        wide: Int128(from.rate.numerator) * Int128(to.rate.denominator),
        Int128(from.rate.denominator) * Int128(to.rate.numerator)),
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
}

extension PlanProgram {
  /// Whether a run of rows may round otherwise than the whole track: behind an anti-aliasing filter.
  public var mayRoundInRuns: Bool {
    stages.contains { stage in
      guard case .resample(let stage) = stage else { return false }
      return stage.ways.contains { way in
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
