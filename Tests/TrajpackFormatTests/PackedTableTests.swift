import Testing
import TrajpackTestSupport

@testable import TrajpackFormat

extension PackedTable {
  /// Packs rows as they come from a file.
  init(_ rows: [[Int]], columns: Int) throws {
    let numbers = rows.joined().map { Int64($0).littleEndian }
    let packer = try Packer(bytes: numbers.count * 8, columns: columns, name: "test")
    numbers.withUnsafeBytes { packer.pack($0, at: 0) }
    self = packer.table
  }
}

/// Packing keeps every number, whatever the numbers are.
@Suite struct PackedTableTests {
  /// Columns of lines, of small and large steps, of noise of every width, and of the extremes.
  static func rows(_ count: Int, columns: Int, _ random: inout SeededGenerator) -> [[Int]] {
    let sorts = (0..<columns).map { _ in Int.random(in: 0...4, using: &random) }
    let bases = sorts.map { _ in Int.random(in: .min ... .max, using: &random) }
    let slopes = sorts.map { _ in Int.random(in: -1000...1000, using: &random) }
    let shifts = sorts.map { _ in Int.random(in: 0...63, using: &random) }
    return (0..<count).map { row in
      (0..<columns).map { c in
        switch sorts[c] {
        case 0: bases[c]
        case 1: bases[c] &+ slopes[c] &* row
        case 2: bases[c] &+ slopes[c] &* row &+ Int.random(in: 0...255, using: &random)
        case 3: Int.random(in: .min ... .max, using: &random) >> shifts[c]
        default: [Int.min, .max, 0, -1].randomElement(using: &random) ?? 0
        }
      }
    }
  }

  @Test func everyNumberComesBack() throws {
    var random = SeededGenerator(seed: 21)
    for round in 0..<300 {
      let columns = Int.random(in: 1...12, using: &random)
      let count = Int.random(in: 0...(round % 10 == 0 ? 2000 : 30), using: &random)
      let rows = Self.rows(count, columns: columns, &random)
      let table = try PackedTable(rows, columns: columns)
      #expect(table.count == count)
      let inOrder = IndexRows(table)
      for (number, row) in rows.enumerated() {
        #expect((0..<columns).map { table[number, $0] } == row)
        #expect((0..<columns).map { inOrder.row(number)[$0] } == row)
      }
      #expect(table[count, 0] == 0 && table[-1, 0] == 0)
      // From any row to any other.
      for _ in 0..<min(count, 20) {
        let number = Int.random(in: 0..<count, using: &random)
        #expect(inOrder.row(number)[columns - 1] == rows[number][columns - 1])
      }
    }
  }

  @Test func rowByRowIsTheSame() {
    var random = SeededGenerator(seed: 22)
    for count in [0, 1, 511, 512, 513, 1024, 5000] {
      let rows = Self.rows(count, columns: 2, &random)
      var builder = PackedTable.Builder(columns: 2)
      for row in rows { builder.append(row[0], row[1]) }
      #expect(builder.count == count)
      let table = builder.table()
      #expect(table.count == count)
      for (number, row) in rows.enumerated() {
        #expect([table[number, 0], table[number, 1]] == row)
      }
    }
  }

  @Test func halfARowIsRefused() {
    #expect(throws: TrajpackError.self) {
      _ = try PackedTable.Packer(bytes: 81, columns: 10, name: "tracks")
    }
  }
}
