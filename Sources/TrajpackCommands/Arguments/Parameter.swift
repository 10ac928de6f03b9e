import TrajpackFormat

/// One entry of an argument table: how it looks, and how a word sets it.
struct Parameter<Root> {
  let shape: ParameterShape
  /// Sets the property from a word; `isFirst` is false for the second and later values of a list.
  let read: (inout Root, _ word: String, _ isFirst: Bool) throws(TrajpackError) -> Void

  /// The same entry for a value that holds `Root` at `path`.
  func lifted<Outer>(_ path: WritableKeyPath<Outer, Root>) -> Parameter<Outer> {
    let read = self.read
    return Parameter<Outer>(shape: shape) { (outer, word, isFirst) throws(TrajpackError) in
      try read(&outer[keyPath: path], word, isFirst)
    }
  }
}

/// What help, completions and the parser need to know of an argument.
struct ParameterShape: Sendable {
  enum Role: Sendable, Equatable {
    case flag
    case option(value: String)
    case positional
  }

  /// What a shell offers where a value belongs, when there are no choices.
  enum Completion: Sendable {
    case nothing, files, folders
  }

  /// `--codec` and `-c`, or the one name of a positional argument: `SRC`.
  var names: [String]
  var role: Role
  /// A positional argument that must be there.
  var isRequired = false
  /// Takes more than one value.
  var isRepeated = false
  var choices: [String] = []
  /// The allowed range in words: `1 to 64`.
  var limits: String?
  /// The default as it would be typed; nil when there is none worth showing.
  var defaultText: String?
  var completion = Completion.nothing
  var help: String

  var takesValue: Bool { role != .flag }
  var isPositional: Bool { role == .positional }
  var longNames: [String] { names.filter { $0.hasPrefix("--") } }
  var shortNames: [String] { names.filter { $0.hasPrefix("-") && !$0.hasPrefix("--") } }

  /// As in the left column of the help: `-c, --codec CODEC`, `SRC...`.
  var spelling: String {
    switch role {
    case .positional:
      return names[0] + (isRepeated ? "..." : "")
    case .flag, .option:
      let indent = shortNames.isEmpty ? "    " : ""
      let all = indent + (shortNames + longNames).joined(separator: ", ")
      guard case .option(let value) = role else { return all }
      return "\(all) \(value)"
    }
  }

  /// As in the usage line: `SRC...`, `[DST]`.
  var usage: String { isRequired ? spelling : "[\(spelling)]" }

  /// The help sentence, with choices, limits and default at its end.
  var fullHelp: String {
    var notes: [String] = []
    if !choices.isEmpty { notes.append(list(choices)) }
    if let limits { notes.append(limits) }
    if isRepeated && !isPositional { notes.append("can be given again") }
    if let defaultText { notes.append("default \(defaultText)") }
    if notes.isEmpty { return help }
    let sentence = help.hasSuffix(".") ? help.dropLast() : help[...]
    return "\(sentence) (\(notes.joined(separator: "; ")))."
  }
}

/// `a`, `a or b`, `a, b or c`.
func list(_ words: [String], _ last: String = "or") -> String {
  guard let end = words.last, words.count > 1 else { return words.first ?? "" }
  return words.dropLast().joined(separator: ", ") + " \(last) \(end)"
}
