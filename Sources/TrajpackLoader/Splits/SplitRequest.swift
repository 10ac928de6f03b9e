import TrajpackFormat
import TrajpackStore

/// A split scheme that a program asks for; `tp_dataset_split` in `trajpack.h` names the members of its JSON.
public struct SplitRequest {
  private var name = SplitScheme.defaultName
  private var rule: SplitRule?
  private var isDryRun = false
  private var removes = false

  /// Reads a request.
  ///
  /// - Throws: A usage error naming the member that is wrong.
  public init(json text: String) throws(TrajpackError) {
    for member in try JSONValue(parsing: text).members ?? [] where member.value != .null {
      let option = OptionReader(name: member.name, value: member.value)
      switch member.name {
      case "name": name = try option.text()
      case "rule": rule = try SplitRule(json: member.value)
      case "dry_run": isDryRun = try option.truth()
      case "remove": removes = try option.truth()
      default:
        throw TrajpackError(
          .usage,
          "there is no option '\(member.name)' of a split"
            + Suggestion.text(for: member.name, among: ["name", "rule", "dry_run", "remove"]))
      }
    }
    guard removes != (rule != nil), !removes || !isDryRun else {
      throw TrajpackError(
        .usage, "a split needs a 'rule' that makes a scheme, or 'remove' to forget one")
    }
  }

  /// Makes the scheme of a dataset, or forgets it.
  ///
  /// - Returns: What it comes to.
  /// - Throws: A usage error where the rule does not fit the data, the dataset has not finished, or is a single shard.
  public func run(on path: String) throws(TrajpackError) -> JSONValue {
    guard let rule, !isDryRun else {
      if let rule {
        let opened = try OpenDataset(path)
        let made = try SplitScheme.make(rule, of: opened)
        return try SplitSummary(made, of: opened).json(
          of: made, named: name, dataset: path, isWritten: false)
      }
      let editor = try SideFileEditor(path)
      try editor.remove(.splits, named: name)
      try editor.commit()
      return .record(["dataset": .string(path), "removed": .string(name)])
    }
    let editor = try SideFileEditor(path)
    let opened = try OpenDataset(path)
    let made = try SplitScheme.make(rule, of: opened)
    let summary = try SplitSummary(made, of: opened)
    try editor.put(
      .splits, named: name, made.json, isRequired: made.isRequired(as: name, of: opened))
    try editor.commit()
    return summary.json(of: made, named: name, dataset: path, isWritten: true)
  }
}

extension SplitScheme {
  /// Whether a reader that does not know of the scheme would read the dataset wrongly.
  package func isRequired(as name: String, of dataset: OpenDataset) -> Bool {
    cutsEpisodes
      || name == Self.defaultName && dataset.shards.contains { !$0.schema.splits.isEmpty }
  }
}

extension SplitSummary {
  /// What a scheme comes to, as `trajpack split --json` prints it.
  package func json(
    of made: SplitScheme, named name: String, dataset: String, isWritten: Bool
  ) -> JSONValue {
    func line(_ line: SplitSummary.Line) -> JSONValue {
      .record([
        "name": line.name.map { .string($0) }, "episodes": .int(Int64(line.episodes)),
        "rows": .int(Int64(line.rows)), "windows": line.windows.map { .int(Int64(clamping: $0)) },
      ])
    }
    return .record([
      "dataset": .string(dataset), "scheme": .string(name), "written": .bool(isWritten),
      "folds": made.folds > 0 ? .int(Int64(made.folds)) : nil,
      "cuts_episodes": .bool(made.cutsEpisodes), "stream": .string(stream),
      "splits": .array(lines.dropLast().map(line)), "in_none": lines.last.map(line),
      "rule": made.rule,
    ])
  }
}
