import TrajpackFormat

/// Adds to each channel how long ago each of its entries was last observed.
package struct TimeSinceStep: PlanStep {
  package let channels: ChannelSelection
  let suffix: String

  package init(_ r: inout PlanReader) throws(TrajpackError) {
    channels = try r.selection("channels", .all)
    suffix = try r.text("suffix") ?? ".since"
  }

  package var json: JSONValue {
    .object([
      .init("step", "time_since"), .init("channels", channels.json),
      .init("suffix", .string(suffix)),
    ])
  }
}

extension TimeSinceStep {
  package static var name: String { "time_since" }
  package var selection: ChannelSelection { channels }

  package func stage(
    in program: inout PlanProgram, isVideo: Bool
  ) throws(TrajpackError) -> (any PlanStage)? {
    let columns =
      isVideo
      ? []
      : program.outputs.indices.filter { channels.contains(program.stream, program.outputs[$0]) }
    if columns.isEmpty { return nil }
    for i in columns {
      let channel = program.outputs[i]
      let name = channel.name + suffix
      guard !program.outputs.contains(where: { $0.name == name }) else {
        throw TrajpackError(
          .usage, "channel '\(program.stream)/\(name)' is there already: give a 'suffix'")
      }
      program.add(
        Channel(
          name: name, kind: .scalar, type: .float64,
          shape: channel.type == .bytes ? [] : channel.shape,
          description: "time since \(channel.name) was last observed"), from: [i])
    }
    return TimeSinceStage(columns: columns, suffix: suffix)
  }
}

/// Times since observations, bound to the channels of a stream.
struct TimeSinceStage: PlanStage {
  let columns: [Int]
  let suffix: String

  /// Adds columns of the time since each entry was last observed.
  func run(
    _ track: inout PlanTrack, _ key: PlanKey, _ target: PlanTarget
  ) throws(TrajpackError) {
    for i in columns {
      let column = track.columns[i]
      let width = column.width
      var since = [Double](repeating: 0, count: track.clock.count * width)
      let mask = column.mask()
      try track.clock.withTimes { (times) throws(TrajpackError) in
        try mask.withUnsafeBufferPointer { (mask) throws(TrajpackError) in
          try since.withUnsafeMutableBufferPointer { (out) throws(TrajpackError) in
            try timeSinceObserved(times, mask: mask, components: width, into: out)
          }
        }
      }
      track.columns.append(
        PlanColumn(
          channel: Channel(
            name: column.channel.name + suffix, kind: .scalar, type: .float64,
            shape: column.channel.type == .bytes ? [] : column.channel.shape),
          values: .float64(since)))
    }
  }
}
