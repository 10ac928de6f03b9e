extension CompletionOutline {
  /// A bash function without helpers of the bash-completion package.
  var bash: String {
    """
    # trajpack completions for bash: source <(trajpack completions bash)
    _trajpack() {
      local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD-1]} i
      local command= place=0 word kind=words
      # bash splits --name=value into three words.
      if [[ $cur == '=' ]]; then
        cur=
      elif [[ $prev == '=' ]]; then
        prev=${COMP_WORDS[COMP_CWORD-2]}
      fi
      for ((i = 1; i < COMP_CWORD; i++)); do
        word=${COMP_WORDS[i]}
        if [[ -z $command ]]; then
          [[ $word == -* ]] || command=$word
          continue
        fi
        case $command:$word in
          \(bashSkips)
          *:-*|*:=) ;;
          *) ((place++)) ;;
        esac
      done
      local values=
      case $command:$prev in
    \(bashOptionValues)
        *)
          if [[ -z $command ]]; then
            values=\(Self.quoted((entries.map(\.name) + ["--help", "--version"]).joined(separator: " ")))
          elif [[ $cur == -* ]]; then
            case $command in
    \(bashOptionNames)
            esac
          else
            case $command:$place in
    \(bashPositional)
            esac
          fi ;;
      esac
      case $kind in
        files) compopt -o filenames 2>/dev/null; mapfile -t COMPREPLY < <(compgen -f -- "$cur") ;;
        folders) compopt -o filenames 2>/dev/null; mapfile -t COMPREPLY < <(compgen -d -- "$cur") ;;
        words) mapfile -t COMPREPLY < <(compgen -W "$values" -- "$cur") ;;
      esac
    }
    complete -F _trajpack trajpack

    """
  }

  /// Skips the value of an option when counting places.
  private var bashSkips: String {
    let patterns = entries.flatMap { entry in
      entry.options.filter(\.takesValue).flatMap { shape in
        shape.names.map { "\(entry.name):\($0)" }
      }
    }
    return patterns.joined(separator: "|")
      + ") [[ ${COMP_WORDS[i+1]} == '=' ]] && ((i++)); ((i++)) ;;"
  }

  private var bashOptionValues: String {
    entries.flatMap { entry in
      entry.options.filter(\.takesValue).map { shape in
        let pattern = shape.names.map { "\(entry.name):\($0)" }.joined(separator: "|")
        return "    \(pattern)) \(bashValue(shape)) ;;"
      }
    }.joined(separator: "\n")
  }

  private var bashOptionNames: String {
    entries.map { entry in
      let names = entry.options.flatMap(\.names).joined(separator: " ")
      return "          \(entry.name)) values=\(Self.quoted(names)) ;;"
    }.joined(separator: "\n")
  }

  private var bashPositional: String {
    entries.flatMap { entry in
      let places = entry.positional
      return places.indices.map { index in
        let isOpen = places[index].isRepeated
        let pattern = isOpen ? "\(entry.name):*" : "\(entry.name):\(index)"
        return "          \(pattern)) \(bashValue(places[index])) ;;"
      }
    }.joined(separator: "\n")
  }

  private func bashValue(_ shape: ParameterShape) -> String {
    if !shape.choices.isEmpty {
      return "values=" + Self.quoted(shape.choices.joined(separator: " "))
    }
    switch shape.completion {
    case .files: return "kind=files"
    case .folders: return "kind=folders"
    case .nothing: return "kind=nothing"
    }
  }
}
