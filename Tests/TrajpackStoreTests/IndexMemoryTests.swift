import Testing
import TrajpackStore
import TrajpackTestSupport

@testable import TrajpackFormat

/// Tables of large indexes, which lie in a file without a name.
@Suite struct IndexMemoryTests {
  /// Rows of two columns, steps of one and any numbers, so that both ways of packing are taken.
  private static func rows(_ count: Int, _ random: inout SeededGenerator) -> [[Int]] {
    (0..<count).map { [$0 * 3, Int.random(in: -(1 << 40)...1 << 40, using: &random)] }
  }

  /// In a file, and beyond the room that was taken there, a table is what it is in memory.
  @Test(arguments: [0, 4096, 1 << 14, 1 << 20])
  func onADiskItIsTheSame(room: Int) throws {
    var random = SeededGenerator(seed: 23)
    let rows = Self.rows(5000, &random)
    // As much as a process keeps nowhere else.
    let memory = IndexMemory(indexBytes: IndexMemory.mostKept + 1, room: max(room, 4096))
    #expect(memory.isOnDisk)
    var builder = PackedTable.Builder(
      columns: 2, rows: room == 0 ? 0 : rows.count, memory: memory)
    for row in rows { builder.append(row[0], row[1]) }
    let table = builder.table()
    let flat = rows.flatMap { $0.map { Int64($0) } }
    let packer = try PackedTable.Packer(
      bytes: flat.count * 8, columns: 2, name: "tracks", memory: memory)
    flat.withUnsafeBytes { packer.pack($0, at: 0) }
    memory.settle()
    #expect(memory.take(16) == nil)
    for (number, row) in rows.enumerated() {
      #expect([table[number, 0], table[number, 1]] == row)
      #expect([packer.table[number, 0], packer.table[number, 1]] == row)
    }
  }

  @Test func roomIsEnough() {
    var random = SeededGenerator(seed: 24)
    for count in [1, 511, 512, 513, 5000] {
      let rows = Self.rows(count, &random)
      let room = PackedTable.room(rows: count, columns: 2)
      let memory = IndexMemory(indexBytes: IndexMemory.mostKept + 1, room: room)
      var builder = PackedTable.Builder(columns: 2, rows: count, memory: memory)
      for row in rows { builder.append(row[0], row[1]) }
      let table = builder.table()
      #expect(!table.hasOwnMemory)
    }
  }
}
