import TrajpackFormat

/// A plain struct with defaults and a table that says which arguments set which of its properties.
protocol ArgumentSet: SendableMetatype {
  init()
  /// One entry an argument. Positional ones are filled in the order of the table.
  static var parameters: [Parameter<Self>] { get }
}

/// A subcommand of `trajpack`.
///
/// ```swift
/// struct Convert: Command {
///   static let name = "convert"
///   static let summary = "Pack recordings into a dataset."
///   static let discussion = "Reads CSV, NPZ and HDF5 files and writes checked, compressed shards."
///   static var examples: [Example] { [("trajpack convert runs/*.csv lorenz", "Pack every run.")] }
///   static var parameters: [Parameter<Self>] {
///     [
///       .positional("SRC...", to: \.sources, help: "Files or folders to read."),
///       .positional("DST", to: \.destination, help: "The dataset to write."),
///       .option("--codec", "-c", to: \.codec, value: "CODEC", choices: ["none", "zstd"],
///         help: "How chunks are compressed."),
///     ]
///   }
///   var sources: [String] = []
///   var destination = ""
///   var codec = "zstd"
///   mutating func run(_ console: Console) throws(TrajpackError) { … }
/// }
/// ```
protocol Command: ArgumentSet {
  /// A command line to copy, and what it does.
  typealias Example = (line: String, effect: String)

  /// The word that picks the command.
  static var name: String { get }
  /// One short sentence for lists of commands.
  static var summary: String { get }
  /// What it does and when to use it; paragraphs are separated by an empty line.
  static var discussion: String { get }
  /// Command lines that work as they stand.
  static var examples: [Example] { get }

  /// Whether what `words` ask for is printed as JSON, so that an error is, too.
  static func printsJSON(_ words: [String]) -> Bool

  /// Does the work. Results go to `console`; an error becomes the exit code of its fault.
  mutating func run(_ console: Console) throws(TrajpackError)
}

extension Command {
  static var discussion: String { "" }
  static var examples: [Example] { [] }
  static func printsJSON(_ words: [String]) -> Bool { words.contains("--json") }

  /// The command that `words` (without program and command name) describe, or a usage error.
  static func parse(_ words: [String]) throws(TrajpackError) -> Self {
    try Invocation<Self>(words).command
  }
}

/// Options that every command takes.
struct CommonOptions: ArgumentSet {
  enum ColourChoice: String, ArgumentChoice {
    case auto, always, never
  }

  static var parameters: [Parameter<Self>] {
    [
      .option(
        "--color", to: \.colour, value: "WHEN",
        help: "Use colours; auto means on a terminal, without NO_COLOR."),
      .flag("--quiet", "-q", to: \.isQuiet, help: "Show results and errors only."),
      .flag("--help", "-h", to: \.wantsHelp, help: "Show this help."),
    ]
  }

  var colour = ColourChoice.auto
  var isQuiet = false
  var wantsHelp = false
}

/// A command and the options it shares with all others, as one set of words filled them.
struct Invocation<C: Command> {
  var command = C()
  var common = CommonOptions()
  /// The options that were given, as they were spelled.
  private(set) var given: [String] = []

  static var table: [Parameter<Self>] {
    C.parameters.map { $0.lifted(\.command) }
      + CommonOptions.parameters.map { $0.lifted(\.common) }
  }

  /// Fills the table from `words`. A request for help wins over any mistake beside it.
  init(_ words: [String]) throws(TrajpackError) {
    let options = words.prefix { $0 != "--" }
    if options.contains("--help") || options.contains("-h") {
      common.wantsHelp = true
      return
    }
    do {
      given = try TrajpackCommands.parse(words, by: Self.table, into: &self)
    } catch {
      throw TrajpackError(
        error.fault, "\(error.message); see '\(Trajpack.name) \(C.name) --help'", at: error.place)
    }
  }
}
