import TrajpackFormat

extension Plan {
  /// What the plan does to each stream.
  ///
  /// - Parameter areAll: whether these are all streams that there are; every selector must match
  ///   something then.
  /// - Throws: `.usage` naming the step and the channel where a step does not fit a channel that it
  ///   names, or names none; and for a plan that is ``unresolved``.
  public func programs(
    for streams: [PlanStream], areAll: Bool = true
  ) throws(TrajpackError) -> [PlanProgram] {
    if let unresolved { throw TrajpackError(.usage, unresolved) }
    var programs = streams.map { PlanProgram($0) }
    for (number, step) in steps.enumerated() {
      try within("steps[\(number)] (\(step.stepName))") { () throws(TrajpackError) in
        if areAll { try step.check(against: programs) }
        for i in programs.indices {
          let stage = try step.stage(in: &programs[i], isVideo: streams[i].isVideo)
          programs[i].stages.append(stage)
        }
      }
    }
    return programs
  }
}

extension PlanProgram {
  /// Whether a step that changes all rows takes the stream. A video is left alone.
  ///
  /// - Throws: A usage error where a video is named.
  func takesRows(
    _ streams: ChannelSelection, onto: [String] = [], isVideo: Bool
  ) throws(TrajpackError) -> Bool {
    guard streams.contains(stream: stream), onto != [stream] else { return false }
    guard isVideo else { return true }
    guard !streams.names(stream: stream) else {
      throw TrajpackError(
        .usage,
        "stream '\(stream)' is a video, whose packets need each other: leave it out, or export its "
          + "frames first")
    }
    return false
  }
}

extension Channel {
  /// Whether the mean of two rows means something, and a step takes it without being asked.
  var isAveraged: Bool { (kind == .scalar || kind == .position) && type != .bytes }

  /// The type that ``PlanColumn/asFloats()`` gives.
  mutating func becomeFloat() {
    guard type != .bytes, !type.isFloat else { return }
    type = PlanColumn.floatType(type)
    categories = nil
    if missing == .sentinel { missing = .nan }
  }

  /// Makes room for a mark of what was not observed.
  mutating func allowMissing() {
    if type.isFloat {
      missing = .nan
      return
    }
    // A row of bytes says itself that there is none.
    if type == .bytes { return }
    missing = .sentinel
    switch type {
    case .int8, .uint8, .int16, .uint16, .bool: type = .int32
    case .uint32, .uint64: type = .int64
    case .int32, .int64, .float32, .float64, .bytes: break
    }
  }
}
