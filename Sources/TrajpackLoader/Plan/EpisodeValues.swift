import TrajpackFormat
import TrajpackStore

/// What is known of the episodes of one dataset, by name: values, or what a path leads to in their metadata.
struct EpisodeValues: Sendable {
  /// Values that were set on the dataset after it was written, and the row of each episode there.
  private var annotations: ValueAnnotations?
  private var rows: [String: Int] = [:]

  /// Those that the shards hold.
  init() {}

  /// Those of a dataset, whose values may have been set after it was written.
  ///
  /// - Throws: A data error where its side file of values is damaged.
  init(_ dataset: OpenDataset) throws(TrajpackError) {
    guard let annotations = try dataset.annotations() else { return }
    self.annotations = annotations
    for (row, id) in annotations.ids.enumerated() { rows[id] = row }
  }

  /// The metadata of an episode.
  ///
  /// - Throws: A data error where it is no JSON.
  func metadata(of episode: ShardIndex.Episode) throws(TrajpackError) -> JSONValue {
    try within(
      "metadata of episode '\(episode.id)'", at: ErrorPlace(episode: episode.id)
    ) { () throws(TrajpackError) in
      episode.metadata.isEmpty ? JSONValue.object([]) : try JSONValue(parsing: episode.metadata)
    }
  }

  /// The value of an episode, or what a path leads to in its metadata; `nil` where there is none.
  func value(_ name: String, _ id: String, _ metadata: JSONValue) -> JSONValue? {
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
}

extension LoaderOptions.Condition {
  /// Whether a value, or its absence, fulfils it.
  func holds(_ value: JSONValue?) -> Bool {
    switch self {
    case .oneOf(let values): return values.contains { Self.isEqual($0, value) }
    case .range(let low, let high): return value?.double.map { $0 >= low && $0 <= high } ?? false
    }
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
