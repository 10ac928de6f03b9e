import Glibc
import TrajpackFormat
import TrajpackLoader
import TrajpackReports
import TrajpackStore

/// `trajpack page`: all episodes as one HTML page.
struct PageCommand: Command {
  static let name = "page"
  static let summary = "Make an HTML page of all episodes, to look at."
  static let discussion = """
    One file that a browser opens without a network: frames of videos with the skeletons that the camera sees, \
    depth, entities and their absences, actions, curves of the state, paths, splits, statistics, and what looks odd. \
    Episodes are drawn when they are scrolled to. With many episodes each gets fewer and smaller pictures and coarser \
    curves, so that the page stays below --limit; pictures can lie beside it instead (--folder). Whatever the codec, \
    frames are pictures in the page, so that every browser shows them.
    """
  static var examples: [Example] {
    [
      ("trajpack page ww -o ww.html", "All episodes of ww."),
      ("trajpack page ww -o ww.html --folder", "Pictures in the folder ww_files beside the page."),
      ("trajpack page ww -o ww.html --split test --media .", "One split, of linked videos."),
    ]
  }
  static var parameters: [Parameter<Self>] {
    [
      .positional(
        "DATASET", to: \.dataset, completes: .files, help: "A dataset or a single shard."),
      .option(
        "--output", "-o", to: \.output, value: "HTML", completes: .files,
        help: "The file to write; there must be none."),
      .option("--split", to: \.splits, value: "NAME", help: "Only recordings of this split."),
      .option(
        "--episodes", "-e", to: \.episodes, value: "PATTERN",
        help: "Only these recordings: an id, or a pattern with *."),
      .option(
        "--limit", to: \.limit, value: "SIZE", help: "The most bytes of the page."),
      .flag(
        "--folder", to: \.hasFolder,
        help: "Put pictures into a folder beside the page, by more and larger ones."),
      .flag("--no-pictures", to: \.hasNoPictures, help: "Decode no video."),
    ] + MediaArguments.parameters.map { $0.lifted(\.media) } + [
      .flag("--json", to: \.json, help: "Print JSON.")
    ]
  }
  var dataset = ""
  var output: String?
  var splits: [String] = []
  var episodes: [String] = []
  var limit = ByteSize(96 << 20)
  var hasFolder = false
  var hasNoPictures = false
  var media = MediaArguments()
  var json = false

  mutating func run(_ console: Console) throws(TrajpackError) {
    let output = try NewFile.path(output, for: "page")
    guard !hasFolder || !hasNoPictures else {
      throw TrajpackError(
        .usage, "--folder is for pictures, and --no-pictures makes none: leave one of them out")
    }
    try Destination.refuse(output, in: dataset)
    let data = try media.open(dataset)
    let choice = try EpisodeChoice(data, splits: splits, episodes: episodes)
    var chosen: [Int] = []
    for (place, shard) in data.shards.enumerated() {
      for number in 0..<shard.index.episodeCount where try choice.keeps(place, number) {
        chosen.append(data.firstEpisodes[place] + number)
      }
    }
    var options = DatasetPage.Options(version: Trajpack.version)
    (options.bytes, options.hasFolder, options.hasPictures) = (
      limit.bytes, hasFolder, !hasNoPictures
    )
    let page = try DatasetPage(data, episodes: chosen, options)
    let progress = console.progress("drawing", items: "episodes")
    let counters = progress.counters
    let outcome: DatasetPage.Outcome?
    do throws(TrajpackError) {
      outcome = try page.write(to: output, isInterrupted: { Interrupt.isRequested }) { id in
        counters.begin(id)
        counters.advance(bytes: 0, items: 1)
      }
    } catch {
      progress.cancel()
      throw error
    }
    guard let outcome else {
      progress.cancel()
      console.warn("stopped; nothing was written")
      return
    }
    progress.finish("drawn")
    report(outcome, output, console)
  }

  private func report(_ outcome: DatasetPage.Outcome, _ output: String, _ console: Console) {
    let folder = hasFolder && outcome.pictureBytes > 0 ? DatasetPage.folder(of: output) : nil
    if json {
      return console.print(
        .record([
          "output": .string(output), "episodes": .int(Int64(outcome.episodes)),
          "bytes": .int(Int64(outcome.bytes)), "folder": folder.map { .string($0) },
          "picture_bytes": .int(Int64(outcome.pictureBytes)),
          "frames": .int(Int64(outcome.frames)),
          "without_pictures": .int(Int64(outcome.blind)),
          "reason": outcome.reason.map { .string($0) }, "odd": .int(Int64(outcome.odd)),
        ]))
    }
    console.print(
      "\(output): \(Human.count(outcome.episodes, "episodes")), \(Human.bytes(outcome.bytes))"
        + (folder.map { ", and pictures of \(Human.bytes(outcome.pictureBytes)) in \($0)" } ?? "")
        + (outcome.odd > 0 ? "; something is odd in \(Human.count(outcome.odd, "episodes"))" : ""))
    if outcome.blind > 0 {
      console.warn(
        "\(Human.count(outcome.blind, "episodes")) without pictures: \(outcome.reason ?? "")")
    }
    if outcome.bytes > limit.bytes {
      console.warn(
        "the page is larger than --limit \(Human.bytes(limit.bytes)): this is the least that so many episodes take"
      )
    }
    if outcome.frames == 0, !hasNoPictures, outcome.blind == 0 {
      console.warn(
        "there was no room for pictures below \(Human.bytes(limit.bytes)): give a larger --limit, or --folder"
      )
    }
  }
}
