import TrajpackFormat

/// What a value of an episode must be.
struct EpisodeCondition: Sendable {
  private let path: [String]
  private let condition: LoaderOptions.Condition

  /// A condition on the member of the metadata that `path`, names with points between, leads to.
  init(path: String, _ condition: LoaderOptions.Condition) {
    self.path = path.split(separator: ".").map(String.init)
    self.condition = condition
  }

  /// Whether an episode fulfils it.
  ///
  /// - Throws: A data error where its metadata is no JSON.
  func holds(_ index: ShardIndex, _ number: Int) throws(TrajpackError) -> Bool {
    let value = try Self.value(path, index, number)
    switch condition {
    case .oneOf(let values):
      return values.contains { wanted in
        if let a = wanted.double, let b = value?.double { return a == b }
        return value == wanted || (value == nil && wanted == .null)
      }
    case .range(let low, let high): return value?.double.map { $0 >= low && $0 <= high } ?? false
    }
  }

  /// The value that a path leads to in an episode's metadata; `nil` where there is none.
  static func value(
    _ path: [String], _ index: ShardIndex, _ number: Int
  ) throws(TrajpackError) -> JSONValue? {
    let episode = index.episode(number)
    let metadata = try within("metadata of episode '\(episode.id)'") { () throws(TrajpackError) in
      episode.metadata.isEmpty ? JSONValue.object([]) : try JSONValue(parsing: episode.metadata)
    }
    return path.reduce(Optional(metadata)) { $0?[$1] }
  }
}
