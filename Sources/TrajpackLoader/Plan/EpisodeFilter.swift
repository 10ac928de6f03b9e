import TrajpackFormat
import TrajpackStore

/// Which episodes windows are cut from.
package struct EpisodeFilter: Sendable {
  private var splits: [String]?
  private let ids: EpisodeIDs?
  let conditions: [(name: String, condition: LoaderOptions.Condition)]
  private(set) var values = EpisodeValues()

  /// A filter.
  ///
  /// - Parameter known: The splits of the shards; `nil` where a split scheme counts (``SplitSelection``), so that
  ///   these do not.
  /// - Throws: A usage error for a split that there is not.
  package init(_ options: LoaderOptions, _ known: [String]?) throws(TrajpackError) {
    splits = known == nil ? nil : options.splits
    ids = options.episodes.map { EpisodeIDs($0) }
    conditions = options.conditions.map { ($0.path, $0.condition) }
    for split in splits ?? [] where known?.contains(split) == false {
      throw TrajpackError(
        .usage, option: "split",
        "there is no split '\(split)'"
          + Suggestion.text(for: split, among: known ?? []))
    }
  }

  /// The filter for the episodes of one dataset, whose values may have been set after it was written.
  ///
  /// - Throws: A data error where its side file of values is damaged.
  package func on(_ dataset: OpenDataset) throws(TrajpackError) -> EpisodeFilter {
    guard !conditions.isEmpty else { return self }
    var out = self
    out.values = try EpisodeValues(dataset)
    return out
  }

  /// Checks that every id and pattern of ids is of some episode.
  ///
  /// - Throws: A usage error that names one that is not, and the nearest ids that there are.
  package func checkIDs(_ datasets: [OpenDataset]) throws(TrajpackError) {
    guard let ids else { return }
    let missing = ids.unmatched(in: datasets)
    guard let first = missing.first else { return }
    var near: [String] = []
    for shard in datasets.lazy.flatMap(\.shards) where near.count < 10_000 {
      near += (0..<min(shard.index.episodeCount, 10_000)).map { shard.index.id(ofEpisode: $0) }
    }
    let place = "option 'episodes': \(datasets.map(\.dataset.path).joined(separator: ", ")): "
    let isPattern = first.contains { $0 == "*" || $0 == "?" }
    throw TrajpackError(
      .usage,
      place
        + (missing.count > 1
          ? "no episode has \(missing.count) of the ids and patterns: "
            + Suggestion.list(of: missing, among: near)
          : isPattern
            ? "no episode matches '\(first)'"
            : "there is no episode '\(first)'\(Suggestion.text(for: first, among: near))"))
  }

  /// Whether every episode is kept.
  var keepsAll: Bool { splits == nil && ids == nil && conditions.isEmpty }

  /// Whether an episode is kept.
  ///
  /// - Throws: A data error where its metadata is no JSON.
  package func keeps(_ index: ShardIndex, _ number: Int) throws(TrajpackError) -> Bool {
    if let splits {
      let split = index.split(ofEpisode: number)
      guard split >= 0, splits.contains(index.schema.splits[split]) else { return false }
    }
    if let ids, !ids.matches(index, number) { return false }
    guard !conditions.isEmpty else { return true }
    let episode = index.episode(number)
    let metadata = try values.metadata(of: episode)
    return conditions.allSatisfy { name, condition in
      condition.holds(values.value(name, episode.id, metadata))
    }
  }
}
