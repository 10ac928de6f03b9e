import TrajpackFormat

/// `trajpack completions SHELL`.
struct Completions: ProgramCommand {
  enum Shell: String, ArgumentChoice {
    case bash, zsh, fish
  }

  static let name = "completions"
  static let summary = "Print a script that makes a shell complete trajpack's command lines."
  static let discussion = """
    The script knows the commands, their options and the values to choose from. Load it once in \
    the shell's start-up file, or save it where the shell looks for completions.
    """
  static var examples: [Example] {
    [
      (
        "echo 'source <(trajpack completions bash)' >> ~/.bashrc",
        "bash: load it with every new shell."
      ),
      (
        "trajpack completions zsh > \"${fpath[1]}/_trajpack\"",
        "zsh: save it where compinit finds it."
      ),
      (
        "trajpack completions fish > ~/.config/fish/completions/trajpack.fish",
        "fish: save it where fish finds it."
      ),
    ]
  }
  static var parameters: [Parameter<Self>] {
    [.positional("SHELL", to: \.shell, help: "The shell to write for.")]
  }

  var shell = Shell.bash

  func run(_ console: Console, in program: Program) throws(TrajpackError) {
    let outline = CompletionOutline(program)
    switch shell {
    case .bash: console.write(outline.bash)
    case .zsh: console.write(outline.zsh)
    case .fish: console.write(outline.fish)
    }
  }
}

/// What the three scripts are made of: names, summaries and argument shapes, without types.
struct CompletionOutline {
  struct Entry {
    var name: String
    var summary: String
    var shapes: [ParameterShape]

    var options: [ParameterShape] { shapes.filter { !$0.isPositional } }
    var positional: [ParameterShape] { shapes.filter(\.isPositional) }
  }

  var entries: [Entry]

  init(_ program: Program) {
    entries = Self.grouped(program.commands.map { CompletionOutline.entry($0) })
    // What `help` takes is the commands themselves.
    let names = entries.map(\.name)
    for index in entries.indices where entries[index].name == HelpCommand.name {
      entries[index].shapes = entries[index].shapes.map { shape in
        var shape = shape
        if shape.isPositional { shape.choices = names }
        return shape
      }
    }
  }

  /// The commands of a group as one, whose first argument is the second word of their names. Those with a third word
  /// add their options.
  private static func grouped(_ entries: [Entry]) -> [Entry] {
    var grouped: [Entry] = []
    for entry in entries {
      let words = entry.name.split(separator: " ").map(String.init)
      guard words.count > 1 else {
        grouped.append(entry)
        continue
      }
      if grouped.last?.name != words[0] {
        let word = ParameterShape(
          names: ["COMMAND"], role: .positional, isRequired: true, help: "What to do.")
        grouped.append(Entry(name: words[0], summary: entry.summary, shapes: [word]))
      }
      let last = grouped.count - 1
      if !grouped[last].shapes[0].choices.contains(words[1]) {
        grouped[last].shapes[0].choices.append(words[1])
      }
      let known = Set(grouped[last].shapes.flatMap(\.names))
      grouped[last].shapes += entry.options.filter { known.isDisjoint(with: $0.names) }
      let isOther = grouped[last].positional.count == 1
      if isOther {
        grouped[last].shapes.append(
          ParameterShape(
            names: ["PATH"], role: .positional, isRepeated: true, completion: .files,
            help: "Files and folders."))
      }
    }
    return grouped
  }

  private static func entry<C: Command>(_: C.Type) -> Entry {
    Entry(name: C.name, summary: C.summary, shapes: Invocation<C>.table.map(\.shape))
  }

  /// `text` as one word of any of the three shells.
  static func quoted(_ text: String) -> String {
    "'" + text.split(separator: "'", omittingEmptySubsequences: false).joined(separator: "'\\''")
      + "'"
  }
}
