import Glibc
import TrajpackFormat
import TrajpackLoader
import TrajpackReports
import TrajpackSources

/// `trajpack render`: an episode as a film or a picture.
struct RenderCommand: Command {
  static let name = "render"
  static let summary = "Draw an episode as a film (mp4, gif) or a picture (png)."
  static let discussion = """
    Shows what the cameras saw with the skeletons that the archived camera projects into it, names of entities and of \
    their actions, depth beside, and under them entities and curves of the state with a mark at the moment. An episode \
    without video is its curves and the path of its state, at up to 300 evenly spread moments. mp4 is H.264, which the \
    machine's program ffmpeg encodes; gif and png need none. Depth is coloured from small samples (dark) to large ones \
    (bright). A gif takes every so many frames that at most 12 a second are left, unless --every says otherwise.
    """
  static var examples: [Example] {
    [
      ("trajpack render ww 000002 -o hunt.mp4", "A whole episode."),
      ("trajpack render ww 000002 -o hunt.gif --frames 30:90 --width 800", "Two seconds of it."),
      ("trajpack render ww 000002 -o moment.png --frames 75", "One moment."),
    ]
  }
  static var parameters: [Parameter<Self>] {
    [
      .positional(
        "DATASET", to: \.dataset, completes: .files, help: "A dataset or a single shard."),
      .positional("EPISODE", to: \.episode, completes: .nothing, help: "The id of an episode."),
      .option(
        "--output", "-o", to: \.output, value: "FILE", completes: .files,
        help: "The file to write, .mp4, .gif or .png; there must be none."),
      .option(
        "--frames", to: \.frames, value: "A:B",
        help: "Frames A to B - 1, counted from 0; one number for one frame."),
      .option(
        "--every", to: \.every, value: "N", in: 1...1_000_000, help: "Only every N-th of them."),
      .option(
        "--width", to: \.width, value: "PIXELS", in: 320...3840, help: "How wide the picture is."),
      .option(
        "--fps", to: \.rate, value: "RATE",
        help: "Pictures a second; by default as recorded."),
      .option(
        "--names", to: \.names, value: "FILE", completes: .files,
        help: "A table of actions as CSV: a column for each number, * for any, then 'name'."),
    ] + MediaArguments.parameters.map { $0.lifted(\.media) } + [
      .flag("--json", to: \.json, help: "Print JSON.")
    ]
  }
  var dataset = ""
  var episode = ""
  var output: String?
  var frames: String?
  var every: Int?
  var width = 1280
  var rate: Double?
  var names: String?
  var media = MediaArguments()
  var json = false

  mutating func run(_ console: Console) throws(TrajpackError) {
    let output = try NewFile.path(output, for: "film")
    let form = try FilmFile.Form(of: output)
    try Destination.refuse(output, in: dataset)
    if let rate, !(0.1...240).contains(rate) {
      throw TrajpackError(
        .usage, "--fps \(Human.figure(rate)): give pictures a second from 0.1 to 240")
    }
    let data = try media.open(dataset)
    var options = EpisodeFilm.Options()
    (options.width, options.frames) = (width, try range())
    if let names {
      let table = try ActionNames(names)
      options.names = { text in table.name(text.split(separator: "/").compactMap { Int64($0) }) }
    }
    let number = try data.episode(id: episode)
    options.step = every ?? 1
    var film = try EpisodeFilm(data, episode: number, options)
    if form == .gif, every == nil, film.rate > 12 {
      options.step = Int((film.rate / 12).rounded(.up))
      film = try EpisodeFilm(data, episode: number, options)
    }
    if form == .png, options.frames == nil {
      // The middle.
      let middle = film.moments[film.moments.count / 2]
      options.frames = middle..<middle + 1
      film = try EpisodeFilm(data, episode: number, options)
    }
    if form == .png, film.moments.count > 1 {
      throw TrajpackError(
        .usage, file: output,
        "a png holds one picture, and --frames names \(film.moments.count): name one, or a .gif or .mp4"
      )
    }
    let own = rate ?? film.rate / Double(options.step)
    let progress = console.progress("drawing", items: "frames")
    let counters = progress.counters
    let count: Int?
    do throws(TrajpackError) {
      count = try FilmFile.write(
        film, to: output, as: form, rate: own, goesOn: { !Interrupt.isRequested }
      ) { counters.advance(bytes: 0, items: 1) }
    } catch {
      progress.cancel()
      throw error
    }
    guard let count else {
      progress.cancel()
      console.warn("stopped; nothing was written")
      return
    }
    progress.finish("drawn")
    report(film, output, count, own, console)
  }

  private func report(
    _ film: EpisodeFilm, _ output: String, _ count: Int, _ rate: Double, _ console: Console
  ) {
    if json {
      return console.print(
        .record([
          "output": .string(output), "episode": .string(episode), "frames": .int(Int64(count)),
          "first": .int(Int64(film.moments[0])), "every": .int(Int64(film.step)),
          "width": .int(Int64(film.width)), "height": .int(Int64(film.height)),
          "rate": .double(rate), "no_skeletons": film.silence.map { .string($0) },
          "not_shown": film.leftOut.isEmpty ? nil : .array(film.leftOut.map { .string($0) }),
        ]))
    }
    console.print(
      "\(output): \(Human.count(count, "frames")), \(film.width) × \(film.height)"
        + (count > 1 ? ", \(Human.figure(rate)) a second" : ""))
    if !film.leftOut.isEmpty {
      console.warn(
        "there is no room for \(film.leftOut.map { "'\($0.printable)'" }.joined(separator: ", "))")
    }
    if let silence = film.silence { console.warn("no skeletons are drawn: \(silence)") }
  }

  private func range() throws(TrajpackError) -> Range<Int>? {
    try frames.map { (text) throws(TrajpackError) in try FrameRange.parse(text) }
  }
}
