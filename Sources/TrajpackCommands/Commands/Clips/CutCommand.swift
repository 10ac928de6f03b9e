import TrajpackFormat
import TrajpackSources
import TrajpackStore

/// `trajpack cut`: clips of a dataset as a dataset of their own.
struct CutCommand: Command {
  static let name = "cut"
  static let summary = "Make a dataset of clips: stretches of recordings by name."
  static let discussion = """
    Each clip becomes an episode with the clip's id, times that count from its first row, and the metadata of the \
    recording; its member 'clip' says where it comes from. Where a stream of the recording has explicit times, all \
    keep the recording's times. A clip at another rate takes of every stream with a regular clock the nearest \
    row of each instant start + k/rate, of two equally near ones the earlier; streams with explicit times keep \
    their own rows within the clip.

    A video is kept as the whole file, with the clip's frames in the track's metadata ('clip'), because frames \
    depend on those before; --video none leaves videos out.

    'trajpack clips' proposes lists, and schemas/clips.schema.json describes them.
    """
  static var examples: [Example] {
    [
      ("trajpack cut ww bench --clips clips.csv", "The clips of a list, as a dataset."),
      ("trajpack cut ww bench --clips clips.csv --video none", "Without the videos."),
    ]
  }
  static var parameters: [Parameter<Self>] {
    [
      .positional("DATASET", to: \.source, completes: .files, help: "A dataset or a single shard."),
      .positional("DST", to: \.destination, completes: .folders, help: "The new dataset's folder."),
      .option(
        "--clips", to: \.clips, value: "FILE", completes: .files,
        help: "The list: CSV, JSON or JSON lines, or the name of a list that the dataset has."),
      .option(
        "--reference", to: \.reference, value: "STREAM",
        help: "Count rows by this stream; by default the first without entities."),
      .option(
        "--video", to: \.video, value: "RULE",
        help: "Keep videos whole, with the clip's frames in the metadata, or leave them out (none)."
      ),
      .flag("--json", to: \.json, help: "Print the outcome as JSON."),
    ] + WriteOptions.parameters.map { $0.lifted(\.writing) }
  }

  enum VideoChoice: String, ArgumentChoice { case whole, none }

  var source = ""
  var destination = ""
  var clips: String?
  var reference: String?
  var video = VideoChoice.whole
  var json = false
  var writing = WriteOptions()

  mutating func run(_ console: Console) throws(TrajpackError) {
    guard let clips else {
      throw TrajpackError(.usage, "name the list with --clips; 'trajpack clips' proposes one")
    }
    let options = try writing.options(of: ClipImporter.self)
    try Destination.refuse(destination, in: source)
    let list = try ClipArgument.list(clips, of: source)
    let importer = try ClipImporter(
      source, list, reference: reference, video: video == .none ? .none : .whole,
      version: Trajpack.version)
    let outcome = try WriteOptions.run(
      importer, to: destination, options, verb: ("cutting", "cut"), items: "clips", console)
    guard let outcome else { return }
    if try !Dataset(source).sideFiles(.values).isEmpty {
      console.warn(
        "values that 'trajpack annotate' has set of the recordings are not carried over; annotate the clips"
      )
    }
    if json {
      console.print(
        .record([
          "dataset": .string(destination), "episodes": .int(Int64(outcome.episodes)),
          "shards": .array(outcome.shards.map(\.json)), "bytes": .int(Int64(outcome.bytes)),
          "videos": .array(importer.videos.map { .string($0) }),
          "video": .string(importer.videos.isEmpty ? "none" : video.rawValue),
        ]))
      return
    }
    console.print(
      "\(destination): \(Human.count(outcome.episodes, "clips")), \(Human.bytes(outcome.bytes)), "
        + Human.count(outcome.shards.count, "shards"))
    if !importer.videos.isEmpty {
      console.print(
        video == .none
          ? "left out: videos \(importer.videos.joined(separator: ", "))"
          : "\(importer.videos.joined(separator: ", ")): each video is kept whole; its frames of the clip are in the "
            + "track's metadata ('clip')")
    }
    console.note("look inside with 'trajpack info \(destination)'")
  }
}

/// What `--clips` says.
enum ClipArgument {
  /// The list of a file, or the one that the dataset has under that name.
  static func list(_ text: String, of dataset: String) throws(TrajpackError) -> ClipList {
    if ClipList.isPath(text) { return try ClipList(file: text) }
    return try ClipList(saved: text, in: try Dataset(dataset))
  }
}
