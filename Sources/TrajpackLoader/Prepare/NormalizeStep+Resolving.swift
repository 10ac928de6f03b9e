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
    var steps: [any PlanStep] = []
    for (number, step) in self.steps.enumerated() {
      guard let open = step as? NormalizeStep, open.isOpen else {
        steps.append(step)
        continue
      }
      let before = Plan(steps: steps)
      steps.append(
        try within("steps[\(number)] (\(step.stepName))") { () throws(TrajpackError) in
          try step.check(against: try before.programs(for: streams))
          return try open.resolved(after: before, streams, statistics)
        })
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
    let isEach = per == Self.perEpisode
    guard split == "all" || splits.contains(split) || (isEach && !statistics.cutsEpisodes) else {
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
        // The statistics are of the values that the source has.
        if program.changed[channel.name] == .normalized {
          guard isNamed else { continue }
          throw TrajpackError(
            .usage,
            "channel '\(path)' is normalised by a step before this one already; normalise it once")
        }
        guard let original = program.recorded(channel), Self.mayNormalise(channel) else {
          guard isNamed else { continue }
          throw TrajpackError(
            .usage,
            "channel '\(path)' is \(channel.kind.rawValue) of shape \(channel.shape) here, which the "
              + "source's statistics say nothing of: normalise numbers, before they are embedded")
        }
        // It is refused even where nobody named it: left as it is, it would be the one channel that is not normalised.
        // No `default`: a new change must say here why the statistics are not of its values.
        switch program.changed[channel.name] {
        case nil, .normalized: break
        case .binned(let statistic):
          throw TrajpackError(
            .usage,
            "channel '\(path)' holds the \(statistic.rawValue) of bins here, and the source's statistics are of the rows in "
              + "them: end the plan before this step and normalise the dataset that 'trajpack apply' makes of it, give the "
              + "step 'constants', or choose other 'channels'")
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
    var step = self
    if let per {
      let rows = isEach && !statistics.cutsEpisodes ? "all" : split
      let found = try statistics.groups(of: wanted.map(\.channel), split: rows, per: per)
      let names = wanted.filter { !$0.isNamed }
      guard !wanted.isEmpty, !found.groups.isEmpty else {
        throw TrajpackError(
          .usage,
          wanted.isEmpty
            ? "no channel is left to normalise: name some with 'channels'"
            : "split '\(split)' has no row to measure")
      }
      // A channel that is not named is left as it is where a group has nothing observed of it.
      let unnamed = Set(names.map(\.channel.path)).filter { path in
        guard let at = wanted.firstIndex(where: { $0.channel.path == path }) else { return false }
        return found.groups.contains { !Self.isMeasured(wanted[at].channel, $0.components[at]) }
      }
      var groups: [Group] = []
      for group in found.groups {
        var constants: [Constants] = []
        for ((_, channel), components) in zip(wanted, group.components)
        where !unnamed.contains(channel.path) {
          guard Self.isMeasured(channel, components) else {
            throw TrajpackError(
              .data,
              "channel '\(channel.path)' has no observed value to measure where '\(per)' is '\(group.name)'"
            )
          }
          constants.append(self.constants(channel, components))
        }
        groups.append(Group(name: group.name, constants: constants))
      }
      guard groups.contains(where: { !$0.constants.isEmpty }) else {
        throw TrajpackError(.usage, "no channel is left to normalise: name some with 'channels'")
      }
      step.groups = groups
      step.episodes = found.episodes
      return step
    }
    let found = try statistics.components(
      of: wanted.map(\.channel), split: split == "all" ? nil : split,
      isStored: axes == nil && !method.needsQuantiles)
    var constants: [Constants] = []
    for ((isNamed, channel), components) in zip(wanted, found) {
      guard Self.isMeasured(channel, components) else {
        guard isNamed else { continue }
        throw TrajpackError(
          .data, "channel '\(channel.path)' has no observed value in split '\(split)' to measure")
      }
      constants.append(self.constants(channel, components))
    }
    guard !constants.isEmpty else {
      throw TrajpackError(.usage, "no channel is left to normalise: name some with 'channels'")
    }
    step.constants = constants
    return step
  }

  private static func isMeasured(
    _ channel: MeasuredChannel, _ components: [ComponentStatistics]
  ) -> Bool {
    components.count == channel.components.count && components.allSatisfy { $0.count > 0 }
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
      let (center, spread) = s.center(of: method, fromZero: true)
      for element in elements {
        // minmax maps the smallest value to 0 anyway.
        shift[element] = s.shift(to: center)
        scale[element] = s.scale(of: spread)
      }
    }
    return Constants(channel: channel.path, shift: shift, scale: scale)
  }
}
