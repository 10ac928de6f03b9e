import Testing
import TrajpackFormat
import TrajpackTestSupport

@testable import TrajpackReports

@Suite struct NumbersTests {
  static func array(_ shape: [Int], _ random: inout SeededGenerator) -> Numbers {
    Numbers(
      shape: shape,
      (0..<shape.reduce(1, *)).map { _ in Double.random(in: -1...1, using: &random) })
  }

  @Test(arguments: 0..<30)
  func joiningAndCuttingAgree(seed: UInt64) {
    var random = SeededGenerator(seed: seed)
    let tail = (0..<Int.random(in: 0...2, using: &random)).map { _ in
      Int.random(in: 1...3, using: &random)
    }
    let parts = (0..<4).map { _ in
      Self.array([Int.random(in: 0...5, using: &random)] + tail, &random)
    }
    let joined = Numbers.joined(parts)
    #expect(joined.shape == [parts.reduce(0) { $0 + $1.rows }] + tail)
    var first = 0
    for part in parts {
      let own = joined.rows(first..<first + part.rows)
      #expect(own.shape == part.shape && Array(own.values) == Array(part.values))
      first += part.rows
    }
    let stacked = Numbers.stacked(parts)
    for (n, part) in parts.enumerated() {
      let row = stacked.rows(n..<n + 1).reshaped(Array(stacked.shape.dropFirst()))
      #expect(Array(row.rows(0..<part.rows).values) == Array(part.values))
      let rest = row.rows(part.rows..<row.rows)
      #expect(rest.values.allSatisfy { $0.isNaN })
    }
  }

  @Test func joiningFillsASecondAxisThatDiffers() {
    let joined = Numbers.joined(
      [Numbers(shape: [1, 2, 2], [1, 2, 3, 4]), Numbers(shape: [1, 1, 2], [5, 6])], filledWith: 0)
    #expect(joined.shape == [2, 2, 2] && Array(joined.values) == [1, 2, 3, 4, 5, 6, 0, 0])
  }

  @Test func nestedListsAreArrays() throws {
    let numbers = try Numbers(json: [[1, 2.5], [.null, true]], at: "here")
    #expect(numbers.shape == [2, 2] && numbers.values[1] == 2.5 && numbers.values[2].isNaN)
    #expect(numbers.values[3] == 1)
    #expect(try Numbers(json: [], at: "here").shape == [0])
    #expect(try Numbers(json: 3, at: "here").shape == [])
    for wrong: JSONValue in [[[1], [1, 2]], [[1], 2], ["x"], [[[1]], [[1], [2]]], .object([])] {
      #expect(throws: TrajpackError.self) { try Numbers(json: wrong, at: "here") }
    }
  }
}
