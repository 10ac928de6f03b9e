import TrajpackFormat
import TrajpackStore

/// What is wrong with a row, and the option that mends it.
extension TableExamination {
  static func noDate(_ row: TableReader, _ part: TablePart) -> TrajpackError {
    var pattern: DatePattern?
    if case .dates(let given) = row.form.times { pattern = given }
    let wanted = pattern?.text ?? "YYYY-MM-DD, with or without hh:mm:ss"
    return row.wrong(
      "the time '\(TableForm.shown(row.timeText))' is no date of the form \(wanted); "
        + unitsRow(row.form, row.offset, part.range.lowerBound)
        + "give another form with --time-format, or say --time none to keep the column as text")
  }

  /// The option for a row of units, where the first row may be one.
  private static func unitsRow(_ form: TableForm, _ row: Int, _ first: Int?) -> String {
    guard form.hasHeader, form.units.isEmpty, row == first else { return "" }
    return "if this row names the units of the columns, say --units-row; else "
  }

  static func noTime(_ row: TableReader, _ part: TablePart) -> TrajpackError {
    row.wrong(
      "the time '\(TableForm.shown(row.timeText))' is no number; "
        + unitsRow(row.form, row.offset, part.range.lowerBound)
        + "name another column with --time, or say --time none")
  }

  /// The error of a time that lies before that of the row before. Names the column or the count of rows
  /// that cuts the rows into recordings whose times go on, where one does.
  static func goesBack(_ row: TableReader, _ part: TablePart) -> TrajpackError {
    let time = TableForm.shown(row.timeText)
    let cut = part.episode == nil && part.piece == nil ? cut(row.form, part, row.file) : nil
    let sorting =
      "sort the rows by time, or say --time none to keep them as they stand, without times"
    return row.wrong(
      "the time '\(time)' lies before that of the row before; "
        + (cut.map { "say \($0) to cut the rows into recordings whose times go on; else " } ?? "")
        + sorting)
  }

  /// The option that cuts a table into recordings whose times go on.
  private static func cut(_ form: TableForm, _ part: TablePart, _ file: TextFile) -> String? {
    let candidates = (0..<form.count).filter(form.isValue).prefix(32)
    var isCut = [Int: Bool](uniqueKeysWithValues: candidates.map { ($0, true) })
    var last = [Int: String]()
    var seen = [Int: Set<String>]()
    var returns: [Int] = []
    var before: Double?
    var count = 0
    let row = TableReader(file, form, range: part.range)
    while count < 10_000_000 {
      // A fault further down is no reason to say nothing of this one.
      guard let isThere = try? row.next() else { return nil }
      if !isThere { break }
      guard let now = seconds(row) else { return nil }
      let isBack = now < before ?? now
      if isBack { returns.append(count) }
      for i in candidates where isCut[i] == true {
        let text = row[i].text
        if text == last[i] {
          if isBack { isCut[i] = false }
          continue
        }
        last[i] = text
        if text.isEmpty || !seen[i, default: []].insert(text).inserted { isCut[i] = false }
      }
      before = now
      count += 1
    }
    // A column that has another text in each row is no name of recordings.
    let names = candidates.filter { isCut[$0] == true && (seen[$0]?.count ?? 0) * 2 <= count }
    if let name = names.first { return "--episode-column '\(form.uniqueNames[name])'" }
    guard let first = returns.first, first > 1, (returns.count + 1) * first == count,
      returns.enumerated().allSatisfy({ ($0 + 1) * first == $1 })
    else { return nil }
    return "--segment \(first)"
  }

  private static func seconds(_ row: TableReader) -> Double? {
    if row.form.timeIsDate {
      return row.date.map { Double($0.seconds) + Double($0.nanoseconds) / 1e9 }
    }
    let value = row.number(row.form.time ?? 0).value
    return value.isFinite ? value : nil
  }

  /// The error of a text among numbers.
  ///
  /// - Parameter start: The first row, where it may name units: it has no number.
  static func textAmongNumbers(
    _ text: (offset: Int, text: String), of texts: [String], _ name: String, _ form: TableForm,
    _ file: TextFile, units start: Int?
  ) -> TrajpackError {
    let shown = TableForm.shown(text.text)
    let words = texts.filter { TableSample.cell($0, form.numbers).look == .text }
    let keeping = "--kind '\(name)=text' to keep every cell as it stands"
    // A word of missing values is the only one of its column, and has no digits.
    let isWord = words.count == 1 && !shown.contains { $0.isNumber }
    var remedy =
      isWord
      ? "if it stands for a missing value, say --missing '\(shown)'; or say \(keeping)"
      : "mend it, or say \(keeping)"
    if isWord { remedy = unitsRow(form, text.offset, start) + remedy }
    if let option = NumberHint.remedy([text.text]) {
      remedy = "\(option); or say \(keeping)"
    } else if text.text.hasPrefix("#"), form.dialect.comment == nil {
      remedy = "if lines that begin with # are comments, say --comment '#'"
    }
    return file.wrong(
      at: text.offset,
      "column '\(name)' has '\(shown)', which is no number, among numbers; \(remedy)")
  }
}
