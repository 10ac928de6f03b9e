import Testing
import TrajpackFormat

@testable import TrajpackEvaluate

@Suite("D_stsp piece by piece") struct StateSpaceTests {
  @Test("Pieces of any size give the score of the whole", arguments: 0..<16)
  func pieces(seed: Int) throws {
    var random = Random(seed: seed)
    let columns = 1 + seed % 5
    var truth = random.normals(900 * columns)
    let generated = random.normals(700 * columns).map { 1.2 * $0 + 0.1 }
    if seed % 4 == 3 { truth[17] = .nan }
    let whole = try scores(
      "attractor.d_stsp", ["bins": "9"],
      [("truth", [900, columns], truth), ("generated", [700, columns], generated)])
    var stream = try StateSpaceStream(columns: columns, [(name: "bins", value: "9")])
    func pieces(
      _ values: [Double], _ body: (UnsafeBufferPointer<Double>) throws -> Void
    ) throws {
      var start = 0
      while start < values.count {
        let end = min(start + columns * (1 + random.below(90)), values.count)
        try values[start..<end].withUnsafeBufferPointer(body)
        start = end
      }
    }
    try pieces(truth) { try stream.measure($0) }
    try pieces(truth) { try stream.count(truth: $0) }
    try pieces(generated) { try stream.count(generated: $0) }
    let ours = try stream.score()
    let theirs = try #require(whole["attractor.d_stsp"])
    #expect(ours.count == theirs.count)
    let a = try #require(ours.value)
    let b = try #require(theirs.value)
    #expect(abs(a - b) < 1e-9)
    #expect(a > 0)
  }

  @Test("The grid must be known before anything is counted, and rows must be whole")
  func order() throws {
    let rows: [Double] = [1, 2, 3]
    try rows.withUnsafeBufferPointer { rows in
      var stream = try StateSpaceStream(columns: 3)
      try stream.count(truth: rows)
      #expect(throws: TrajpackError.self) { try stream.measure(rows) }
      #expect(try stream.score().reason == "the truth has fewer than two rows that are numbers")
      var pairs = try StateSpaceStream(columns: 2)
      #expect(throws: TrajpackError.self) { try pairs.measure(rows) }
    }
    #expect(throws: TrajpackError.self) { try StateSpaceStream(columns: 0) }
  }
}
