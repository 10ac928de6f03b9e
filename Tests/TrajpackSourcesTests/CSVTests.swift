import Glibc
import Testing
import TrajpackFormat
import TrajpackStore
import TrajpackTestSupport

@testable import TrajpackSources

@Suite struct CSVTests {
  private struct Table {
    var rows: [[String]]
    var text: [UInt8]
    /// The line on which each row begins.
    var lines: [Int]
  }

  /// A random table, written with random quoting, line ends, empty lines and byte order mark.
  private static func table(_ random: inout SeededGenerator, delimiter: String) -> Table {
    let pieces = [
      "a", "é", "\u{1F40E}", "\"", "\"\"", ",", "\t", ";", "\n", "\r\n", "\r", " ", "1.5",
      "(1.0, 2.0)", "",
      String(repeating: "x", count: 30),
    ]
    var table = Table(rows: [], text: [], lines: [])
    if Bool.random(using: &random) { table.text = [0xEF, 0xBB, 0xBF] }
    let end = ["\n", "\r\n"].randomElement(using: &random) ?? "\n"
    let width = Int.random(in: 1...5, using: &random)
    for _ in 0..<Int.random(in: 1...30, using: &random) {
      while Int.random(in: 0..<8, using: &random) == 0 { table.text += Array(end.utf8) }
      var row = (0..<width).map { _ in
        (0..<Int.random(in: 0...3, using: &random)).map { _ in
          pieces.randomElement(using: &random) ?? ""
        }
        .joined()
      }
      if row == [""] { row = ["."] }
      table.lines.append(1 + table.text.count { $0 == UInt8(ascii: "\n") })
      let cells = row.map { cell -> String in
        let mustQuote =
          cell.utf8.contains { "\"\n\r".utf8.contains($0) } || cell.contains(delimiter)
        guard mustQuote || Int.random(in: 0..<4, using: &random) == 0 else { return cell }
        return "\"\(cell.replacing("\"", with: "\"\""))\""
      }
      table.text += Array(cells.joined(separator: delimiter).utf8)
      table.text += Array(end.utf8)
      table.rows.append(row)
    }
    if Bool.random(using: &random) { table.text.removeLast(end.utf8.count) }
    return table
  }

  private static func scan(_ path: String, delimiter: String, capacity: Int) throws -> (
    rows: [[String]], lines: [Int]
  ) {
    let scanner = CSVScanner(
      TextFile(try LocalFile(path)), TableDialect(Array(delimiter.utf8)[0]), capacity: capacity)
    var rows: [[String]] = []
    var lines: [Int] = []
    while try scanner.next() {
      rows.append((0..<scanner.count).map { scanner[$0].text })
      lines.append(scanner.line)
      #expect(scanner.record == rows.count - 1)
    }
    #expect(try !scanner.next())
    return (rows, lines)
  }

  /// Tables whose cells are separated by runs of blanks, whose lines end in any way, with lines of comments.
  @Test(arguments: 1...40) func dialectsComeBackWhateverTheBuffer(seed: Int) throws {
    var random = SeededGenerator(seed: UInt64(seed))
    let pick = { (words: [String]) in words.randomElement(using: &random) ?? "" }
    var dialect = TableDialect(UInt8(ascii: ";"))
    dialect.separatesByBlanks = Bool.random(using: &random)
    dialect.skipsBlanks = !dialect.separatesByBlanks
    dialect.endsAtReturn = Bool.random(using: &random)
    dialect.comment = UInt8(ascii: "#")
    dialect.cutsComments = Bool.random(using: &random)
    if dialect.separatesByBlanks { dialect.delimiter = 0x20 }
    let ends = dialect.endsAtReturn ? ["\r", "\n", "\r\n"] : ["\n", "\r\n", "\r\r\n"]
    let blanks = ["", " ", "  ", "   "]
    let width = Int.random(in: 2...4, using: &random)
    var text = ""
    var rows: [[String]] = []
    for _ in 0..<Int.random(in: 1...20, using: &random) {
      if pick(["", "#"]) == "#" { text += "# 1 \"2;" + pick(ends) }
      let row = (0..<width).map { _ in pick(["1.5", "-2e3", "é", "a b", "x\"y\n", "0"]) }
      let cells = row.map { cell in
        cell.contains { " \"\n".contains($0) } ? "\"\(cell.replacing("\"", with: "\"\""))\"" : cell
      }
      let gap = { dialect.separatesByBlanks ? " " + pick(blanks) : ";" + pick(blanks) }
      text += (dialect.separatesByBlanks ? pick(blanks) : "") + cells[0]
      for cell in cells.dropFirst() { text += gap() + cell }
      if dialect.separatesByBlanks { text += pick(blanks) }
      if dialect.cutsComments, pick(["", "#"]) == "#" { text += "# the rest; \"" }
      text += pick(ends)
      rows.append(row)
    }
    let scratch = Scratch()
    let path = try scratch.write("t.csv", text)
    for capacity in [4, 5, 7, 8, 13, 31, 1 << 20] {
      let scanner = CSVScanner(TextFile(try LocalFile(path)), dialect, capacity: capacity)
      var found: [[String]] = []
      while try scanner.next() { found.append((0..<scanner.count).map { scanner[$0].text }) }
      #expect(found == rows, "capacity \(capacity)")
    }
  }

  @Test(arguments: 1...60) func tablesComeBackWhateverTheBuffer(seed: Int) throws {
    var random = SeededGenerator(seed: UInt64(seed))
    let delimiter = [",", "\t", ";"].randomElement(using: &random) ?? ","
    let table = Self.table(&random, delimiter: delimiter)
    let scratch = Scratch()
    let path = try scratch.write("t.csv", table.text)
    for capacity in [4, 5, 6, 7, 8, 9, 13, 16, 31, 64, 1 << 20] {
      let found = try Self.scan(path, delimiter: delimiter, capacity: capacity)
      #expect(found.rows == table.rows, "capacity \(capacity)")
      #expect(found.lines == table.lines, "capacity \(capacity)")
    }
  }

  /// The rows that Python's `csv` module reads, empty lines left out.
  @Test(.enabled(if: python != nil), arguments: 61...75) func pythonReadsTheSame(seed: Int) throws {
    var random = SeededGenerator(seed: UInt64(seed))
    let table = Self.table(&random, delimiter: ",")
    let scratch = Scratch()
    let path = try scratch.write("t.csv", table.text)
    let script =
      "import csv, json, sys; print(json.dumps([r for r in csv.reader("
      + "open(sys.argv[1], newline='', encoding='utf-8-sig'), strict=True) if r]))"
    let said = try Self.output(
      [try #require(Self.python), "-c", "\"\(script)\"", path].joined(separator: " "))
    let rows = try JSONValue(parsing: said).array?.map { $0.array?.compactMap(\.string) ?? [] }
    #expect(rows == table.rows)
  }

  private static let python: String? =
    ["/usr/bin/python3", "/usr/local/bin/python3"].first { access($0, X_OK) == 0 }

  private static func output(_ line: String) throws -> [UInt8] {
    let pipe = try #require(popen(line, "r"))
    defer { pclose(pipe) }
    var out: [UInt8] = []
    while case let byte = fgetc(pipe), byte != EOF { out.append(UInt8(truncatingIfNeeded: byte)) }
    return out
  }

  @Test(arguments: 101...140) func spoiltTextIsAnErrorOrATable(seed: Int) throws {
    var random = SeededGenerator(seed: UInt64(seed))
    let scratch = Scratch()
    var bytes = Self.table(&random, delimiter: ",").text
    for _ in 0..<Int.random(in: 1...6, using: &random) {
      guard !bytes.isEmpty else { break }
      let at = Int.random(in: bytes.indices, using: &random)
      switch Int.random(in: 0..<3, using: &random) {
      case 0: bytes[at] = [0x22, 0x2C, 0x0A, 0x0D, 0, 0xFF].randomElement(using: &random) ?? 0
      case 1: bytes.remove(at: at)
      default: bytes.removeSubrange(at...)
      }
    }
    let path = try scratch.write("t.csv", bytes)
    var outcomes: [String] = []
    for capacity in [4, 16, 1 << 20] {
      do {
        outcomes.append("\(try Self.scan(path, delimiter: ",", capacity: capacity))")
      } catch let error as TrajpackError { outcomes.append(error.message) }
    }
    // Where the buffer ends changes neither the rows nor the error.
    #expect(Set(outcomes).count == 1, "\(outcomes)")
  }

  @Test func aQuoteThatNeverEndsNamesItsLine() throws {
    let scratch = Scratch()
    let path = try scratch.write("t.csv", "a,b\n1,2\n3,\"4\n5,6\n7,8\n")
    let message = try #require(failure { _ = try Self.scan(path, delimiter: ",", capacity: 8) })
      .message
    #expect(message.hasPrefix("line 3 (byte 8): "))
  }
}
