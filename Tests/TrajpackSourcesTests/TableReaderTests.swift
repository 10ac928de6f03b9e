import Testing
import TrajpackFormat
import TrajpackStore
import TrajpackTestSupport

@testable import TrajpackSources

@Suite struct TableReaderTests {
  /// A table of numbers and texts with empty lines, and where each row begins.
  private struct Table {
    var rows: [[String]] = []
    var lines: [Int] = []
    var bytes: [Int] = []
    var text = ""

    init(_ random: inout SeededGenerator, columns: Int, header: Bool) {
      if header { text = (0..<columns).map { "c\($0)" }.joined(separator: ",") + "\n" }
      for _ in 0..<Int.random(in: 3...30, using: &random) {
        while columns > 1, Int.random(in: 0..<6, using: &random) == 0 { text += "\r\n" }
        let row = (0..<columns).map { i in
          i == 0
            ? "\(Int.random(in: -999...999, using: &random))"
            : ["é", "a,b", "\"", "x\ny", "7.5", "nan"].randomElement(using: &random) ?? ""
        }
        lines.append(1 + text.utf8.count { $0 == UInt8(ascii: "\n") })
        bytes.append(text.utf8.count)
        rows.append(row)
        text += row.map(Self.cell).joined(separator: ",") + "\n"
      }
    }

    static func cell(_ text: String) -> String {
      text.contains { ",\"\n".contains($0) }
        ? "\"\(text.replacing("\"", with: "\"\""))\"" : text
    }
  }

  private static func read(_ reader: TableReader) throws -> [[String]] {
    var rows: [[String]] = []
    while try reader.next() {
      rows.append(try (0..<reader.names.count).map { try reader.text($0) })
    }
    return rows
  }

  @Test(arguments: 1...30) func rowsComeBackHoweverTheTableIsOpened(seed: Int) throws {
    var random = SeededGenerator(seed: UInt64(seed))
    let scratch = Scratch()
    let columns = Int.random(in: 2...5, using: &random)
    let table = Table(&random, columns: columns, header: true)
    let path = try scratch.write("t.csv", table.text)
    let csv = try TableReader(csv: LocalFile(path))
    #expect(csv.names == (0..<columns).map { "c\($0)" })
    #expect(try Self.read(csv) == table.rows)
    #expect(try Self.read(TableReader(lookingAt: path)) == table.rows)
    // The rows of a range alone.
    let cut = Int.random(in: 0..<table.rows.count, using: &random)
    let part = TableReader(csv.file, csv.form, range: table.bytes[cut]..<csv.file.length)
    #expect(try Self.read(part) == Array(table.rows[cut...]))
  }

  @Test(arguments: 1...30) func aRowOfOtherCellsIsNamedByItsLineAndByte(seed: Int) throws {
    var random = SeededGenerator(seed: UInt64(seed))
    let scratch = Scratch()
    var table = Table(&random, columns: Int.random(in: 2...5, using: &random), header: true)
    let count = table.rows[0].count
    // Behind the rows by which the table is looked at.
    let spoilt = table.rows.count
    table.lines.append(1 + table.text.utf8.count { $0 == UInt8(ascii: "\n") })
    table.bytes.append(table.text.utf8.count)
    let cells = Bool.random(using: &random) ? count + 1 : count - 1
    table.text += (0..<cells).map { _ in "1" }.joined(separator: ",") + "\n"
    let path = try scratch.write("t.csv", table.text)
    for reader in [try TableReader(csv: LocalFile(path)), try TableReader(lookingAt: path)] {
      var rows = 0
      let error = try #require(failure { while try reader.next() { rows += 1 } })
      #expect(rows == spoilt)
      #expect(
        error.message
          == "line \(table.lines[spoilt]): has \(counted(cells, "cell")) where \(count) are expected; "
          + "the file was cut or a cell is missing")
      #expect(error.place == ErrorPlace(line: table.lines[spoilt], byte: table.bytes[spoilt]))
    }
  }

  @Test func textThatIsNoUTF8IsNamedByItsColumn() throws {
    let scratch = Scratch()
    let path = try scratch.write("t.csv", Array("a,b\n1,x\n2,".utf8) + [0xFF, 0x0A])
    let reader = try TableReader(csv: LocalFile(path))
    #expect(try reader.next() && reader.text(1) == "x")
    #expect(try reader.next() && reader.text(0) == "2")
    let error = try #require(failure { _ = try reader.text(1) })
    #expect(error.message == "line 3: column 'b' is no UTF-8 text")
    #expect(error.place.channel == "b" && error.place.line == 3)
    let header = try scratch.write("h.csv", [0xFF, 0x2C, 0x61, 0x0A])
    #expect(
      failure { _ = try TableReader(csv: LocalFile(header)) }?.message
        == "line 1: column 1 of the header is no UTF-8 text")
  }

  @Test func anEmptyLineIsNoRowOfOneColumn() throws {
    let scratch = Scratch()
    let path = try scratch.write("t.csv", "a\n1\n\n3\n\n")
    for reader in [try TableReader(csv: LocalFile(path)), try TableReader(lookingAt: path)] {
      #expect(try reader.next() && reader.number(0).value == 1)
      let error = try #require(failure { _ = try reader.next() })
      #expect(error.message.hasPrefix("line 3: is empty"))
    }
    // At the end it is none either.
    let reader = try TableReader(csv: LocalFile(scratch.write("e.csv", "a\n1\n\n\n")))
    #expect(try Self.read(reader) == [["1"]])
    // Above the header it is none either.
    let below = try TableReader(csv: LocalFile(scratch.write("b.csv", "\n\na\n1\n2\n")))
    #expect(try Self.read(below) == [["1"], ["2"]])
  }

  @Test(arguments: 17...20) func textsAreFewAmongFourTimesAsManyRows(count: Int) {
    var column = DistinctTexts(atMost: 100)
    for number in 0..<count { column.add("w\(number)") }
    #expect(column.areFew(among: 4 * count) && !column.areFew(among: 4 * count - 1))
  }

  @Test func aFileWithoutHeaderIsRefused() throws {
    let scratch = Scratch()
    let path = try scratch.write("t.csv", "\n\n")
    #expect(
      failure { _ = try TableReader(csv: LocalFile(path)) }?.message
        == "the file is empty; it must begin with a header")
  }

  @Test(arguments: 1...20) func textsAreKeptInTheirOrderUntilTheyAreTooMany(seed: Int) {
    var random = SeededGenerator(seed: UInt64(seed))
    let most = Int.random(in: 1...12, using: &random)
    let words = (0..<2).map { _ in
      (0..<Int.random(in: 0...40, using: &random)).map { _ in
        "w\(Int.random(in: 0..<16, using: &random))"
      }
    }
    var columns: [DistinctTexts] = []
    for list in words {
      var column = DistinctTexts(atMost: most)
      for word in list { column.add(word) }
      columns.append(column)
    }
    var merged = columns[0]
    merged.merge(columns[1])
    var order: [String] = []
    for word in words.joined() where !order.contains(word) { order.append(word) }
    #expect(merged.areTooMany == (order.count > most))
    if !merged.areTooMany { #expect(merged.texts == order) }
    #expect(merged.areFew(among: order.count * 4) == (order.count <= most))
  }
}
