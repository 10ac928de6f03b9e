import TrajpackFormat
import TrajpackStore

/// What a first pass over the rows of a table has shown.
struct TableExamination: Sendable {
  /// The most different texts of a categorical channel.
  static let maximumTexts = 1024

  /// What the cells of a column have shown.
  struct Column: Sendable {
    /// The numbers.
    var facts = NumberFacts()
    /// The different texts in the order of their first rows, `nan` and `""` among them, for the
    /// case that the column is one of text.
    var texts: [String] = []
    /// Whether there were more texts than a categorical channel takes.
    var hasManyTexts = false
    /// Whether a cell was empty and not quoted.
    var hasEmpty = false
    /// The first text that is no number, and the byte where its row begins.
    var firstText: (offset: Int, text: String)?
    /// Bytes of all cells.
    var bytes = 0
  }

  /// Rows.
  var rows = 0
  /// The columns of the table; those of times and episodes have no facts.
  var columns: [Column]
  /// The times.
  var time = TimeFacts()

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
    let plain = (0..<form.count).filter { $0 != form.time && $0 != form.episode }
    // Kept apart from the texts while they grow, because they are plain values.
    var facts = [NumberFacts](repeating: NumberFacts(), count: form.count)
    var bytes = [Int](repeating: 0, count: form.count)
    let scanner = CSVScanner(file, delimiter: form.delimiter, range: part.range)
    while try scanner.next() {
      try form.check(scanner, file)
      for i in plain {
        let cell = scanner[i]
        let number = NumberText(cell.bytes)
        facts[i].add(number)
        bytes[i] += cell.bytes.count
        if number.form == .text || number.form == .missing || keepsText[i] {
          guard columns[i].note(cell, number.form, at: scanner.recordOffset, &seen[i]) else {
            throw try TableForm.wrong(
              file, scanner.recordOffset,
              "column '\(names[i])' is no text: it has a zero byte or is not UTF-8")
          }
        }
      }
      if let column = form.time {
        try add(time: scanner[column], form, names[column], file, scanner.recordOffset)
      }
      rows += 1
    }
    for i in plain { (columns[i].facts, columns[i].bytes) = (facts[i], bytes[i]) }
    for i in plain where columns[i].facts.hasText && columns[i].facts.hasNumbers {
      guard !keepsText[i], let text = columns[i].firstText else { continue }
      throw try TableForm.wrong(
        file, text.offset,
        "column '\(names[i])' has '\(TableForm.shown(text.text))', which is no number, among numbers; "
          + "mend it, or say --kind '\(names[i])=text' to keep every cell as it stands")
    }
  }

  private mutating func add(
    time cell: CSVScanner.Field, _ form: TableForm, _ name: String, _ file: TextFile, _ offset: Int
  ) throws(TrajpackError) {
    let isForward: Bool
    if form.timeIsDate {
      guard let date = DateText(cell.bytes) else {
        throw try TableForm.wrong(
          file, offset,
          "the time '\(TableForm.shown(cell.text))' is no date of the form YYYY-MM-DD, with or "
            + "without hh:mm:ss")
      }
      isForward = time.add(date)
    } else {
      let number = NumberText(cell.bytes)
      guard number.value.isFinite else {
        throw try TableForm.wrong(
          file, offset,
          "the time '\(TableForm.shown(cell.text))' is no number; name another column with "
            + "--time")
      }
      isForward = time.add(number)
    }
    guard isForward else {
      throw try TableForm.wrong(
        file, offset,
        "the time '\(TableForm.shown(cell.text))' lies before that of the row before; sort the "
          + "rows by time")
    }
  }
}

extension TableExamination.Column {
  /// Keeps the text of a cell that is no number; `false` where it is no text either.
  fileprivate mutating func note(
    _ cell: CSVScanner.Field, _ form: NumberText.Form, at offset: Int, _ seen: inout Set<String>
  ) -> Bool {
    if cell.bytes.isEmpty, !cell.isQuoted {
      hasEmpty = true
      return true
    }
    guard cell.isUTF8, !cell.bytes.contains(0) else { return false }
    if form == .text, firstText == nil { firstText = (offset, cell.text) }
    guard !hasManyTexts else { return true }
    let text = cell.text
    if seen.insert(text).inserted { texts.append(text) }
    hasManyTexts = texts.count > TableExamination.maximumTexts
    return true
  }
}
