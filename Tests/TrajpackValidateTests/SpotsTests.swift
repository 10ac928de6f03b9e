import Testing
import TrajpackTestSupport

@testable import TrajpackValidate

@Suite struct SpotsTests {
  /// Rows of columns of runs, one column after the other, as rules add them.
  @Test func countRowsOnceAsASetDoes() {
    var random = SeededGenerator(seed: 5)
    for round in 0..<40 {
      let (run, columns) = ([64, 1000, 16_384][round % 3], 1 + round % 4)
      let share = [0.002, 0.2, 1][round / 4 % 3]
      var spots = Spots()
      var rows: Set<Int> = []
      var values = 0
      var first = 0
      for _ in 0..<4 {
        for _ in 0..<columns {
          for row in first..<first + run where Double.random(in: 0..<1, using: &random) < share {
            spots.add(row, Double(row))
            rows.insert(row)
            values += 1
          }
        }
        // A rule of tracks that pause may add nothing for a long while.
        first += run + (round % 5 == 0 ? 100_000 : 0)
      }
      #expect(spots.count == rows.count && spots.values == values)
      var stretches: [Range<Int>] = []
      for row in rows.sorted() {
        if let last = stretches.last, last.upperBound == row {
          stretches[stretches.count - 1] = last.lowerBound..<row + 1
        } else {
          stretches.append(row..<row + 1)
        }
      }
      // Columns that come later may join places, whose third is then none of the first.
      if columns == 1 { #expect(spots.places.map(\.rows) == Array(stretches.prefix(3))) }
      #expect(spots.places.first?.rows.lowerBound == stretches.first?.lowerBound)
      for place in spots.places {
        #expect(place.rows.allSatisfy(rows.contains))
        #expect(place.values == place.rows.prefix(place.values.count).map(Double.init))
      }
    }
  }
}
