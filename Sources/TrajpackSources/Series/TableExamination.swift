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
    /// The different texts in the order of their first rows, `nan` and `""` among them, for the
    /// case that the column is one of text.
    var texts: [String] = []
    /// Whether there were more texts than a categorical channel takes.
    var hasManyTexts = false
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
    var seen = [Set<String>](repeating: [], count: form.count)
    let keepsText = names.map { [.text, .categorical, .label].contains(options.kinds[$0]) }
    let plain = (0..<form.count).filter(form.isValue)
    let reader = form.numbers
    // Kept apart from the texts while they grow, because they are plain values.
    var facts = [ColumnProfile](repeating: ColumnProfile(), count: form.count)
    var bytes = [Int](repeating: 0, count: form.count)
    // A row of units has no number.
    var firstHasNumber = false
    let scanner = CSVScanner(file, form.dialect, range: part.range)
    while try scanner.next() {
      try form.check(scanner, file)
      if form.isEmptyRow(scanner) {
        emptyRows += 1
        continue
      }
      for i in plain {
        let cell = scanner[i]
        let number = reader.number(cell.bytes)
        facts[i].add(number)
        if rows == 0, number.form != .text, number.form != .missing { firstHasNumber = true }
        if number.isOutOfRange {
          columns[i].outOfRange.merge(OutOfRange(count: 1, first: String(cell.text.prefix(40))))
        }
        bytes[i] += cell.bytes.count
        if number.form == .text || number.form == .missing || keepsText[i] {
          guard columns[i].note(cell, number.form, at: scanner.recordOffset, &seen[i]) else {
            throw try TableForm.wrong(
              file, scanner.recordOffset,
              "column '\(names[i])' is no text: it has a zero byte, a line end without quotes or is not "
                + "UTF-8")
          }
        }
      }
      if form.time != nil { try add(timeOf: scanner, form, part, file) }
      rows += 1
    }
    for i in plain { (columns[i].facts, columns[i].bytes) = (facts[i], bytes[i]) }
    for i in plain where columns[i].facts.hasText && columns[i].facts.hasNumbers {
      guard !keepsText[i], let text = columns[i].firstText else { continue }
      throw try Self.textAmongNumbers(
        text, of: columns[i].texts, names[i], form, file,
        units: firstHasNumber ? nil : part.range.lowerBound)
    }
  }

  private mutating func add(
    timeOf row: CSVScanner, _ form: TableForm, _ part: TablePart, _ file: TextFile
  ) throws(TrajpackError) {
    let isForward: Bool
    if form.timeIsDate {
      guard let date = form.date(row) else { throw try Self.noDate(row, form, part, file) }
      isForward = time.add(date)
    } else {
      let number = form.numbers.number(row[form.time ?? 0].bytes)
      guard number.value.isFinite else { throw try Self.noTime(row, form, part, file) }
      isForward = time.add(number)
    }
    guard isForward else {
      throw try Self.goesBack(row, form, part, file)
    }
  }
}

extension TableExamination.Column {
  /// Keeps the text of a cell that is no number; `false` where it is no text either.
  fileprivate mutating func note(
    _ cell: CSVScanner.Field, _ form: DecimalLiteral.Form, at offset: Int, _ seen: inout Set<String>
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
    guard !hasManyTexts else { return true }
    let text = cell.text
    if seen.insert(text).inserted { texts.append(text) }
    hasManyTexts = texts.count > TableExamination.maximumTexts
    return true
  }
}
