import Synchronization
import Testing
import TrajpackFormat
import TrajpackStore

@testable import TrajpackSources

@Suite struct ReadWatchTests {
  private final class Seen: Sendable {
    let bytes = Atomic<Int>(0)
    let calls = Atomic<Int>(0)
  }

  /// A long table tells of its bytes many times before it is written, twice in all.
  @Test func aLongTableTellsOfItsBytes() throws {
    let scratch = Scratch()
    let blanks = String(repeating: " ", count: 1000)
    let text = "time,x\n" + (0..<4000).map { "\($0),\(blanks)\($0 % 7).25\n" }.joined()
    let path = try scratch.write("a.csv", Array(text.utf8))
    let seen = Seen()
    let written = Seen()
    var events = Conversion<SeriesImporter>.Events()
    events.read = { count in
      seen.bytes.wrappingAdd(count, ordering: .relaxed)
      seen.calls.wrappingAdd(1, ordering: .relaxed)
    }
    events.wrote = { _ in
      written.calls.wrappingAdd(seen.calls.load(ordering: .relaxed), ordering: .relaxed)
    }
    let conversion = Conversion(
      try SeriesImporter([path]), to: scratch.path + "/out", options: .init(), events: events)
    _ = try conversion.run()
    let bytes = seen.bytes.load(ordering: .relaxed)
    #expect(bytes >= 2 * text.utf8.count - 100)
    #expect(bytes <= 2 * text.utf8.count + (1 << 20))
    #expect(written.calls.load(ordering: .relaxed) > 4)
  }
}
