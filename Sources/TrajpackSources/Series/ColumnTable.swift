import TrajpackFormat
import TrajpackStore

/// The rows of a table whose first line names the columns, cut into cells as `convert` cuts tables: what separates
/// cells, the decimal sign, comments and the words for missing values are found by looking.
public final class ColumnTable {
  /// The names of the columns, as the header has them.
  public let names: [String]
  private let form: TableForm
  private let scanner: CSVScanner

  /// Opens a file.
  ///
  /// - Parameter delimiter: What separates cells, where the file's name says so.
  /// - Throws: A data error where there is no header or no row.
  public init(_ file: LocalFile, delimiter: UInt8? = nil) throws(TrajpackError) {
    var options = SeriesOptions()
    options.time = .none
    options.header = .yes
    options.delimiter = delimiter
    let text = try TextFile(file.path, InflatedCache())
    let look = try TableLook(text, options)
    form = look.form
    names = form.header.map(TableForm.clean)
    scanner = CSVScanner(text, form.dialect, range: look.start..<text.length)
  }

  /// The line of the row, from 1, for errors.
  public var line: Int { scanner.line }

  /// Goes to the next row; `false` at the end.
  ///
  /// - Throws: A data error where a row has more or fewer cells than the header.
  public func next() throws(TrajpackError) -> Bool {
    guard try scanner.next() else { return false }
    let isWhole =
      scanner.count == form.count
      || form.hasTrailingDelimiter && scanner.count == form.count + 1
        && scanner[form.count].bytes.isEmpty
    guard isWhole else {
      throw TrajpackError(
        .data, "line \(line): has \(scanner.count) cells, the header \(names.count)",
        at: ErrorPlace(line: line))
    }
    return true
  }

  /// The text of a cell.
  public func text(_ column: Int) -> String { scanner[column].text }

  /// The number of a cell; its form is `.text` where it is none.
  public func number(_ column: Int) -> DecimalLiteral { form.numbers.number(scanner[column].bytes) }
}
