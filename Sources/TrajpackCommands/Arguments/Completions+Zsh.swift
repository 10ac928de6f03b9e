extension CompletionOutline {
  /// A zsh completion function that describes every option to `_arguments`.
  var zsh: String {
    let functions = entries.map { entry in
      let specs = (entry.options.flatMap(zshOption) + zshPositional(entry.positional))
      let lines = specs.map { "    " + Self.quoted($0) }.joined(separator: " \\\n")
      return "  \(entry.name)) _arguments -s -S \\\n\(lines) ;;"
    }
    let commands = entries.map { "    " + Self.quoted("\($0.name):\(zshText($0.summary))") }
    return """
      #compdef trajpack
      # trajpack completions for zsh: trajpack completions zsh > "${fpath[1]}/_trajpack"
      _trajpack() {
        local -a commands=(
      \(commands.joined(separator: "\n"))
        )
        if (( CURRENT == 2 )); then
          if [[ $words[2] == -* ]]; then
            _arguments '--help[Show the overview]' '--version[Show the version]'
          else
            _describe command commands
          fi
          return
        fi
        local command=$words[2]
        shift words
        (( CURRENT-- ))
        case $command in
      \(functions.joined(separator: "\n"))
        esac
      }
      if [[ $funcstack[1] == _trajpack ]]; then _trajpack "$@"; else compdef _trajpack trajpack; fi

      """
  }

  /// One specification a name; giving one rules the others out, unless it can be given again.
  private func zshOption(_ shape: ParameterShape) -> [String] {
    let others = "(" + shape.names.joined(separator: " ") + ")"
    return shape.names.map { name in
      let head = shape.isRepeated ? "*" : others
      guard case .option(let value) = shape.role else {
        return "\(head)\(name)[\(zshText(shape.help))]"
      }
      let suffix = name.hasPrefix("--") ? "=" : "+"
      return "\(head)\(name)\(suffix)[\(zshText(shape.help))]:\(value):\(zshAction(shape))"
    }
  }

  private func zshPositional(_ shapes: [ParameterShape]) -> [String] {
    // _arguments allows one rest argument, at the end: what follows a list is offered with it.
    let end = shapes.firstIndex(where: \.isRepeated).map { $0 + 1 } ?? shapes.count
    return shapes[..<end].map { shape in
      "\(shape.isRepeated ? "*" : shape.isRequired ? "" : ":"):\(shape.names[0]):\(zshAction(shape))"
    }
  }

  private func zshAction(_ shape: ParameterShape) -> String {
    if !shape.choices.isEmpty { return "(" + shape.choices.joined(separator: " ") + ")" }
    switch shape.completion {
    case .files: return "_files"
    case .folders: return "_files -/"
    case .nothing: return " "
    }
  }

  /// Text inside a specification: brackets and colons are its syntax.
  private func zshText(_ text: String) -> String {
    text.reduce(into: "") { $0 += ("[]:\\".contains($1) ? "\\" : "") + String($1) }
  }
}
