import TrajpackFormat
import TrajpackLoader
import TrajpackSources
import TrajpackStore

/// How a dataset is to be split, as 'split' and 'convert' take it.
struct Splitting: ArgumentSet {
  enum OverChoice: String, ArgumentChoice {
    case episodes, rows, time
  }

  static var parameters: [Parameter<Self>] {
    [
      .option(
        "--rule", to: \.rules, value: "SPLIT=WHAT",
        help: """
          What belongs to a split: rows or times of each recording (train=0:60%, val=8640:11520, \
          test=2017-06-26..), a share of the recordings (train=80%), id:a,b, @FILE with an id a line, \
          like:walk_*, folder:s1, where:subject=3, or rest.
          """),
      .option(
        "--by", to: \.by, value: "VALUE",
        help: "A split for each value of this member of the metadata, or for each 'folder'."),
      .option(
        "--folds", to: \.folds, value: "K", in: 2...1 << 20,
        help: "Folds of a cross-validation, each once the test."),
      .option(
        "--over", to: \.over, value: "WHAT",
        help: """
          Whether folds are sets of recordings or stretches of the rows of each; time: stretches of which only those \
          before the test are for training.
          """),
      .flag("--shuffle-folds", to: \.shuffles, help: "Draw which recordings a fold has."),
      .option(
        "--split-seed", to: \.seed, value: "N", in: 0...Int.max,
        help: "Seed of what is drawn: shares and folds of recordings."),
      .option(
        "--stratify", to: \.stratify, value: "VALUE",
        help: "Draw so that each value of this member of the metadata has the same shares."),
      .option(
        "--group", to: \.group, value: "VALUE",
        help: "Draw so that recordings of one value (a subject, a 'folder') stay together."),
      .option(
        "--context", to: \.contexts, value: "[SPLIT=]ROWS",
        help: "Rows, or a time like 2s, before a range that windows may see and that are no target."
      ),
      .option(
        "--split-stream", to: \.stream, value: "STREAM",
        help: "Count rows and shares of this stream; by default the one whose rows windows count."),
      .option(
        "--rules", to: \.file, value: "FILE", completes: .files,
        help: "Read all of this from JSON (schemas/splits.schema.json)."),
    ]
  }

  var rules: [String] = []
  var by: String?
  var folds: Int?
  var over: OverChoice?
  var shuffles = false
  var seed: Int?
  var stratify: String?
  var group: String?
  var contexts: [String] = []
  var stream: String?
  var file: String?

  /// Whether anything was said.
  var isGiven: Bool {
    !rules.isEmpty || by != nil || folds != nil || over != nil || shuffles || seed != nil
      || stratify != nil || group != nil || !contexts.isEmpty || stream != nil || file != nil
  }

  /// The rule.
  ///
  /// - Throws: A usage error naming what is wrong.
  func rule() throws(TrajpackError) -> SplitRule {
    if let file {
      var rest = self
      rest.file = nil
      guard !rest.isGiven else {
        throw TrajpackError(
          .usage, "--rules says all of the rule; leave the other options of it out")
      }
      let bytes = try OptionFile.bytes(file, most: SideFile.longest, what: "a rule")
      return try within(file: OptionFile.name(file)) { () throws(TrajpackError) in
        do throws(TrajpackError) {
          return try SplitRule(json: JSONValue(parsing: bytes, mostValues: SideFile.mostValues))
        } catch { throw TrajpackError(.usage, error.message, at: error.place) }
      }
    }
    var splits: [(name: String, parts: [JSONValue])] = []
    for rule in rules {
      let parts = rule.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
      guard parts.count == 2, !parts[0].isEmpty, !parts[1].isEmpty else {
        throw TrajpackError(.usage, "--rule: '\(rule)' is not SPLIT=WHAT, like train=0:60%")
      }
      let part: JSONValue =
        parts[1].hasPrefix("@")
        ? .record(["ids": .array(try Self.ids(String(parts[1].dropFirst())).map { .string($0) })])
        : .string(String(parts[1]))
      if let at = splits.firstIndex(where: { $0.name == parts[0] }) {
        splits[at].parts.append(part)
      } else {
        splits.append((String(parts[0]), [part]))
      }
    }
    var (context, own): (JSONValue?, [JSONValue.Member]) = (nil, [])
    for text in contexts {
      let parts = text.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
      if parts.count == 2 {
        own.append(.init(String(parts[0]), .string(String(parts[1]))))
      } else {
        context = .string(text)
      }
    }
    return try SplitRule(
      json: .record([
        "splits": splits.isEmpty
          ? nil
          : .object(
            splits.map { .init($0.name, $0.parts.count == 1 ? $0.parts[0] : .array($0.parts)) }),
        "by": by.map { .string($0) }, "folds": folds.map { .int(Int64($0)) },
        "over": over.map { .string($0.rawValue) }, "shuffle": shuffles ? true : nil,
        "seed": seed.map { .int(Int64($0)) }, "stratify": stratify.map { .string($0) },
        "group": group.map { .string($0) }, "context": context,
        "contexts": own.isEmpty ? nil : .object(own), "stream": stream.map { .string($0) },
      ]))
  }

  /// The ids in a file, one a line.
  private static func ids(_ path: String) throws(TrajpackError) -> [String] {
    let bytes = try OptionFile.bytes(path, most: SideFile.longest, what: "a list of ids")
    var ids: [String] = []
    for line in bytes.split(separator: UInt8(ascii: "\n")) {
      let id = String(decoding: line.last == 0x0D ? line.dropLast() : line, as: UTF8.self)
      if !id.isEmpty { ids.append(id) }
    }
    guard !ids.isEmpty else {
      throw TrajpackError(.usage, file: OptionFile.name(path), "has no id in it; write one a line")
    }
    return ids
  }
}
