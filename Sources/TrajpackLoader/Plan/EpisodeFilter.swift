import TrajpackFormat
import TrajpackStore

/// Which episodes windows are cut from.
package struct EpisodeFilter: Sendable {
  private let splits: [String]?
  private let ids: [Pattern]?
  private let conditions: [(name: String, condition: LoaderOptions.Condition)]
  /// Values that were set on the dataset after it was written, and the row of each episode there.
  private var annotations: ValueAnnotations?
  private var rows: [String: Int] = [:]

  /// A filter.
  ///
  /// - Throws: A usage error for a split that there is not.
  package init(_ options: LoaderOptions, _ known: [String]) throws(TrajpackError) {
    splits = options.splits
    ids = options.episodes
    conditions = options.conditions.map { ($0.path, $0.condition) }
    for split in options.splits ?? [] where !known.contains(split) {
      throw TrajpackError(
        .usage,
        "option 'split': there is no split '\(split)'\(Suggestion.text(for: split, among: known))")
    }
  }

  /// The filter for the episodes of one dataset, whose values may have been set after it was written.
  ///
  /// - Throws: A data error where its side file of values is damaged.
  package func on(_ dataset: OpenDataset) throws(TrajpackError) -> EpisodeFilter {
    guard !conditions.isEmpty, let annotations = try dataset.annotations() else { return self }
    var out = self
    out.annotations = annotations
    for (row, id) in annotations.ids.enumerated() { out.rows[id] = row }
    return out
  }

  /// The values of a dataset's episodes; keeps all of them.
  ///
  /// - Throws: A data error where its side file of values is damaged.
  static func values(of dataset: OpenDataset) throws(TrajpackError) -> EpisodeFilter {
    var out = try EpisodeFilter(LoaderOptions(), [])
    guard let annotations = try dataset.annotations() else { return out }
    out.annotations = annotations
    for (row, id) in annotations.ids.enumerated() { out.rows[id] = row }
    return out
  }

  /// The value of an episode, or what a path leads to in its metadata; null where there is none.
  ///
  /// - Throws: A data error where its metadata is no JSON.
  func value(_ name: String, _ index: ShardIndex, _ number: Int) throws(TrajpackError) -> JSONValue
  {
    let episode = index.episode(number)
    let metadata = try within("metadata of episode '\(episode.id)'") { () throws(TrajpackError) in
      episode.metadata.isEmpty ? JSONValue.object([]) : try JSONValue(parsing: episode.metadata)
    }
    return value(name, episode.id, metadata) ?? .null
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
    return conditions.allSatisfy { name, condition in
      let value = value(name, episode.id, metadata)
      switch condition {
      case .oneOf(let values): return values.contains { Self.isEqual($0, value) }
      case .range(let low, let high): return value?.double.map { $0 >= low && $0 <= high } ?? false
      }
    }
  }

  /// The value of an episode, or what a path leads to in its metadata; `nil` where there is none.
  private func value(_ name: String, _ id: String, _ metadata: JSONValue) -> JSONValue? {
    if let annotations {
      if let row = rows[id] {
        switch annotations.table[name, row] {
        case .missing: break
        case .number(let x): return .double(x)
        case let value: return value.json
        }
      }
      if annotations.removed.contains(name) { return nil }
    }
    for member in [ValueTable.member, "constants"] {
      if let value = metadata[member]?[name] { return value["value"] ?? value }
    }
    let path = name.split(separator: ".").map(String.init)
    return path.reduce(Optional(metadata)) { $0?[$1] } ?? metadata["members"]?[name]
  }

  private static func isEqual(_ wanted: JSONValue, _ value: JSONValue?) -> Bool {
    guard let value, value != .null else { return wanted == .null }
    if let a = wanted.double, let b = value.double { return a == b }
    // A truth value that became a value of the dataset is 0 or 1.
    if let truth = wanted.bool, let number = value.int { return number == (truth ? 1 : 0) }
    if let number = wanted.int, let truth = value.bool { return number == (truth ? 1 : 0) }
    return value == wanted
  }
}
