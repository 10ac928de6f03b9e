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
      guard case .regular = before, stages[number]?.isLocal ?? true else { return whole }
      // Only what stays regular gets here, so that no other clock is asked for.
      clocks.append(
        try self.clock(
          before, from: number, to: number + 1, key: key, reference: reference))
    }
    var wanted = rows
    for number in stages.indices.reversed() {
      if let stage = stages[number] {
        guard let needed = stage.needs(wanted, clocks[number], clocks[number + 1]) else {
          return whole
        }
        wanted = needed
      }
      wanted = wanted.clamped(to: clocks[number].rows)
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

extension PlanProgram {
  /// Whether a run of rows may round otherwise than the whole track: behind an anti-aliasing filter.
  public var mayRoundInRuns: Bool { stages.contains { $0?.mayRoundInRuns == true } }
}
