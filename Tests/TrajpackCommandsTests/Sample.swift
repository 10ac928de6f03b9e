import TrajpackFormat

@testable import TrajpackCommands

/// A command with an argument of every shape; prints what it was given.
struct Sample: Command {
  enum Codec: String, ArgumentChoice {
    case none, gzip, zstd
  }

  static let name = "sample"
  static let summary = "Show what was given."
  static let discussion = "The first paragraph.\n\nThe second: it's [bracketed] and has \"quotes\"."
  static var examples: [Example] { [("trajpack sample a b", "Two words.")] }
  static var parameters: [Parameter<Self>] {
    [
      .positional("SRC...", to: \.sources, help: "What to read."),
      .positional("DST", to: \.destination, completes: .folders, help: "Where to write."),
      .option("--codec", "-c", to: \.codec, value: "CODEC", help: "How to compress: it's [fast]."),
      .option("--level", "-l", to: \.level, value: "N", in: -5...19, help: "How hard to try."),
      .option("--rate", to: \.rate, value: "HZ", help: "Rows a second."),
      .option("--block", to: \.block, value: "SIZE", help: "Bytes a block."),
      .option("--every", to: \.every, value: "TIME", help: "How often."),
      .option("--stream", "-s", to: \.streams, value: "NAME", help: "A stream to take."),
      .option("--log", to: \.log, value: "FILE", completes: .files, help: "A file to log to."),
      .flag("--force", "-f", to: \.force, help: "Replace what is there."),
      .flag("--no-video", "-n", to: \.video, sets: false, help: "Leave video out."),
    ]
  }

  var sources: [String] = []
  var destination = ""
  var codec = Codec.zstd
  var level = 3
  var rate: Double?
  var block = ByteSize(1 << 20)
  var every = Duration.seconds(30)
  var streams: [String] = []
  var log: String?
  var force = false
  var video = true

  mutating func run(_ console: Console) throws(TrajpackError) {
    switch destination {
    case "bad-data": throw TrajpackError(.data, "chunk 3 is damaged\u{1b}[2J")
    case "no-machine": throw TrajpackError(.machine, "the disk is full")
    case "no-use": throw TrajpackError(.usage, "the destination exists, give --force")
    default:
      console.note("a note")
      console.print("\(sources) \(destination)")
    }
  }
}

/// `[words]`: a list that may be empty, and an optional with a default.
struct Loose: Command {
  static let name = "loose"
  static let summary = "Take what comes."
  static var parameters: [Parameter<Self>] {
    [
      .positional("[COUNT]", to: \.count, in: 1..., help: "How many."),
      .positional("[WORD...]", to: \.words, help: "Any words."),
    ]
  }
  var count = 7
  var words: [String] = []
  mutating func run(_ console: Console) {}
}

let sampleProgram = Program(
  summary: "A program for tests.", version: "9.9", commands: [Sample.self, Loose.self])

struct Outcome {
  var code: Int32
  var output: String
  var errors: String
}

/// Runs the sample program on recordings.
func runSample(
  _ words: [String], isTerminal: Bool = false, width: Int? = nil, failure: Int32 = 0,
  environment: [String: String] = [:]
) -> Outcome {
  let output = RecordedStream(isTerminal: isTerminal, width: width, failure: failure)
  let errors = RecordedStream(isTerminal: isTerminal, width: width)
  let console = Console(output: output, errors: errors, environment: environment)
  let code = sampleProgram.run(words, console)
  return Outcome(code: code, output: output.text, errors: errors.text)
}
