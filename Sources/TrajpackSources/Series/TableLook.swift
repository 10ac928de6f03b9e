import TrajpackFormat
import TrajpackStore

/// What the first records of a table show of it, before its rows are read.
struct TableLook {
  /// How it is laid out.
  var form: TableForm
  /// The byte of the first row of values.
  private(set) var start: Int
  /// What the user should know: dates that were seen and not used, a first row that may be a header.
  var hints: [String] = []

  let file: TextFile
  let options: SeriesOptions
  /// The records behind the header.
  var sample: TableSample
  private(set) var top = 0

  /// Looks at a file.
  ///
  /// - Throws: A data error where there is no row, or the options name what is not there.
  init(_ file: TextFile, _ options: SeriesOptions) throws(TrajpackError) {
    guard file.length > 0 else { throw TrajpackError(.data, "the file is empty; fetch it again") }
    self.file = file
    self.options = options
    let begin = try TableStart(file, options)
    var numbers = CellReader(options)
    sample = try TableSample(file, from: begin.offset, begin.dialect, numbers)
    if options.decimal == nil, begin.dialect.delimiter != UInt8(ascii: ","),
      Self.hasDecimalCommas(sample, options)
    {
      numbers.hasDecimalComma = true
      sample = try TableSample(file, from: begin.offset, begin.dialect, numbers)
    }
    guard !sample.rows.isEmpty else { throw TrajpackError(.data, "the file has no row") }
    let named = try Self.commentNames(begin, sample, numbers, options)
    var header: [String]?
    if let named {
      header = named
    } else {
      try Self.checkPreamble(file, sample)
      let found: Bool
      switch options.header {
      case .yes: found = true
      case .no: found = false
      case .auto:
        let decided = TableHeader(sample)
        found = decided.isThere
        if let hint = decided.hint { hints.append(hint) }
      }
      if found { header = sample.rows[0].map(\.text) }
      top = found ? 1 : 0
    }
    guard sample.rows.count > top else {
      throw TrajpackError(.data, "the file has a header but no row")
    }
    var count = header?.count ?? sample.rows[0].count
    let body = sample.rows.dropFirst(top)
    var isTrailing = false
    if let names = header, body.allSatisfy({ $0.count == count + 1 }) {
      isTrailing = body.allSatisfy { $0[count].text.isEmpty }
      // As R writes them: the names of rows have no name.
      if !isTrailing {
        header = [""] + names
        count += 1
        if names.count == 1, begin.dialect.delimiter == UInt8(ascii: ","),
          body.allSatisfy({ $0.allSatisfy { $0.whole != nil } })
        {
          hints.append(
            "each row has 2 cells and the header names 1 column, so the first cells were taken for the names of rows; "
              + "if the comma is the decimal sign, say --delimiter ';' --decimal ','")
        }
      }
    }
    form = TableForm(begin.dialect, numbers, header: header, count: count)
    form.hasTrailingDelimiter = isTrailing
    start = sample.offsets[top]
    try takeUnits()
    try findTime()
    if let name = options.episodeColumn {
      form.episode = try form.column(name, "--episode-column")
      guard form.episode != form.time, form.episode != form.timeOfDay else {
        throw TrajpackError(
          .usage, "column '\(name)' cannot both hold the times and name the episodes")
      }
    }
    hintAtNumbers()
    hintAtBlanks()
    guard (0..<form.count).contains(where: form.isValue) else {
      throw TrajpackError(.data, "there is no column of values beside times and episodes")
    }
  }

  /// Whether at least half of the cells are numbers or dates, in two columns or more.
  var isOfValues: Bool {
    let cells = sample.rows.dropFirst(top).flatMap(\.self)
    let values = cells.count { $0.look == .number || $0.look == .date }
    return form.count > 1 && values * 2 >= cells.count
  }

  /// The names that the last line of comments at the top has, where they are as many as the cells.
  private static func commentNames(
    _ begin: TableStart, _ sample: TableSample, _ numbers: CellReader, _ options: SeriesOptions
  ) throws(TrajpackError) -> [String]? {
    guard options.header != .no, let comment = begin.comment, let row = sample.rows.first,
      String(validating: comment, as: UTF8.self) != nil, !comment.isEmpty
    else { return nil }
    var dialect = begin.dialect
    dialect.comment = nil
    dialect.cutsComments = false
    let spool = RowSpool()
    try spool.append(comment)
    let scanner = CSVScanner(TextFile(spool), dialect)
    guard (try? scanner.next()) == true, scanner.count == row.count, row.count > 1 else {
      return nil
    }
    // A line of prose may have two or three words as a table has columns.
    guard !dialect.separatesByBlanks || begin.commentLines == 1 || row.count > 3 else { return nil }
    let names = (0..<scanner.count).map { scanner[$0].text }
    let looks = names.map { TableSample.cell($0.trimmingBlanks, numbers).look }
    let isMark = names[0].trimmingBlanks.isEmpty
    // Numbers are names where they stand beside one that is none: `#time,0,1,2`.
    let areNumbers =
      !dialect.separatesByBlanks && !isMark
      && names.dropFirst().allSatisfy { name in
        name.trimmingBlanks.allSatisfy { $0.isASCII && $0.isNumber }
      }
    guard looks.dropFirst().allSatisfy({ $0 == .text }) || areNumbers, looks[0] == .text || isMark,
      Set(names).count == names.count, row.contains(where: { $0.look != .text })
    else { return nil }
    return ["#" + names[0]] + names.dropFirst()
  }

  /// Whether the first record names all columns but that of the names of rows, as R writes it.
  private static func isHeaderOfRowNames(_ sample: TableSample, _ usual: Int) -> Bool {
    let body = sample.rows.dropFirst()
    guard sample.rows[0].count == usual - 1, sample.rows[0].allSatisfy({ $0.look == .text }),
      body.allSatisfy({ $0.count == usual })
    else { return false }
    // A title stands over names, and names over numbers.
    let isTitle = sample.rows[1].allSatisfy { $0.look == .text }
    return !isTitle || body.dropFirst().allSatisfy { $0.allSatisfy { $0.look == .text } }
  }

  /// Refuses lines above the table that have another count of cells.
  private static func checkPreamble(
    _ file: TextFile, _ sample: TableSample
  ) throws(TrajpackError) {
    let usual = sample.usualCount
    let first = sample.rows[0].count
    guard usual > 1, first != usual, !isHeaderOfRowNames(sample, usual),
      let row = sample.rows.firstIndex(where: { $0.count == usual }),
      sample.rows.count - row > 2, sample.rows.dropFirst(row).allSatisfy({ $0.count == usual })
    else { return }
    let lines = file.line(ofByte: sample.offsets[row]) - 1
    throw TrajpackError(
      .data,
      "line \(file.line(ofByte: sample.offsets[0])): has \(first) cell\(first == 1 ? "" : "s") where "
        + "\(usual) follow; if the first \(lines == 1 ? "line is" : "\(lines) lines are") no part of the table, "
        + "say --skip-rows \(lines)")
  }

  /// Whether numbers have decimal commas: some cells are numbers only that way, none has a point, and
  /// they cannot all be thousands.
  private static func hasDecimalCommas(_ sample: TableSample, _ options: SeriesOptions) -> Bool {
    var found = false
    for cell in sample.rows.flatMap(\.self) {
      if cell.isFraction, cell.text.contains(".") { return false }
      let text = cell.text.trimmingBlanks
      guard cell.look == .text, text.utf8.contains(UInt8(ascii: ",")),
        text.utf8.allSatisfy({ "0123456789,+-eE".utf8.contains($0) })
      else { continue }
      let parts = text.split(separator: ",", omittingEmptySubsequences: false)
      guard parts.count == 2 else { return false }
      // 1,234 may be one and a quarter or a thousand.
      let mayBeThousands =
        parts[1].count == 3 && (1...3).contains(parts[0].count) && parts[0] != "0"
      if !mayBeThousands { found = true }
    }
    return found && options.thousands != UInt8(ascii: ",")
  }

  /// Says which columns of text would be numbers with another option.
  private mutating func hintAtNumbers() {
    for i in 0..<form.count where form.isValue(i) {
      let cells = sample.column(i, from: top).filter { $0.look != .empty }
      guard let first = cells.first, cells.allSatisfy({ $0.look == .text }),
        let remedy = NumberHint.remedy(cells.map(\.text))
      else { continue }
      hints.append(
        "column '\(form.uniqueNames[i])' is read as text ('\(TableForm.shown(first.text))'); \(remedy)"
      )
    }
  }

  /// Says which option cuts the rows, where each is one cell of text and blanks would cut all into equally many.
  private mutating func hintAtBlanks() {
    let cells = sample.column(0, from: top)
    guard form.count == 1, !form.dialect.separatesByBlanks, cells.count > 1,
      cells.allSatisfy({ $0.look == .text })
    else { return }
    let counts = Set(cells.map { $0.text.split { $0 == " " || $0 == "\t" }.count })
    guard let count = counts.first, counts.count == 1, count > 1,
      cells.allSatisfy({ $0.text.contains { $0.isNumber } })
    else { return }
    hints.append(
      "each row is one cell of text ('\(TableForm.shown(cells[0].text))'); if blanks separate \(count) cells, say "
        + "--delimiter blanks")
  }

  /// Takes the row of units, or refuses what looks like one.
  private mutating func takeUnits() throws(TrajpackError) {
    guard form.hasHeader else {
      guard !options.hasUnitsRow else {
        throw TrajpackError(.usage, "--units-row: the table has no header above a row of units")
      }
      return
    }
    let row = sample.rows[top]
    if options.hasUnitsRow {
      guard row.count == form.count, sample.rows.count > top + 1 else {
        throw TrajpackError(.usage, "--units-row: there is no row behind that of the units")
      }
      form.units = row.map { $0.text.trimmingBlanks }
      top += 1
      start = sample.offsets[top]
      return
    }
    guard sample.rows.count > top + 1, row.count == form.count else { return }
    let isUnits = row.indices.allSatisfy { i in
      let below = sample.column(i, from: top + 1)
      return row[i].look == .empty
        || (row[i].look == .text
          && (below.allSatisfy { $0.look != .text }
            || !row[i].isDateOfSomeForm && sample.holdsDates(i, from: top + 1)))
    }
    if isUnits, let text = row.first(where: { $0.look == .text })?.text {
      throw TrajpackError(
        .data,
        "line \(file.line(ofByte: start)): has '\(TableForm.shown(text))' where numbers follow; if this row "
          + "names the units of the columns, say --units-row")
    }
  }
}
