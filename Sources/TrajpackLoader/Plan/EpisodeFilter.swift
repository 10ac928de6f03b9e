import TrajpackFormat

/// Which episodes windows are cut from.
package struct EpisodeFilter: Sendable {
  private var splits: [String]?
  private let ids: EpisodeIDs?
  private let conditions: [EpisodeCondition]

  /// A filter.
  ///
  /// - Parameter known: The splits of the shards; `nil` where a split scheme counts (``SplitSelection``), so that
  ///   these do not.
  /// - Throws: A usage error for a split that there is not.
  package init(_ options: LoaderOptions, _ known: [String]?) throws(TrajpackError) {
    splits = known == nil ? nil : options.splits
    ids = options.episodes.map { EpisodeIDs($0) }
    conditions = options.conditions.map { EpisodeCondition(path: $0.path, $0.condition) }
    for split in splits ?? [] where known?.contains(split) == false {
      throw TrajpackError(
        .usage,
        "option 'split': there is no split '\(split)'"
          + Suggestion.text(for: split, among: known ?? []))
    }
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
    for condition in conditions {
      guard try condition.holds(index, number) else { return false }
    }
    return true
  }
}
