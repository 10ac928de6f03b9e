import TrajpackFormat

/// A `normalize` step bound to the channels of one stream.
struct NormalizeStage: PlanStage {
  /// The map of each column that it scales.
  typealias Maps = [Int: ElementScaling]

  private let per: String?
  private let whole: Maps
  private let groups: [String: Maps]
  private let episodes: [String: String]
  /// The columns that it scales.
  let columns: [Int]

  /// - Returns: `nil` where the stream has none of the channels.
  /// - Throws: A usage error where constants do not fit a channel's shape.
  init?(_ step: NormalizeStep, _ stream: String, _ outputs: [Channel]) throws(TrajpackError) {
    func maps(_ list: [NormalizeStep.Constants]) throws(TrajpackError) -> Maps {
      var out: Maps = [:]
      for constants in list {
        guard let i = outputs.firstIndex(where: { "\(stream)/\($0.name)" == constants.channel })
        else { continue }
        out[i] = try constants.map(of: outputs[i], axes: step.axes)
      }
      return out
    }
    per = step.per
    episodes = step.episodes
    whole = try maps(step.constants ?? [])
    var groups: [String: Maps] = [:]
    for group in step.groups ?? [] { groups[group.name] = try maps(group.constants) }
    self.groups = groups
    let columns = Set(whole.keys).union(groups.values.flatMap(\.keys))
    if columns.isEmpty { return nil }
    self.columns = columns.sorted()
  }

  /// The maps for the rows of an episode.
  ///
  /// - Throws: A usage error where the step was not fitted to its group.
  private func maps(of episode: String) throws(TrajpackError) -> Maps {
    guard let per else { return whole }
    let isEach = per == NormalizeStep.perEpisode
    guard let name = isEach ? episode : episodes[episode], let maps = groups[name],
      columns.allSatisfy({ maps[$0] != nil })
    else {
      throw TrajpackError(
        .usage,
        isEach
          ? "the plan was not fitted to the episode's own rows, and normalises each by its own: fit it again"
          : "no row that the plan is fitted to is of the episode's '\(per)', by which it normalises: fit it to "
            + "another split, or leave the episode out")
    }
    return maps
  }

  /// Shifts and scales columns.
  func run(
    _ track: inout PlanTrack, _ key: PlanKey, _ target: PlanTarget
  ) throws(TrajpackError) {
    let rows = track.clock.count
    for (i, map) in try maps(of: key.episode) {
      var column = track.columns[i].asFloats()
      switch column.values {
      case .float32(var x):
        try x.withUnsafeMutableBufferPointer { (x) throws(TrajpackError) in
          try map.apply(x, rows: rows)
        }
        column.values = .float32(x)
      case .float64(var x):
        try x.withUnsafeMutableBufferPointer { (x) throws(TrajpackError) in
          try map.apply(x, rows: rows)
        }
        column.values = .float64(x)
      case .opaque: break
      }
      track.columns[i] = column
    }
  }
}

extension NormalizeStep.Constants {
  /// A shift and a scale for each element of a row: those that there are, one for all, or one for each element of some
  /// axes.
  fileprivate func map(of channel: Channel, axes: [Int]?) throws(TrajpackError) -> ElementScaling {
    let elements = channel.elements
    let shape = channel.shape
    var places: [Int]?
    var components = elements
    if let axes {
      let kept = axes.map { $0 < 0 ? $0 + shape.count : $0 }
      guard Set(kept).count == kept.count, kept.allSatisfy({ shape.indices.contains($0) }) else {
        throw TrajpackError(
          .usage, "channel '\(self.channel)' has rows of shape \(shape), which have no axes \(axes)"
        )
      }
      components = kept.reduce(1) { $0 * shape[$1] }
      places = (0..<elements).map { element in
        var (rest, index) = (element, [Int](repeating: 0, count: shape.count))
        for axis in shape.indices.reversed() {
          index[axis] = rest % shape[axis]
          rest /= shape[axis]
        }
        return kept.sorted().reduce(0) { $0 * shape[$1] + index[$1] }
      }
    }
    func spread(_ numbers: [Double]) -> [Double]? {
      if numbers.count == elements { return numbers }
      if numbers.count == 1 { return [Double](repeating: numbers[0], count: elements) }
      guard let places, numbers.count == components else { return nil }
      return places.map { numbers[$0] }
    }
    guard channel.type != .bytes, let shift = spread(shift), let scale = spread(scale) else {
      throw TrajpackError(
        .usage,
        "channel '\(self.channel)' has \(elements) elements here and its constants "
          + "\(max(self.shift.count, self.scale.count)): normalise before embedding, or give one for all, or say with "
          + "'axes' which axis they are of")
    }
    return ElementScaling(shift: shift, scale: scale)
  }
}

extension NormalizeStage {
  var isLocal: Bool { true }
}

extension NormalizeStep {
  package static var name: String { "normalize" }
  package var looksAround: Bool { false }
  package var selection: ChannelSelection { channels }

  package func checkNames(
    _ channels: [(stream: String, channel: Channel)]
  ) throws(TrajpackError) {
    for channel in bound { try Self.require(channel, channels) }
  }

  package func stage(
    in program: inout PlanProgram, isVideo: Bool
  ) throws(TrajpackError) -> (any PlanStage)? {
    let made = try NormalizeStage(self, program.stream, program.outputs)
    guard let made else { return nil }
    for i in made.columns {
      program.outputs[i].becomeFloat()
      program.outputs[i].units = nil
      program.changed[program.outputs[i].name] = .normalized
    }
    return made
  }
}
