import TrajpackFormat
import TrajpackPrepare
import TrajpackSignal
import TrajpackStore

/// Chooses from a dataset what a plan leaves open: statistics to normalise by, lags and dimensions.
public struct PlanResolver {
  private let source: EpisodeSource
  private let threads: Int
  private let isInterrupted: () -> Bool
  /// How lags and dimensions were chosen, a report for each embedding that left some open.
  public private(set) var reports: [EmbedReport] = []

  /// A resolver for a dataset.
  ///
  /// - Parameter isInterrupted: Asked often, also within a search.
  public init(
    _ dataset: Dataset, threads: Int, isInterrupted: @escaping () -> Bool = { false }
  ) throws(TrajpackError) {
    source = try EpisodeSource(dataset)
    self.threads = threads
    self.isInterrupted = isInterrupted
  }

  /// The importer of a plan, and the plan with nothing left open; `nil` where an interrupt came first.
  public mutating func importer(
    _ plan: Plan, version: String
  ) throws(TrajpackError) -> (PlanImporter, Plan)? {
    try plan.refuseFits(to: source.dataset)
    var wasStopped = false
    let isInterrupted = isInterrupted
    let resolved: Plan
    do throws(TrajpackError) {
      resolved = try self.resolved(plan) { () throws(TrajpackError) in
        guard isInterrupted() else { return }
        wasStopped = true
        throw TrajpackError(.machine, "interrupted")
      }
    } catch {
      guard wasStopped else { throw error }
      return nil
    }
    return (try PlanImporter(source, resolved, version: version), resolved)
  }

  /// The plan with nothing left open.
  private mutating func resolved(
    _ plan: Plan, pause: @escaping () throws(TrajpackError) -> Void
  ) throws(TrajpackError) -> Plan {
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
              var search = EmbedSearch(source, before, step, threads: threads, pause: pause)
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

  /// The statistics that the dataset carries, or that are measured.
  private func statistics() throws(TrajpackError) -> FittedStatistics {
    var shards: [Shard] = []
    for number in source.dataset.shardPaths.indices { shards.append(try source.shard(number)) }
    return FittedStatistics(shards, threads: threads)
  }
}
