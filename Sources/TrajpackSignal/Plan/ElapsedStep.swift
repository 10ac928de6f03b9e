import TrajpackFormat

/// Adds one channel to a stream: how long ago a row was last observed, the irregular clock of CfC and of
/// other networks that are told how far apart their inputs lie.
package struct ElapsedStep: PlanStep {
  enum Unit: String, Sendable, CaseIterable { case rows, time }

  package let channels: ChannelSelection
  let unit: Unit
  let name: String

  package init(_ r: inout PlanReader) throws(TrajpackError) {
    channels = try r.selection("channels", .all)
    unit = try r.choice("unit", .rows)
    name = try r.text("name") ?? "elapsed"
  }

  package var json: JSONValue {
    .object([
      .init("step", "elapsed"), .init("channels", channels.json),
      .init("unit", .string(unit.rawValue)), .init("name", .string(name)),
    ])
  }
}

/// The counter bound to the channels of a stream.
struct ElapsedStage: PlanStage {
  let columns: [Int]
  let unit: ElapsedStep.Unit
  let output: Channel

  /// `nil` where the step does not concern the stream.
  init?(
    _ step: ElapsedStep, _ stream: String, _ channels: [Channel], isVideo: Bool
  ) throws(TrajpackError) {
    columns =
      isVideo ? [] : channels.indices.filter { step.channels.contains(stream, channels[$0]) }
    if columns.isEmpty { return nil }
    guard !channels.contains(where: { $0.name == step.name }) else {
      throw TrajpackError(
        .usage, "channel '\(stream)/\(step.name)' is there already: give another 'name'")
    }
    unit = step.unit
    output = Channel(
      name: step.name, kind: .scalar, type: .float64, shape: [],
      description: step.unit == .rows
        ? "rows since one was last observed; 1 is no gap"
        : "time since a row was last observed")
  }

  /// Row i gets i − j, or the time between, of the last row j before it in which any entry was observed;
  /// before there is one, i + 1, or the time since the first row.
  func run(
    _ track: inout PlanTrack, _ key: PlanKey, _ target: PlanTarget
  ) throws(TrajpackError) {
    let rows = track.clock.count
    var seen = [MaskByte](repeating: 0, count: rows)
    for i in columns {
      let width = track.columns[i].width
      let mask = track.columns[i].mask()
      for row in 0..<rows where seen[row] == 0 {
        if mask[row * width..<(row + 1) * width].contains(where: { $0 != 0 }) { seen[row] = 1 }
      }
    }
    var out = [Double](repeating: 0, count: rows)
    switch unit {
    case .rows:
      var last = -1
      for row in 0..<rows {
        out[row] = Double(row - last)
        if seen[row] != 0 { last = row }
      }
    case .time:
      try track.clock.withTimes { (times) throws(TrajpackError) in
        try seen.withUnsafeBufferPointer { (seen) throws(TrajpackError) in
          try out.withUnsafeMutableBufferPointer { (out) throws(TrajpackError) in
            try timeSinceObserved(times, mask: seen, components: 1, into: out)
          }
        }
      }
    }
    track.columns.append(PlanColumn(channel: output, values: .float64(out)))
  }
}

extension ElapsedStep {
  package static var name: String { "elapsed" }
  package var selection: ChannelSelection { channels }

  package func stage(
    in program: inout PlanProgram, isVideo: Bool
  ) throws(TrajpackError) -> (any PlanStage)? {
    let made = try ElapsedStage(self, program.stream, program.outputs, isVideo: isVideo)
    guard let made else { return nil }
    program.add(made.output, from: made.columns)
    return made
  }
}
