import TrajpackFormat
import TrajpackSignal
import TrajpackStore

extension Loader {
  /// What the options 'split', 'scheme' and 'fold' select of each dataset by a split scheme; `nil` where the shards'
  /// own splits count, or all is selected.
  ///
  /// - Throws: A usage error where there is no such scheme, split or fold, or a plan takes rows of one split from
  ///   another.
  static func selections(
    _ datasets: [OpenDataset], _ options: LoaderOptions
  ) throws(TrajpackError) -> [SplitSelection?] {
    guard options.splits != nil || options.scheme != nil || options.fold != nil else {
      return datasets.map { _ in nil }
    }
    var out: [SplitSelection?] = []
    for dataset in datasets {
      out.append(
        try SplitSelection(
          dataset, scheme: options.scheme, splits: options.splits, fold: options.fold))
    }
    if let plan = options.plan, let cutting = out.compactMap({ $0 }).first(where: \.cutsEpisodes) {
      throw TrajpackError(
        .usage,
        "option 'plan': the split scheme '\(cutting.scheme)' cuts episodes, and the steps of a plan "
          + "(\(plan.steps.map(\.name).joined(separator: ", "))) may take rows from beyond a border; apply the plan "
          + "to the episodes of each split, or leave it out")
    }
    return out
  }
}
