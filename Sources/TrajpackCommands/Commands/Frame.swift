import Glibc
import TrajpackCodecs
import TrajpackFormat
import TrajpackLoader
import TrajpackStore

/// `trajpack frame`: one frame of a video as a picture.
struct Frame: Command {
  static let name = "frame"
  static let summary = "Write one frame of a video as a PNG picture."
  static let discussion = """
    Frame N is the N-th in the order of presentation, counted from 0: row N of the stream. Colours become RGB of \
    full range; a video that has nothing but brightness becomes gray of 8 or 16 bits, the stored samples. Rotation \
    that a file asks players for is not applied, and said. With --json facts of the frame are printed.
    """
  static var examples: [Example] {
    [
      ("trajpack frame ww 000001 rgb 40 -o frame.png", "Frame 40 of rgb, of episode 000001."),
      (
        "trajpack frame ww 000001 depth 40 -o depth.png --media .",
        "Of a video that was linked."
      ),
    ]
  }
  static var parameters: [Parameter<Self>] {
    [
      .positional(
        "DATASET", to: \.dataset, completes: .files, help: "A dataset or a single shard."),
      .positional("EPISODE", to: \.episode, completes: .nothing, help: "The id of an episode."),
      .positional("STREAM", to: \.stream, completes: .nothing, help: "The stream of a video."),
      .positional(
        "N", to: \.number, in: 0...Int(Int32.max), completes: .nothing,
        help: "The frame, counted from 0."),
      .option(
        "--output", "-o", to: \.output, value: "PNG", completes: .files,
        help: "The file to write; there must be none."),
      .option(
        "--format", to: \.format, value: "FORMAT", choices: ["rgb24", "gray8", "gray16"],
        help: "What the samples are."),
    ] + MediaArguments.parameters.map { $0.lifted(\.media) } + [
      .flag("--json", to: \.json, help: "Print JSON.")
    ]
  }
  var dataset = ""
  var episode = ""
  var stream = ""
  var number = 0
  var output: String?
  var format: String?
  var media = MediaArguments()
  var json = false

  mutating func run(_ console: Console) throws(TrajpackError) {
    let output = try NewFile.path(output, for: "picture")
    let opened = try media.open(dataset)
    let (track, row) = try find(opened)
    let options = JSONValue.record(["format": format.map { .string($0) }])
    let frames = try TrackFrames(opened, track: track, options: options.text())
    var pixels = [UInt8](repeating: 0, count: frames.bytes)
    let failure = pixels.withUnsafeMutableBytes { room -> TrajpackError? in
      do throws(TrajpackError) {
        try frames.read(CollectionOfOne(row), into: room)
        return nil
      } catch { return error }
    }
    if let failure { throw failure }
    let file = try PNG.file(
      pixels, width: frames.shape[1], height: frames.shape[0],
      samples: frames.shape.count == 3 ? 3 : 1, bits: frames.type.size * 8)
    try Self.write(file, to: output)
    report(frames, output, console)
  }

  /// The track of the episode that has the row, and its row in it.
  private func find(_ opened: OpenDataset) throws(TrajpackError) -> (track: Int, row: Int) {
    let (shard, local, first) = try opened.episode(try opened.episode(id: episode))
    var row = number
    var rows = 0
    var names: [String] = []
    for track in shard.index.episode(local).tracks {
      let numbers = shard.index.numbers(ofTrack: track)
      let found = shard.schema.streams[numbers.stream]
      if found.isVideo, !names.contains(found.name) { names.append(found.name) }
      guard found.name == stream else { continue }
      if row < numbers.count { return (first + track, row) }
      row -= numbers.count
      rows += numbers.count
    }
    guard names.contains(stream) else {
      throw TrajpackError(
        .usage,
        "episode '\(episode)' has no video '\(stream)'\(suggestion(for: stream, among: names))")
    }
    throw TrajpackError(
      .usage,
      "there is no frame \(number): '\(stream)' of episode '\(episode)' has \(rows), counted from 0"
    )
  }

  private static func write(_ bytes: [UInt8], to path: String) throws(TrajpackError) {
    let descriptor = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o666)
    guard descriptor >= 0 else { throw .system("cannot be made", path) }
    defer { close(descriptor) }
    do throws(TrajpackError) {
      try FileSystem.write(bytes, to: descriptor, path)
    } catch {
      unlink(path)
      throw error
    }
  }

  private func report(_ frames: TrackFrames, _ output: String, _ console: Console) {
    let rotation = frames.description["rotation"]?.double
    if json {
      return console.print(
        .record([
          "output": .string(output), "episode": .string(episode), "stream": .string(stream),
          "frame": .int(Int64(number)), "video": frames.description,
        ]))
    }
    console.print(
      "\(output): frame \(number) of \(frames.count), \(frames.shape[1]) × \(frames.shape[0]), "
        + frames.format
        + (rotation.map { ", rotation by \(Human.figure($0))° not applied" } ?? ""))
  }
}
