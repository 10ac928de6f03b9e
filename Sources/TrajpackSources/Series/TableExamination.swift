import TrajpackFormat
import TrajpackStore

/// What a first pass over the rows of a table has shown.
struct TableExamination: Sendable {
  /// The most different texts of a categorical channel.
  static let maximumTexts = 1024

  /// What the cells of a column have shown.
  struct Column: Sendable {
    /// The numbers.
    var facts = ColumnProfile()
    /// The different texts, `nan` and `""` among them, for the case that the column is one of text.
    var texts = DistinctTexts(atMost: TableExamination.maximumTexts)
    /// Whether a cell was empty and not quoted.
    var hasEmpty = false
    /// The first text that is no number, and the byte where its row begins.
    var firstText: (offset: Int, text: String)?
    /// How often words other than `nan` stood for a missing value.
    var words: [String: Int] = [:]
    /// Numbers whose nearest double is infinite or zero.
    var outOfRange = OutOfRange()
    /// Bytes of all cells.
    var bytes = 0
  }

  /// Numbers whose nearest double is infinite or zero.
  struct OutOfRange: Sendable {
    var count = 0
    /// The first one.
    var first: String?

    mutating func merge(_ other: OutOfRange) {
      count += other.count
      first = first ?? other.first
    }

    /// As a stream's attributes have them; `nil` where there is none.
    var json: JSONValue? {
      first.map { .record(["count": .int(Int64(count)), "first": .string($0)]) }
    }
  }

  /// Rows.
  var rows = 0
  /// Rows without a time or a value, which are passed over.
  var emptyRows = 0
  /// The columns of the table; those of times and episodes have no facts.
  var columns: [Column]
  /// The times.
  var time = TimeProfile()

  /// Reads the rows of a part once.
  ///
  /// - Throws: A data error naming the line and column of a cell that cannot be kept.
  init(
    _ file: TextFile, _ part: TablePart, _ form: TableForm, _ options: SeriesOptions
  ) throws(TrajpackError) {
    let names = form.channelNames
    columns = Array(repeating: Column(), count: form.count)
    let keepsText = names.map { [.text, .categorical, .label].contains(options.kinds[$0]) }
    let plain = (0..<form.count).filter(form.isValue)
    let reader = form.numbers
    // Kept apart from the texts while they grow, because they are plain values.
    var facts = [ColumnProfile](repeating: ColumnProfile(), count: form.count)
    var bytes = [Int](repeating: 0, count: form.count)
    // A row of units has no number.
    var firstHasNumber = false
    let row = TableReader(file, form, range: part.range)
    while try row.next() {
      for i in plain {
        let cell = row[i]
        let number = reader.number(cell.bytes)
        facts[i].add(number)
        if rows == 0, number.form != .text, number.form != .missing { firstHasNumber = true }
        if number.isOutOfRange {
          columns[i].outOfRange.merge(OutOfRange(count: 1, first: String(cell.text.prefix(40))))
        }
        bytes[i] += cell.bytes.count
        if number.form == .text || number.form == .missing || keepsText[i] {
          guard columns[i].note(cell, number.form, at: row.offset) else {
            throw row.wrong(
              "column '\(names[i])' is no text: it has a zero byte, a line end without quotes or is not "
                + "UTF-8")
          }
        }
      }
      if form.time != nil { try add(timeOf: row, part) }
      rows += 1
    }
    emptyRows = row.emptyRows
    for i in plain { (columns[i].facts, columns[i].bytes) = (facts[i], bytes[i]) }
    for i in plain where columns[i].facts.hasText && columns[i].facts.hasNumbers {
      guard !keepsText[i], let text = columns[i].firstText else { continue }
      throw Self.textAmongNumbers(
        text, of: columns[i].texts.texts, names[i], form, file,
        units: firstHasNumber ? nil : part.range.lowerBound)
    }
  }

  private mutating func add(timeOf row: TableReader, _ part: TablePart) throws(TrajpackError) {
    let isForward: Bool
    if row.form.timeIsDate {
      guard let date = row.date else { throw Self.noDate(row, part) }
      isForward = time.add(date)
    } else {
      let number = row.number(row.form.time ?? 0)
      guard number.value.isFinite else { throw Self.noTime(row, part) }
      isForward = time.add(number)
    }
    guard isForward else { throw Self.goesBack(row, part) }
  }
}

extension TableExamination.Column {
  /// Keeps the text of a cell that is no number; `false` where it is no text either.
  fileprivate mutating func note(
    _ cell: CSVScanner.Field, _ form: DecimalLiteral.Form, at offset: Int
  ) -> Bool {
    if cell.bytes.isEmpty, !cell.isQuoted {
      hasEmpty = true
      return true
    }
    guard cell.isUTF8, !cell.bytes.contains(0),
      cell.isQuoted || !cell.bytes.contains(UInt8(ascii: "\r"))
    else { return false }
    if form == .missing, DecimalLiteral(cell.bytes).form == .text {
      words[cell.text, default: 0] += 1
    }
    if form == .text, firstText == nil { firstText = (offset, cell.text) }
    if !texts.areTooMany { texts.add(cell.text) }
    return true
  }
}
