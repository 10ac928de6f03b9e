import TrajpackFormat
import TrajpackSignal
import TrajpackStore

/// Chooses from a dataset what a plan leaves open: statistics to normalise by, lags and dimensions.
public struct PlanResolver {
  private let source: EpisodeSource
  private let threads: Int
  /// How lags and dimensions were chosen, a report for each embedding that left some open.
  public private(set) var reports: [EmbedReport] = []

  /// A resolver for a dataset.
  public init(_ dataset: Dataset, threads: Int) throws(TrajpackError) {
    source = try EpisodeSource(dataset)
    self.threads = threads
  }

  /// The importer of a plan, and the plan with nothing left open.
  public mutating func importer(
    _ plan: Plan, version: String
  ) throws(TrajpackError) -> (PlanImporter, Plan) {
    let plan = try resolved(plan)
    return (try PlanImporter(source, plan, version: version), plan)
  }

  /// The plan with nothing left open.
  public mutating func resolved(_ plan: Plan) throws(TrajpackError) -> Plan {
    var steps: [PlanStep] = []
    for (number, step) in plan.steps.enumerated() {
      guard step.unresolved != nil else {
        steps.append(step)
        continue
      }
      let before = Plan(steps: steps)
      let place = "steps[\(number)] (\(step.name))"
      let programs = try before.programs(for: source.allStreams)
      try within(place) { () throws(TrajpackError) in try step.check(against: programs) }
      switch step {
      case .normalize(let step):
        steps.append(
          .normalize(
            try within(place) { () throws(TrajpackError) in try resolved(step, after: before) }))
      case .embed(let step):
        var report: EmbedReport?
        steps.append(
          .embed(
            try within(place) { () throws(TrajpackError) in
              var search = EmbedSearch(source, before, step, threads: threads)
              let resolved = try search.run()
              report = search.report
              return resolved
            }))
        if let report { reports.append(report) }
      default: steps.append(step)
      }
    }
    return Plan(steps: steps)
  }

  /// Finds what to take off and to multiply by in the statistics that the dataset carries.
  private func resolved(
    _ step: NormalizeStep, after before: Plan
  ) throws(TrajpackError) -> NormalizeStep {
    var statistics = DatasetStatistics()
    for number in source.dataset.shardPaths.indices {
      try statistics.add(try source.shard(number))
    }
    let splits = statistics.splits.keys.filter { !$0.isEmpty }.sorted()
    guard step.split == "all" || splits.contains(step.split) else {
      throw TrajpackError(
        .usage,
        "the dataset has no split '\(step.split)'\(Suggestion.text(for: step.split, among: splits)); write "
          + "\"split\": \"all\" to use every episode, by which training sees the test")
    }
    let originals = source.allStreams
    var constants: [NormalizeStep.Constants] = []
    for program in try before.programs(for: originals) {
      let old = originals.first { $0.name == program.stream }
      for channel in program.outputs where step.channels.contains(program.stream, channel) {
        let path = "\(program.stream)/\(channel.name)"
        let isNamed = step.channels.names(program.stream, channel)
        guard let original = old?.channels.first(where: { $0.name == channel.name }),
          original.elements == channel.elements, original.kind == channel.kind,
          Self.mayNormalise(channel)
        else {
          guard isNamed else { continue }
          throw TrajpackError(
            .usage,
            "channel '\(path)' is \(channel.kind.rawValue) of shape \(channel.shape) here, which the "
              + "source's statistics say nothing of: normalise numbers, before they are embedded")
        }
        let components =
          step.split == "all" ? statistics.all(path) : statistics.splits[step.split]?[path] ?? []
        guard let found = try Self.constants(step, path, original, components) else {
          guard isNamed else { continue }
          throw TrajpackError(
            .data, "channel '\(path)' has no observed value in split '\(step.split)' to measure")
        }
        constants.append(found)
      }
    }
    guard !constants.isEmpty else {
      throw TrajpackError(.usage, "no channel is left to normalise: name some with 'channels'")
    }
    var step = step
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

  private static func constants(
    _ step: NormalizeStep, _ path: String, _ channel: Channel, _ statistics: [ComponentStatistics]
  ) throws(TrajpackError) -> NormalizeStep.Constants? {
    let components = ComponentRule.components(of: channel)
    guard statistics.count == components.count, statistics.allSatisfy({ $0.count > 0 }) else {
      return nil
    }
    var shift = [Double](repeating: 0, count: channel.elements)
    var scale = [Double](repeating: 1, count: channel.elements)
    for (elements, s) in zip(components, statistics) {
      let (middle, span): (Double, Double)
      switch step.method {
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
        shift[element] = middle
        scale[element] = span > 0 && (1 / span).isFinite ? 1 / span : 1
      }
    }
    return NormalizeStep.Constants(channel: path, shift: shift, scale: scale)
  }
}
