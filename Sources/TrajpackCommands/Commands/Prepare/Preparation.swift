import TrajpackCodecs
import TrajpackFormat
import TrajpackLoader
import TrajpackSignal
import TrajpackSources
import TrajpackStore

/// What `resample`, `embed`, `mask` and `apply` share: source, destination, and how it is written.
struct Preparation: ArgumentSet {
  static var places: [Parameter<Self>] {
    [
      .positional("SRC", to: \.source, completes: .files, help: "A dataset or a single shard."),
      .positional("DST", to: \.destination, completes: .folders, help: "The new dataset's folder."),
    ]
  }

  static var parameters: [Parameter<Self>] {
    var parameters = making
    parameters.append(
      .option(
        "--report", to: \.report, value: "FILE", completes: .files,
        help: "Write what was chosen, and what was done to each track, as JSON."))
    parameters += (WriteOptions.again + WriteOptions.stagingFolder).map { $0.lifted(\Self.writing) }
    parameters += [
      .flag(
        "--print-plan", to: \.printPlan,
        help: "Print the plan, with what was chosen, and write nothing."),
      .flag("--json", to: \.json, help: "Print the outcome as JSON."),
    ]
    return parameters
  }

  /// What says how the dataset is made, for the commands and for jobs of them.
  static var making: [Parameter<Self>] {
    var parameters = (WriteOptions.layout + WriteOptions.work).map { $0.lifted(\Self.writing) }
    parameters += [
      .option(
        "--scheme", to: \.scheme, value: "NAME",
        help: "The split scheme whose rows steps are fitted to; by default the one that counts."),
      .option(
        "--fold", to: \.fold, value: "N", in: 0...1 << 20,
        help: "The fold that is the split 'test', of a scheme of folds."),
    ]
    parameters += [
      .flag(
        "--over-borders", to: \.overBorders,
        help:
          "Where a split scheme cuts recordings: make rows of other rows (filters, splines, bins, delays) also "
          + "from beyond its borders; the scheme is not carried over then.")
    ]
    return parameters
  }

  var source = ""
  var destination = ""
  var writing = WriteOptions()
  var scheme: String?
  var fold: Int?
  var report: String?
  var overBorders = false
  var printPlan = false
  var json = false

  /// Runs a plan.
  func run(_ plan: Plan, _ console: Console) throws(TrajpackError) {
    let options = try writing.options(of: PlanImporter.self)
    if let report { try checkReport(report) }
    let dataset = try Dataset(source)
    try Destination.refuse(destination, in: source)
    if !printPlan { try refuseBorders(plan, dataset) }
    var resolver = try PlanResolver(
      dataset, threads: options.jobs, scheme: (scheme, fold),
      isInterrupted: { Interrupt.isRequested })
    if plan.unresolved != nil { console.note("looking at \(source) for what the plan leaves open") }
    guard let (importer, resolved) = try resolver.importer(plan, version: Trajpack.version) else {
      console.warn("stopped while looking; nothing was written")
      return
    }
    if !json, !printPlan { show(resolver.reports, console) }
    if !json {
      for warning in resolver.reports.flatMap(\.warnings) { console.warn(warning) }
    }
    if printPlan {
      console.write(resolved.json.text(indent: 2).printableJSON + "\n")
      return
    }
    let carried = try importer.carriedSideFiles()
    let outcome = try WriteOptions.run(
      importer, to: destination, options.carrying(carried), verb: ("preparing", "prepared"),
      items: "episodes",
      console)
    guard let outcome else { return }
    if let report {
      try write(
        try PreparationReport.document(
          resolved, resolver.reports, try Dataset(destination)), to: report)
    }
    show(outcome, resolved, resolver.reports, carried, console)
  }

  /// Refuses steps that would make rows of one split from rows of another.
  func refuseBorders(_ plan: Plan, _ dataset: Dataset) throws(TrajpackError) {
    let far = plan.stepsThatLookAround
    guard !overBorders, !far.isEmpty else { return }
    for file in dataset.sideFiles(.splits) where file.isRequired {
      guard try SplitScheme(json: try dataset.content(of: file), at: file.file).cutsEpisodes
      else { continue }
      throw TrajpackError(
        .usage, file: source,
        "the split scheme '\(file.name.printable)' cuts recordings, and \(far.joined(separator: ", ")) "
          + "may make rows from beyond its borders; make a dataset of the splits first ('trajpack cut \(source) "
          + "DATASET --split …'), or take whole recordings with --over-borders")
    }
  }

  /// Refuses a report that could not be written, before the work begins.
  private func checkReport(_ report: String) throws(TrajpackError) {
    guard FileSystem.item(at: report) != .folder else {
      throw TrajpackError(.usage, "--report: \(report) is a folder; name a file")
    }
    let folder = FileSystem.parent(of: report)
    // The new dataset's own folder and those above it are made meanwhile.
    if FileSystem.item(at: folder) == nil, "\(destination)/".hasPrefix("\(folder)/") { return }
    try within("--report") { () throws(TrajpackError) in
      try FileSystem.requireReplaceable(report)
    }
  }

  private func write(_ document: JSONValue, to path: String) throws(TrajpackError) {
    try FileSystem.deliver(Array((document.text(indent: 1) + "\n").utf8), to: path)
  }

  private func show(
    _ outcome: Conversion<PlanImporter>.Outcome, _ plan: Plan, _ reports: [EmbedReport],
    _ carried: CarriedSideFiles, _ console: Console
  ) {
    let (kept, left) = (carried.carried, carried.leftOut)
    if json {
      console.print(
        .record([
          "dataset": .string(destination), "episodes": .int(Int64(outcome.episodes)),
          "shards": .array(outcome.shards.map(\.json)), "bytes": .int(Int64(outcome.bytes)),
          "plan": plan.json, "plan_digest": .string(plan.digest),
          "choices": reports.isEmpty ? nil : .array(reports.map(\.json)),
          "carried": kept.isEmpty ? nil : .array(kept.map { .string($0) }),
          "not_carried": left.isEmpty ? nil : .array(left.map { .string($0) }),
        ]))
      return
    }
    console.print(
      "\(destination): \(Human.count(outcome.episodes, "episodes")), \(Human.bytes(outcome.bytes)), "
        + "\(Human.count(outcome.shards.count, "shards")); plan \(plan.digest.prefix(16))")
    for note in (try? PreparationReport.notes(plan, Dataset(destination))) ?? [] {
      console.print(note)
    }
    if !kept.isEmpty { console.note("carried over: \(kept.joined(separator: ", ").printable)") }
    for sentence in left { console.warn(sentence.printable) }
    console.note("look inside with 'trajpack info \(destination)'")
  }

  /// What was chosen, for each channel of all episodes together and of each; the rest is in the report.
  private func show(_ reports: [EmbedReport], _ console: Console) {
    for report in reports {
      let whole =
        (report.split.isEmpty ? "all episodes" : "split '\(report.split)'")
        + (report.episodes.looked < report.episodes.of
          ? " (\(report.episodes.looked) of \(report.episodes.of) looked at)" : "")
      if let joint = report.joint {
        show(joint, whole, console)
        continue
      }
      console.print(
        "tau by \(report.lagBy), dimension by \(report.dimensionBy), of \(whole)")
      var table = Table(
        .text("channel"), .text("episode"), .number("rows"), .number("tau"), .number("dimension"),
        .text("remarks"))
      var shown = 0
      for entry in report.entries {
        if entry.episode != nil {
          shown += 1
          if shown > Self.mostEpisodes { continue }
        }
        let isOnly = !report.entries.contains { $0.channel == entry.channel && $0.element > 0 }
        table.add(
          entry.channel + (isOnly ? "" : "[\(entry.element)]"), entry.episode ?? "all together",
          Human.count(entry.rows), entry.lag.map(String.init) ?? "-",
          entry.dimension.map(String.init) ?? "-", entry.remarks.joined(separator: "; "))
      }
      console.print(table)
      if shown > Self.mostEpisodes {
        console.print("and \(shown - Self.mostEpisodes) more rows, which --report FILE has")
      }
      for choice in report.chosen {
        console.print("\(choice.channel): tau \(choice.lag), dimension \(choice.dimension)")
      }
    }
  }

  /// The list that was chosen, with what speaks for each coordinate, and what episodes would have.
  private func show(_ joint: EmbedReport.Joint, _ whole: String, _ console: Console) {
    console.print(
      "lags to \(joint.maxLag) by \(joint.method), Theiler window \(joint.window), of "
        + "\(Human.count(joint.rows, "rows")) of \(whole)")
    var table = Table(
      columns: [.text("coordinate"), .number("lag")] + joint.figures.map { .number($0) })
    for choice in joint.chosen {
      let figures = joint.figures.indices.map {
        $0 < choice.figures.count ? Human.figure(choice.figures[$0]) : ""
      }
      table.add([choice.candidate, "\(choice.lag)"] + figures)
    }
    console.print(table)
    for own in joint.own.prefix(Self.mostEpisodes) {
      console.print("\(own.episode) alone: \(own.remark ?? joint.line(own))")
    }
  }

  private static let mostEpisodes = 20
}

/// The JSON of `--report`.
enum PreparationReport {
  /// What was done to tracks, in words, each once with the streams that it was done to; of the first thousand
  /// episodes.
  static func notes(_ plan: Plan, _ dataset: Dataset) throws(TrajpackError) -> [String] {
    var out: [(note: String, streams: [String], tracks: Int)] = []
    var left = 1000
    for number in dataset.shardPaths.indices where left > 0 {
      let index = try dataset.shard(number).index
      for n in 0..<min(index.episodeCount, left) {
        left -= 1
        let episode = index.episode(n)
        guard !episode.metadata.isEmpty,
          let last = try JSONValue(parsing: Array(episode.metadata.utf8))[PlanImporter.reportName]?
            .array?.last, last["plan_digest"]?.string == plan.digest
        else { continue }
        for track in last["tracks"]?.array ?? [] {
          let stream = track["stream"]?.string ?? ""
          for note in (track["notes"]?.array ?? []).compactMap(\.string) {
            let at = out.firstIndex { $0.note == note } ?? out.count
            if at == out.count { out.append((note, [], 0)) }
            if !out[at].streams.contains(stream) { out[at].streams.append(stream) }
            out[at].tracks += 1
          }
        }
      }
    }
    let most = 6
    var lines = out.prefix(most).map { item in
      let names = item.streams.prefix(4).joined(separator: ", ")
      return "\(names)\(item.streams.count > 4 ? ", …" : ""): \(item.note)"
        + (item.tracks > 1 ? " (\(Human.count(item.tracks, "tracks")))" : "")
    }
    if out.count > most {
      lines.append("and \(out.count - most) more such notes, which --report FILE has")
    }
    return lines
  }

  static func document(
    _ plan: Plan, _ choices: [EmbedReport], _ dataset: Dataset
  ) throws(TrajpackError) -> JSONValue {
    var episodes: [JSONValue] = []
    for number in dataset.shardPaths.indices {
      let index = try dataset.shard(number).index
      for n in 0..<index.episodeCount {
        let episode = index.episode(n)
        let metadata =
          episode.metadata.isEmpty
          ? .object([]) : try JSONValue(parsing: Array(episode.metadata.utf8))
        let last = metadata[PlanImporter.reportName]?.array?.last
        episodes.append(
          .record([
            "episode": .string(episode.id),
            "tracks": last?["plan_digest"]?.string == plan.digest ? last?["tracks"] : .array([]),
          ]))
      }
    }
    return .record([
      "plan": plan.json, "plan_digest": .string(plan.digest),
      "source_digest": dataset.manifest?.source["options"]?["source_digest"],
      "choices": .array(choices.map(\.json)), "episodes": .array(episodes),
    ])
  }
}
