import TrajpackFormat
import TrajpackPrepare
import TrajpackSignal
import TrajpackStore

extension Loader {
  /// Statistics of what was recorded in all datasets together.
  static func statistics(
    _ datasets: [OpenDataset]
  ) throws(TrajpackError) -> DatasetStatistics {
    var all = DatasetStatistics()
    for dataset in datasets {
      for shard in dataset.shards { try all.add(shard) }
    }
    return all
  }

  /// The statistics that `normalize` goes by, as it was recorded: of 'normalize_split', or of the training split
  /// where there is one, or of all rows where all are chosen.
  ///
  /// - Throws: A usage error where rows that are not chosen would enter without a word.
  static func statistics(
    _ datasets: [OpenDataset], _ options: LoaderOptions, _ filter: EpisodeFilter,
    _ selections: [SplitSelection?]
  ) throws(TrajpackError) -> [String: [ComponentStatistics]] {
    guard options.normalizes else { return [:] }
    if options.normalizeSplit == nil, let split = selections.compactMap({ $0 }).first {
      throw TrajpackError(
        .usage,
        "option 'normalize': there are no statistics of the splits of the scheme '\(split.scheme)', so values of the "
          + "other splits would enter: say normalize_split=\"all\" where that is meant")
    }
    let all = try statistics(datasets)
    if let split = options.normalizeSplit {
      if let found = all.splits[split] { return found }
      guard split == "all" else {
        throw TrajpackError(
          .usage,
          "option 'normalize_split': there are no statistics of a split '\(split)'"
            + Suggestion.text(for: split, among: all.splits.keys.sorted() + ["all"]))
      }
      return merged(all, all.splits.keys.sorted())
    }
    if let train = all.splits["train"] {
      try refuseOthers(datasets, options, filter, of: "train")
      return train
    }
    // Whole splits have statistics of their own.
    if let splits = options.splits, options.episodes == nil, options.conditions.isEmpty {
      return merged(all, splits)
    }
    try refuseOthers(datasets, options, filter, of: nil)
    return merged(all, all.splits.keys.sorted())
  }

  private static func merged(
    _ statistics: DatasetStatistics, _ splits: [String]
  ) -> [String: [ComponentStatistics]] {
    var out: [String: [ComponentStatistics]] = [:]
    for name in Set(splits.flatMap { statistics.splits[$0].map { Array($0.keys) } ?? [] }) {
      out[name] = statistics.all(name, of: splits)
    }
    return out
  }

  /// Refuses statistics of a split (or of all) of which the chosen episodes are a part: values of the others
  /// would enter what is trained on. Where none of the split is chosen, the chosen ones are for a test.
  private static func refuseOthers(
    _ datasets: [OpenDataset], _ options: LoaderOptions, _ filter: EpisodeFilter, of split: String?
  ) throws(TrajpackError) {
    if filter.keepsAll { return }
    var (kept, others) = (0, 0)
    for dataset in datasets {
      let filter = try filter.on(dataset)
      for shard in dataset.shards {
        for episode in 0..<shard.index.episodeCount {
          if let split {
            let own = shard.index.split(ofEpisode: episode)
            guard own >= 0, shard.schema.splits[own] == split else { continue }
          }
          if try filter.keeps(shard.index, episode) { kept += 1 } else { others += 1 }
        }
      }
    }
    guard others > 0, split == nil || kept > 0 else { return }
    throw TrajpackError(
      .usage,
      "option 'normalize': there are statistics only of all \(counted(kept + others, "episode"))"
        + (split.map { " of the split '\($0)'" } ?? "")
        + ", of which \(kept) \(kept == 1 ? "is" : "are") chosen, so values of the others would enter: say "
        + "normalize_split=\"\(split ?? "all")\" where that is meant, or record the episodes that are trained "
        + "on as a split, 'train'")
  }
}

extension LoaderOptions {
  /// Whether anything is to be normalised.
  var normalizes: Bool { normalize.otherwise != nil || !normalize.rules.isEmpty }
}

extension ShardView {
  /// Why the statistics of the source say nothing of channels of a view, by `stream/channel`.
  static func unmeasured(_ views: [[ShardView]]) -> [String: String] {
    var out: [String: String] = [:]
    for program in views.joined().compactMap(\.prepared).flatMap(\.programs) {
      for channel in program.outputs {
        let path = "\(program.stream)/\(channel.name)"
        if program.normalized.contains(channel.name) {
          out[path] = "is normalised by the plan already: leave it to one of them"
        } else if program.recorded(channel) == nil {
          out[path] =
            "is made by the plan, and there are statistics of what was recorded only: normalise in a step "
            + "of the plan before it is made, or name the channels to normalise"
        }
      }
    }
    return out
  }
}
