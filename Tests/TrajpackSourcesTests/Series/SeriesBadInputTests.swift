import Testing
import TrajpackFormat
import TrajpackStore
import TrajpackTestSupport

@testable import TrajpackSources

@Suite struct SeriesBadInputTests {
  @Test(arguments: [
    ("a.csv", "", "empty"), ("a.csv", "time,x,y\n", "no row"),
    ("a.csv", "time,x\n0,1\0" + "2\n1,3\n", "line 2"),
    ("a.csv", "time,note\n0,\"open\n1,b\n", "never ends"),
    ("a.csv", "date,x\n2024-01-01,1\n2024-13-01,2\n", "line 3"),
    ("a.csv", "date,x\n2024-01-02,1\n2024-01-01,2\n", "line 3"),
    ("a.csv", "date,x\n2024-13-01,1\n", "no date"), ("a.csv", "time,x\n0,1\n,2\n", "line 3"),
    ("a.csv", "time,x\n0,1\ninf,2\n", "'inf'"), ("a.csv", "x,y\n1,2\n3\n", "line 3"),
    ("a.csv", "x,y\n1,2\n\"a\nb\",4\n5,6,7\n", "line 5"),
    ("a.csv", "t\n1\n2\n", "no column of values"),
    ("a.csv", "x,y\n1,2\n3,n/k\n", "'n/k'"), ("a.json", "[[1]]", "no file of systems"),
    ("a.json", "{\"A\": {\"time\": [1], \"values\": [[1], [2]]}}", "'A' has 1 times and 2 rows"),
    ("a.json", "{\"A\": {\"values\": [[1], [2, 3]]}}", "row 1"),
    ("a.json", "{\"A\": {\"time\": [1]}}", "no 'values'"),
    ("a.json", "{\"A\": {\"values\": [[01]]}}", "a number"),
    ("a.json", "{\"A\": {\"values\": [[1e999]]}}", "fits"),
    ("a.json", "{\"A\": 1}", "'A'"), ("a.json", "{}", "no system"),
    ("a.json", "{\"A\": {\"values\": [1]}} x", "the end of the text"),
    ("a.json", "{\"A\": {\"time\": [2, 1], \"values\": [1, 2]}}", "time 1"),
    ("a.json", "{\"A\": {\"values\": [1]}, \"A\": {\"values\": [1]}}", "twice"),
    (
      "a.json", "{\"A\": {\"values\": [1], \"m\": " + String(repeating: "[", count: 200) + "}}",
      "nesting"
    ),
    ("a.csv", "x\n1\n\n3\n", "line 3"), ("a.dat", "one word", "no table"),
    ("a.npy", "x,y\n1,2\n", "NUMPY"), ("a.json.gz", "{", "damaged"),
  ]) func oneSentenceEach(name: String, text: String, part: String) throws {
    let scratch = Scratch()
    let path = try scratch.write(name, text)
    let error = try #require(failure { _ = try Converted([path]) }, "\(text)")
    #expect(error.fault == .data)
    #expect(error.message.hasPrefix(path + ": "), "\(error.message)")
    #expect(error.message.contains(part), "\(error.message)")
    #expect(!error.message.dropFirst(path.count).contains(path))
  }

  @Test func optionsThatSayNothingAreRefused() throws {
    let scratch = Scratch()
    let table = try scratch.write("a.csv", "time,x\n0,1\n1,2\n")
    let array = try scratch.write(
      "b.npy", NPYFile.bytes("|u1", shape: [3], [1, 2, 3]))
    func refused(_ sources: [String], _ change: (inout SeriesOptions) -> Void, _ part: String) {
      var options = SeriesOptions()
      change(&options)
      let error = failure { _ = try Converted(sources, options) }
      #expect(error?.fault == .usage, "\(part)")
      #expect(error?.message.contains(part) == true, "\(error?.message ?? "accepted")")
    }
    refused([table], { $0.rate = Rational(2) }, "--rate")
    refused([array], { $0.rate = .zero }, "--rate")
    refused([array], { $0.episodeColumn = "x" }, "--episode-column")
    refused([table], { $0.episodeColumn = "y" }, "'y'")
    refused([table], { $0.episodeColumn = "time" }, "both")
    refused([table], { $0.time = .named("when") }, "'when'")
    refused([table], { $0.kinds = ["z": .scalar] }, "'z'")
    refused([table], { $0.units = ["z": "m"] }, "'z'")
    refused([table], { $0.kinds = ["x": .quaternion] }, "quaternion")
    let dates = try scratch.write("c.csv", "date,x\n2024-01-01,1\n2024-01-02,2\n")
    refused([dates], { $0.timeUnit = "h" }, "--time-unit")
    refused([table], { $0.segment = 0 }, "--segment")
    refused([scratch.path + "/none"], { _ in }, "does not exist")
  }

  /// Damage that text hides gives other text; what must never happen is a trap.
  @Test(arguments: [
    "ett.csv", "irregular.tsv", "quoted.csv", "dysts.json", "dysts.json.gz", "several.npz",
    "episodes.csv",
  ])
  func noDamageTraps(name: String) throws {
    let scratch = Scratch()
    let good = Array(try contents(fixture("series/\(name)")).prefix(6000))
    var random = SeededGenerator(seed: 3)
    var options = SeriesOptions()
    if name == "episodes.csv" { options.episodeColumn = "episode" }
    for _ in 0..<60 {
      var bytes = good
      switch Int.random(in: 0..<3, using: &random) {
      case 0: bytes = Array(bytes.prefix(Int.random(in: 0..<bytes.count, using: &random)))
      case 1:
        for _ in 0..<3 {
          bytes[Int.random(in: 0..<bytes.count, using: &random)] = UInt8.random(
            in: 0...255, using: &random)
        }
      default:
        let at = Int.random(in: 0..<bytes.count, using: &random)
        bytes.removeSubrange(at..<min(at + 9, bytes.count))
      }
      let path = try scratch.write(name, bytes)
      if let error = failure({ _ = try Converted([path], options) }) {
        #expect(error.message.hasPrefix(path), "\(error.message)")
      }
    }
  }
}
