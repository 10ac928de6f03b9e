import Glibc
import TrajpackFormat
import TrajpackLoader
import TrajpackSources
import TrajpackStore

/// `trajpack diff`: are two datasets, or a dataset and its source, equal in every value?
struct Diff: Command {
  static let name = "diff"
  static let summary = "Compare two datasets, or a dataset and its source, in every value."
  static let discussion = """
    Compares by episode, stream, entity, channel and row; how the values are chunked, compressed and \
    stored does not matter. Videos are compared by their digests; where these differ, as after 'trajpack transcode', frame \
    by frame. Says where the first difference of each \
    channel is, and exits with 1 where there is any.

    Recordings that are compared with a dataset are read with the options that its manifest keeps of its \
    conversion; those that are given here count before them.
    """
  static var examples: [Example] {
    [
      ("trajpack diff ww recordings/data_part1", "Is what I have now the same as what I had?"),
      ("trajpack diff ww ww-gzip", "Compare two datasets."),
    ]
  }
  static var parameters: [Parameter<Self>] {
    var parameters: [Parameter<Self>] = [
      .positional("A", to: \.first, completes: .files, help: "A dataset, a shard, or recordings."),
      .positional("B", to: \.second, completes: .files, help: "A dataset, a shard, or recordings."),
      .option(
        "--from", to: \.from, value: "FORMAT", suggesting: FormatRegistry.readable,
        help: "The recordings' format; by default that of the dataset's manifest."),
      .option(
        "--rate", to: \.rate, value: "HZ", help: "Rows a second, as 30, 29.97 or 30000/1001."),
      .option(
        "--on-mismatch", to: \.onMismatch, value: "RULE",
        help: "What to do with a recording whose files differ in frames."),
      .option(
        "--values", to: \.values, value: "FILE", completes: .files,
        help: "What is known of the recordings: the table that was given to convert."),
      .flag(
        "--values-partial", to: \.valuesPartial,
        help: "Recordings without a row in --values have none of them."),
    ]
    parameters += TableReading.parameters.map { $0.lifted(\.tables) }
    parameters += [
      .option(
        "--media", to: \.media, value: "DIR", completes: .folders,
        help: "The folder in which the folder that was converted lies, for linked videos."),
      .flag(
        "--allow-outside", to: \.allowsOutside, help: "Let links in that folder lead out of it."),
    ]
    return parameters + [.flag("--json", to: \.json, help: "Print the outcome as JSON.")]
  }
  var first = ""
  var second = ""
  var from: String?
  var rate: String?
  var onMismatch: Convert.MismatchChoice?
  var values: String?
  var valuesPartial = false
  var tables = TableReading()
  var media: String?
  var allowsOutside = false
  var json = false

  mutating func run(_ console: Console) throws(TrajpackError) {
    var scratch: [String] = []
    defer { for folder in scratch { Self.remove(folder) } }
    let plan = try [first, second].mapThrowing { (path) throws(TrajpackError) in
      Dataset.isDataset(path) ? try Dataset(path).manifest?.source : nil
    }.compactMap(\.self).first { FormatRegistry.readable.contains($0["format"]?.string ?? "") }
    let a = try open(first, plan, &scratch, console)
    let b = try open(second, plan, &scratch, console)
    var comparison = try DatasetComparison(a, b, names: (first, second))
    let frames = FrameComparison(try folder(first), try folder(second))
    comparison.compareFrames = { (_, left, right) throws(TrajpackError) in
      try frames.difference(left, right)
    }
    comparison.compareIDs()
    let progress = console.progress("comparing", items: "episodes")
    progress.counters.expect(bytes: 0, items: comparison.ids.count)
    for id in comparison.ids {
      if Interrupt.isRequested { break }
      progress.counters.begin(id)
      do throws(TrajpackError) {
        try comparison.compare(id)
      } catch {
        progress.cancel()
        throw error
      }
      progress.counters.advance(bytes: 0, items: 1)
    }
    progress.cancel()
    var result = comparison.result
    if Dataset.isDataset(first), Dataset.isDataset(second) {
      result.differences += try schemes(a, b, console)
    }
    if Interrupt.isRequested {
      console.warn(
        "stopped after \(Human.count(result.episodes, "episodes")); nothing is said of the others")
      return
    }
    if json {
      console.print(
        .record([
          "equal": .bool(result.differences.isEmpty), "episodes": .int(Int64(result.episodes)),
          "values": .int(Int64(result.values)),
          "differences": .array(result.differences.map { .string($0) }),
        ]))
    } else if result.differences.isEmpty {
      console.print(
        "equal: \(Human.count(result.episodes, "episodes")), \(Human.count(result.values, "values"))"
      )
    } else {
      for difference in result.differences.prefix(50) { console.print(difference.printable) }
      if result.differences.count > 50 {
        console.print("and \(result.differences.count - 50) more")
      }
    }
    guard result.differences.isEmpty else {
      throw TrajpackError(
        .data, "\(first) and \(second) differ in \(Human.count(result.differences.count, "places"))"
      )
    }
  }

  /// Where linked videos of one side are: below the folder that holds the recordings, or below --media.
  private func folder(_ path: String) throws(TrajpackError) -> MediaFolder {
    let folder = MediaFolder()
    if Dataset.isDataset(path) {
      if let media { try folder.set(media, allowsOutside: allowsOutside) }
    } else if WildWorldImporter.recognises(path) {
      var trimmed = path
      while trimmed.count > 1, trimmed.hasSuffix("/") { trimmed.removeLast() }
      // What is converted calls videos by the folder of the part: part/sample/file.
      let isSample = WildWorldImporter.isOneSample(trimmed)
      let isPart = WildWorldImporter.isPart(trimmed)
      let base =
        isSample ? "\(trimmed)/../.." : isPart ? "\(trimmed)/.." : trimmed
      try folder.set(base, allowsOutside: true)
    }
    return folder
  }

  /// The split schemes of the same name that split otherwise. Of one that only one side has is told.
  private func schemes(
    _ a: Dataset, _ b: Dataset, _ console: Console
  ) throws(TrajpackError) -> [String] {
    var out: [String] = []
    let (own, other) = (a.sideFiles(.splits), b.sideFiles(.splits))
    for file in own {
      guard let twin = other.first(where: { $0.name == file.name }) else {
        console.note("split scheme '\(file.name.printable)' is only in \(first)")
        continue
      }
      guard twin.sha256 != file.sha256 else { continue }
      // What it was made by may be said otherwise.
      let (one, two) = (try a.content(of: file), try b.content(of: twin))
      if ["splits", "folds", "grow", "episodes", "spans"].contains(where: { one[$0] != two[$0] }) {
        out.append("split scheme '\(file.name)': splits otherwise")
      }
    }
    for file in other where !own.contains(where: { $0.name == file.name }) {
      console.note("split scheme '\(file.name.printable)' is only in \(second)")
    }
    return out
  }

  /// Opens a dataset, or converts recordings into one for the comparison, their videos left in place.
  ///
  /// - Parameter plan: How the other side was converted; its options count where the command line says nothing.
  private func open(
    _ path: String, _ plan: JSONValue?, _ scratch: inout [String], _ console: Console
  ) throws(TrajpackError) -> Dataset {
    if Dataset.isDataset(path) { return try Dataset(path) }
    var planned = plan?["format"]?.string
    // An export in another format is read as what it is.
    if planned == WildWorldImporter.format.name, !WildWorldImporter.recognises(path) {
      planned = nil
    }
    let format = from ?? planned
    let kept = plan?["format"]?.string == format ? plan?["options"] : nil
    let rate = try Convert.rate(rate)
    var settings = WildWorldImporter.Settings(
      json: format == WildWorldImporter.format.name ? kept ?? .object([]) : .object([]))
    settings.video = .link
    if let rate { settings.rate = rate }
    if let rule = onMismatch.flatMap({ WildWorldImporter.Mismatch(rawValue: $0.rawValue) }) {
      settings.mismatch = rule
    }
    var series = SeriesOptions()
    if let kept, format == SeriesImporter.format.name { series = try SeriesOptions(json: kept) }
    series = try tables.options(over: series)
    if let rate { series.rate = rate }
    // What the conversion left out is left out here, too, unless it has been mended.
    let leftOut = (plan?["left_out"]?["files"]?.array ?? []).contains { $0["recording"] != nil }
    series.skipsErrors = leftOut
    var mapping = MappingOptions()
    if let kept,
      format == MCAPImporter.format.name || format == PythonSources.format.name
        || MappedFormats.formats.contains(where: { $0.name == format })
    {
      mapping = MappingOptions(json: kept)
    }
    mapping = try tables.mapping(over: mapping, rate: rate, skipsErrors: leftOut)
    let importer = try FormatRegistry.importer(
      [path], from: format, wildworld: settings, series: series, mapping: mapping, values: values,
      valuesPartial: valuesPartial)
    var template = Array("\(TemporaryFolder.path)/trajpack-diff-XXXXXX".utf8CString)
    guard mkdtemp(&template) != nil else {
      throw TemporaryFolder.failure()
    }
    let made = String(
      decoding: template.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
    scratch.append(made)
    try convert(importer, to: made, skipsErrors: leftOut, console)
    return try Dataset(made)
  }

  private func convert<I: Importer>(
    _ importer: I, to folder: String, skipsErrors: Bool, _ console: Console
  ) throws(TrajpackError) {
    var options = Conversion<I>.Options()
    options.layout.level = 1
    options.skipsErrors = skipsErrors
    var events = Conversion<I>.Events()
    events.isInterrupted = { Interrupt.isRequested }
    events.skipped = { recording, failure in
      console.warn("\(recording.path.printable): is not compared: \(failure.why.printable)")
    }
    let outcome = try Conversion(importer, to: folder, options: options, events: events).run()
    guard outcome.isComplete else {
      throw TrajpackError(.usage, "stopped while reading the recordings")
    }
  }

  private static func remove(_ folder: String) {
    for name in (try? FileSystem.names(in: folder)) ?? [] { unlink("\(folder)/\(name)") }
    rmdir(folder)
  }
}
