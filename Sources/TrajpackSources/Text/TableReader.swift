import TrajpackFormat
import TrajpackStore

/// Reads the rows of a table of text, each of which has a cell for each column.
public final class TableReader {
  /// How the table is laid out.
  let form: TableForm
  let file: TextFile
  private let scanner: CSVScanner
  /// Whether the table is read with the options of `convert`, which errors may name.
  private let hasOptions: Bool
  /// Rows without a time or a value that were passed over, as spreadsheets leave them below a table.
  private(set) var emptyRows = 0
  /// Empty lines above the first row, which stand for no value.
  private var linesAbove = 0

  /// Rows of a table with a known form that lie at `range` of its text.
  init(_ file: TextFile, _ form: TableForm, range: Range<Int>) {
    (self.file, self.form, hasOptions) = (file, form, true)
    scanner = CSVScanner(file, form.dialect, range: range)
  }

  /// The rows of a table that was looked at without options of a user.
  init(_ look: TableLook) {
    (file, form, hasOptions) = (look.file, look.form, false)
    scanner = CSVScanner(file, form.dialect, range: look.start..<file.length)
  }

  /// A table whose first line names the columns. What separates cells, the decimal sign, comments and the words for
  /// missing values are found by looking, as `convert` does it.
  ///
  /// - Parameter delimiter: What separates cells, where the file's name says so.
  /// - Throws: A data error where there is no header or no row.
  public convenience init(
    lookingAt path: String, delimiter: UInt8? = nil
  ) throws(TrajpackError) {
    var options = SeriesOptions()
    options.time = .none
    options.header = .yes
    options.delimiter = delimiter
    self.init(try TableLook(TextFile(path, InflatedCache()), options))
  }

  /// A table as RFC 4180 says, with commas; the first line names the columns.
  ///
  /// - Throws: A data error where there is no header, or it is no UTF-8 text.
  public init(csv file: LocalFile) throws(TrajpackError) {
    (self.file, hasOptions) = (TextFile(file), false)
    let dialect = TableDialect(UInt8(ascii: ","))
    scanner = CSVScanner(self.file, dialect)
    guard try scanner.next() else {
      throw TrajpackError(.data, "the file is empty; it must begin with a header")
    }
    var header: [String] = []
    for i in 0..<scanner.count {
      guard scanner[i].isUTF8 else {
        throw self.file.wrong(
          at: scanner.recordOffset, "column \(i + 1) of the header is no UTF-8 text")
      }
      header.append(scanner[i].text)
    }
    form = TableForm(dialect, CellReader(), header: header, count: header.count)
    linesAbove = scanner.emptyLines
  }

  /// The names of the columns, as the header has them.
  public var names: [String] { form.header.map(TableForm.clean) }

  /// Where the row begins in the text.
  var offset: Int { scanner.recordOffset }

  /// Goes to the next row; `false` at the end.
  ///
  /// - Throws: A data error where the row has more or fewer cells than there are columns, or an empty line may be one.
  public func next() throws(TrajpackError) -> Bool {
    while try scanner.next() {
      guard scanner.count == form.count || isPadded else { throw wrongCount() }
      guard form.count > 1 || scanner.emptyLines == linesAbove else {
        throw file.wrong(
          at: offset - 1,
          "is empty, which in a table of one column may be a value that was not observed or nothing; "
            + "write nan, or delete it")
      }
      guard let time = form.time, scanner[time].bytes.isEmpty,
        (0..<scanner.count).allSatisfy({ scanner[$0].bytes.isEmpty })
      else { return true }
      emptyRows += 1
    }
    return false
  }

  /// A cell of the row.
  @inline(__always)
  subscript(_ column: Int) -> CSVScanner.Field { scanner[column] }

  /// The text of a cell.
  ///
  /// - Throws: A data error where it is no UTF-8.
  public func text(_ column: Int) throws(TrajpackError) -> String {
    guard scanner[column].isUTF8 else {
      let name = form.uniqueNames[column]
      throw wrong("column '\(name)' is no UTF-8 text", column: name)
    }
    return scanner[column].text
  }

  /// The number of a cell; its form is `.text` where it is none.
  @inline(__always)
  public func number(_ column: Int) -> DecimalLiteral {
    form.numbers.number(scanner[column].bytes)
  }

  /// The text of a cell as an error shows it.
  public func shown(_ column: Int) -> String { TableForm.shown(scanner[column].text) }

  /// The error of something in the row: names the line, as a text editor counts it.
  ///
  /// - Parameter column: The name of the column, which the sentence has, too.
  public func wrong(_ what: String, column: String? = nil) -> TrajpackError {
    file.wrong(at: offset, what).at(ErrorPlace(channel: column))
  }

  // MARK: Cells

  /// Whether the row has only a delimiter more than it has cells, as all rows of the table have.
  private var isPadded: Bool {
    form.hasTrailingDelimiter && scanner.count == form.count + 1
      && scanner[form.count].bytes.isEmpty
  }

  private func wrongCount() -> TrajpackError {
    var why = "the file was cut or a cell is missing"
    if hasOptions, scanner[0].bytes.first == UInt8(ascii: "#"), form.dialect.comment == nil {
      why = "if lines that begin with # are comments, say --comment '#'"
    } else if scanner.count == form.count + 1, scanner[form.count].bytes.isEmpty {
      why = "there is a \(form.dialect.delimiterName) behind the last cell"
    } else if hasOptions, form.delimiter == 0x20, !form.dialect.separatesByBlanks {
      why = "if several blanks separate cells, say --delimiter blanks"
    }
    return wrong("has \(counted(scanner.count, "cell")) where \(form.count) are expected; \(why)")
  }

  // MARK: Times

  /// The text of the row's time: of the day and the time of day, where they have columns of their own.
  var timeText: String {
    guard let time = form.time else { return "" }
    guard let timeOfDay = form.timeOfDay else { return scanner[time].text }
    return "\(scanner[time].text.trimmingBlanks) \(scanner[timeOfDay].text.trimmingBlanks)"
  }

  /// The date of the row; `nil` where there is none of the form.
  @inline(__always)
  var date: DateText? {
    guard case .dates(let pattern) = form.times, let time = form.time else { return nil }
    func date(_ text: UnsafeBufferPointer<UInt8>) -> DateText? {
      guard let pattern else { return DateText(text) }
      return pattern.read(text)
    }
    if form.timeOfDay == nil { return date(scanner[time].bytes) }
    var text = timeText
    return text.withUTF8 { date($0) }
  }
}
