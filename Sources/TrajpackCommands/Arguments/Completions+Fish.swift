extension CompletionOutline {
  /// One `complete` line a command, option and positional argument.
  var fish: String {
    var lines = [
      "# trajpack completions for fish:",
      "#   trajpack completions fish > ~/.config/fish/completions/trajpack.fish",
      "complete -c trajpack -f",
      "complete -c trajpack -n __fish_use_subcommand -s h -l help -d 'Show the overview.'",
      "complete -c trajpack -n __fish_use_subcommand -s V -l version -d 'Show the version.'",
    ]
    for entry in entries {
      lines.append(
        "complete -c trajpack -n __fish_use_subcommand -a \(entry.name) -d \(fishText(entry.summary))"
      )
    }
    for entry in entries {
      let head = "complete -c trajpack -n '__fish_seen_subcommand_from \(entry.name)'"
      lines += entry.options.map { head + fishOption($0) }
      lines += entry.positional.map { head + fishValue($0) }
    }
    return lines.joined(separator: "\n") + "\n"
  }

  private func fishOption(_ shape: ParameterShape) -> String {
    let names =
      shape.shortNames.map { " -s \($0.dropFirst())" }
      + shape.longNames.map { " -l \($0.dropFirst(2))" }
    let value = shape.takesValue ? " -r" + fishValue(shape) : ""
    return names.joined() + value + " -d \(fishText(shape.help))"
  }

  private func fishValue(_ shape: ParameterShape) -> String {
    if !shape.choices.isEmpty { return " -f -a \(fishText(shape.choices.joined(separator: " ")))" }
    switch shape.completion {
    case .files: return " -F"
    case .folders: return " -f -a '(__fish_complete_directories)'"
    case .nothing: return " -f"
    }
  }

  /// A single-quoted fish word: backslash and quote are escaped in place.
  private func fishText(_ text: String) -> String {
    "'" + text.reduce(into: "") { $0 += ("'\\".contains($1) ? "\\" : "") + String($1) } + "'"
  }
}
