import TrajpackFormat
import TrajpackStore

/// The first records of a table, as text.
struct TableSample {
  /// What a cell looks like.
  enum Look { case empty, number, date, text }

  /// A cell.
  struct Cell {
    var text: String
    var look: Look
    /// Whether it is a number with a point or an exponent.
    var isFraction = false
    /// The number, where it is a whole one.
    var whole: Int64?

    /// Whether it is a date, of ISO 8601 or another form.
    var isDateOfSomeForm: Bool {
      look == .date || DatePattern.guess([text.trimmingBlanks], areDigits: false) != .none
    }
  }

  /// The records, the first of them perhaps a header.
  private(set) var rows: [[Cell]] = []
  /// Where each begins.
  private(set) var offsets: [Int] = []

  /// Reads up to `count` records from byte `start` on.
  init(
    _ file: TextFile, from start: Int, _ dialect: TableDialect, _ numbers: CellReader,
    atMost count: Int = 20
  ) throws(TrajpackError) {
    let scanner = CSVScanner(file, dialect, range: start..<file.length)
    var cells = 0
    while rows.count < count, rows.count < 3 || cells < 20_000, try next(scanner) {
      var row: [Cell] = []
      for i in 0..<scanner.count {
        let bytes = scanner[i].bytes
        guard scanner[i].isUTF8, !bytes.contains(0) else {
          throw file.wrong(
            at: scanner.recordOffset,
            "cell \(i + 1) is no text: it has a zero byte or is not UTF-8; save the file as UTF-8")
        }
        row.append(Self.cell(scanner[i].text, numbers))
      }
      cells += row.count
      rows.append(row)
      offsets.append(scanner.recordOffset)
    }
  }

  /// Goes on; a fault behind the first records is told when the rows are read.
  private func next(_ scanner: CSVScanner) throws(TrajpackError) -> Bool {
    if rows.count < 2 { return try scanner.next() }
    return (try? scanner.next()) ?? false
  }

  static func cell(_ text: String, _ numbers: CellReader) -> Cell {
    var copy = text
    let (number, isDate) = copy.withUTF8 { bytes in
      let number = numbers.number(bytes)
      return (number, number.form == .text && DateText(bytes) != nil)
    }
    switch number.form {
    case .missing: return Cell(text: text, look: .empty)
    case .text: return Cell(text: text, look: isDate ? .date : .text)
    case .integer: return Cell(text: text, look: .number, whole: number.mantissa)
    default: return Cell(text: text, look: .number, isFraction: true)
    }
  }

  /// The cells of a column below the first `top` records.
  func column(_ i: Int, from top: Int) -> [Cell] {
    rows.dropFirst(top).compactMap { $0.indices.contains(i) ? $0[i] : nil }
  }

  /// Whether the cells of a column below the first `top` records are dates of any one form; empty ones say nothing.
  func holdsDates(_ i: Int, from top: Int) -> Bool {
    let texts = column(i, from: top).filter { $0.look != .empty }.map(\.text.trimmingBlanks)
    return !texts.isEmpty && DatePattern.guess(texts, areDigits: false) != .none
  }

  /// The count of cells that most records have.
  var usualCount: Int {
    var counts: [Int: Int] = [:]
    for row in rows { counts[row.count, default: 0] += 1 }
    return counts.max { ($0.value, $0.key) < ($1.value, $1.key) }?.key ?? 0
  }
}
