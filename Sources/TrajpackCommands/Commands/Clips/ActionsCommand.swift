import TrajpackFormat
import TrajpackLoader
import TrajpackSources
import TrajpackStore

/// `trajpack actions`: the actions of a dataset, counted and numbered.
struct ActionsCommand: Command {
  static let name = "actions"
  static let summary = "Count the actions of a dataset, and number them in a vocabulary."
  static let discussion = """
    An action is a tuple of whole numbers, one a channel of a stream: by default WildWorld's npc/weapon_id, \
    npc/motion_bank_id, npc/motion_id. For each it counts rows, runs of rows and episodes. In the vocabulary \
    (schemas/vocabulary.schema.json) actions are numbered from 0 in ascending order of their tuples.
    """
  static var examples: [Example] {
    [
      ("trajpack actions ww", "The most frequent actions of all entities."),
      ("trajpack actions ww --names names.csv --save actions", "With names, kept in the dataset."),
      ("trajpack actions ds --channels state/key,state/mouse --json", "Of any channels, as JSON."),
    ]
  }
  static var parameters: [Parameter<Self>] {
    [
      .positional(
        "DATASET", to: \.dataset, completes: .files, help: "A dataset or a single shard."),
      .option(
        "--channels", "-c", to: \.channels, value: "CHANNELS",
        help: "The channels of an action, as state/bank,state/motion."),
      .option(
        "--entity", to: \.entity, value: "N", in: 0...1_000_000,
        help: "Only entities of this index; by default all."),
      .option(
        "--names", to: \.names, value: "FILE", completes: .files,
        help: "A table of actions as CSV: a column for each number, * for any, then 'name'."),
      .option("--split", to: \.splits, value: "NAME", help: "Only recordings of this split."),
      .option(
        "--episodes", "-e", to: \.episodes, value: "PATTERN",
        help: "Only these recordings: an id, or a pattern with *."),
      .option(
        "--top", to: \.top, value: "N", in: 1...1_000_000, help: "Show so many, the most frequent."),
      .option(
        "--output", "-o", to: \.output, value: "FILE", completes: .files,
        help: "Write the vocabulary as JSON."),
      .option(
        "--save", to: \.save, value: "NAME",
        help: "Keep the vocabulary in the dataset under this name, in place of one that it has."),
      .flag("--json", to: \.json, help: "Print the vocabulary as JSON."),
    ]
  }

  var dataset = ""
  var channels: String?
  var entity: Int?
  var names: String?
  var splits: [String] = []
  var episodes: [String] = []
  var top = 20
  var output: String?
  var save: String?
  var json = false

  static func channels(_ text: String?) -> [String] {
    (text ?? "").split(separator: ",").map(String.init)
  }

  mutating func run(_ console: Console) throws(TrajpackError) {
    let data = try OpenDataset(dataset)
    let reader = try ActionReader(data, Self.channels(channels))
    let filter = try EpisodeChoice(data, splits: splits, episodes: episodes)
    let vocabulary = try ActionVocabulary(
      data, reader, entity: entity,
      names: try names.map { (path) throws(TrajpackError) in try ActionNames(path) },
      keeps: { (shard, number) throws(TrajpackError) in try filter.keeps(shard, number) },
      isInterrupted: { Interrupt.isRequested })
    guard !Interrupt.isRequested else {
      console.warn("stopped; nothing was counted")
      return
    }
    if let output {
      try FileSystem.deliver(Array((vocabulary.json.text(indent: 1) + "\n").utf8), to: output)
    }
    if let save {
      let editor = try SideFileEditor(dataset)
      try editor.put(.vocabulary, named: save, vocabulary.json)
      try editor.commit()
    }
    if json {
      console.print(vocabulary.json)
      return
    }
    show(vocabulary, console)
    if let output {
      console.print("\(output): \(Human.count(vocabulary.entries.count, "actions"))")
    }
    if let save {
      console.print(
        "\(dataset), vocabulary '\(save)': \(Human.count(vocabulary.entries.count, "actions"))")
    }
  }

  private func show(_ vocabulary: ActionVocabulary, _ console: Console) {
    let hasNames = vocabulary.entries.contains { $0.name != nil }
    var table = Table(
      columns: [.number("id"), .text("action")] + (hasNames ? [.text("name")] : [])
        + [.number("rows"), .number("share"), .number("runs"), .number("episodes")])
    let order = vocabulary.entries.indices.sorted {
      (-vocabulary.entries[$0].rows, $0) < (-vocabulary.entries[$1].rows, $1)
    }
    let all = max(vocabulary.rows, 1)
    for id in order.prefix(top) {
      let entry = vocabulary.entries[id]
      table.add(
        [String(id), ActionVocabulary.text(entry.action)]
          + (hasNames ? [(entry.name ?? "").printable] : [])
          + [
            Human.count(entry.rows),
            "\((Double(entry.rows) * 1000 / Double(all)).rounded() / 10) %",
            Human.count(entry.runs), Human.count(entry.episodes),
          ])
    }
    console.print(
      "\(Human.count(vocabulary.entries.count, "actions")) of \(vocabulary.channels.joined(separator: ", ")) in "
        + "\(Human.count(vocabulary.rows, "rows")) of \(Human.count(vocabulary.episodes, "episodes"))"
        + (vocabulary.missing > 0 ? "; \(Human.count(vocabulary.missing, "rows")) without" : ""))
    console.print("")
    console.print(table)
    if order.count > top {
      console.print("")
      console.print(
        "\(Human.count(order.count - top, "more actions")): see all with --json or --top")
    }
  }
}

/// Which episodes `--split` and `--episodes` choose.
struct EpisodeChoice {
  private let data: OpenDataset
  private let filter: EpisodeFilter
  private let selection: SplitSelection?

  /// - Throws: A usage error for a split that there is not or that cuts recordings, or where nothing is left.
  init(_ data: OpenDataset, splits: [String], episodes: [String]) throws(TrajpackError) {
    self.data = data
    var known: [String] = []
    for shard in data.shards {
      for split in shard.schema.splits where !known.contains(split) { known.append(split) }
    }
    let selection =
      splits.isEmpty ? nil : try SplitSelection(data, scheme: nil, splits: splits, fold: nil)
    if let selection, selection.cutsEpisodes {
      throw TrajpackError(
        .usage,
        "--split: the split scheme '\(selection.scheme)' cuts recordings, and this command takes them whole; choose "
          + "recordings with --episodes")
    }
    self.selection = selection
    let options = JSONValue.record([
      "split": splits.isEmpty ? nil : .array(splits.map { .string($0) }),
      "episodes": episodes.isEmpty ? nil : .array(episodes.map { .string($0) }),
    ])
    filter = try EpisodeFilter(
      LoaderOptions(json: options.text()), selection == nil ? known : nil)
    for shard in data.shards.indices {
      for number in 0..<data.shards[shard].index.episodeCount where try keeps(shard, number) {
        return
      }
    }
    throw TrajpackError(
      .usage, file: data.dataset.path, "no episode is left by --split and --episodes")
  }

  func keeps(_ shard: Int, _ number: Int) throws(TrajpackError) -> Bool {
    if let selection, !selection.keeps(number, shard: shard) { return false }
    return try filter.keeps(data.shards[shard].index, number)
  }
}
