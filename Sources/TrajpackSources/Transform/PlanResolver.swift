import TrajpackFormat
import TrajpackPrepare
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
            try within(place) { () throws(TrajpackError) in
              try step.resolved(after: before, source.allStreams, try statistics())
            }))
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

  /// The statistics that the dataset carries.
  private func statistics() throws(TrajpackError) -> DatasetStatistics {
    var statistics = DatasetStatistics()
    for number in source.dataset.shardPaths.indices {
      try statistics.add(try source.shard(number))
    }
    return statistics
  }
}
