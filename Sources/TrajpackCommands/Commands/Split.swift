import TrajpackFormat
import TrajpackLoader
import TrajpackStore

/// `trajpack split`: names parts of a dataset.
struct Split: Command {
  static let name = "split"
  static let summary = "Split a dataset by a rule, without changing a shard."
  static let discussion = """
    Writes a split scheme beside the shards: which recordings, or which stretches of time inside them, are train, \
    val, test or whatever they are called. A dataset may have several schemes; the one named 'default' counts where \
    none is named. Loaders, normalize and evaluate go by a scheme, and a window has all of its target rows in one \
    split. A border is an instant of a recording's clock: rows of any stream before it belong to one side, those \
    at and after it to the other.
    """
  static var examples: [Example] {
    [
      (
        "trajpack split ett --rule train=0:60% --rule val=60%:80% --rule test=80%: --context 96",
        "Stretches of each recording; windows may see 96 rows before."
      ),
      (
        "trajpack split ww --name subjects --rule train=80% --rule test=20% --group subject",
        "A share of the recordings, one subject never in two splits."
      ),
      ("trajpack split ww --name cv --folds 5 --shuffle-folds --split-seed 1", "Five folds."),
      ("trajpack split ww --list", "The schemes that there are."),
      ("trajpack split ww --name cv --remove", "Forget one."),
    ]
  }
  static var parameters: [Parameter<Self>] {
    var parameters: [Parameter<Self>] = [
      .positional(
        "DATASET", to: \.dataset, completes: .files, help: "A dataset; with --into, a single shard."
      ),
      .option("--name", to: \.scheme, value: "SCHEME", help: "The name of the scheme."),
    ]
    parameters += Splitting.parameters.map { $0.lifted(\.splitting) }
    parameters += [
      .option(
        "--length", "-l", to: \.length, value: "ROWS", in: 1...1 << 24,
        help: "Also count the windows of so many target rows in each split."),
      .option(
        "--past", to: \.past, value: "ROWS", in: 0...1 << 24,
        help: "Rows of a window before its target rows."),
      .option(
        "--stride", to: \.stride, value: "ROWS", in: 1...1 << 24,
        help: "Rows from one window's start to the next."),
      .option(
        "--into", to: \.into, value: "DIR", completes: .folders,
        help: "Make a dataset of a single shard in this new folder, and split that."),
      .flag(
        "--list", to: \.lists, help: "List the schemes of the dataset, or show the one of --name."),
      .flag("--remove", to: \.removes, help: "Forget the scheme of this name."),
      .flag("--dry-run", "-n", to: \.dryRun, help: "Say what would come of it, write nothing."),
      .flag("--json", to: \.json, help: "Print JSON."),
    ]
    return parameters
  }
  var dataset = ""
  var scheme: String?
  var splitting = Splitting()
  var length: Int?
  var past: Int?
  var stride: Int?
  var into: String?
  var lists = false
  var removes = false
  var dryRun = false
  var json = false

  private var name: String { scheme ?? SplitScheme.defaultName }

  mutating func run(_ console: Console) throws(TrajpackError) {
    guard !(lists && removes) else {
      throw TrajpackError(.usage, "--list and --remove exclude each other; give one of them")
    }
    guard length != nil || past == nil && stride == nil else {
      throw TrajpackError(
        .usage, "--past and --stride are for the windows that --length counts; give it too")
    }
    if lists || removes {
      guard !splitting.isGiven, into == nil, !dryRun else {
        throw TrajpackError(
          .usage, "\(lists ? "--list" : "--remove") goes with --name only; leave the rule out")
      }
      return try lists ? list(console) : remove(console)
    }
    guard splitting.isGiven else {
      throw TrajpackError(
        .usage,
        "say how to split: --rule SPLIT=WHAT for each split, --by VALUE or --folds K; --list shows the schemes that "
          + "there are")
    }
    let rule = try splitting.rule()
    guard !dryRun else {
      let opened = try OpenDataset(dataset)
      let made = try SplitScheme.make(rule, of: opened)
      return show(try SplitSummary(made, of: opened), made, opened, console)
    }
    if let into {
      try Destination.refuse(into, in: dataset)
      let made = try SplitScheme.make(rule, of: try OpenDataset(dataset))
      try Dataset.wrap(shard: dataset, into: into)
      try write(made, to: into, console)
    } else {
      let editor = try SideFileEditor(dataset)
      let opened = try OpenDataset(dataset)
      let made = try SplitScheme.make(rule, of: opened)
      try editor.put(
        .splits, named: name, made.json, isRequired: made.isRequired(as: name, of: opened))
      try editor.commit()
      try report(made, dataset, console)
    }
  }

  private func write(
    _ made: SplitScheme, to path: String, _ console: Console
  ) throws(TrajpackError) {
    let editor = try SideFileEditor(path)
    try editor.put(
      .splits, named: name, made.json,
      isRequired: made.isRequired(as: name, of: try OpenDataset(path)))
    try editor.commit()
    try report(made, path, console)
  }

  private func report(
    _ made: SplitScheme, _ path: String, _ console: Console
  ) throws(TrajpackError) {
    let opened = try OpenDataset(path)
    var summary = try SplitSummary(made, of: opened)
    if length != nil {
      // The stretch before fold 0 is never a test.
      for i in summary.lines.indices.dropLast().dropFirst(made.foldsGrow ? 1 : 0) {
        summary.lines[i].windows = try windows(made, i, opened, console)
      }
    }
    show(summary, made, opened, console)
  }

  /// The windows of a split; 0, and a word why, where none fits.
  private func windows(
    _ made: SplitScheme, _ number: Int, _ opened: OpenDataset, _ console: Console
  ) throws(TrajpackError) -> UInt64 {
    let options = JSONValue.record([
      "scheme": .string(name), "split": .string(made.folds > 0 ? "test" : made.splits[number]),
      "fold": made.folds > 0 ? .int(Int64(made.foldsGrow ? number - 1 : number)) : nil,
      "length": length.map { .int(Int64($0)) }, "past": past.map { .int(Int64($0)) },
      "stride": stride.map { .int(Int64($0)) }, "batch": 1,
      "reference": splitting.stream.map { .string($0) },
    ])
    do throws(TrajpackError) {
      return try Loader([opened], LoaderOptions(json: options.text())).windows[0]
    } catch {
      guard error.fault == .usage, error.message.contains("no window") else { throw error }
      console.warn(error.message.printable)
      return 0
    }
  }

  private func show(
    _ summary: SplitSummary, _ made: SplitScheme, _ opened: OpenDataset, _ console: Console
  ) {
    if json {
      return console.print(
        summary.json(of: made, named: name, dataset: into ?? dataset, isWritten: !dryRun))
    }
    var columns: [Table.Column] = [
      .text(made.folds > 0 ? "fold" : "split"), .number("episodes"), .number("rows"),
    ]
    if summary.lines.contains(where: { $0.windows != nil }) { columns.append(.number("windows")) }
    var table = Table(columns: columns)
    for line in summary.lines where line.name != nil || line.episodes > 0 {
      table.add([
        line.name ?? "in none", Human.count(line.episodes), Human.count(line.rows),
        line.windows.map { Human.count(Int($0)) } ?? "",
      ])
    }
    console.print(
      "split scheme '\(name.printable)' of \(into ?? dataset)\(dryRun ? ", not written" : ""), rows of "
        + "'\(summary.stream.printable)':")
    console.print(table)
  }

  private func list(_ console: Console) throws(TrajpackError) {
    let opened = try OpenDataset(dataset)
    let files = opened.dataset.sideFiles(.splits)
    if scheme != nil {
      guard let found = try SplitScheme.find(name, in: opened.dataset, hasOwn: false) else {
        return
      }
      return try report(found.scheme, dataset, console)
    }
    var all: [JSONValue] = []
    var remarks: [String] = []
    var table = Table(.text("scheme"), .text("splits"), .text("of"), .text("rule"))
    for file in files {
      let found = try SplitScheme(
        json: try opened.dataset.content(of: file), at: "\(dataset)/\(file.file): content")
      let left = found.episodesInNone(of: opened)
      if left > 0 {
        remarks.append(
          "\(file.name.printable): \(Human.count(left, "episodes")) \(left == 1 ? "is" : "are") in none"
        )
      }
      all.append(
        .record([
          "scheme": .string(file.name), "episodes_in_none": .int(Int64(left)),
          "splits": .array(found.splits.map { .string($0) }),
          "folds": found.folds > 0 ? .int(Int64(found.folds)) : nil,
          "cuts_episodes": .bool(found.cutsEpisodes), "file": .string(file.file),
          "rule": found.rule,
        ]))
      let rule = found.rule.text()
      table.add(
        file.name, found.folds > 0 ? "\(found.folds) folds" : found.splits.joined(separator: ", "),
        found.cutsEpisodes ? "rows" : "episodes",
        rule.count > 120 ? rule.prefix(119) + "…" : rule)
    }
    if json {
      return console.print(.record(["dataset": .string(dataset), "schemes": .array(all)]))
    }
    if files.isEmpty { return console.print("\(dataset): has no split schemes") }
    console.print(table)
    for remark in remarks { console.print(remark) }
  }

  private func remove(_ console: Console) throws(TrajpackError) {
    let editor = try SideFileEditor(dataset)
    try editor.remove(.splits, named: name)
    try editor.commit()
    if json {
      console.print(.record(["dataset": .string(dataset), "removed": .string(name)]))
    } else {
      console.print("\(dataset): forgot the split scheme '\(name.printable)'")
    }
  }
}
