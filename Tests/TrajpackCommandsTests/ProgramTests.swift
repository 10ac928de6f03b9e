import Glibc
import Testing
import TrajpackFormat

@testable import TrajpackCommands

@Suite struct ProgramTests {
  @Test func exitCodesAreFaults() {
    #expect(runSample(["sample", "a", "b"]).code == 0)
    #expect(runSample(["sample", "a", "bad-data"]).code == 1)
    #expect(runSample(["sample", "a", "no-use"]).code == 2)
    #expect(runSample(["sample", "a", "no-machine"]).code == 3)
    #expect(runSample(["sample"]).code == 2)
  }

  @Test func errorsAreOneSafeLine() {
    let outcome = runSample(["sample", "a", "bad-data"])
    #expect(outcome.errors == "trajpack sample: chunk 3 is damaged\\x1b[2J\n")
    #expect(outcome.output == "")
    #expect(
      runSample(["smaple"]).errors
        == "trajpack: no command 'smaple' (did you mean 'sample'?); see 'trajpack --help'\n")
  }

  @Test func overviewAndVersion() {
    let overview = runSample([])
    #expect(overview.code == 0 && overview.errors == "")
    #expect(overview.output.contains("  sample       Show what was given.\n"))
    #expect(runSample(["--help"]).output == overview.output)
    #expect(runSample(["help"]).output == overview.output)
    #expect(runSample(["--version"]).output == "trajpack 9.9\n")
  }

  @Test func helpTeaches() {
    let help = runSample(["help", "sample"]).output
    #expect(help.contains("Usage: trajpack sample [OPTIONS] SRC... DST\n"))
    #expect(help.contains("How hard to try (-5 to 19; default 3).\n"))
    #expect(help.contains("default 1MiB") && help.contains("default 30s"))
    #expect(help.contains("(can be given again)"))
    #expect(help.hasSuffix("Examples:\n  # Two words.\n  trajpack sample a b\n"))
    #expect(runSample(["sample", "--help"]).output == help)
    #expect(runSample(["sample", "--nonsense", "-h"]).output == help)
    #expect(runSample(["help", "loose"]).output.contains("How many (1 or more; default 7)."))
    #expect(!help.contains("\u{1b}"))
  }

  @Test(arguments: [40, 55, 80, 300])
  func helpFitsTheTerminal(_ width: Int) {
    let help = runSample(["sample", "-h"], isTerminal: true, width: width)
    let lines = help.output.split(separator: "\n")
    #expect(lines.count > 20)
    for line in lines where !line.hasPrefix("\u{1b}") { #expect(line.count <= min(width, 100)) }
  }

  @Test func coloursOnlyWhereWanted() {
    func isPainted(_ words: [String], _ isTerminal: Bool, _ environment: [String: String]) -> Bool {
      let words = ["sample", "--help"] + words
      return runSample(words, isTerminal: isTerminal, environment: environment).output
        .contains("\u{1b}")
    }
    #expect(isPainted([], true, [:]))
    #expect(!isPainted([], false, [:]))
    #expect(!isPainted([], true, ["NO_COLOR": "1"]))
    #expect(isPainted([], true, ["NO_COLOR": ""]))
    #expect(!isPainted([], true, ["TERM": "dumb"]))
  }

  @Test func colourOptionAndQuiet() {
    let loud = runSample(["sample", "a", "no-use", "--color", "always"])
    #expect(loud.errors.hasPrefix("\u{1b}[1mtrajpack sample:\u{1b}[0m"))
    #expect(runSample(["sample", "a", "b"]).errors == "a note\n")
    #expect(runSample(["sample", "a", "b", "-q"]).errors == "")
  }

  @Test func closedPipeIsSilentFullDiskIsNot() {
    let closed = runSample(["sample", "-h"], failure: EPIPE)
    #expect(closed.code == 0 && closed.errors == "")
    let full = runSample(["sample", "-h"], failure: ENOSPC)
    #expect(full.code == 3 && full.errors.contains("No space left on device"))
  }

  /// Laws that every table must keep, ours and the sample's.
  @Test func tablesAreSound() {
    for entry in CompletionOutline(sampleProgram).entries
      + CompletionOutline(Trajpack.program).entries
    {
      let names = entry.options.flatMap(\.names)
      #expect(Set(names).count == names.count, "an option of \(entry.name) is there twice")
      #expect(entry.positional.filter(\.isRepeated).count <= 1)
      for shape in entry.shapes {
        #expect(shape.help.hasSuffix("."), "\(entry.name): \(shape.names)")
      }
      #expect(entry.summary.hasSuffix("."))
    }
  }
}
