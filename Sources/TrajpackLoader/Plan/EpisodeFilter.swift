import TrajpackFormat

/// Which episodes windows are cut from.
package struct EpisodeFilter: Sendable {
  private let splits: [String]?
  private let ids: [Pattern]?
  private let conditions: [(path: [String], condition: LoaderOptions.Condition)]

  /// A filter.
  ///
  /// - Throws: A usage error for a split that there is not.
  package init(_ options: LoaderOptions, _ known: [String]) throws(TrajpackError) {
    splits = options.splits
    ids = options.episodes
    conditions = options.conditions.map { path, condition in
      (path.split(separator: ".").map(String.init), condition)
    }
    for split in options.splits ?? [] where !known.contains(split) {
      throw TrajpackError(
        .usage,
        "option 'split': there is no split '\(split)'\(Suggestion.text(for: split, among: known))")
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
    guard ids != nil || !conditions.isEmpty else { return true }
    let episode = index.episode(number)
    if let ids, !ids.contains(where: { $0.matches(episode.id) }) { return false }
    guard !conditions.isEmpty else { return true }
    let metadata = try within("metadata of episode '\(episode.id)'") { () throws(TrajpackError) in
      episode.metadata.isEmpty ? JSONValue.object([]) : try JSONValue(parsing: episode.metadata)
    }
    return conditions.allSatisfy { path, condition in
      let value = path.reduce(Optional(metadata)) { $0?[$1] }
      switch condition {
      case .oneOf(let values):
        return values.contains { wanted in
          if let a = wanted.double, let b = value?.double { return a == b }
          return value == wanted || (value == nil && wanted == .null)
        }
      case .range(let low, let high): return value?.double.map { $0 >= low && $0 <= high } ?? false
      }
    }
  }
}
