import TrajpackFormat

/// Gives each row of a reference clock, or of the union of several, a whole row of a stream: an as-of join.
package struct AlignStep: PlanStep {
  package enum Direction: String, Sendable, CaseIterable {
    case backward, forward, nearest, exact

    var direction: AlignPlan.Direction {
      switch self {
      case .backward: .backward
      case .forward: .forward
      case .nearest: .nearest
      case .exact: .exact
      }
    }
  }

  package let streams: ChannelSelection
  /// The streams whose times are taken, all together.
  package let onto: [String]
  let direction: Direction
  let tolerance: TimeSpan?
  let sameTime: Bool
  /// `nil` for the usual one.
  let rounding: TimeSpan?

  package init(_ r: inout PlanReader) throws(TrajpackError) {
    streams = try r.selection("streams", .all)
    guard let given = r.value("onto") else {
      throw TrajpackError(.usage, "\(r.path) does not say onto which stream: add \"onto\"")
    }
    let names = given.array ?? [given]
    let onto = names.compactMap(\.string).filter { !$0.isEmpty }
    guard !onto.isEmpty, onto.count == names.count, Set(onto).count == onto.count else {
      throw r.wrong("onto", given, "a stream, or a list of different ones, whose times are joined")
    }
    self.onto = onto
    direction = try r.choice("direction", .backward)
    tolerance = try r.span("tolerance")
    sameTime = try r.truth("same_time", true)
    rounding = try r.span("rounding")
  }

  package var json: JSONValue {
    .object([
      .init("step", "align"), .init("streams", streams.json),
      .init("onto", onto.count == 1 ? .string(onto[0]) : .array(onto.map { .string($0) })),
      .init("direction", .string(direction.rawValue)),
      .init("tolerance", tolerance.map { PlanNumber.json($0) } ?? .null),
      .init("same_time", .bool(sameTime)),
      .init("rounding", rounding.map { PlanNumber.json($0) } ?? .null),
    ])
  }
}

extension AlignStep {
  package static var name: String { "align" }
  package var selection: ChannelSelection { streams }
  package var isOfStreams: Bool { true }

  package func stage(
    in program: inout PlanProgram, isVideo: Bool
  ) throws(TrajpackError) -> (any PlanStage)? {
    guard try program.takesRows(streams, onto: onto, isVideo: isVideo) else { return nil }
    for i in program.outputs.indices { program.outputs[i].allowMissing() }
    return AlignStage(step: self)
  }
}

/// The join bound to a stream.
struct AlignStage: PlanStage {
  let step: AlignStep

  /// Gives each row of the target the matching whole row.
  func run(
    _ track: inout PlanTrack, _ key: PlanKey, _ target: PlanTarget
  ) throws(TrajpackError) {
    let (clock, target) = (track.clock, try target())
    let rows = try clock.withTimes { (source) throws(TrajpackError) in
      try target.withTimes { (times) throws(TrajpackError) in
        try AlignPlan(
          source, to: times, step.direction.direction, tolerance: step.tolerance,
          allowsSameTime: step.sameTime, rounding: StampRounding(step.rounding?.value)
        ).rows.map { Int($0) }
      }
    }
    track = PlanTrack(
      clock: target, columns: track.columns.map { $0.rows(rows) }, notes: track.notes)
  }

  /// The clock that rows go onto: of one stream, or the sorted union of the times of several; of an entity, where it is
  /// present.
  func clock(
    behind clock: PlanClock, _ key: PlanKey,
    _ reference: (String) throws(TrajpackError) -> PlanClock
  ) throws(TrajpackError) -> PlanClock {
    let clocks = try step.onto.mapThrowing { (stream) throws(TrajpackError) in
      try reference(stream)
    }
    let onto = clocks.count == 1 ? clocks[0] : try PlanClock.union(clocks)
    return key.entity == nil ? onto : try onto.within(clock)
  }

  func sort(
    behind sort: PlanClock.Sort, _ reference: (String) throws(TrajpackError) -> PlanClock.Sort
  ) throws(TrajpackError) -> PlanClock.Sort {
    let sorts = try step.onto.mapThrowing { (stream) throws(TrajpackError) in
      try reference(stream)
    }
    if sorts.count == 1 { return sorts[0] }
    return sorts.contains(.floats) ? .floats : .ticks
  }
}
