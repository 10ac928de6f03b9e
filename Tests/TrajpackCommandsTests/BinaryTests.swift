import Glibc
import Testing

@testable import TrajpackCommands

/// Runs a line in sh; gives what it printed on both streams, and its exit code.
func shell(_ line: String) -> (text: String, code: Int32) {
  guard let pipe = popen("{ \(line)\n} 2>&1", "r") else { return ("", -1) }
  var text: [UInt8] = []
  while case let byte = fgetc(pipe), byte != EOF { text.append(UInt8(truncatingIfNeeded: byte)) }
  let status = pclose(pipe)
  let code = status & 0x7f == 0 ? (status >> 8) & 0xff : 128 + (status & 0x7f)
  return (String(decoding: text, as: UTF8.self), code)
}

func isInstalled(_ program: String) -> Bool { shell("command -v \(program)").code == 0 }

/// The built `trajpack`, beside the test bundle.
let binary: String = {
  let own = shell("readlink /proc/\(getpid())/exe").text.split(separator: "\n").first ?? ""
  // swift-testing's helper may be the executable: then the bundle is among the arguments.
  let paths = [String(own)] + CommandLine.arguments
  for path in paths {
    let folder = path.split(separator: "/").dropLast().joined(separator: "/")
    if access("/\(folder)/trajpack", X_OK) == 0 { return "/\(folder)/trajpack" }
  }
  return "trajpack-was-not-built"
}()

@Suite struct BinaryTests {
  @Test func speaksLikeTheLibrary() {
    #expect(shell("\(binary) --version").text == "trajpack \(Trajpack.program.version)\n")
    #expect(shell(binary).text.contains("Usage: trajpack COMMAND"))
    #expect(shell("\(binary) nonsense").code == 2)
    #expect(shell("\(binary) completions").code == 2)
    #expect(shell("\(binary) completions -h").code == 0)
  }

  @Test func fullDiskIsTheMachinesFault() {
    let outcome = shell("\(binary) > /dev/full")
    #expect(outcome.code == 3)
    #expect(outcome.text == "trajpack: cannot write to standard output: No space left on device\n")
  }

  @Test func closedPipeEndsSilently() {
    let outcome = shell("{ sleep 0.2; \(binary); echo code $? >&2; } | true")
    #expect(outcome.text == "code 0\n")
  }

  @Test func columnsAreHonoured() {
    let lines = shell("COLUMNS=50 \(binary)").text.split(separator: "\n")
    #expect(lines.allSatisfy { $0.count <= 50 })
  }
}
