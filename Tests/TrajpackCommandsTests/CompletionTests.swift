import Glibc
import Testing

@testable import TrajpackCommands

/// Writes a script of the sample program's completions, runs `body` with its path.
private func withScript(_ text: String, _ body: (String) -> Void) {
  var template = Array("/tmp/trajpack-completions-XXXXXX".utf8CString)
  let number = mkstemp(&template)
  let path = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
  #expect(Descriptor(number: number).write(Array(text.utf8)) == 0)
  close(number)
  body(path)
  unlink(path)
}

private let outline = CompletionOutline(sampleProgram)

@Suite struct CompletionTests {
  @Test(
    .enabled(if: isInstalled("bash"), "bash is not installed"),
    arguments: [
      (["lo"], "loose"), (["--v"], "--version"), (["sample", "--cod"], "--codec"),
      (["sample", "--codec", "z"], "zstd"), (["sample", "-c", "g"], "gzip"),
      (["sample", "--codec", "=", "z"], "zstd"), (["sample", "--codec", "="], "none gzip zstd"),
      (["sample", "--log", "/proc/meminf"], "/proc/meminfo"),
      (["sample", "/proc/meminf"], "/proc/meminfo"),
      (["help", "com"], "completions"), (["completions", "--color", "never", "f"], "fish"),
      (["completions", "--color", "=", "never", "f"], "fish"),
      (["completions", "-q", "b"], "bash"),
      (["completions", "bash", ""], ""),
    ])
  func bash(_ words: [String], _ offered: String) {
    withScript(outline.bash) { path in
      let list = (["trajpack"] + words).map { CompletionOutline.quoted($0) }.joined(separator: " ")
      let script = """
        set -u; source \(path); COMP_WORDS=(\(list)); COMP_CWORD=\(words.count); COMPREPLY=()
        _trajpack; echo "${COMPREPLY[*]-}"
        """
      let outcome = shell("bash --norc -c \(CompletionOutline.quoted(script))")
      #expect(outcome.text == offered + "\n" && outcome.code == 0)
    }
  }

  @Test(
    .enabled(if: isInstalled("fish"), "fish is not installed"),
    arguments: [
      ("lo", "loose"), ("sample --cod", "--codec"), ("sample --codec ", "gzip none zstd"),
      ("sample --codec=z", "--codec=zstd"), ("help com", "completions"),
      ("completions f", "fish"), ("sample --log /proc/meminf", "/proc/meminfo"),
    ])
  func fish(_ line: String, _ offered: String) {
    withScript(outline.fish) { path in
      let script = "source \(path); complete -C 'trajpack \(line)'"
      let outcome = shell("HOME=/tmp fish --no-config -c \(CompletionOutline.quoted(script))")
      let words = outcome.text.split(separator: "\n").map { $0.prefix { $0 != "\t" } }
      #expect(words.map { String($0) }.sorted().joined(separator: " ") == offered)
    }
  }

  /// A real interactive zsh on a pseudo-terminal that is sent a Tab.
  @Test(
    .enabled(if: isInstalled("zsh"), "zsh is not installed"),
    arguments: [
      ("lo", "trajpack loose "), ("sample --cod", "trajpack sample --codec="),
      ("sample --codec z", "trajpack sample --codec zstd "),
      ("help com", "trajpack help completions "),
      ("completions f", "trajpack completions fish "),
      ("sample --log /proc/meminf", "trajpack sample --log /proc/meminfo "),
    ])
  func zsh(_ line: String, _ completed: String) {
    withScript(outline.zsh) { path in
      let script = """
        zmodload zsh/zpty
        zpty z zsh -f -i
        zpty -w z 'autoload -Uz compinit; compinit -u -D; source \(path); PS1=; unsetopt zle_bracketed_paste 2>/dev/null'
        zpty -w z 'show() { print -r -- "<<$BUFFER>>"; exit }; zle -N show; bindkey "^X" show; bindkey "^I" complete-word'
        zpty -w z 'print READ''Y'
        zpty -r -m z seen '*READY*'
        zpty -w -n z $'trajpack \(line)\\t\\x18'
        zpty -r -m z seen '*<<*>>*'
        print -r -- "${${seen##*<<}%%>>*}"
        """
      let outcome = shell("TERM=dumb timeout 60 zsh -f -c \(CompletionOutline.quoted(script))")
      #expect(outcome.text == completed + "\n")
    }
  }
}
