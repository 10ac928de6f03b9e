import Testing
import TrajpackTestSupport

@testable import TrajpackFormat

/// An index is checked in pieces where it is large. Whatever the pieces, the outcome is the same.
@Suite struct IndexPieceTests {
  /// Tables of a random index of two streams, of which the second has entities, and its text.
  struct Tables {
    var episodes: [[Int]] = []
    var tracks: [[Int]] = []
    let entities = [[0, 0, 5], [0, 1, -1], [1, 0, 2]]
    let clocks = [[0, 0, 1, 30, 1], [0, 1, 4, 60, 2], [0, 0, 1, 10, 1]]
    var text = 0
    var rows = [0, 0]

    /// Of at most so many episodes.
    init(_ random: inout SeededGenerator, most: Int = 40) {
      for _ in 0..<Int.random(in: 1...most, using: &random) {
        let id = Int.random(in: 1...9, using: &random)
        let count = Int.random(in: 0...4, using: &random)
        episodes.append(
          [text, id, 0, 0, Int.random(in: -1...1, using: &random), tracks.count, count])
        text += id
        for _ in 0..<count {
          let stream = Int.random(in: 0...1, using: &random)
          let length = Int.random(in: 0...20, using: &random)
          let entity = stream == 0 ? -1 : Int.random(in: 0...2, using: &random)
          let clock = stream == 0 ? Int.random(in: 0...1, using: &random) : 2
          tracks.append(
            [episodes.count - 1, stream, entity, clock, rows[stream], length, 0, 0, 0, 0])
          rows[stream] += length
        }
      }
    }

    func index(pieces: Int) throws -> ShardIndex {
      let streams = rows.enumerated().map { stream, rows in
        """
        {"name": "s\(stream)", "time_unit": "s", "channels": [{"name": "x", "kind": "scalar",
        "type": "float32", "shape": [], "block": \(stream), "column": 0}]}
        """
      }
      var first = 0
      var chunks: [[Int]] = []
      let blocks = rows.enumerated().map { stream, rows in
        let own = (rows + 15) / 16
        defer { first += own }
        for _ in 0..<own { chunks.append([4096 + chunks.count * 64, 64, 64, 0, 0]) }
        return """
          {"path": "/streams/s\(stream)/float32", "stream": \(stream), "type": "float32",
          "shape": [1], "chunk_rows": 16, "codec": "none", "shuffle": 0, "rows": \(rows),
          "first_chunk": \(first)}
          """
      }
      let schema = """
        {"streams": [\(streams.joined(separator: ","))], "blocks": [\(blocks.joined(separator: ","))],
        "skeletons": [], "entity_kinds": ["npc", "beast"], "splits": ["train", "test"],
        "attributes": {}}
        """
      var tables: [ShardHeader.SectionID: PackedTable] = [:]
      for (id, rows) in [
        (ShardHeader.SectionID.episodes, episodes), (.tracks, tracks), (.entities, entities),
        (.clocks, clocks), (.chunks, chunks),
      ] {
        tables[id] = try PackedTable(rows, columns: ShardIndex.Columns.of(id) ?? 0)
      }
      return try ShardIndex(
        ShardIndex.Parts(
          schema: JSONValue(parsing: schema), text: OwnedBuffer(count: text), textCount: text,
          tables: tables), fileLength: 1 << 24, pieces: pieces)
    }

    /// What is said of it: the tallies, or what is damaged.
    func outcome(pieces: Int) -> String {
      do {
        let index = try index(pieces: pieces)
        return index.streamTallies.map {
          "\($0.tracks) \($0.longest) \($0.entities) \($0.rates.map(\.description).sorted())"
        }.joined(separator: "; ") + " \(index.splitTallies.map { [$0.count, $0.first] })"
      } catch { return "\(error)" }
    }

    /// Puts a number in a random place of the tables that are checked in pieces.
    mutating func spoil(_ random: inout SeededGenerator) {
      let change = [-1, 1, 3, Int.max, Int.min, -(1 << 40)].randomElement(using: &random) ?? 1
      if Bool.random(using: &random) || tracks.isEmpty {
        let row = Int.random(in: 0..<episodes.count, using: &random)
        let column = Int.random(in: 0..<7, using: &random)
        episodes[row][column] = episodes[row][column] &+ change
      } else {
        let row = Int.random(in: 0..<tracks.count, using: &random)
        let column = Int.random(in: 0..<10, using: &random)
        tracks[row][column] = tracks[row][column] &+ change
      }
    }
  }

  @Test func piecesFindWhatTheWholeFinds() throws {
    var random = SeededGenerator(seed: 11)
    var damaged = 0
    for round in 0..<400 {
      // A few of them take several blocks of packed rows.
      var tables = Tables(&random, most: round % 150 == 0 ? 800 : 40)
      let whole = tables.outcome(pieces: 1)
      #expect(!whole.contains("damaged"), "\(whole)")
      for pieces in [2, 3, 7, 100] { #expect(tables.outcome(pieces: pieces) == whole) }
      tables.spoil(&random)
      let spoilt = tables.outcome(pieces: 1)
      if spoilt.contains("damaged") { damaged += 1 }
      for pieces in [2, 3, 7, 100] { #expect(tables.outcome(pieces: pieces) == spoilt) }
    }
    #expect(damaged > 200)
  }

  @Test func talliesAreThoseOfTheTables() throws {
    var random = SeededGenerator(seed: 12)
    for _ in 0..<100 {
      let tables = Tables(&random)
      let index = try tables.index(pieces: 4)
      for stream in 0...1 {
        let own = tables.tracks.filter { $0[1] == stream }
        let tally = index.streamTallies[stream]
        #expect(tally.tracks == own.count)
        #expect(tally.longest == own.map { $0[5] }.max() ?? 0)
        #expect(!tally.hasExplicitTimes)
        // Clocks 0 and 1 are of one rate, once it is in lowest terms.
        #expect(tally.rates.map(\.numerator) == (own.isEmpty ? [] : [stream == 0 ? 30 : 10]))
        let who = Dictionary(grouping: own.filter { $0[2] >= 0 && $0[5] > 0 }) { $0[0] }
        #expect(tally.entities == who.values.map { Set($0.map { $0[2] }).count }.max() ?? 0)
      }
      for split in -1...1 {
        let own = tables.episodes.indices.filter { tables.episodes[$0][4] == split }
        #expect(index.splitTallies[split + 1].count == own.count)
        #expect(index.splitTallies[split + 1].first == own.first ?? Int.max)
      }
    }
  }
}
