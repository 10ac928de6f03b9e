import TrajpackFormat
import TrajpackSources
import TrajpackStore

/// `trajpack cut`: clips of a dataset as a dataset of their own.
struct CutCommand: Command {
  static let name = "cut"
  static let summary = "Make a dataset of clips or splits: stretches of recordings."
  static let discussion = """
    Each clip becomes an episode with the clip's id, times that count from its first row, and the metadata of the \
    recording; its member 'clip' says where it comes from. Where a stream of the recording has explicit times, all \
    keep the recording's times. A clip at another rate takes of every stream with a regular clock the nearest \
    row of each instant start + k/rate, of two equally near ones the earlier; streams with explicit times keep \
    their own rows within the clip.

    A video is cut at its packets where that is exact: where each frame is a keyframe or a stored sample, or where the \
    clip begins at a keyframe on which no earlier frame follows and takes all frames from there on. Every frame of the \
    new video is decoded and compared. Else the whole file is kept, with the clip's frames in the track's metadata \
    ('clip'), and that is said. --video whole keeps all whole, --video none leaves videos out.

    With --split the stretches are those of a split scheme: each recording's rows in the splits, with its id (ID@0, \
    ID@1, ... where there are several) and its times, in the split of that name. Rows of the context are not taken.

    'trajpack clips' proposes lists, and schemas/clips.schema.json describes them. Values of the recordings are \
    those of the new dataset, also what 'trajpack annotate' has set. Vocabularies come along; split schemes, lists of \
    clips and saved statistics are of the whole recordings and do not, which is said.
    """
  static var examples: [Example] {
    [
      ("trajpack cut ww bench --clips clips.csv", "The clips of a list, as a dataset."),
      ("trajpack cut ww bench --clips clips.csv --video none", "Without the videos."),
      ("trajpack cut ett val --split val", "What lies in a split, as a dataset."),
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
        "--split", to: \.splits, value: "NAME",
        help: "Instead of clips, what lies in this split; can be repeated."),
      .option(
        "--scheme", to: \.scheme, value: "NAME",
        help: "The split scheme; by default the one that counts."),
      .option(
        "--fold", to: \.fold, value: "N", in: 0...1 << 20,
        help: "The fold that is the split 'test', of a scheme of folds."),
      .option(
        "--reference", to: \.reference, value: "STREAM",
        help: "Count rows by this stream; by default the first without entities."),
      .option(
        "--video", to: \.video, value: "RULE",
        help:
          "Cut videos at their packets where that is exact and keep the others whole, keep all whole, or "
          + "leave them out (none)."),
      .flag("--json", to: \.json, help: "Print the outcome as JSON."),
    ] + WriteOptions.parameters.map { $0.lifted(\.writing) }
  }

  enum VideoChoice: String, ArgumentChoice { case cut, whole, none }

  var source = ""
  var destination = ""
  var clips: String?
  var splits: [String] = []
  var scheme: String?
  var fold: Int?
  var reference: String?
  var video = VideoChoice.cut
  var json = false
  var writing = WriteOptions()

  mutating func run(_ console: Console) throws(TrajpackError) {
    guard (clips != nil) != !splits.isEmpty else {
      throw TrajpackError(
        .usage,
        clips == nil
          ? "name the list with --clips, or a split with --split; 'trajpack clips' proposes a list"
          : "--clips and --split both say what is cut; give one of them")
    }
    try Destination.refuse(destination, in: source)
    guard let clips else { return try cutSplits(console) }
    guard scheme == nil, fold == nil else {
      throw TrajpackError(
        .usage, "--scheme and --fold say nothing without a split; name one with --split")
    }
    let options = try writing.options(of: ClipImporter.self)
    let list = try ClipArgument.list(clips, of: source)
    let importer = try ClipImporter(
      source, list, reference: reference, video: rule,
      version: Trajpack.version)
    let carried = CarriedSideFiles(cutting: importer.dataset)
    let outcome = try WriteOptions.run(
      importer, to: destination, options.carrying(carried), verb: ("cutting", "cut"),
      items: "clips",
      console)
    if let outcome {
      say(outcome, "clips", importer.videos, importer.tally, "clip", carried, console)
    }
  }

  private var rule: ClipImporter.VideoRule {
    switch video {
    case .cut: .cut
    case .whole: .whole
    case .none: .none
    }
  }

  private func cutSplits(_ console: Console) throws(TrajpackError) {
    guard reference == nil else {
      throw TrajpackError(.usage, "--reference counts the rows of clips; leave it out with --split")
    }
    let options = try writing.options(of: SplitImporter.self)
    let choice = SplitImporter.Choice(
      splits: splits, scheme: scheme, fold: fold, video: rule)
    guard let importer = try SplitImporter(source, choice, version: Trajpack.version) else {
      throw TrajpackError(
        .usage, file: source,
        "no split scheme counts, and the splits of the shards are of whole recordings; make a scheme with "
          + "'trajpack split', or name one with --scheme")
    }
    let carried = CarriedSideFiles(cutting: importer.dataset)
    let outcome = try WriteOptions.run(
      importer, to: destination, options.carrying(carried), verb: ("cutting", "cut"),
      items: "episodes", console)
    if let outcome {
      say(outcome, "episodes", importer.videos, importer.tally, "part", carried, console)
    }
  }

  private func say<I: Importer>(
    _ outcome: Conversion<I>.Outcome, _ items: String, _ videos: [String],
    _ tally: VideoTally, _ what: String, _ carried: CarriedSideFiles, _ console: Console
  ) {
    let (kept, left) = (carried.carried, carried.leftOut)
    for sentence in left { console.warn(sentence.printable) }
    if json {
      console.print(
        .record([
          "dataset": .string(destination), "episodes": .int(Int64(outcome.episodes)),
          "shards": .array(outcome.shards.map(\.json)), "bytes": .int(Int64(outcome.bytes)),
          "videos": .array(videos.map { .string($0) }),
          "video": .string(videos.isEmpty ? "none" : video.rawValue),
          "cut_videos": video == .cut
            ? .object(
              videos.map {
                let (cut, whole) = tally.of($0)
                return .init(
                  $0, .record(["cut": .int(Int64(cut)), "whole": .int(Int64(whole))]))
              }) : nil,
          "carried": kept.isEmpty ? nil : .array(kept.map { .string($0) }),
          "not_carried": left.isEmpty ? nil : .array(left.map { .string($0) }),
        ]))
      return
    }
    console.print(
      "\(destination): \(Human.count(outcome.episodes, items)), \(Human.bytes(outcome.bytes)), "
        + Human.count(outcome.shards.count, "shards"))
    let frames = "its frames of the \(what) are in the track's metadata ('clip')"
    if !videos.isEmpty, video == .none {
      console.print("left out: videos \(videos.joined(separator: ", "))")
    } else if video == .whole || videos.allSatisfy({ tally.of($0).cut == 0 }), !videos.isEmpty {
      console.print("\(videos.joined(separator: ", ")): each video is kept whole; \(frames)")
    } else {
      for stream in videos {
        let (cut, whole) = tally.of(stream)
        console.print(
          "\(stream): \(Human.count(cut, "videos")) cut at packets, every frame compared"
            + (whole > 0 ? "; \(whole) kept whole; \(frames)" : ""))
      }
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
