import TrajpackFormat
import TrajpackLoader
import TrajpackSources
import TrajpackStore

/// `trajpack transcode`: a dataset whose videos are stored in another way.
struct Transcode: Command {
  static let name = "transcode"
  static let summary =
    "Store the videos of a dataset in another way: cheap at random, depth without loss."
  static let discussion = """
    Makes a new dataset with everything that the old one has; only the videos named with --stream are stored as the \
    --to behind it says:

    'keep': the file as it is.

    'chunks': samples in compressed chunks of the archive, the cheapest at random, which h5py and numpy read without \
    a video library; for videos that have nothing but brightness, such as depth.

    'intra', 'gop:N': a lossless video with a keyframe at every frame, or at every N-th; H.264, HEVC or FFV1 by the \
    pixel format, or as 'intra:CODEC' and 'gop:N,codec=CODEC' say.

    'h264:gop=N,crf=C': H.264 that is like the source to the eye, for colours; depth is refused.

    What is lossless is proved while it runs: every frame is decoded from the new form and compared with the source's. \
    Before it starts it prints the size and the cost of a random window of 16 frames of both, measured on a sample. H.264 and \
    HEVC are encoded by the machine's program 'ffmpeg'.

    --depth says what samples of depth mean, with or without another form.
    """
  static var examples: [Example] {
    [
      (
        "trajpack transcode ww fast --stream depth --to chunks",
        "Depth that any window reads quickly."
      ),
      (
        "trajpack transcode ww fast --stream depth --to gop:8 --stream rgb --to h264:gop=15,crf=20",
        "Both as videos of short groups."
      ),
    ]
  }
  static var parameters: [Parameter<Self>] {
    making + (WriteOptions.again + WriteOptions.stagingFolder).map { $0.lifted(\.writing) } + [
      .flag("--dry-run", "-n", to: \.dryRun, help: "Measure the sample, write nothing."),
      .flag("--json", to: \.json, help: "Print the outcome as JSON."),
    ]
  }
  /// What says how the dataset is made, for this command and for jobs of it.
  static var making: [Parameter<Self>] {
    [
      .positional("SRC", to: \.source, completes: .files, help: "A dataset or a single shard."),
      .positional("DST", to: \.destination, completes: .folders, help: "The new dataset's folder."),
      .option(
        "--stream", "-s", to: \.streams, value: "NAME", help: "The stream of a video; a --to each."),
      .option("--to", to: \.targets, value: "FORM", help: "What it is to be stored as."),
    ] + MediaArguments.parameters.map { $0.lifted(\.media) }
      + WriteOptions.depths.map { $0.lifted(\.writing) }
      + (WriteOptions.layout + WriteOptions.work).map { $0.lifted(\.writing) }
  }
  var source = ""
  var destination = ""
  var streams: [String] = []
  var targets: [String] = []
  var media = MediaArguments()
  var writing = WriteOptions()
  var dryRun = false
  var json = false

  mutating func run(_ console: Console) throws(TrajpackError) {
    let targets = try pairs()
    let options = try writing.options(of: TranscodingImporter<DatasetImporter>.self)
    try Destination.refuse(destination, in: source)
    let opened = try media.open(source)
    try check(targets, opened)
    let importer = try TranscodingImporter(
      try DatasetImporter(opened, version: Trajpack.version), targets, threads: options.jobs,
      isStopped: { Interrupt.isRequested })
    let estimates = try importer.estimates()
    if !json {
      for estimate in estimates { console.print(estimate.line) }
    }
    guard !dryRun else {
      if json { console.print(.record(["estimates": .array(estimates.map(\.json))])) }
      return
    }
    let carried = CarriedSideFiles(opened.dataset, changed: targets.keys.sorted())
    let outcome = try WriteOptions.run(
      importer, to: destination, options.carrying(carried), verb: ("transcoding", "transcoded"),
      items: "recordings",
      console)
    guard let outcome else { return }
    for left in carried.leftOut { console.warn(left) }
    for remark in outcome.remarks.prefix(Convert.mostRemarks) { console.warn(remark.printable) }
    if outcome.remarks.count > Convert.mostRemarks {
      console.warn(
        "and \(outcome.remarks.count - Convert.mostRemarks) more like it; --json has all")
    }
    let before = opened.dataset.manifest?.shards.reduce(0) { $0 + $1.receipt.bytes }
    if json {
      console.print(
        .record([
          "dataset": .string(destination), "episodes": .int(Int64(outcome.episodes)),
          "shards": .array(outcome.shards.map(\.json)), "bytes": .int(Int64(outcome.bytes)),
          "source_bytes": before.map { .int(Int64($0)) },
          "estimates": .array(estimates.map(\.json)),
          "left_out": .array(carried.leftOut.map { .string($0) }),
          "remarks": .array(outcome.remarks.map { .string($0) }),
        ]))
      return
    }
    console.print(
      "\(destination): \(Human.count(outcome.episodes, "episodes")), \(Human.bytes(outcome.bytes))"
        + (before.map { " from \(Human.bytes($0))" } ?? "") + ", "
        + Human.count(outcome.shards.count, "shards"))
    if !targets.isEmpty {
      console.note("every frame of what is lossless was decoded and compared")
    }
  }

  /// A target for each stream.
  func pairs() throws(TrajpackError) -> [String: VideoTarget] {
    guard !streams.isEmpty || !writing.depth.isEmpty, streams.count == targets.count else {
      throw TrajpackError(
        .usage,
        "give a --to for each --stream, as --stream depth --to chunks: there are \(streams.count) and \(targets.count)"
      )
    }
    var pairs: [String: VideoTarget] = [:]
    for (stream, target) in zip(streams, targets) {
      guard pairs.updateValue(try VideoTarget(target), forKey: stream) == nil else {
        throw TrajpackError(.usage, "--stream \(stream) is given twice")
      }
    }
    return pairs
  }

  func check(
    _ targets: [String: VideoTarget], _ opened: OpenDataset
  ) throws(TrajpackError) {
    var names: [String] = []
    for stream in opened.shards.flatMap(\.schema.streams) where stream.isVideo {
      if !names.contains(stream.name) { names.append(stream.name) }
    }
    for name in targets.keys.sorted() where !names.contains(name) {
      throw TrajpackError(
        .usage, file: source, "has no video '\(name)'\(suggestion(for: name, among: names))")
    }
  }
}
