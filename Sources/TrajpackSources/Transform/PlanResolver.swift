import TrajpackFormat
import TrajpackLoader
import TrajpackSignal
import TrajpackStore

/// Chooses from a dataset what a plan leaves open: statistics to normalise by, lags and dimensions.
public struct PlanResolver {
  private let source: EpisodeSource
  private let threads: Int
  private let isInterrupted: () -> Bool
  private let scheme: (name: String?, fold: Int?)
  private var data: OpenDataset?
  private var fits: SchemedRows?
  private var selection: SearchedRows?
  /// How lags and dimensions were chosen, a report for each embedding that left some open.
  public private(set) var reports: [EmbedReport] = []

  /// A resolver for a dataset.
  ///
  /// - Parameters:
  ///   - scheme: The split scheme whose rows steps are fitted to, and the fold that is its test; `nil` for the one that
  ///     counts where none is named.
  ///   - isInterrupted: Asked often, also within a search.
  public init(
    _ dataset: Dataset, threads: Int, scheme: (name: String?, fold: Int?) = (nil, nil),
    isInterrupted: @escaping () -> Bool = { false }
  ) throws(TrajpackError) {
    source = try EpisodeSource(dataset)
    self.threads = threads
    self.scheme = scheme
    self.isInterrupted = isInterrupted
  }

  /// The importer of a plan, and the plan with nothing left open; `nil` where an interrupt came first.
  public mutating func importer(
    _ plan: Plan, version: String
  ) throws(TrajpackError) -> (PlanImporter, Plan)? {
    let plan = try plan.naming([source.dataset])
    if plan.fitsSplit || plan.fitsValues {
      let data = try OpenDataset(source.dataset.path)
      self.data = data
    }
    if plan.fitsSplit, let data {
      fits = try SchemedRows([data], scheme: scheme.name, fold: scheme.fold)
      if fits?.splits.contains("train") == true {
        selection = try SearchedRows(data, scheme.name, scheme.fold)
      }
    } else if scheme.name != nil || scheme.fold != nil {
      throw TrajpackError(
        .usage,
        "no step of the plan is fitted to a split, so that a scheme says nothing; leave it out")
    }
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
    return (
      try PlanImporter(source, resolved, version: version, fittedBy: fits?.identity), resolved
    )
  }

  /// The plan with nothing left open.
  private mutating func resolved(
    _ plan: Plan, pause: @escaping () throws(TrajpackError) -> Void
  ) throws(TrajpackError) -> Plan {
    var steps: [any PlanStep] = []
    for (number, step) in plan.steps.enumerated() {
      guard step.unresolved != nil else {
        steps.append(step)
        continue
      }
      let before = Plan(steps: steps)
      let place = "steps[\(number)] (\(step.stepName))"
      let programs = try before.programs(for: source.allStreams)
      try within(place) { () throws(TrajpackError) in try step.check(against: programs) }
      switch step {
      case let step as NormalizeStep:
        steps.append(
          try within(place) { () throws(TrajpackError) in
            try step.resolved(after: before, source.allStreams, try statistics())
          })
      case let step as EmbedStep:
        var report: EmbedReport?
        steps.append(
          try within(place) { () throws(TrajpackError) in
            var search = EmbedSearch(
              source, before, step, threads: threads, of: selection, pause: pause)
            let resolved = try search.run()
            report = search.report
            return resolved
          })
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
    let value = try data.map { (data) throws(TrajpackError) in
      try FittedStatistics.values(of: [data])
    }
    return FittedStatistics(shards, threads: threads, scheme: fits, value: value)
  }
}

/// The training rows of a split scheme, in which lags and dimensions are looked for.
struct SearchedRows {
  private let data: OpenDataset
  private let selection: SplitSelection

  /// - Returns: `nil` where the shards' own splits count.
  init?(_ data: OpenDataset, _ scheme: String?, _ fold: Int?) throws(TrajpackError) {
    guard
      let selection = try SplitSelection(data, scheme: scheme, splits: ["train"], fold: fold)
    else { return nil }
    (self.data, self.selection) = (data, selection)
  }

  /// The scheme's name.
  var scheme: String { selection.scheme }

  /// Whether an episode has such rows.
  func has(_ place: EpisodeSource.Place) -> Bool {
    selection.keeps(place.number, shard: place.shard)
  }

  /// Those of a track, counted from its first.
  func rows(ofTrack track: Int, _ place: EpisodeSource.Place) throws(TrajpackError) -> [Range<Int>]
  {
    try selection.targetRows(
      ofTrack: track, shard: place.shard, of: data, BlockReader(data.shards[place.shard]))
  }
}
