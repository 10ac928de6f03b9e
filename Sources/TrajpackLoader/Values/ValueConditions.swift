import TrajpackFormat

/// Conditions on values of recordings as a command line has them: `label=run`, `theta>=0.5`, `theta<=2`.
public enum ValueConditions {
  /// The option `where` of a loader that says the same: all of them are to hold.
  ///
  /// - Throws: A usage error where a text is no condition.
  public static func json(_ texts: [String]) throws(TrajpackError) -> JSONValue {
    var members: [JSONValue.Member] = []
    for text in texts {
      guard let equal = text.firstIndex(of: "="), equal > text.startIndex else { throw wrong(text) }
      var name = text[..<equal]
      let value = String(text[text.index(after: equal)...])
      let sign = name.last
      guard sign == "<" || sign == ">" else {
        // What is typed says not whether it is a number.
        var choices: [JSONValue] = [.string(value)]
        if let number = Double(value) { choices.append(.double(number)) }
        members.append(.init(String(name), .array(choices)))
        continue
      }
      name = name.dropLast()
      guard !name.isEmpty, let number = Double(value), number.isFinite else { throw wrong(text) }
      members.append(
        .init(String(name), .object([.init(sign == "<" ? "max" : "min", .double(number))])))
    }
    return .object(members)
  }

  private static func wrong(_ text: String) -> TrajpackError {
    TrajpackError(
      .usage, "--where: '\(text)' is no NAME=VALUE, NAME>=NUMBER or NAME<=NUMBER, like label=run")
  }

  /// The ids of the episodes for which all conditions hold, of those that `episodes` names where it is not empty.
  ///
  /// - Throws: A usage error where no episode is left.
  public static func ids(
    _ dataset: OpenDataset, _ conditions: [String], episodes: [String] = []
  ) throws(TrajpackError) -> [String] {
    var options: [JSONValue.Member] = [.init("where", try json(conditions))]
    if !episodes.isEmpty {
      options.append(.init("episodes", .array(episodes.map { .string($0) })))
    }
    let filter = try EpisodeFilter(
      LoaderOptions(json: JSONValue.object(options).text()), []
    ).on(dataset)
    var out: [String] = []
    for shard in dataset.shards {
      for number in 0..<shard.index.episodeCount where try filter.keeps(shard.index, number) {
        out.append(shard.index.episode(number).id)
      }
    }
    guard !out.isEmpty else {
      throw TrajpackError(
        .usage, file: dataset.dataset.path,
        "no episode is left by \(conditions.joined(separator: " and ")) (of "
          + "\(dataset.episodeCount))"
          + (try filter.reason(in: dataset)))
    }
    return out
  }
}
