import TrajpackFormat
import TrajpackLoader
import TrajpackSources
import TrajpackStore

/// `trajpack clips`: proposes clips, or shows what a list of them takes.
struct ClipsCommand: Command {
  static let name = "clips"
  static let summary =
    "Propose clips of a dataset by their actions, or show what a list of clips takes."
  static let discussion = """
    Looks at every start at which --length rows at --rate fit, counts the runs of actions within, and takes up to \
    --per-class clips of each class, none of which shares rows with another. An action is a tuple of channels, by \
    default WildWorld's npc/weapon_id, npc/motion_bank_id, npc/motion_id of entity 0. The class is the action of \
    most rows, or what --class names: a channel (of most rows) or a value of the metadata. The same dataset, \
    options and seed give the same list.

    --list FILE shows instead which rows each clip of a list takes; with --rows STREAM the nearest row, or frame of \
    a video, of each of its instants.
    """
  static var examples: [Example] {
    [
      (
        "trajpack clips ww --length 81 --rate 16 --min-actions 2 --per-class 20 --seed 0 -o clips.csv",
        "Clips as WildBench has them."
      ),
      (
        "trajpack clips ww --length 60 --class meta.stage -o clips.jsonl",
        "By a value of the recording."
      ),
      ("trajpack clips ww --list clips.csv --rows rgb", "The frames that each clip takes."),
    ]
  }
  static var parameters: [Parameter<Self>] {
    [
      .positional(
        "DATASET", to: \.dataset, completes: .files, help: "A dataset or a single shard."),
      .option(
        "--length", to: \.length, value: "ROWS", in: 1...Clip.mostRows, help: "Rows of a clip."),
      .option(
        "--rate", "-r", to: \.rate, value: "RATE",
        help: "Rows a second, as 16 or 30000/1001; by default the recording's."),
      .option(
        "--min-actions", to: \.minActions, value: "N", in: 0...1_000_000,
        help: "The fewest runs of actions in a clip."),
      .option(
        "--per-class", to: \.perClass, value: "N", in: 1...1_000_000,
        help: "The most clips of a class."),
      .option("--seed", to: \.seed, value: "N", help: "Seed of the draw of clips."),
      .option(
        "--actions", to: \.actions, value: "CHANNELS",
        help: "The channels of an action, as state/bank,state/motion."),
      .option(
        "--entity", to: \.entity, value: "N", in: 0...1_000_000,
        help: "The entity whose actions count."),
      .option(
        "--class", to: \.classOf, value: "NAME", help: "A channel, or a value of the metadata."),
      .option(
        "--names", to: \.names, value: "FILE", completes: .files,
        help: "A table of actions as CSV: a column for each number, then 'name'."),
      .option(
        "--stride", to: \.stride, value: "ROWS", in: 1...1_000_000,
        help: "Rows from one possible start to the next."),
      .option(
        "--reference", to: \.reference, value: "STREAM",
        help: "Clips begin at rows of this stream; by default the first without entities."),
      .option("--split", to: \.splits, value: "NAME", help: "Only recordings of this split."),
      .option(
        "--episodes", "-e", to: \.episodes, value: "PATTERN",
        help: "Only these recordings: an id, or a pattern with *."),
      .option(
        "--list", to: \.list, value: "FILE", completes: .files,
        help: "Show what this list takes, and propose nothing."),
      .option("--rows", to: \.rows, value: "STREAM", help: "With --list: the rows of this stream."),
      .option(
        "--output", "-o", to: \.output, value: "FILE", completes: .files,
        help: "Write the list: .csv, .json or .jsonl; by default CSV on standard output."),
      .option(
        "--save", to: \.save, value: "NAME",
        help: "Keep the list in the dataset under this name, in place of one that it has."),
      .flag("--json", to: \.json, help: "Print the outcome as JSON."),
    ]
  }

  var dataset = ""
  var length: Int?
  var rate: String?
  var minActions = 1
  var perClass = 20
  var seed: UInt64 = 0
  var actions: String?
  var entity = 0
  var classOf: String?
  var names: String?
  var stride = 1
  var reference: String?
  var splits: [String] = []
  var episodes: [String] = []
  var list: String?
  var rows: String?
  var output: String?
  var save: String?
  var json = false

  mutating func run(_ console: Console) throws(TrajpackError) {
    if let list {
      try refuseProposing()
      return try ClipListing(
        dataset: dataset, list: list, reference: reference, stream: rows, json: json
      )
      .run(console)
    }
    guard rows == nil else {
      throw TrajpackError(.usage, "--rows is for --list, which names a list of clips")
    }
    guard let length else {
      throw TrajpackError(.usage, "say with --length how many rows a clip has, as --length 81")
    }
    var options = ClipProposer.Options(length: length)
    if let rate {
      guard let number = ClipNumber.number(rate), number.numerator > 0 else {
        throw TrajpackError(
          .usage, "--rate: '\(rate)' is no positive number such as 16 or 30000/1001")
      }
      options.rate = number
    }
    (options.minActions, options.perClass, options.stride) = (minActions, perClass, stride)
    (options.seed, options.entity) = (seed, entity)
    (options.reference, options.classOf) = (reference, classOf)
    let data = try OpenDataset(dataset)
    let reader = try ActionReader(data, ActionsCommand.channels(actions))
    let filter = try EpisodeChoice(data, splits: splits, episodes: episodes)
    var proposer = try ClipProposer(
      data, reader, try names.map { (path) throws(TrajpackError) in try ActionNames(path) }, options
    )
    let found = try proposer.run(
      keeps: { (shard, number) throws(TrajpackError) in try filter.keeps(shard, number) },
      isInterrupted: { Interrupt.isRequested })
    guard let found else {
      console.warn("stopped; no list was made")
      return
    }
    guard !found.clips.isEmpty else {
      throw TrajpackError(
        .data, file: dataset,
        "no clip of \(Human.count(length, "rows"))"
          + (rate.map { " at \($0) a second" } ?? "")
          + " with at least \(Human.count(minActions, "actions")) fits into any recording")
    }
    let made = try ClipList(found.clips, source: dataset)
    try deliver(made, console)
    tell(made, found.classes, skipped: proposer.skipped, console)
  }

  /// Refuses options that a list that is given would leave without effect.
  private func refuseProposing() throws(TrajpackError) {
    let own = ClipsCommand()
    for (name, isGiven) in [
      ("--length", length != nil), ("--rate", rate != nil), ("--actions", actions != nil),
      ("--class", classOf != nil), ("--names", names != nil), ("--output", output != nil),
      ("--save", save != nil), ("--split", !splits.isEmpty), ("--episodes", !episodes.isEmpty),
      ("--min-actions", minActions != own.minActions), ("--per-class", perClass != own.perClass),
      ("--seed", seed != own.seed), ("--entity", entity != own.entity),
      ("--stride", stride != own.stride),
    ] where isGiven {
      throw TrajpackError(
        .usage, "--list shows a list that there is, and \(name) is for making one: leave it out")
    }
  }

  private func deliver(_ list: ClipList, _ console: Console) throws(TrajpackError) {
    if let save {
      let editor = try SideFileEditor(dataset)
      try editor.put(.clips, named: save, list.json)
      try editor.commit()
    }
    guard let output else {
      if !json, save == nil { console.write(list.csv) }
      return
    }
    let text: String
    if output.hasSuffix(".jsonl") {
      text = list.clips.map { $0.json.text() + "\n" }.joined()
    } else if output.hasSuffix(".json") {
      text = list.json.text(indent: 1) + "\n"
    } else {
      text = list.csv
    }
    try FileSystem.deliver(Array(text.utf8), to: output)
  }

  private func tell(
    _ list: ClipList, _ classes: [ClipProposer.Class], skipped: Int, _ console: Console
  ) {
    let short = classes.filter { $0.taken < perClass }
    if json {
      console.print(
        .record([
          "clips": .int(Int64(list.clips.count)), "output": output.map { .string($0) },
          "saved": save.map { .string($0) },
          "digest": .string(list.digest), "skipped_episodes": .int(Int64(skipped)),
          "list": output == nil && save == nil ? .array(list.clips.map(\.json)) : nil,
          "classes": .array(
            classes.map {
              .record([
                "class": .string($0.label), "starts": .int(Int64($0.starts)),
                "clips": .int(Int64($0.taken)), "wanted": .int(Int64(perClass)),
              ])
            }),
        ]))
      return
    }
    func say(_ line: String) {
      if output == nil, save == nil { console.note(line) } else { console.print(line) }
    }
    say(
      "\((output ?? save.map { "\(dataset), clips '\($0)'" }).map { "\($0): " } ?? "")\(Human.count(list.clips.count, "clips")) of "
        + Human.count(classes.count, "classes"))
    for found in classes {
      say(
        "  \(found.label): \(found.taken)"
          + (found.taken < perClass
            ? " of \(perClass) wanted, from \(Human.count(found.starts, "possible starts"))" : ""))
    }
    if !short.isEmpty {
      say(
        "\(Human.count(short.count, "classes")) \(short.count == 1 ? "has" : "have") fewer than \(perClass) that share no "
          + "rows with others")
    }
    if skipped > 0 {
      console.warn(
        "\(Human.count(skipped, "episodes")) left out: the reference has explicit times or several tracks there"
      )
    }
  }
}
