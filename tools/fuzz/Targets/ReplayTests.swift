import Testing
import TrajpackStore
import TrajpackTestSupport

/// A short run of every target without libFuzzer: its seeds, what was found once, and a few changes of each. A trap ends
/// the process, and a hang the run.
@Suite("Parsers of strangers' bytes, on their corpora", .serialized)
struct ReplayTests {
  @Test(arguments: FuzzTarget.all.map(\.name))
  func replay(name: String) throws {
    let target = try #require(FuzzTarget.all.first { $0.name == name })
    let folder = "\(Scratch.corpus)/\(name)"
    let files = try FileSystem.names(in: folder).sorted()
    #expect(!files.isEmpty)
    var random = SeededGenerator(seed: 1)
    for file in files {
      let source = try LocalFile("\(folder)/\(file)")
      let seed = try source.bytes(0..<source.length)
      run(target, seed)
      for _ in 0..<(name == "packet-index" ? 2 : 8) { run(target, changed(seed, &random)) }
    }
  }

  private func run(_ target: FuzzTarget, _ bytes: [UInt8]) {
    bytes.withUnsafeBufferPointer { input in try? target.run(input) }
  }

  /// A copy with some bytes overwritten, a part doubled or left out.
  private func changed(_ seed: [UInt8], _ random: inout SeededGenerator) -> [UInt8] {
    guard !seed.isEmpty else { return seed }
    var out = seed
    let at = Int.random(in: 0..<out.count, using: &random)
    switch Int.random(in: 0..<4, using: &random) {
    case 0: out.removeSubrange(at...)
    case 1: out.insert(contentsOf: seed[at...].prefix(16), at: at)
    default:
      for _ in 0..<Int.random(in: 1...4, using: &random) {
        let place = Int.random(in: 0..<out.count, using: &random)
        out[place] = UInt8.random(in: 0...255, using: &random)
      }
    }
    return out
  }
}
