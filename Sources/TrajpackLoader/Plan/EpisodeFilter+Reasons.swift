import TrajpackFormat
import TrajpackStore

extension EpisodeFilter {
  /// Why the conditions leave no episode of a dataset: the first that holds for none of its episodes, with the name or
  /// the value that was probably meant; empty where each holds for some.
  package func reason(in dataset: OpenDataset) throws(TrajpackError) -> String {
    for (name, condition) in conditions {
      var found: [JSONValue] = []
      var holds = false
      for shard in dataset.shards where !holds {
        for number in 0..<shard.index.episodeCount where !holds {
          let episode = shard.index.episode(number)
          let value = values.value(name, episode.id, try values.metadata(of: episode))
          holds = condition.holds(value)
          if let value, value != .null { found.append(value) }
        }
      }
      if holds { continue }
      if !found.isEmpty { return condition.reason(name, found) }
      return "; no recording has the value '\(name)'"
        + Suggestion.text(for: name, among: try dataset.values().names)
    }
    return ""
  }
}

extension LoaderOptions.Condition {
  /// Why no episode fulfils it, from the values that they have.
  fileprivate func reason(_ name: String, _ found: [JSONValue]) -> String {
    var seen: Set<String> = []
    let texts = found.compactMap { $0.string ?? $0.bool.map { $0 ? "true" : "false" } }
      .filter { seen.insert($0).inserted }
    let numbers = found.compactMap(\.double)
    let span =
      numbers.min().flatMap { low in numbers.max().map { (low, $0) } }.map { low, high in
        low == high
          ? "; it is \(JSONValue.double(low).text())"
          : "; it goes from \(JSONValue.double(low).text()) to \(JSONValue.double(high).text())"
      } ?? ""
    switch self {
    case .range:
      return numbers.isEmpty
        ? "; the value '\(name)' is no number in any recording"
        : "; no recording has the value '\(name)' in that range\(span)"
    case .oneOf(let values):
      let wanted = values.map { $0.string ?? $0.text() }
      guard let first = wanted.first else { return "" }
      // A command line says not whether it means a number or its digits, and asks for both.
      guard !texts.isEmpty else { return "; no recording has the \(name) '\(first)'\(span)" }
      let names = values.compactMap(\.string)
      return "; no recording has the \(name) "
        + (names.count > 1
          ? Suggestion.list(of: names, among: texts)
          : "'\(first)'" + Suggestion.text(for: first, among: texts))
    }
  }
}
