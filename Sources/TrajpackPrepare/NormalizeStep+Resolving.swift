import TrajpackFormat
import TrajpackSignal
import TrajpackStore

extension Plan {
  /// The plan with the constants of every `normalize` step, from statistics that a source carries.
  ///
  /// - Throws: `.usage` or `.data` where a step has nothing to measure.
  package func normalized(
    by statistics: DatasetStatistics, of streams: [PlanStream]
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
    after before: Plan, _ originals: [PlanStream], _ statistics: DatasetStatistics
  ) throws(TrajpackError) -> NormalizeStep {
    let splits = statistics.splits.keys.filter { !$0.isEmpty }.sorted()
    guard split == "all" || splits.contains(split) else {
      throw TrajpackError(
        .usage,
        "the dataset has no split '\(split)'\(Suggestion.text(for: split, among: splits)); write "
          + "\"split\": \"all\" to use every episode, by which training sees the test")
    }
    var constants: [Constants] = []
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
          split == "all" ? statistics.all(path) : statistics.splits[split]?[path] ?? []
        guard let found = try measured(path, original, components) else {
          guard isNamed else { continue }
          throw TrajpackError(
            .data, "channel '\(path)' has no observed value in split '\(split)' to measure")
        }
        constants.append(found)
      }
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

  private func measured(
    _ path: String, _ channel: Channel, _ statistics: [ComponentStatistics]
  ) throws(TrajpackError) -> Constants? {
    let components = ComponentRule.components(of: channel)
    guard statistics.count == components.count, statistics.allSatisfy({ $0.count > 0 }) else {
      return nil
    }
    var shift = [Double](repeating: 0, count: channel.elements)
    var scale = [Double](repeating: 1, count: channel.elements)
    for (elements, s) in zip(components, statistics) {
      let (middle, span): (Double, Double)
      switch method {
      case .zscore: (middle, span) = (s.mean, s.deviation ?? 0)
      case .minmax: (middle, span) = (s.minimum, s.maximum - s.minimum)
      case .robust:
        guard s.quantiles.count == ComponentStatistics.probabilities.count else {
          throw TrajpackError(
            .data, "channel '\(path)' has no quartiles among its statistics: use zscore or minmax")
        }
        (middle, span) = (s.quantiles[4], s.quantiles[5] - s.quantiles[3])
      }
      for element in elements {
        // minmax maps the smallest value to 0 anyway.
        shift[element] = s.shift(to: middle)
        scale[element] = s.scale(of: span)
      }
    }
    return Constants(channel: path, shift: shift, scale: scale)
  }
}
