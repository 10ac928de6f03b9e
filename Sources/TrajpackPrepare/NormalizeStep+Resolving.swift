import TrajpackFormat
import TrajpackSignal
import TrajpackStore

extension Plan {
  /// The plan with the constants of every `normalize` step, from statistics that a source carries.
  ///
  /// - Throws: `.usage` or `.data` where a step has nothing to measure.
  package func normalized(
    by statistics: FittedStatistics, of streams: [PlanStream]
  ) throws(TrajpackError) -> Plan {
    var steps: [PlanStep] = []
    for (number, step) in self.steps.enumerated() {
      guard case .normalize(let open) = step, open.constants == nil else {
        steps.append(step)
        continue
      }
      let before = Plan(steps: steps)
      steps.append(
        .normalize(
          try within("steps[\(number)] (\(step.name))") { () throws(TrajpackError) in
            try step.check(against: try before.programs(for: streams))
            return try open.resolved(after: before, streams, statistics)
          }))
    }
    return Plan(steps: steps)
  }
}

extension NormalizeStep {
  /// Finds what to take off and to multiply by in the statistics that a source carries.
  ///
  /// - Parameter before: the steps before this one, which leave nothing open.
  /// - Throws: `.usage` or `.data`, naming what cannot be measured.
  package func resolved(
    after before: Plan, _ originals: [PlanStream], _ statistics: FittedStatistics
  ) throws(TrajpackError) -> NormalizeStep {
    let splits = statistics.splits
    guard split == "all" || splits.contains(split) else {
      throw TrajpackError(
        .usage,
        "the dataset has no split '\(split)'\(Suggestion.text(for: split, among: splits)); write "
          + "\"split\": \"all\" to use every episode, which leaks test data into training")
    }
    var wanted: [(isNamed: Bool, channel: MeasuredChannel)] = []
    for program in try before.programs(for: originals) {
      for channel in program.outputs where channels.contains(program.stream, channel) {
        let path = "\(program.stream)/\(channel.name)"
        let isNamed = channels.names(program.stream, channel)
        guard let original = program.recorded(channel), Self.mayNormalise(channel) else {
          guard isNamed else { continue }
          throw TrajpackError(
            .usage,
            "channel '\(path)' is \(channel.kind.rawValue) of shape \(channel.shape) here, which the "
              + "source's statistics say nothing of: normalise numbers, before they are embedded")
        }
        let components =
          if let axes {
            try ComponentAxes.components(of: original.shape, axes: axes, path)
          } else {
            StatisticsComponents.components(of: original)
          }
        wanted.append(
          (
            isNamed,
            MeasuredChannel(
              stream: program.stream, name: channel.name, shape: original.shape,
              components: components, hasQuantiles: method.needsQuantiles)
          ))
      }
    }
    let found = try statistics.components(
      of: wanted.map(\.channel), split: split == "all" ? nil : split,
      isStored: axes == nil && !method.needsQuantiles)
    var constants: [Constants] = []
    for ((isNamed, channel), components) in zip(wanted, found) {
      guard components.count == channel.components.count,
        components.allSatisfy({ $0.count > 0 })
      else {
        guard isNamed else { continue }
        throw TrajpackError(
          .data, "channel '\(channel.path)' has no observed value in split '\(split)' to measure")
      }
      constants.append(self.constants(channel, components))
    }
    guard !constants.isEmpty else {
      throw TrajpackError(.usage, "no channel is left to normalise: name some with 'channels'")
    }
    var step = self
    step.constants = constants
    return step
  }

  private static func mayNormalise(_ channel: Channel) -> Bool {
    guard channel.type != .bytes else { return false }
    switch channel.kind {
    case .scalar, .position, .intrinsics, .event, .image, .depth: return true
    default: return false
    }
  }

  private func constants(
    _ channel: MeasuredChannel, _ statistics: [ComponentStatistics]
  ) -> Constants {
    let elements = channel.shape.reduce(1, *)
    var shift = [Double](repeating: 0, count: elements)
    var scale = [Double](repeating: 1, count: elements)
    for (elements, s) in zip(channel.components, statistics) {
      let q = s.quantiles
      let (middle, span): (Double, Double) =
        switch method {
        case .standard, .zscore: (s.mean, s.deviation ?? 0)
        case .minmax: (s.minimum, s.maximum - s.minimum)
        case .quantile: (q[0], q[q.count - 1] - q[0])
        case .robust: (q[4], q[5] - q[3])
        }
      for element in elements {
        // minmax maps the smallest value to 0 anyway.
        shift[element] = s.shift(to: middle)
        scale[element] = s.scale(of: span)
      }
    }
    return Constants(channel: channel.path, shift: shift, scale: scale)
  }
}

/// The target rows of the splits of a scheme, for steps that are fitted to them.
package struct SchemedRows: Sendable {
  /// What names the scheme and the fold, with the scheme's digest.
  package let identity: String
  /// The splits.
  package let splits: [String]
  /// The rows of a split, those before it that are only seen left out.
  package let parts: @Sendable (_ split: String) throws(TrajpackError) -> [TrackPart]

  /// Rows of splits.
  package init(
    identity: String, splits: [String],
    parts: @escaping @Sendable (_ split: String) throws(TrajpackError) -> [TrackPart]
  ) {
    (self.identity, self.splits, self.parts) = (identity, splits, parts)
  }
}

extension Plan {
  /// Whether a step is to be fitted to the rows of a split.
  package var fitsSplit: Bool {
    steps.contains { step in
      if case .normalize(let step) = step { return step.constants == nil && step.split != "all" }
      return step.unresolved != nil
    }
  }
}

/// The statistics that the steps of a plan are fitted to: those of the index where they will do, else measured.
package struct FittedStatistics {
  private let shards: [Shard]
  private let threads: Int
  private let scheme: SchemedRows?

  /// Of the episodes of some shards.
  ///
  /// - Parameter scheme: The rows of splits by a scheme, where one counts instead of the shards' own splits.
  package init(_ shards: [Shard], threads: Int = 0, scheme: SchemedRows? = nil) {
    self.shards = shards
    self.threads = threads
    self.scheme = scheme
  }

  /// The splits that there are.
  var splits: [String] {
    scheme?.splits ?? Set(shards.flatMap(\.schema.splits)).filter { !$0.isEmpty }.sorted()
  }

  /// The components of channels in a split (`nil`: in all episodes).
  ///
  /// - Parameter isStored: whether they are those of the index.
  /// - Throws: A usage error where a channel has too many components for quantiles; a data error for damage.
  func components(
    of channels: [MeasuredChannel], split: String?, isStored: Bool
  ) throws(TrajpackError) -> [[ComponentStatistics]] {
    let isSchemed = split != nil && scheme != nil
    if isStored, !isSchemed {
      var stored = DatasetStatistics()
      for shard in shards { try stored.add(shard) }
      return channels.map { channel in
        split.map { stored.splits[$0]?[channel.path] ?? [] } ?? stored.all(channel.path)
      }
    }
    let most = ComponentAxes.quantileComponents.asked
    for channel in channels where channel.hasQuantiles && channel.components.count > most {
      throw TrajpackError(
        .usage,
        "channel '\(channel.path)' has \(channel.components.count) components, and quantiles are kept of at most "
          + "\(most): take some together with 'axes', or choose 'standard' or 'minmax'")
    }
    let parts =
      if let split, let scheme {
        try scheme.parts(split)
      } else {
        SubsetStatistics.parts(of: shards, split: split)
      }
    return try SubsetStatistics(shards, channels).measure([parts], threads: threads)[0]
  }
}
