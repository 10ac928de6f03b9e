import Testing
import TrajpackFormat
import TrajpackStore
import TrajpackTestSupport

@testable import TrajpackSources

@Suite struct SeriesTableTests {
  /// A random table, and what a plain reading of its text gives.
  private struct Sample {
    var text = ""
    var numbers: [String: [Double]] = [:]
    var texts: [String: [String?]] = [:]
    var times: [Double]?
  }

  private static func number(_ style: Int, _ random: inout SeededGenerator) -> String {
    switch style {
    case 0: return String(Int.random(in: -1000...1000, using: &random))
    case 1:
      let whole = Int.random(in: 0...999, using: &random)
      let fraction = String(1000 + Int.random(in: 0..<1000, using: &random)).dropFirst()
      return (Bool.random(using: &random) ? "-" : "") + "\(whole).\(fraction)"
    case 2: return "\(Double.random(in: -1e3...1e3, using: &random))"
    case 3: return "\(Float.random(in: -1...1, using: &random))"
    case 4:
      return [
        "1e300", "5e-324", "-0", "-0.0", "0", "inf", "-inf", "1.", ".5", "+3", "1E5", "0.1e-7",
      ]
      .randomElement(using: &random) ?? ""
    case 5: return String(Int64.random(in: -(1 << 60)...(1 << 60), using: &random))
    default: return String(Int.random(in: 0...3_000_000_000, using: &random))
    }
  }

  private static func quoted(_ text: String) -> String {
    "\"" + text.replacing("\"", with: "\"\"") + "\""
  }

  private static func make(_ random: inout SeededGenerator) -> Sample {
    let separator = [",", "\t", ";", "|"].randomElement(using: &random) ?? ","
    let newline = Bool.random(using: &random) ? "\n" : "\r\n"
    let rows = Int.random(in: 1...60, using: &random)
    let hasTime = Bool.random(using: &random)
    let isEven = Bool.random(using: &random)
    var sample = Sample()
    var lines = Array(repeating: [String](), count: rows + 1)
    if hasTime {
      lines[0].append("time")
      sample.times = []
      var time = Int.random(in: -50...50, using: &random)
      for row in 1...rows {
        let cell =
          time < 0 ? "-\(-time / 8).\((-time % 8) * 125)" : "\(time / 8).\((time % 8) * 125)"
        // Thousandths are written without leading zeros, so only multiples of 125 that have none.
        lines[row].append(cell)
        sample.times?.append(Double(cell) ?? .nan)
        time += isEven ? 4 : Int.random(in: 0...9, using: &random)
      }
    }
    for c in 0..<Int.random(in: 1...6, using: &random) {
      let style = Int.random(in: 0...8, using: &random)
      let name = style > 6 ? "text \(c), \"x\"" : "c\(c)"
      lines[0].append(style > 6 ? quoted(name) : name)
      for row in 1...rows {
        let isEmpty = row > 1 && Int.random(in: 0..<8, using: &random) == 0
        if style <= 6 {
          // In a table of one column an empty line is refused.
          let isOnly = lines[0].count == 1 && !hasTime
          let text =
            isEmpty
            ? [isOnly ? "nan" : "", "nan", "NaN"].randomElement(using: &random) ?? ""
            : number(style, &random)
          lines[row].append(text)
          sample.numbers[name, default: []].append(Double(text.isEmpty ? "nan" : text) ?? .nan)
        } else {
          let words =
            style == 7
            ? ["run", "jump", "größe", "nan", ""] : (0..<40).map { "w\($0)\(separator)\"\n'" }
          let word = row == 1 ? "start" : words.randomElement(using: &random) ?? ""
          let isAbsent = isEmpty && lines[0].count > 1
          lines[row].append(isAbsent ? "" : quoted(word))
          sample.texts[name, default: []].append(isAbsent ? nil : word)
        }
      }
    }
    sample.text = lines.map { $0.joined(separator: separator) }.joined(separator: newline)
    if Bool.random(using: &random) { sample.text += newline }
    return sample
  }

  @Test(arguments: 0..<150) func randomTablesComeBack(seed: UInt64) throws {
    var random = SeededGenerator(seed: seed)
    let sample = Self.make(&random)
    // A table of one column whose first lines are empty or of one word says nothing of its header.
    var options = SeriesOptions()
    options.header = .yes
    let scratch = Scratch()
    let path = try scratch.write("a.csv", sample.text)
    let cut = seed % 3 == 0 ? 7 : nil
    options.segment = cut
    let converted = try Converted([path], options)
    let tracks = converted.episodes.flatMap(\.tracks)
    let rows = tracks.reduce(0) { $0 + $1.count }
    if let cut { #expect(converted.episodes.count == (rows + cut - 1) / cut) }
    for (name, expected) in sample.numbers {
      let found = converted.numbers(name)
      #expect(found.count == expected.count, "\(name)")
      let wrong = zip(found, expected).enumerated().first { _, pair in
        pair.0.isNaN ? !pair.1.isNaN : pair.0.bitPattern != pair.1.bitPattern
      }
      #expect(wrong == nil, "\(name): \(wrong.map { "row \($0.0): \($0.1)" } ?? "")")
    }
    for (name, expected) in sample.texts {
      #expect(tracks.flatMap { $0.texts[name] ?? [] } == expected, "\(name)")
    }
    if let times = sample.times {
      #expect(
        tracks.flatMap(\.times).map(\.bitPattern) == times.map { $0 == 0 ? 0 : $0.bitPattern })
    }
  }

  @Test func episodesAndPieces() throws {
    let scratch = Scratch()
    let path = try scratch.write(
      "run.csv", "who,x\na,1\na,2\na,3\nb,4\n\"c \"\"q\"\"\",5\n\"c \"\"q\"\"\",6\n")
    var options = SeriesOptions()
    options.episodeColumn = "who"
    var converted = try Converted([path], options)
    #expect(converted.episodes.map(\.id) == ["a", "b", "c \"q\""])
    #expect(converted.episodes.map { $0.tracks[0].numbers["x"] } == [[1, 2, 3], [4], [5, 6]])
    options.segment = 2
    options.rate = Rational(10)
    converted = try Converted([path], options)
    #expect(converted.episodes.map(\.id) == ["a/0", "a/1", "b/0", "c \"q\"/0"])
    #expect(converted.episodes[1].tracks[0].times == [0.2])
    #expect(converted.episodes[1].tracks[0].timeUnit == "s")
    let other = try scratch.write("other.csv", "who,x\na,7\n")
    options.segment = nil
    converted = try Converted([path, other], options)
    #expect(converted.episodes.map(\.id) == ["run/a", "run/b", "run/c \"q\"", "other/a"])
    #expect(Set(converted.episodes.map { $0.tracks[0].stream }) == ["series"])
    let mixed = try scratch.write("mixed.csv", "who,x\na,1\nb,2\na,3\n")
    #expect(failure { _ = try Converted([mixed], options) }?.message.contains("line 4") == true)
  }

  @Test func headersAreFoundByWhatIsBelow() throws {
    func form(_ text: String, _ header: SeriesOptions.Header = .auto) throws -> TableForm {
      let scratch = Scratch()
      var options = SeriesOptions()
      options.header = header
      return try TableForm(TextFile(LocalFile(scratch.write("a.csv", text))), options)
    }
    #expect(try form("date,0,1,OT\n2016-07-01,1,2,3\n").channelNames == ["time", "0", "1", "OT"])
    #expect(try form("1,2\n3,4\n").hasHeader == false)
    #expect(try form("a,b\nc,d\n").hasHeader)
    #expect(try form("a,1\nb,2\n").hasHeader == false)
    #expect(try form("a,1\nb,2\n", .yes).header == ["a", "1"])
    #expect(try form(",x\n0,1\n").channelNames == ["column1", "x"])
    #expect(try form("1990/1/1 0:00;5\n1990/1/2 0:00;6\n").time == 0)
    #expect(try form("1990/1/1 0:00;5\n").delimiter == UInt8(ascii: ";"))
    #expect(try form("\"a;b;c\",d\n1,2\n").delimiter == UInt8(ascii: ","))
    #expect(try form("t,time,x\nup,1,2\n").channelNames == ["t", "time", "x"])
  }

  @Test func datesOfSeveralFormsKeepTheirText() throws {
    let scratch = Scratch()
    let cells = ["2024-01-01T00:00:00", "2024-01-01T00:00:00.5", "2024-01-01T00:00:02+00:00"]
    let path = try scratch.write("a.csv", "date,x\n" + cells.map { "\($0),1\n" }.joined())
    let track = try Converted([path]).episodes[0].tracks[0]
    #expect(track.clock == .ticks(try #require(Rational(1, 10))))
    #expect(track.numbers["time"] == [17_040_672_000, 17_040_672_005, 17_040_672_020])
    #expect(track.texts["time (text)"] == cells)
    let gap = try scratch.write("b.csv", "date,x\n2024-01-01,1\n2024-01-02,2\n2024-01-04,3\n")
    let days = try Converted([gap]).episodes[0].tracks[0]
    #expect(days.clock == .ticks(.one))
    #expect(days.attributes["time"]?["date"]?.string == "YYYY-MM-DD")
    // Files of one stream that write dates otherwise say so.
    let other = try scratch.write("c.csv", "date,x\n2024/1/1,1\n2024/1/2,2\n2024/1/4,3\n")
    let both = try Converted([gap, other])
    #expect(both.episodes[0].tracks[0].metadata == .object([]))
    #expect(both.episodes[1].tracks[0].metadata["date"]?.string == "YYYY/M/D")
  }

  @Test func timesKeepEveryDigit() throws {
    let scratch = Scratch()
    func track(_ times: [String]) throws -> Converted.Track {
      let path = try scratch.write("a.csv", "t,x\n" + times.map { "\($0),1\n" }.joined())
      return try Converted([path]).episodes[0].tracks[0]
    }
    let nanoseconds = ["1700000000000000001", "1700000000000000003", "1700000000000000004"]
    let exact = try track(nanoseconds)
    #expect(exact.clock == .ticks(.one))
    #expect(exact.channels[0].type == .int64)
    let wide = try track(["0.1", "0.30000000000000004", "0.7"])
    #expect(wide.clock == .float64)
    #expect(wide.times == [0.1, 0.30000000000000004, 0.7])
    #expect(try track(["0", "1", "3"]).times == [0, 1, 3])
    #expect(
      try track(["0", "0.1", "0.2", "0.3"]).clock
        == .regular(start: .zero, rate: try #require(Rational(10))))
    #expect(try track(["0", "33.333", "66.666"]).times == [0, 33.333, 66.666])
    #expect(try track(["5"]).times == [5])
    #expect(try track(["-1.5", "-1", "-0.5", "0"]).times == [-1.5, -1, -0.5, 0])
    #expect(try track(["1", "1", "2"]).times == [1, 1, 2])
  }

  @Test func columnsThatAreNotNumbers() throws {
    let scratch = Scratch()
    let many = (0..<3000).map { "id-\($0),\($0 % 3 == 0 ? "" : "x"),\n" }.joined()
    let path = try scratch.write("a.csv", "id,flag,nothing\n" + many)
    let track = try Converted([path]).episodes[0].tracks[0]
    #expect(track.channels.map(\.kind) == [.text, .categorical, .scalar])
    #expect(track.texts["id"]?.last == "id-2999")
    #expect(track.texts["flag"]?.prefix(3) == [nil, "x", "x"])
    #expect(track.numbers["nothing"]?.allSatisfy(\.isNaN) == true)
    let mixed = try scratch.write("b.csv", "code,x\nA1,1\n12,2\nNA,3\n,4\n")
    #expect(failure { _ = try Converted([mixed]) }?.message.contains("'A1'") == true)
    var options = SeriesOptions()
    options.kinds = ["code": .text, "x": .label]
    options.units = ["x": "m"]
    var kept = try Converted([mixed], options).episodes[0].tracks[0]
    #expect(kept.texts["code"] == ["A1", "12", "NA", nil])
    #expect(kept.channels.first { $0.name == "x" }?.kind == .label)
    #expect(kept.channels.first { $0.name == "x" }?.units == "m")
    options.kinds = ["code": .categorical]
    kept = try Converted([mixed], options).episodes[0].tracks[0]
    #expect(kept.texts["code"] == ["A1", "12", "NA", nil])
  }
}
