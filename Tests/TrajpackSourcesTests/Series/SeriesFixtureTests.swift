import Testing
import TrajpackFormat
import TrajpackStore

@testable import TrajpackSources
import TrajpackTestSupport

/// What is read back from the fixtures is what Python and numpy see in them (`expect_series.py`).
@Suite struct SeriesFixtureTests {
  static let expectations = try? JSONValue(parsing: contents(fixture("series_expect.json")))
  static let names = expectations?.members?.map(\.name) ?? []

  @Test func everyFixtureHasAnExpectation() throws {
    let kept = try FileSystem.names(in: fixture("series"))
    #expect(Set(kept) == Set(Self.names + ["objects.npy"]))
  }

  @Test(arguments: names) func readsWhatPythonSees(name: String) throws {
    let expected = try #require(Self.expectations?[name])
    var options = SeriesOptions()
    if name == "episodes.csv" { options.episodeColumn = "episode" }
    let converted = try Converted([fixture("series/\(name)")], options)
    let episodes = converted.episodes.map {
      JSONValue.array([.string($0.id), .int(Int64($0.tracks[0].count))])
    }
    #expect(.array(episodes) == expected["episodes"])
    let columns = try #require(expected["columns"]?.members)
    for column in columns {
      #expect(
        Converted.digest(converted.numbers(column.name)) == column.value.string,
        "\(name) \(column.name)")
    }
    for text in expected["texts"]?.members ?? [] {
      let found = converted.episodes.flatMap { $0.tracks[0].texts[text.name] ?? [] }
      #expect(.array(found.map { $0.map { .string($0) } ?? .null }) == text.value)
    }
    if let time = expected["time"]?.string {
      #expect(Converted.digest(converted.episodes.flatMap { $0.tracks[0].times }) == time)
    }
    // No channel that is not expected, but the times.
    for track in converted.episodes.flatMap(\.tracks) {
      let known = columns.map(\.name) + (expected["texts"]?.members?.map(\.name) ?? []) + ["time"]
      #expect(track.channels.allSatisfy { known.contains($0.name) })
    }
  }

  @Test func clocksAndTypesOfTheFixtures() throws {
    func track(_ name: String) throws -> Converted.Track {
      try Converted([fixture("series/\(name)")]).episodes[0].tracks[0]
    }
    let ett = try track("ett.csv")
    #expect(
      ett.clock
        == .regular(
          start: try #require(Rational(1_467_331_200)), rate: try #require(Rational(1, 3600))))
    #expect(ett.timeUnit == "s")
    #expect(ett.attributes["time"]?["date"]?.string == "YYYY-MM-DD hh:mm:ss")
    #expect(ett.channels.allSatisfy { $0.type == .float64 && $0.storage.decimals == 4 })
    let iso = try track("iso.csv")
    #expect(iso.attributes["time"]?["date"]?.string == "YYYY-MM-DDThh:mm:ss.fffZ")
    #expect(
      iso.clock
        == .regular(
          start: try #require(Rational(6_837_004_793, 4)), rate: try #require(Rational(8))))
    #expect(try track("plain.csv").timeUnit == "step")
    #expect(try track("plain.csv").clock == .regular(start: .zero, rate: .one))
    #expect(try track("irregular.tsv").clock == .float64)
    #expect(try track("bom.csv").clock == .regular(start: .zero, rate: try #require(Rational(4))))
    #expect(
      try track("dysts.json").clock == .regular(start: .zero, rate: try #require(Rational(50))))
    #expect(try track("float16.npy").channels[0].type == .float32)
    #expect(try track("flags_bool.npy").channels[0].type == .bool)
    #expect(try track("empty.npy").count == 0)
    #expect(
      try track("several.npz").channels.map(\.name) == ["states", "actions", "rewards", "flags"])
    #expect(failure { _ = try track("objects.npy") }?.message.contains("pickle") == true)
  }

  @Test func aFolderOfDifferentFilesKeepsThemApart() throws {
    let scratch = Scratch()
    for name in Self.names {
      _ = try scratch.write(name, contents(fixture("series/\(name)")))
    }
    _ = try scratch.write("README.md", "not a series")
    #expect(SeriesImporter.recognises(scratch.path))
    let one = try Converted([scratch.path])
    let many = try Converted([scratch.path]) {
      $0.shardBytes = 1; $0.jobs = 3
    }
    #expect(one.episodes.map(\.id) == many.episodes.map(\.id))
    #expect(Set(one.episodes.map(\.id)).count == one.episodes.count)
    #expect(one.episodes.map(\.id).contains("dysts.json.gz/LorenzStable"))
    for (a, b) in zip(one.episodes, many.episodes) {
      #expect(a.tracks.map(\.stream) == b.tracks.map(\.stream))
      #expect(a.tracks.map(\.times) == b.tracks.map(\.times))
    }
    #expect(one.numbers("OT").count == 240)
    #expect(!SeriesImporter.recognises(fixture("wildworld")))
  }
}
