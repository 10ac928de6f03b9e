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
    let far = options.plan?.stepsThatLookAround ?? []
    if let cutting = out.compactMap({ $0 }).first(where: \.cutsEpisodes), !far.isEmpty {
      throw TrajpackError(
        .usage, option: "plan",
        "the split scheme '\(cutting.scheme)' cuts episodes, and the plan has steps that may take rows "
          + "from beyond a border (\(far.joined(separator: ", "))); leave them out, or make a dataset of the split: 'trajpack cut --split'"
      )
    }
    return out
  }
}

extension Plan {
  /// The names of the steps that do not make a row of that row alone, but look at its neighbours.
  package var stepsThatLookAround: [String] {
    steps.filter { $0.looksAround }.map { $0.stepName }
  }
}

extension SchemedRows {
  /// The rows of splits by the scheme that counts; of a dataset in which none does, by its shards' own splits.
  ///
  /// - Parameters:
  ///   - scheme: The scheme's name; `nil` for the one that counts where none is named.
  ///   - fold: The fold that is the test, of a scheme of folds.
  /// - Returns: `nil` where no scheme counts in any dataset.
  /// - Throws: A usage error where there is no such scheme, or several and none is named.
  package init?(
    _ datasets: [OpenDataset], scheme: String?, fold: Int?
  ) throws(TrajpackError) {
    var found: [(name: String, digest: String, scheme: SplitScheme)?] = []
    for dataset in datasets {
      let hasOwn = dataset.shards.contains { $0.schema.splits.contains { !$0.isEmpty } }
      found.append(try SplitScheme.find(scheme, in: dataset.dataset, hasOwn: hasOwn))
    }
    guard found.contains(where: { $0 != nil }) else { return nil }
    var splits: [String] = []
    for (dataset, scheme) in zip(datasets, found) {
      let own = scheme?.scheme.splits ?? dataset.shards.flatMap(\.schema.splits)
      for split in own where !split.isEmpty && !splits.contains(split) { splits.append(split) }
    }
    let schemes = found.map { $0.map { (name: $0.name, splits: $0.scheme.splits) } }
    let identity = found.compactMap { $0 }.map { "\($0.name) \($0.digest)" }.joined(separator: ", ")
    self.init(
      identity: identity + (fold.map { ", fold \($0)" } ?? ""), splits: splits,
      cutsEpisodes: found.contains { $0?.scheme.cutsEpisodes == true }
    ) { (split) throws(TrajpackError) in
      var out: [TrackPart] = []
      var first = 0
      for (dataset, scheme) in zip(datasets, schemes) {
        defer { first += dataset.shards.count }
        guard let scheme else {
          out += SubsetStatistics.parts(of: dataset.shards, split: split).map {
            TrackPart(shard: $0.shard + first, track: $0.track, rows: $0.rows)
          }
          continue
        }
        guard scheme.splits.contains(split),
          let selection = try SplitSelection(
            dataset, scheme: scheme.name, splits: [split], fold: fold)
        else { continue }
        for (number, shard) in dataset.shards.enumerated() {
          let reader = BlockReader(shard)
          for track in 0..<shard.index.trackCount {
            out += try selection.targetRows(ofTrack: track, shard: number, of: dataset, reader).map
            {
              TrackPart(shard: number + first, track: track, rows: $0)
            }
          }
        }
      }
      return out
    }
  }
}

extension FittedStatistics {
  /// Finds the values of episodes in datasets, whose shards are counted over all.
  ///
  /// - Throws: A data error where a side file of values is damaged.
  package static func values(
    of datasets: [OpenDataset]
  ) throws(TrajpackError) -> EpisodeValueLookup {
    var places: [(values: EpisodeValues, shard: Shard)] = []
    for dataset in datasets {
      let values = try EpisodeValues(dataset)
      places += dataset.shards.map { (values, $0) }
    }
    let all = places
    return { (name, shard, episode) throws(TrajpackError) in
      try EpisodeGroups.value(name, all[shard].values, all[shard].shard, episode)
    }
  }
}
