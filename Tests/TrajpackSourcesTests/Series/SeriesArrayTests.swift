import Testing
import TrajpackFormat
import TrajpackStore
import TrajpackTestSupport

@testable import TrajpackSources

@Suite struct SeriesArrayTests {
  private func doubles(_ count: Int, _ random: inout SeededGenerator) -> [Double] {
    (0..<count).map { _ in Double.random(in: -1...1, using: &random) }
  }

  private func array(_ shape: [Int], _ values: [Double]) -> [UInt8] {
    NPYFile.bytes("<f8", shape: shape, packed(values.map(\.bitPattern)))
  }

  @Test(arguments: 0..<24) func batchesAndPiecesComeBack(seed: UInt64) throws {
    var random = SeededGenerator(seed: seed)
    let scratch = Scratch()
    let (b, t, n) = (
      Int.random(in: 1...12, using: &random), Int.random(in: 1...30, using: &random),
      seed % 4 == 0 ? 40 : Int.random(in: 1...5, using: &random)
    )
    let states = doubles(b * t * n, &random)
    let rewards = doubles(b * t, &random)
    let labels = (0..<b).map { Int32($0 * 3) }
    let path: String
    if seed % 2 == 0 {
      path = try scratch.write(
        "s.npz",
        NPYFile.zip(
          [
            ("states.npy", array([b, t, n], states)), ("rewards.npy", array([b, t], rewards)),
            ("label.npy", NPYFile.bytes("<i4", shape: [b], packed(labels))),
            ("dt.npy", array([], [0.25])),
          ], deflated: seed % 3 == 0))
    } else {
      path = try scratch.write("s.npy", array([b, t, n], states))
    }
    var options = SeriesOptions()
    let piece = seed % 3 == 0 ? 4 : t
    if piece != t { options.segment = piece }
    let converted = try Converted([path], options)
    let pieces = (t + piece - 1) / piece
    #expect(converted.episodes.count == b * (options.segment == nil ? 1 : pieces))
    #expect(converted.numbers(seed % 2 == 0 ? "states" : "values") == states)
    if seed % 2 == 0 {
      #expect(converted.numbers("rewards") == rewards)
      let last = try #require(converted.episodes.last?.metadata["constants"])
      #expect(last["label"]?["value"] == .int(Int64(labels[b - 1])))
      #expect(last["dt"] == .record(["dtype": "float64", "value": 0.25]))
    }
    if options.segment != nil, pieces > 1 {
      #expect(converted.episodes[1].tracks[0].times.first == Double(piece))
    }
  }

  @Test func timesOfArrays() throws {
    let scratch = Scratch()
    let x = ("x.npy", array([4], [1, 2, 3, 4]))
    func track(_ time: [UInt8], _ name: String = "t.npy", _ options: SeriesOptions = .init()) throws
      -> Converted.Track
    {
      let path = try scratch.write("a.npz", NPYFile.zip([x, (name, time)], deflated: true))
      return try Converted([path], options).episodes[0].tracks[0]
    }
    func whole(_ values: [Int64]) -> [UInt8] { NPYFile.bytes("<i8", shape: [4], packed(values)) }
    #expect(
      try track(array([4], [0, 0.1, 0.2, 0.3])).clock
        == .regular(start: .zero, rate: try #require(Rational(10))))
    let rounded = [0, 0.1, 0.2, 0.1 + 0.2]
    let wide = try track(array([4], rounded))
    #expect(wide.clock == .float64)
    #expect(wide.times.map(\.bitPattern) == rounded.map(\.bitPattern))
    #expect(try track(whole([10, 20, 30, 40])).times == [10, 20, 30, 40])
    let ticks = try track(
      whole([1_700_000_000_000_000_001, 1_700_000_000_000_000_002, 1_700_000_000_000_000_005, .max])
    )
    #expect(ticks.clock == .ticks(.one))
    // Nearly even doubles whose exact clock would need more than 128 bits.
    let tiny = [1e-18] + (1..<500).map(Double.init)
    let long = try scratch.write(
      "l.npz",
      NPYFile.zip([("x.npy", array([500], tiny)), ("t.npy", array([500], tiny))], deflated: true))
    #expect(try Converted([long]).episodes[0].tracks[0].times == tiny)
    let single = NPYFile.bytes(
      "<f4", shape: [4], packed([0, 0.1, 0.25, 0.3].map { Float($0).bitPattern }))
    #expect(try track(single).times == [0, Double(Float(0.1)), 0.25, Double(Float(0.3))])
    #expect(failure { _ = try track(array([4], [0, 2, 1, 3])) }?.message.contains("row 2") == true)
    #expect(
      failure { _ = try track(array([4], [0, .nan, 1, 3])) }?.message.contains("row 1") == true)
    var options = SeriesOptions()
    options.time = .none
    #expect(
      try track(array([4], [0, 2, 1, 3]), "t.npy", options).channels.map(\.name) == ["x", "t"])
    options.time = .named("clock")
    #expect(try track(array([4], [0, 2, 4, 6]), "clock.npy", options).times == [0, 2, 4, 6])
    #expect(failure { _ = try track(array([4], [0, 2, 4, 6]), "t.npy", options) }?.fault == .usage)
  }

  @Test func arraysOfDifferentLengthsAreStreamsOfTheirOwn() throws {
    let scratch = Scratch()
    let path = try scratch.write(
      "a.npz",
      NPYFile.zip(
        [
          ("train.npy", array([5, 2], Array(repeating: 1, count: 10))),
          ("test.npy", array([3], [4, 5, 6])),
        ],
        deflated: false))
    let tracks = try Converted([path]).episodes[0].tracks
    #expect(tracks.map(\.stream) == ["series/train", "series/test"])
    #expect(tracks[1].numbers["test"] == [4, 5, 6])
    var options = SeriesOptions()
    options.segment = 2
    #expect(failure { _ = try Converted([path], options) }?.fault == .usage)
    options = SeriesOptions()
    options.leadingAxis = .batch
    #expect(failure { _ = try Converted([path], options) }?.message.contains("first axis") == true)
  }

  @Test func theLeadingAxisFollowsTheOption() throws {
    let scratch = Scratch()
    let values = (0..<24).map(Double.init)
    let path = try scratch.write("a.npy", array([4, 3, 2], values))
    var options = SeriesOptions()
    options.leadingAxis = .time
    options.kinds = ["values": .matrix]
    let one = try Converted([path], options).episodes
    #expect(one.count == 1)
    #expect(one[0].tracks[0].channels[0].shape == [3, 2])
    #expect(one[0].tracks[0].numbers["values"] == values)
    options.kinds = ["values": .quaternion]
    #expect(failure { _ = try Converted([path], options) }?.fault == .usage)
    options = SeriesOptions()
    options.leadingAxis = .batch
    let flat = try scratch.write("b.npy", array([4, 6], values))
    #expect(try Converted([flat], options).episodes.map { $0.tracks[0].count } == [6, 6, 6, 6])
  }

  @Test func systemsKeepEveryBit() throws {
    let scratch = Scratch()
    let text = """
      {"A": {"values": [[1, -0, NaN], [0.1, 1e-320, null]], "time": [0.5, 0.75], "meta": {"p": [1, {"q": "]"}]}},
       "B é": {"time": [1, 2, 4], "values": [3.0000000000000004, Infinity, -1e308]},
       "C": {"values": [[7], [8]]}}
      """
    let path = try scratch.write("a.json", text)
    let episodes = try Converted([path]).episodes
    #expect(episodes.map(\.id) == ["A", "B é", "C"])
    #expect(episodes.map { $0.tracks[0].stream } == ["dimension_3", "scalar", "dimension_1"])
    let a = try #require(episodes[0].tracks[0].numbers["values"])
    #expect(
      a[0] == 1 && a[1].sign == .minus && a[2].isNaN && a[3] == 0.1 && a[4] == Double("1e-320")
        && a[5].isNaN)
    #expect(episodes[0].metadata["members"]?["meta"]?["p"]?.array?.count == 2)
    #expect(episodes[0].tracks[0].times == [0.5, 0.75])
    #expect(episodes[1].tracks[0].numbers["values"] == [3.0000000000000004, .infinity, -1e308])
    #expect(episodes[1].tracks[0].times == [1, 2, 4])
    #expect(episodes[1].tracks[0].clock == .float64)
    #expect(episodes[2].tracks[0].timeUnit == "step")
    var options = SeriesOptions()
    options.segment = 2
    options.time = .none
    let pieces = try Converted([path], options).episodes
    #expect(pieces.map(\.id) == ["A/0", "B é/0", "B é/1", "C/0"])
    #expect(pieces[2].tracks[0].numbers["time"] == [4])
    #expect(pieces[2].tracks[0].times == [2])
  }
}
