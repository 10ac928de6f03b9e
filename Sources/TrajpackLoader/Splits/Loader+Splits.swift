import TrajpackFormat
import TrajpackPrepare
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
    if let plan = options.plan {
      for dataset in datasets {
        try plan.refuseFits(to: dataset.dataset, scheme: options.scheme)
      }
    }
    guard options.splits != nil || options.scheme != nil || options.fold != nil else {
      return datasets.map { _ in nil }
    }
    var out: [SplitSelection?] = []
    for dataset in datasets {
      out.append(
        try SplitSelection(
          dataset, scheme: options.scheme, splits: options.splits, fold: options.fold))
    }
    // Constants change a row by itself; other steps look at its neighbours.
    let far = (options.plan?.steps ?? []).map(\.name).filter { $0 != "normalize" }
    if let cutting = out.compactMap({ $0 }).first(where: \.cutsEpisodes), !far.isEmpty {
      throw TrajpackError(
        .usage,
        "option 'plan': the split scheme '\(cutting.scheme)' cuts episodes, and the plan has steps that may take rows "
          + "from beyond a border (\(far.joined(separator: ", "))); leave them out, or make a dataset of each split"
      )
    }
    return out
  }
}
