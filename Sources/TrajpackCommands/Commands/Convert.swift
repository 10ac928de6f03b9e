import TrajpackCodecs
import TrajpackFormat
import TrajpackSources
import TrajpackStore

/// `trajpack convert`: recordings into a dataset.
struct Convert: Command {
  enum MismatchChoice: String, ArgumentChoice {
    case refuse, truncate, time, skip
  }

  enum ErrorChoice: String, ArgumentChoice {
    case stop, skip
  }

  static let name = "convert"
  static let summary = "Convert recordings into a trajpack dataset."
  static let discussion = """
    Reads recordings and writes a folder of compressed, checksummed shards. Nothing is lost: 'trajpack \
    export' gives every value back, and 'trajpack diff' proves it. The format is recognised by content; \
    'trajpack formats' lists them.

    A conversion that was stopped, by Ctrl-C, a crash or a full disk, goes on with --resume and ends in \
    the same bytes as one that was not.
    """
  static var examples: [Example] {
    [
      ("trajpack convert recordings/data_part1 ww", "Convert a folder of WildWorld samples."),
      (
        "trajpack convert data_part1 ww --video link",
        "Leave videos where they are, keep their index."
      ),
      (
        "trajpack convert data_part1 ww --video depth=chunks",
        "Take videos in, depth as samples that any window reads quickly."
      ),
      ("trajpack convert data_part1 ww --resume", "Go on after a stop."),
      ("trajpack convert data_part1 ww --codec gzip", "For readers of HDF5 without any plug-in."),
      ("trajpack convert ETTh1.csv ett", "A table whose times are dates."),
      ("trajpack convert lorenz.npy lorenz --rate 100", "An array of T rows, 100 to a second."),
      (
        "trajpack convert runs ds --values labels.csv", "With a table of what is known of each run."
      ),
    ]
  }

  static var parameters: [Parameter<Self>] {
    let again = WriteOptions.again.map { $0.lifted(\Self.writing) }
    return making + again + [
      .flag("--dry-run", "-n", to: \.dryRun, help: "Say what would be done, write nothing."),
      .flag("--json", to: \.json, help: "Print the outcome as JSON."),
    ]
  }

  /// What says how recordings are converted, for this command and for jobs.
  static var conversion: [Parameter<Self>] {
    var parameters: [Parameter<Self>] = [
      .positional(
        "SRC...", to: \.sources, completes: .files,
        help: "Recordings: files or folders of one format, or s3://BUCKET/PREFIX."),
      .positional("DST", to: \.destination, completes: .folders, help: "The dataset's new folder."),
      .option(
        "--from", to: \.from, value: "FORMAT", suggesting: FormatRegistry.readable,
        help: "The format, where content does not tell."),
    ]
    parameters += WriteOptions.layout.map { $0.lifted(\.writing) }
    parameters += [
      .option(
        "--video", to: \.video, value: "MODE",
        help:
          "Take videos in (embed), leave them where they are (link) or out (drop); and STREAM=FORM stores one as 'trajpack transcode' does: depth=chunks, rgb=h264:gop=15,crf=20. May be given again."
      ),
      .option(
        "--on-mismatch", to: \.onMismatch, value: "RULE",
        help: "What to do with a recording whose files differ in frames."),
      .flag(
        "--frame-hashes", to: \.frameHashes,
        help: "Decode videos, and keep a checksum of each frame for 'verify --frames'."),
      .option(
        "--on-error", to: \.onError, value: "RULE",
        help:
          "Stop at the first recording whose files are at fault, or leave such recordings out and exit with 1."
      ),
    ]
    parameters += WriteOptions.depths.map { $0.lifted(\.writing) }
    parameters += WriteOptions.work.map { $0.lifted(\.writing) }
    parameters += [
      .option(
        "--rate", to: \.rate, value: "HZ",
        help:
          "Rows a second, as 30, 29.97 or 30000/1001: of series without times, or of WildWorld (30)."
      )
    ]
    parameters += [
      .option(
        "--values", to: \.values, value: "FILE", completes: .files,
        help:
          "What is known of the recordings: a table joined by id, or the values.json of an export."
      ),
      .flag(
        "--values-partial", to: \.valuesPartial,
        help: "Recordings without a row in --values have none of them."),
    ]
    parameters += TableReading.parameters.map { $0.lifted(\.tables) }
    parameters += Splitting.parameters.map { $0.lifted(\.splitting) }
    parameters += [
      .option(
        "--scheme", to: \.scheme, value: "NAME", help: "The name of the split scheme (default).")
    ]
    return parameters
  }

  var sources: [String] = []
  var destination = ""
  var from: String?
  var writing = WriteOptions()
  var video: [String] = []
  var onMismatch = MismatchChoice.refuse
  var frameHashes = false
  var onError = ErrorChoice.stop
  var rate: String?
  var values: String?
  var valuesPartial = false
  var tables = TableReading()
  var splitting = Splitting()
  var scheme: String?
  var dryRun = false
  var json = false

  mutating func run(_ console: Console) throws(TrajpackError) {
    guard let staged = try stage(nil) else { return try convert(try importer(), console) }
    defer { staged.remove() }
    try staged.reading { () throws(TrajpackError) in
      if !dryRun { try staged.bringAll(console) }
      try convert(try staged.importer(importer), console)
    }
  }

  mutating func stage(_ job: StagedSources.Job?) throws(TrajpackError) -> StagedSources? {
    guard sources.contains(where: Dataset.isRemote) else {
      guard job == nil || writing.staging == nil else {
        throw TrajpackError(
          .usage, "--staging is for sources in a bucket, and these are files; leave it out")
      }
      return nil
    }
    guard !video.contains(VideoMode.link.rawValue) else {
      throw TrajpackError(
        .usage,
        "--video link: the sources are in a bucket, and their files are on this machine only meanwhile; take videos in "
          + "(--video embed)")
    }
    let staged = try Interruption.watched({ Interrupt.isRequested }) {
      () throws(TrajpackError) in
      try StagedSources(sources, in: writing.staging, of: job)
    }
    sources = staged.paths
    if !Dataset.isRemote(destination) { writing.staging = nil }
    return staged
  }

  /// What reads the sources.
  func importer() throws(TrajpackError) -> any Importer {
    let (settings, targets) = try wildworldSettings()
    return try FormatRegistry.importer(
      sources, from: from, wildworld: settings, transcoding: targets,
      threads: writing.jobs ?? WorkerPool.processors, series: try seriesOptions(),
      mapping: try mapping(settings),
      values: values, valuesPartial: valuesPartial)
  }

  private func mapping(
    _ settings: WildWorldImporter.Settings
  ) throws(TrajpackError) -> MappingOptions {
    var options = try tables.mapping(rate: try Self.rate(rate), skipsErrors: onError == .skip)
    options.video = settings.video
    options.hashesFrames = frameHashes
    return options
  }

  /// The rate that `--rate` gives.
  static func rate(_ rate: String?) throws(TrajpackError) -> Rational? {
    guard let rate else { return nil }
    guard let value = Rational(decimal: rate), value.numerator > 0 else {
      throw TrajpackError(
        .usage, "--rate: '\(rate)' is no rate above zero, like 30, 29.97 or 30000/1001")
    }
    return value
  }

  private func wildworldSettings() throws(TrajpackError) -> (
    WildWorldImporter.Settings, [String: VideoTarget]
  ) {
    var settings = WildWorldImporter.Settings()
    var targets: [String: VideoTarget] = [:]
    for word in video {
      let parts = word.split(separator: "=", maxSplits: 1).map(String.init)
      guard parts.count == 2 else {
        guard let mode = VideoMode(rawValue: word) else {
          throw TrajpackError(
            .usage, "--video: '\(word)' is not embed, link, drop or STREAM=FORM, as depth=chunks")
        }
        settings.video = mode
        continue
      }
      let names = WildWorldImporter.videoStreams
      guard names.contains(parts[0]) else {
        throw TrajpackError(
          .usage,
          "--video: there is no video '\(parts[0])'\(suggestion(for: parts[0], among: names))")
      }
      targets[parts[0]] = try VideoTarget(parts[1])
      if targets[parts[0]] != .keep { settings.embedded.insert(parts[0]) }
    }
    settings.hashesFrames = frameHashes
    settings.mismatch = WildWorldImporter.Mismatch(rawValue: onMismatch.rawValue) ?? .refuse
    if let rate = try Self.rate(rate) { settings.rate = rate }
    return (settings, targets)
  }

  private func seriesOptions() throws(TrajpackError) -> SeriesOptions {
    var options = try tables.options()
    options.rate = try Self.rate(rate)
    options.skipsErrors = onError == .skip
    return options
  }

  /// The options of the conversion.
  ///
  /// - Throws: A usage error where they contradict each other.
  func options<I: Importer>(of importer: I) throws(TrajpackError) -> Conversion<I>.Options {
    // A video that is to be stored in another way is taken in, whatever becomes of the others.
    let isDropped =
      video.last { !$0.contains("=") } == VideoMode.drop.rawValue
      && !video.contains { $0.contains("=") && !$0.hasSuffix("=\(VideoTarget.keep.text)") }
    let withVideos = [
      WildWorldImporter.format.name, "lerobot", "aloha", "minari", PythonSources.format.name,
    ]
    guard !frameHashes || withVideos.contains(I.format.name),
      !frameHashes || !isDropped
    else {
      throw TrajpackError(
        .usage,
        "--frame-hashes is for recordings with videos that are kept: leave it out"
          + (isDropped ? ", or give --video embed or link" : ""))
    }
    var options = try writing.options(of: I.self)
    options.skipsErrors = onError == .skip
    try prepareSplits(&options)
    return options
  }

  private func convert<I: Importer>(_ importer: I, _ console: Console) throws(TrajpackError) {
    let options = try options(of: importer)
    for remark in importer.remarks { console.warn(remark.printable) }
    let total = importer.recordings.reduce(0) { $0 + $1.bytes }
    if dryRun {
      if let leftOut = ReadingLines.leftOut(LeftOut.json(of: importer.leftOut)) {
        console.warn(leftOut)
      }
      let plan = Conversion(importer, to: destination, options: options).plan
      console.print(
        "would convert \(Human.count(importer.recordings.count, "recordings")) (\(I.format.name), "
          + "\(Human.bytes(total))) into \(Human.count(plan.count, "shards")) at \(destination)")
      return
    }
    let outcome = try WriteOptions.run(
      importer, to: destination, options, verb: ("converting", "converted"), items: "recordings",
      console)
    guard let outcome else { return }
    try splitFinished()
    try report(
      outcome, of: importer, again: "run the same command with --resume, which adds", console)
  }

  /// Says what came of a conversion.
  ///
  /// - Parameter again: How recordings that were left out are added, before "it" or "them".
  /// - Throws: A data error where recordings were left out because of errors.
  func report<I: Importer>(
    _ outcome: Conversion<I>.Outcome, of importer: I, again: String, _ console: Console
  ) throws(TrajpackError) {
    report(outcome, importer.remarks, console)
    let failed = outcome.failed.filter { $0.rule == .error }
    guard let first = failed.first else { return }
    throw TrajpackError(
      .data,
      "\(Human.count(failed.count)) of \(Human.count(importer.recordings.count, "recordings")) "
        + "\(failed.count == 1 ? "was" : "were") left out because of errors\(failed.count == 1 ? "" : ", the first"), "
        + "\(first.path): \(first.why); mend \(failed.count == 1 ? "it" : "them") and "
        + "\(again) \(failed.count == 1 ? "it" : "them")")
  }

  /// The most remarks on recordings that are printed.
  static let mostRemarks = 20

  private func report<I: Importer>(
    _ outcome: Conversion<I>.Outcome, _ remarks: [String], _ console: Console
  ) {
    if let leftOut = ReadingLines.leftOut(outcome.leftOut) { console.warn(leftOut) }
    for remark in outcome.remarks.prefix(Self.mostRemarks) { console.warn(remark.printable) }
    if outcome.remarks.count > Self.mostRemarks {
      console.warn("and \(outcome.remarks.count - Self.mostRemarks) more like it; --json has all")
    }
    if json {
      console.print(
        .record([
          "dataset": .string(destination), "episodes": .int(Int64(outcome.episodes)),
          "skipped": .int(Int64(outcome.failed.count)),
          "shards": .array(outcome.shards.map(\.json)),
          "source_bytes": .int(Int64(outcome.sourceBytes)), "bytes": .int(Int64(outcome.bytes)),
          "reading": outcome.reading, "left_out": outcome.leftOut,
          "failed": .array(outcome.failed.map(\.json)),
          "remarks": .array((remarks + outcome.remarks).map { .string($0) }),
        ]))
      return
    }
    let share =
      outcome.sourceBytes > 0
      ? Int((Double(outcome.bytes) / Double(outcome.sourceBytes) * 100).rounded()) : 0
    console.print(
      "\(destination): \(Human.count(outcome.episodes, "episodes")), \(Human.bytes(outcome.bytes)) from "
        + "\(Human.bytes(outcome.sourceBytes)) (\(share) %), "
        + "\(Human.count(outcome.shards.count, "shards"))")
    if !console.isQuiet {
      for line in ReadingLines.lines(outcome.reading) { console.print(line) }
    }
    console.note("look inside with 'trajpack info \(destination)'")
  }
}
