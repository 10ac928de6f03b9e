import TrajpackFormat

/// A list of commands under one name: picks the command, prints help, turns errors into exit codes.
struct Program: Sendable {
  let summary: String
  let version: String
  /// In the order of the overview; `help` and `completions` come after them.
  let commands: [any Command.Type]

  init(summary: String, version: String, commands: [any Command.Type]) {
    self.summary = summary
    self.version = version
    self.commands = commands + [HelpCommand.self, Completions.self]
  }

  /// Runs the command that `words` (without the program's own name) describe.
  ///
  /// - Returns: the exit code: 0, the fault of the error, or ``Interrupt/exitCode`` after an interrupt.
  func run(_ words: [String], _ console: Console) -> Int32 {
    let (place, code) = dispatch(words, console)
    do {
      try console.finish()
    } catch {
      return report(error, at: place, console)
    }
    return Interrupt.wasObserved ? Interrupt.exitCode : code
  }

  private func dispatch(_ words: [String], _ console: Console) -> (place: String, code: Int32) {
    guard let word = words.first else {
      console.print(lines: overview(console))
      return (Trajpack.name, 0)
    }
    let place = Trajpack.name
    switch word {
    case "--help", "-h":
      console.print(lines: overview(console))
      return (place, 0)
    case "--version", "-V":
      console.print("\(Trajpack.name) \(version)")
      return (place, 0)
    default:
      do throws(TrajpackError) {
        // The commands of a group have names of two words.
        let group = self.group(word)
        if !group.isEmpty, words.count < 2 || ["--help", "-h"].contains(words[1]) {
          console.print(lines: overview(of: word, group, console))
          return ("\(place) \(word)", 0)
        }
        // 'job plan' has others behind it, as 'job plan apply'; a source of that name is given as './apply'.
        let isLonger =
          words.count > 2
          && commands.contains { $0.name == words.prefix(3).joined(separator: " ") }
        let length = group.isEmpty ? 1 : isLonger ? 3 : 2
        let command = try command(named: words.prefix(length).joined(separator: " "))
        return ("\(place) \(command.name)", start(command, Array(words.dropFirst(length)), console))
      } catch {
        return (place, report(error, at: place, console))
      }
    }
  }

  private func start<C: Command>(_: C.Type, _ words: [String], _ console: Console) -> Int32 {
    var console = console
    var given: [String] = []
    do throws(TrajpackError) {
      var invocation = try Invocation<C>(words)
      given = invocation.given
      console.apply(invocation.common)
      if var command = invocation.command as? any RecordedCommand {
        command.words = words
        if let command = command as? C { invocation.command = command }
      }
      if invocation.common.wantsHelp {
        console.print(lines: Help(console.outputPaint, width: console.outputWidth).text(of: C.self))
      } else if let builtIn = invocation.command as? any ProgramCommand {
        try builtIn.run(console, in: self)
      } else {
        try invocation.command.run(console)
      }
      return 0
    } catch {
      // A program that reads JSON has the place in it; a document that was printed already stays the only one.
      if C.printsJSON(Array(words.prefix { $0 != "--" })), !console.hasPrinted {
        console.print(
          .record([
            "error": .record([
              "code": .int(Int64(error.fault.rawValue)), "message": .string(error.message),
              "place": error.placed(
                amongOptions: Invocation<C>.table.filter { !$0.shape.isPositional }.map(
                  \.shape.names), given: given
              ).place.json,
            ])
          ]))
      }
      return report(error, at: "\(Trajpack.name) \(C.name)", console)
    }
  }

  /// The command called `name`, or a usage error that suggests one.
  func command(named name: String) throws(TrajpackError) -> any Command.Type {
    if let command = commands.first(where: { $0.name == name }) { return command }
    let words = name.split(separator: " ", maxSplits: 1).map(String.init)
    let group = words.first.map { self.group($0) } ?? []
    if let first = words.first, !group.isEmpty {
      let names = group.map { String($0.name.dropFirst(first.count + 1)) }
      let other = words.count > 1 ? "not '\(words[1])'" : "which is missing"
      throw TrajpackError(
        .usage,
        "behind '\(first)' comes \(list(names)), \(other); see '\(Trajpack.name) \(first) --help'")
    }
    let what = name.hasPrefix("-") ? "option" : "command"
    let names = commands.map { $0.name } + ["--help", "--version"]
    throw TrajpackError(
      .usage,
      "no \(what) '\(name)'\(suggestion(for: name, among: names)); see '\(Trajpack.name) --help'")
  }

  /// The commands whose names begin with a word and have another one.
  func group(_ word: String) -> [any Command.Type] {
    commands.filter { $0.name.hasPrefix("\(word) ") }
  }

  /// What a group of commands says of itself.
  func overview(of word: String, _ group: [any Command.Type], _ console: Console) -> String {
    let help = Help(console.outputPaint, width: console.outputWidth)
    let usage = help.heading("Usage:") + " \(Trajpack.name) \(word) COMMAND [OPTIONS] [ARGUMENTS]"
    let parts = help.section("Commands", group.map { ($0.name, $0.summary) })
    let more = help.wrap(
      "'\(Trajpack.name) help \(word) COMMAND' explains a command, with examples.")
    return ([usage] + parts + [more]).joined(separator: "\n\n")
  }

  private func report(_ error: TrajpackError, at place: String, _ console: Console) -> Int32 {
    console.report("\(console.errorPaint.bold("\(place):")) \(error.message.printable)")
    return error.fault.rawValue
  }

  /// What `trajpack` alone says.
  func overview(_ console: Console) -> String {
    let help = Help(console.outputPaint, width: console.outputWidth)
    var parts = [help.wrap(summary)]
    parts.append(help.heading("Usage:") + " \(Trajpack.name) COMMAND [OPTIONS] [ARGUMENTS]")
    parts += help.section("Commands", commands.map { ($0.name, $0.summary) })
    parts += help.section(
      "Options",
      [("-h, --help", "Show this help."), ("-V, --version", "Show the version.")])
    parts.append(help.wrap("'\(Trajpack.name) help COMMAND' explains a command, with examples."))
    return parts.joined(separator: "\n\n")
  }
}

/// A command that is about the program itself.
protocol ProgramCommand: Command {
  func run(_ console: Console, in program: Program) throws(TrajpackError)
}

extension ProgramCommand {
  mutating func run(_ console: Console) throws(TrajpackError) {
    try run(console, in: Trajpack.program)
  }
}

/// A command that keeps the words of its command line.
protocol RecordedCommand: Command {
  /// The words behind the command's name.
  var words: [String] { get set }
}

/// `trajpack help COMMAND`.
struct HelpCommand: ProgramCommand {
  static let name = "help"
  static let summary = "Explain a command."
  static let discussion = "Without a command it lists all of them."
  static var examples: [Example] {
    [("trajpack help completions", "How to make the shell complete trajpack's command lines.")]
  }
  static var parameters: [Parameter<Self>] {
    [
      .positional(
        "[COMMAND...]", to: \.command, completes: .nothing, help: "The command to explain.")
    ]
  }

  var command: [String] = []

  func run(_ console: Console, in program: Program) throws(TrajpackError) {
    guard let first = command.first else {
      console.print(lines: program.overview(console))
      return
    }
    let group = program.group(first)
    if command.count == 1, !group.isEmpty {
      console.print(lines: program.overview(of: first, group, console))
      return
    }
    let help = Help(console.outputPaint, width: console.outputWidth)
    console.print(lines: help.text(of: try program.command(named: command.joined(separator: " "))))
  }
}
