import Synchronization
import Testing
import TrajpackFormat
import TrajpackStore

@testable import TrajpackSources
import TrajpackTestSupport

@Suite struct ReadWatchTests {
  private final class Seen: Sendable {
    let bytes = Atomic<Int>(0)
    let calls = Atomic<Int>(0)
  }

  enum Form: CaseIterable { case table, array, archive, packedArchive, json }

  private func content(_ form: Form) -> (name: String, bytes: [UInt8]) {
    switch form {
    case .table:
      let blanks = String(repeating: " ", count: 1000)
      let rows = (0..<4000).map { "\($0),\(blanks)\($0 % 7).25\n" }
      return ("a.csv", Array(("time,x\n" + rows.joined()).utf8))
    case .array:
      let values = (0..<500_000).flatMap { NPYFile.little(Double($0).bitPattern) }
      return ("a.npy", NPYFile.bytes("<f8", shape: [500_000], values))
    case .archive, .packedArchive:
      // Digits that do not repeat, so that the packed ones are many, too.
      let values = (1..<300_000).flatMap { NPYFile.little(Double($0).squareRoot().bitPattern) }
      let array = NPYFile.bytes("<f8", shape: [299_999], values)
      return (
        "a.npz", NPYFile.zip([(name: "x.npy", bytes: array)], deflated: form == .packedArchive)
      )
    case .json:
      let rows = (0..<200_000).map { "[\($0).5,\($0 % 7)]" }
      return ("a.json", Array("{\"a\":{\"values\":[\(rows.joined(separator: ","))]}}".utf8))
    }
  }

  /// Within one long file the user is heard: it is read no further, and nothing is left behind.
  @Test(arguments: Form.allCases, [2, 6]) func aLongFileIsNotReadToItsEnd(
    form: Form, after: Int
  ) throws {
    let scratch = Scratch()
    let (name, content) = content(form)
    let path = try scratch.write(name, content)
    let seen = Seen()
    var events = Conversion<SeriesImporter>.Events()
    events.read = { _ in seen.calls.wrappingAdd(1, ordering: .relaxed) }
    events.isInterrupted = { seen.calls.load(ordering: .relaxed) >= after }
    let conversion = Conversion(
      try SeriesImporter([path]), to: scratch.path + "/out", options: .init(), events: events)
    let outcome = try conversion.run()
    #expect(!outcome.isComplete && outcome.shards.isEmpty)
    #expect(seen.calls.load(ordering: .relaxed) <= after + 4)
  }

  /// A long file tells of its bytes many times before it is written, three times in all.
  @Test(arguments: Form.allCases) func aLongFileTellsOfItsBytes(form: Form) throws {
    let scratch = Scratch()
    let (name, content) = content(form)
    let path = try scratch.write(name, content)
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
    #expect(bytes >= 3 * content.count - 5000)
    #expect(bytes <= 3 * content.count + (1 << 20))
    #expect(written.calls.load(ordering: .relaxed) > 4)
  }
}
