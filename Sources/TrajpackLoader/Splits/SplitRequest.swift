import TrajpackFormat
import TrajpackStore

/// A split scheme that a program asks for; ``table`` declares each option.
public struct SplitRequest {
  private var name = SplitScheme.defaultName
  private var rule: SplitRule?
  private var isDryRun = false
  private var removes = false

  /// A request of nothing in particular, which has the defaults.
  package init() {}

  /// Reads a request.
  ///
  /// - Throws: A usage error naming the member that is wrong.
  public init(json text: String) throws(TrajpackError) {
    let json = try OptionTable<Self>.object(of: text, like: "{\"rule\": {\"by\": \"subject\"}}")
    try Self.table.read(json, into: &self)
    guard removes != (rule != nil), !removes || !isDryRun else {
      throw TrajpackError(
        .usage, "a split needs a 'rule' that makes a scheme, or 'remove' to forget one")
    }
  }

  /// Every option.
  package static let table = OptionTable<Self>(
    [
      OptionDeclaration("name", \.name, .text, "The name of the scheme."),
      OptionDeclaration(
        "rule", \.rule,
        OptionForm(.type("object")) { (o) throws(TrajpackError) in try SplitRule(json: o.value) },
        "What belongs to which split (schemas/splits.schema.json)."),
      OptionDeclaration("dry_run", \.isDryRun, .truth, "Whether nothing is written."),
      OptionDeclaration("remove", \.removes, .truth, "Whether the scheme is forgotten."),
    ], unknown: { "there is no option '\($0)' of a split" })

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
