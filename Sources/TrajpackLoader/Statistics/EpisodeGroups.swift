import TrajpackFormat
import TrajpackStore

/// The episodes of a scope in groups of one value, in the order of the values.
struct EpisodeGroups {
  /// What the episodes of each group have in common; `nil` where all are one group.
  private(set) var values: [JSONValue?] = []
  /// The episodes of each group, by their places in the scope.
  private(set) var members: [[Int]] = []

  /// - Throws: A data error where the metadata of an episode is no JSON; a usage error where no episode has the
  ///   value.
  init(
    _ scope: StatisticsScope, by grouping: StatisticsRequest.Grouping?
  ) throws(TrajpackError) {
    switch grouping {
    case nil:
      values = [nil]
      members = [Array(scope.episodes.indices)]
    case .episode:
      values = scope.episodes.map { .string(scope.id($0)) }
      members = scope.episodes.indices.map { [$0] }
    case .value(let name):
      var lookups: [EpisodeValues] = []
      for dataset in scope.datasets { lookups.append(try EpisodeValues(dataset)) }
      var found: [String: (value: JSONValue, members: [Int])] = [:]
      for (number, episode) in scope.episodes.enumerated() {
        let value = try Self.value(
          name, lookups[episode.dataset], scope.shards[episode.shard], episode.local)
        found[Self.key(value), default: (value, [])].members.append(number)
      }
      guard found.count > 1 || found[Self.key(.null)] == nil else {
        var known = ["episode"]
        for dataset in scope.datasets {
          let table = try ValueTable(dataset.shards, annotations: try dataset.annotations())
          known += table.names.filter { !known.contains($0) }
        }
        throw TrajpackError(
          .usage,
          "no episode has a value '\(name)'" + Suggestion.text(for: name, among: known))
      }
      for item in found.values.sorted(by: { Self.precedes($0.value, $1.value) }) {
        values.append(item.value)
        members.append(item.members)
      }
    }
  }

  /// The value of an episode of that name; null where it has none.
  static func value(
    _ name: String, _ values: EpisodeValues, _ shard: Shard, _ number: Int
  ) throws(TrajpackError) -> JSONValue {
    let episode = shard.index.episode(number)
    return values.value(name, episode.id, try values.metadata(of: episode)) ?? .null
  }

  /// What is the same of equal values: 2 and 2.0 are.
  static func key(_ value: JSONValue) -> String {
    if let number = value.double, !number.isNaN { return "number \(number)" }
    return value.text()
  }

  private static func precedes(_ a: JSONValue, _ b: JSONValue) -> Bool {
    // What has no value comes last.
    if (a == .null) != (b == .null) { return b == .null }
    if let a = a.double, let b = b.double { return a < b }
    if (a.double == nil) != (b.double == nil) { return a.double != nil }
    return (a.string ?? a.text()) < (b.string ?? b.text())
  }
}
