import TrajpackFormat

/// Keeps the channels that a selector matches, and drops all others.
package struct SelectStep: PlanStep {
  package let channels: ChannelSelection

  package init(_ r: inout PlanReader) throws(TrajpackError) {
    guard r.value("channels") != nil else {
      throw TrajpackError(.usage, "\(r.path) selects nothing: add \"channels\"")
    }
    channels = try r.selection("channels", .all)
  }

  package var json: JSONValue {
    .object([.init("step", "select"), .init("channels", channels.json)])
  }
}

extension SelectStep {
  package static var name: String { "select" }
  package var looksAround: Bool { false }
  package var selection: ChannelSelection { channels }

  package func stage(
    in program: inout PlanProgram, isVideo: Bool
  ) throws(TrajpackError) -> (any PlanStage)? {
    let columns = program.outputs.indices.filter {
      channels.contains(program.stream, program.outputs[$0])
    }
    if columns.count == program.outputs.count { return nil }
    program.outputs = columns.map { program.outputs[$0] }
    program.varying.formIntersection(program.outputs.map(\.name))
    return SelectStage(columns: columns)
  }
}

/// The channels that stay.
struct SelectStage: PlanStage {
  let columns: [Int]

  var isLocal: Bool { true }

  func run(_ track: inout PlanTrack, _ key: PlanKey, _ target: PlanTarget) {
    track.columns = columns.map { track.columns[$0] }
  }
}
