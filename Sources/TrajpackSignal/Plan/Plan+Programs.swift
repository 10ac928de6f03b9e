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
      try within("steps[\(number)] (\(step.name))") { () throws(TrajpackError) in
        if areAll { try step.check(against: programs) }
        for i in programs.indices { try programs[i].add(step, isVideo: streams[i].isVideo) }
      }
    }
    return programs
  }
}

extension PlanStep {
  var streamsOrChannels: (selection: ChannelSelection, isOfStreams: Bool) {
    switch self {
    case .resample(let step): (step.streams, true)
    case .align(let step): (step.streams, true)
    case .quantise(let step): (step.streams, true)
    case .mask(let step): (step.channels, false)
    case .timeSince(let step): (step.channels, false)
    case .elapsed(let step): (step.channels, false)
    case .encode(let step): (step.selection, false)
    case .path(let step): (step.channels, false)
    case .normalize(let step): (step.channels, false)
    case .select(let step): (step.channels, false)
    case .embed(let step):
      switch step.shape {
      case .uniform(let channels, _, _), .joint(let channels, _, _): (channels, false)
      case .list(let list, _):
        (ChannelSelection(list.map { .pattern(Pattern($0.channel)) }), false)
      }
    }
  }

  /// The streams whose clocks the step needs.
  package var onto: [String] {
    switch self {
    case .align(let step): return step.onto
    case .resample(let step):
      if case .onto(let stream) = step.target { return [stream] }
      return []
    default: return []
    }
  }
}

extension PlanProgram {
  /// Binds a step to the stream's channels.
  fileprivate mutating func add(_ step: PlanStep, isVideo: Bool) throws(TrajpackError) {
    func takesRows(_ streams: ChannelSelection, onto: [String]) throws(TrajpackError) -> Bool {
      guard streams.contains(stream: stream), onto != [stream] else { return false }
      if isVideo {
        guard !streams.names(stream: stream) else {
          throw TrajpackError(
            .usage,
            "stream '\(stream)' is a video, whose packets need each other: leave it out, or export its "
              + "frames first")
        }
        return false
      }
      return true
    }
    switch step {
    case .resample(let step):
      guard try takesRows(step.streams, onto: PlanStep.resample(step).onto) else { break }
      let stage = try ResampleStage(step, stream, outputs)
      outputs = stage.outputs
      return stages.append(.resample(stage))
    case .align(let step):
      guard try takesRows(step.streams, onto: step.onto) else { break }
      for i in outputs.indices { outputs[i].allowMissing() }
      return stages.append(.align(step))
    case .quantise(let step):
      guard try takesRows(step.streams, onto: []) else { break }
      for i in outputs.indices where outputs[i].isAveraged {
        outputs[i].becomeFloat()
        outputs[i].missing = .nan
      }
      return stages.append(.quantise(step))
    case .embed(let step):
      guard let stage = try EmbedStage(step, stream, outputs, isVideo: isVideo) else { break }
      if case .list(_, let name) = step.shape, !varying.isEmpty { varying.insert(name) }
      outputs = stage.outputs
      return stages.append(.embed(stage))
    case .mask(let step):
      guard let stage = try MaskStage(step, stream, outputs, isVideo: isVideo) else { break }
      for i in stage.columns { outputs[i].allowMissing() }
      // What was taken away before decides what is left to be taken.
      if step.draw == .epoch || stage.seen.contains(where: { varying.contains(outputs[$0].name) }) {
        varying.formUnion(stage.columns.map { outputs[$0].name })
      }
      return stages.append(.mask(stage))
    case .timeSince(let step):
      let columns =
        isVideo ? [] : outputs.indices.filter { step.channels.contains(stream, outputs[$0]) }
      if columns.isEmpty { break }
      for i in columns {
        let name = outputs[i].name + step.suffix
        guard !outputs.contains(where: { $0.name == name }) else {
          throw TrajpackError(
            .usage, "channel '\(stream)/\(name)' is there already: give a 'suffix'")
        }
        outputs.append(
          Channel(
            name: name, kind: .scalar, type: .float64,
            shape: outputs[i].type == .bytes ? [] : outputs[i].shape,
            description: "time since \(outputs[i].name) was last observed"))
        if varying.contains(outputs[i].name) { varying.insert(name) }
      }
      return stages.append(.timeSince(columns: columns, suffix: step.suffix))
    case .elapsed(let step):
      guard let stage = try ElapsedStage(step, stream, outputs, isVideo: isVideo) else { break }
      if stage.columns.contains(where: { varying.contains(outputs[$0].name) }) {
        varying.insert(stage.output.name)
      }
      outputs.append(stage.output)
      return stages.append(.elapsed(stage))
    case .encode(let step):
      guard let stage = try EncodeStage(step, stream, outputs, isVideo: isVideo) else { break }
      if stage.columns.contains(where: { varying.contains(outputs[$0].name) }) {
        varying.insert(stage.output.name)
      }
      outputs.append(stage.output)
      return stages.append(.encode(stage))
    case .path(let step):
      guard let stage = try PathStage(step, stream, outputs, isVideo: isVideo) else { break }
      for part in stage.parts {
        if varying.contains(outputs[part.column].name) { varying.insert(part.output.name) }
      }
      outputs += stage.parts.map(\.output)
      return stages.append(.path(stage))
    case .normalize(let step):
      guard let stage = try NormalizeStage(step, stream, outputs) else { break }
      for i in stage.columns {
        outputs[i].becomeFloat()
        outputs[i].units = nil
        normalized.insert(outputs[i].name)
      }
      return stages.append(.normalize(stage))
    case .select(let step):
      let columns = outputs.indices.filter { step.channels.contains(stream, outputs[$0]) }
      if columns.count == outputs.count { break }
      outputs = columns.map { outputs[$0] }
      varying.formIntersection(outputs.map(\.name))
      return stages.append(.select(columns))
    }
    stages.append(.keep)
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
