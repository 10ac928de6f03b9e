import TrajpackFormat
import TrajpackLoader
import TrajpackSignal
import TrajpackSources
import TrajpackStore

/// `trajpack export`: a dataset's episodes in another format.
struct ExportCommand: Command {
  static let name = "export"
  static let summary = "Write a dataset's episodes in another format."
  static let discussion = """
    Writes a folder an episode, --to mcap a file an episode; --to lerobot, robomimic and minari write one dataset of \
    all. WildWorld samples come back with equal values in state.csv, equal bits in \
    skeleton.npz and equal bytes in the videos; 'trajpack diff' compares them with the source.

    --split of a scheme that cuts recordings writes the rows that lie in the split, without the context before \
    it. Where several parts of a recording do, each is a folder ID@NUMBER; the metadata's member 'part' says which.
    """
  static var examples: [Example] {
    [
      ("trajpack export ww back --to wildworld", "Give back WildWorld samples."),
      ("trajpack export ww one --to npz --episode 000002", "One recording as numpy arrays."),
      (
        "trajpack export ww films --to mp4 --stream rgb --frames 30:90",
        "Frames 30 to 89 of each recording, without encoding them anew."
      ),
      ("trajpack export ww pictures --to png --stream depth -e 000002", "Each frame as a PNG."),
      ("trajpack export ett val --to csv --split val", "What of each recording lies in a split."),
      ("trajpack export robot hub --to lerobot", "A LeRobot dataset, videos as they are."),
      (
        "trajpack export robot hub --to lerobot --map observation.state=arm/q --map action=arm/ctrl",
        "With the names that trainers ask for."
      ),
      ("trajpack export robot logs --to mcap", "An MCAP file an episode, for Foxglove and Rerun."),
    ]
  }
  static var parameters: [Parameter<Self>] {
    [
      .positional(
        "DATASET", to: \.dataset, completes: .files, help: "A dataset or a single shard."),
      .positional("DST", to: \.destination, completes: .folders, help: "A new folder."),
      .option(
        "--to", to: \.to, value: "FORMAT", choices: FormatRegistry.writable, help: "The format."),
      .option(
        "--episode", "-e", to: \.episodes, value: "ID",
        help: "Only this recording."),
      .option(
        "--split", to: \.splits, value: "NAME",
        help: "Only recordings of this split, or the parts of them that lie in it."),
      .option(
        "--scheme", to: \.scheme, value: "NAME",
        help: "The split scheme; by default 'default', or the recordings' own splits."),
      .option(
        "--fold", to: \.fold, value: "N", in: 0...1 << 20,
        help: "The fold that is the split 'test', of a scheme of folds."),
      .option(
        "--clips", to: \.clips, value: "FILE", completes: .files,
        help: "Export these clips instead of recordings, by their ids."),
      .option(
        "--where", to: \.conditions, value: "CONDITION",
        help: "Only recordings of which this holds: NAME=VALUE, NAME>=NUMBER or NAME<=NUMBER."),
      .option(
        "--stream", to: \.streams, value: "NAME", help: "Only this video, of --to mp4 or png."),
      .option(
        "--frames", to: \.frames, value: "A:B",
        help: "Only these frames, counted from 0, of --to mp4 or png."),
      .option(
        "--media", to: \.media, value: "DIR", completes: .folders,
        help: "Where linked videos lie; without it they are left out."),
      .option(
        "--rate", to: \.rate, value: "HZ",
        help: """
          Rows a second: of --to lerobot of all streams, which are resampled where they have another; of others \
          where the dataset does not say it.
          """),
      .option(
        "--map", to: \.map, value: "NAME=STREAM/CHANNEL",
        help: """
          What a channel is called in the format, of --to lerobot, robomimic and minari: \
          --map action=steps/ctrl. --to lerobot makes one column of several: \
          --map observation.state=arm/qpos,arm/qvel.
          """),
      .flag(
        "--csv-escape-formulas", to: \.escapesFormulas,
        help: "Put ' before texts of CSV that a spreadsheet would compute (= + - @)."),
    ]
  }
  var dataset = ""
  var destination = ""
  var to: String?
  var episodes: [String] = []
  var splits: [String] = []
  var scheme: String?
  var fold: Int?
  var conditions: [String] = []
  var media: String?
  var rate: String?
  var clips: String?
  var streams: [String] = []
  var frames: String?
  var map: [String] = []
  var escapesFormulas = false

  mutating func run(_ console: Console) throws(TrajpackError) {
    let opened = try Dataset(dataset)
    try Destination.refuse(destination, in: dataset)
    if !conditions.isEmpty {
      guard clips == nil else {
        throw TrajpackError(
          .usage, "--where chooses recordings and --clips clips of them: leave one of them out")
      }
      guard episodes.isEmpty else {
        throw TrajpackError(
          .usage, "--where and --episode both choose recordings: give one of them")
      }
      episodes = try ValueConditions.ids(try OpenDataset(dataset), conditions)
    }
    guard splits.isEmpty || clips == nil else {
      throw TrajpackError(
        .usage,
        "--split chooses rows of recordings and --clips clips of them: leave one of them out")
    }
    try checkOptions()
    if let parts = try cutSplits() { return try export(parts, console) }
    try chooseSplits()
    guard let clips else { return try export(opened, console) }
    guard let to, FormatRegistry.writable.contains(to) else { return try export(opened, console) }
    // A WildWorld sample has as many frames of video as rows, which no whole video has.
    let importer = try ClipImporter(
      dataset, try ClipArgument.list(clips, of: dataset),
      video: needsCutVideos ? .none : .whole, version: Trajpack.version)
    let done = try ClipCut.temporary(importer, isInterrupted: { Interrupt.isRequested }) {
      (folder) throws(TrajpackError) -> Bool in
      try export(try Dataset(folder), console)
      return true
    }
    guard done != nil else {
      console.warn("stopped; nothing was written")
      return
    }
    guard !importer.videos.isEmpty, !hasFrames else { return }
    console.print(
      "\(list(importer.videos, "and")): "
        + (needsCutVideos
          ? "videos are left out, because they cannot be cut between keyframes"
          : "videos are whole; the clip's frames are in the metadata ('clip')"))
  }

  private func export(_ opened: Dataset, _ console: Console) throws(TrajpackError) {
    guard let format = ExportFormat.named(to) else {
      throw TrajpackError(
        .usage, "name the format with --to: \(list(FormatRegistry.writable, "or"))")
    }
    var request = ExportRequest(
      opened, ids: episodes, media: media, rate: try Convert.rate(rate), streams: streams,
      frames: try frames.map { (text) throws(TrajpackError) in try FrameRange.parse(text) },
      names: try map.map { (text) throws(TrajpackError) in try ChannelName(text) },
      escapesFormulas: escapesFormulas, software: "trajpack \(Trajpack.version)")
    guard let (plan, notes) = try format.prepare(request) else {
      return try export(request, format, console)
    }
    let importer = try PlanImporter(opened, plan, version: Trajpack.version)
    let done = try ClipCut.temporary(importer, isInterrupted: { Interrupt.isRequested }) {
      (folder) throws(TrajpackError) -> Bool in
      request.dataset = try Dataset(folder)
      try export(request, format, console)
      return true
    }
    guard done != nil else {
      console.warn("stopped; nothing was written")
      return
    }
    for note in notes { console.warn(note.printable) }
  }

  private func export(
    _ request: ExportRequest, _ format: ExportFormat, _ console: Console
  ) throws(TrajpackError) {
    switch try format.make(request) {
    case .episodes(let exporter): try export(exporter, request.dataset, console)
    case .dataset(let exporter): try export(exporter, request, console)
    }
  }

  /// Whether the format has as many frames of video as rows, which no whole video beside a part of its rows has.
  private var needsCutVideos: Bool { ExportFormat.named(to)?.needsCutVideos ?? false }

  /// - Throws: A usage error where options are given that the format does not have, or that say two things.
  private func checkOptions() throws(TrajpackError) {
    let given: [(ExportFormat.Option, Bool)] = [
      (.rate, rate != nil), (.stream, !streams.isEmpty), (.frames, frames != nil),
      (.map, !map.isEmpty), (.escapes, escapesFormulas),
    ]
    for (option, isGiven) in given
    where isGiven && ExportFormat.named(to)?.options.contains(option) != true {
      let able = ExportFormat.all.filter { $0.options.contains(option) }.map {
        "--to \($0.description.name)"
      }
      throw TrajpackError(.usage, "\(option.rawValue) is for \(list(able, "and"))")
    }
    guard frames == nil || (clips == nil && splits.isEmpty) else {
      throw TrajpackError(
        .usage, "--frames chooses frames, and --clips and --split do, too: give one of them")
    }
  }

  private var hasFrames: Bool { to == "mp4" || to == "png" }

  /// The parts of recordings in the splits that were named, where a scheme cuts recordings; else `nil`.
  private func cutSplits() throws(TrajpackError) -> SplitImporter? {
    guard !splits.isEmpty, let to, FormatRegistry.writable.contains(to) else { return nil }
    let data = try OpenDataset(dataset)
    let selection = try SplitSelection(data, scheme: scheme, splits: splits, fold: fold)
    guard let selection, selection.cutsEpisodes else { return nil }
    for id in episodes { _ = try data.episode(id: id) }
    // A WildWorld sample begins at 0 and has as many frames of video as rows, which no whole video has.
    return try SplitImporter(
      dataset,
      .init(
        splits: splits, scheme: scheme, fold: fold, episodes: Set(episodes),
        video: needsCutVideos ? .none : .whole, countsFromZero: needsCutVideos),
      version: Trajpack.version)
  }

  /// Writes parts of recordings by way of a dataset that lasts as long.
  private mutating func export(
    _ parts: SplitImporter, _ console: Console
  ) throws(TrajpackError) {
    episodes = []
    let command = self
    let done = try ClipCut.temporary(parts, isInterrupted: { Interrupt.isRequested }) {
      (folder) throws(TrajpackError) -> Bool in
      try command.export(try Dataset(folder), console)
      return true
    }
    guard done != nil else {
      console.warn("stopped; nothing was written")
      return
    }
    console.print(
      "rows of the split scheme '\(parts.scheme.printable)' only; which part of its recording each is stands in its "
        + "metadata ('part')")
    guard !parts.videos.isEmpty, !hasFrames else { return }
    console.print(
      "\(list(parts.videos, "and")): "
        + (needsCutVideos
          ? "videos are left out, because they cannot be cut between keyframes"
          : "videos are whole; the part's frames are in the track's metadata ('clip')"))
  }

  /// The recordings of the splits that were named.
  private mutating func chooseSplits() throws(TrajpackError) {
    guard !splits.isEmpty else {
      guard scheme == nil, fold == nil else {
        throw TrajpackError(
          .usage, "--scheme and --fold say nothing without a split; name one with --split")
      }
      return
    }
    let data = try OpenDataset(dataset)
    let selection = try SplitSelection(data, scheme: scheme, splits: splits, fold: fold)
    var own: [String] = []
    for shard in data.shards {
      for split in shard.schema.splits where !own.contains(split) { own.append(split) }
    }
    let options = JSONValue.record(["split": .array(splits.map { .string($0) })])
    let filter = try EpisodeFilter(
      LoaderOptions(json: options.text()), selection == nil ? own : nil)
    let asked = Set(episodes)
    var chosen: [String] = []
    for (place, shard) in data.shards.enumerated() {
      for number in 0..<shard.index.episodeCount where try filter.keeps(shard.index, number) {
        guard selection?.keeps(number, shard: place) ?? true else { continue }
        let id = shard.index.episode(number).id
        if asked.isEmpty || asked.contains(id) { chosen.append(id) }
      }
    }
    let found = Set(chosen)
    if conditions.isEmpty, let stranger = episodes.first(where: { !found.contains($0) }) {
      throw TrajpackError(
        .usage, file: dataset, "has no episode '\(stranger)' in the split \(list(splits, "or"))")
    }
    guard !chosen.isEmpty else {
      throw TrajpackError(.usage, file: dataset, "no episode is in the split \(list(splits, "or"))")
    }
    episodes = chosen
  }

  private func export(
    _ exporter: any DatasetExporter, _ request: ExportRequest, _ console: Console
  ) throws(TrajpackError) {
    var remarks: [String] = []
    let count = try counting(console, stopped: { _ in "stopped; nothing was written" }) {
      (began) throws(TrajpackError) in
      try Export.run(
        exporter, request, to: destination, isInterrupted: { Interrupt.isRequested },
        noted: { remarks.append($0) }, began: began)
    }
    guard let count else { return }
    for remark in remarks { console.warn(remark.printable) }
    console.print("\(destination): \(Human.count(count, "episodes")) as \(to ?? "")")
  }

  /// Shows how far an export is.
  ///
  /// - Parameters:
  ///   - stopped: What is said where an interrupt ended it behind so many episodes.
  ///   - body: Writes episodes, tells the id of each before, and returns how many there are and whether that is all.
  /// - Returns: How many episodes; `nil` where an interrupt ended it.
  private func counting(
    _ console: Console, stopped: (Int) -> String,
    _ body: (_ began: (String) -> Void) throws(TrajpackError) -> (episodes: Int, isComplete: Bool)
  ) throws(TrajpackError) -> Int? {
    let progress = console.progress("exporting", items: "episodes")
    let counters = progress.counters
    let done: (episodes: Int, isComplete: Bool)
    do throws(TrajpackError) {
      done = try body { id in
        counters.begin(id)
        counters.advance(bytes: 0, items: 1)
      }
    } catch {
      progress.cancel()
      throw error
    }
    guard done.isComplete else {
      progress.cancel()
      console.warn(stopped(done.episodes))
      return nil
    }
    progress.finish("exported")
    return done.episodes
  }

  private func export(
    _ exporter: some Exporter, _ opened: Dataset, _ console: Console
  ) throws(TrajpackError) {
    var remarks: [String: (first: String, count: Int)] = [:]
    let count = try counting(
      console,
      stopped: { count in
        "stopped after \(Human.count(count, "episodes")), which are whole"
          + (count == 0
            ? "; nothing was written" : " in \(destination); export into a new folder again")
      }
    ) { (began) throws(TrajpackError) in
      try Export.run(
        exporter, opened, ids: episodes, to: destination, isInterrupted: { Interrupt.isRequested },
        noted: { id, text in remarks[text, default: (id, 0)].count += 1 }, began: began)
    }
    guard let count else { return }
    for (text, (first, count)) in remarks.sorted(by: { $0.value.first < $1.value.first }).prefix(20)
    {
      console.warn("\(first)\(count > 1 ? " and \(count - 1) more" : ""): \(text)".printable)
    }
    if remarks.count > 20 { console.warn("and \(remarks.count - 20) more like it") }
    console.print("\(destination): \(Human.count(count, "episodes")) as \(to ?? "")")
    if ValueFile.isDocument("\(destination)/values.json") {
      console.print(
        "what is known of them is in \(to == "csv" ? "values.csv and " : "")values.json, which 'convert' takes back"
      )
    }
  }
}
