import TrajpackFormat
import TrajpackStore

/// What a first pass over a WildWorld sample has shown.
struct WildWorldExamination: Sendable {
  /// What the cells of a column have shown.
  struct Column: Sendable {
    /// The column's name in the header.
    var name: String
    /// Where its values belong.
    let place: WildWorldColumn
    /// Elements of a tuple; 1 for plain cells, `nil` where every cell is empty.
    var width: Int?
    /// The numbers.
    var facts = ColumnProfile()
    /// The different texts, in the order of their first row; only where a cell is no number.
    var texts: [String] = []
    /// Whether there were more texts than a categorical channel takes.
    var hasManyTexts = false

    /// What the README of the data set says the column holds; `nil` where it may hold text.
    let expected: String?
    /// Elements that the README states.
    let documented: Int?

    init(name: String) {
      self.name = name
      place = WildWorldColumn(name)
      (documented, expected) = place.documented
    }
  }

  /// An array of `skeleton.npz`.
  struct Array: Sendable {
    /// The key, as `m0_21`.
    var key: String
    /// Whose joints they are.
    var entity: Entity
    /// Joints.
    var joints: Int
    /// The type of its elements: float32 or float64.
    var type = ElementType.float32
  }

  /// The columns of `state.csv`, in its order; `nil` where the sample has none.
  var columns: [Column]?
  /// The arrays of `skeleton.npz`, in its order; `nil` where the sample has none.
  var arrays: [Array]?
  /// The videos, by stream name.
  var videos: [SourceVideo] = []
  /// Frames that are taken over.
  var frames = 0
  /// Whether rows and frames of videos belong together by time, because their numbers differ.
  var isByTime = false
  /// What a user should know.
  var remarks: [String] = []
}

extension WildWorldExamination {
  /// The most different texts of a categorical column; more become a text channel.
  static let maximumTexts = 4096

  /// Reads a `state.csv` once: the header, and what the cells of each column are.
  ///
  /// - Returns: The columns and the number of rows.
  /// - Throws: A data error naming the line and column of a cell that cannot be kept.
  static func columns(of file: LocalFile) throws(TrajpackError) -> (columns: [Column], rows: Int) {
    try within(file: "state.csv") { () throws(TrajpackError) in try columns(scanning: file) }
  }

  private static func columns(
    scanning file: LocalFile
  ) throws(TrajpackError) -> (columns: [Column], rows: Int) {
    let scanner = CSVScanner(file)
    guard try scanner.next() else {
      throw TrajpackError(.data, "the file is empty; it must begin with a header")
    }
    var columns: [Column] = []
    var names: Set<String> = []
    for i in 0..<scanner.count {
      guard scanner[i].isUTF8 else {
        throw TrajpackError(.data, "column \(i + 1) of the header is no UTF-8 text")
      }
      // pandas writes its index without a name.
      let name = scanner[i].bytes.isEmpty ? "column\(i + 1)" : scanner[i].text
      guard names.insert(name).inserted else {
        throw TrajpackError(.data, "column '\(name)' comes twice in the header")
      }
      columns.append(Column(name: name))
    }
    var rows = 0
    var seen = [Set<String>](repeating: [], count: columns.count)
    while try scanner.next() {
      guard scanner.count == columns.count else {
        throw TrajpackError(
          .data,
          "line \(scanner.line) (byte \(scanner.recordOffset)) has \(scanner.count) cells "
            + "where the header has \(columns.count); the file was cut or a cell is missing",
          at: ErrorPlace(line: scanner.line, byte: scanner.recordOffset))
      }
      for i in columns.indices {
        try columns[i].add(scanner[i], scanner, &seen[i])
      }
      rows += 1
    }
    return (columns, rows)
  }
}

extension WildWorldExamination.Column {
  /// Adds a cell.
  @inline(__always)
  fileprivate mutating func add(
    _ cell: CSVScanner.Field, _ row: CSVScanner, _ seen: inout Set<String>
  ) throws(TrajpackError) {
    let count = WildWorldCell.tuple(cell.bytes) { facts.add($1) }
    if count > 0 {
      guard (width ?? documented ?? count) == count else { throw arity(count, row) }
      width = count
      if facts.hasText { throw textInTuple(cell, row) }
      return
    }
    let number = WildWorldCell.number(cell.bytes)
    switch number.form {
    case .text: try note(cell, row, &seen)
    case .missing: if expected == nil { try note(cell, row, &seen) }
    default:
      guard (width ?? documented ?? 1) == 1 else { throw arity(1, row) }
      width = 1
    }
    facts.add(number)
  }

  /// Keeps the text of a cell that is no number.
  private mutating func note(
    _ cell: CSVScanner.Field, _ row: CSVScanner, _ seen: inout Set<String>
  ) throws(TrajpackError) {
    let text = cell.text
    guard cell.isUTF8 else {
      throw TrajpackError(
        .data, "line \(row.line), column '\(name)': the text is no UTF-8", at: place(row))
    }
    if let expected {
      throw TrajpackError(
        .data,
        "line \(row.line), column '\(name)' must hold \(expected) but has the text '\(text)'",
        at: place(row))
    }
    if DecimalLiteral(cell.bytes).form == .text {
      guard (width ?? 1) == 1 else {
        throw TrajpackError(
          .data,
          "line \(row.line), column '\(name)': '\(text)' is no tuple of \(width ?? 0) numbers",
          at: place(row))
      }
      width = 1
    }
    if seen.count <= WildWorldExamination.maximumTexts, seen.insert(text).inserted {
      texts.append(text)
    }
    hasManyTexts = seen.count > WildWorldExamination.maximumTexts
  }

  private func place(_ row: CSVScanner) -> ErrorPlace { ErrorPlace(channel: name, line: row.line) }

  private func arity(_ count: Int, _ row: CSVScanner) -> TrajpackError {
    TrajpackError(
      .data,
      "line \(row.line), column '\(name)' has \(count) number\(count == 1 ? "" : "s") where "
        + "\(width ?? documented ?? 0) are expected", at: place(row))
  }

  private func textInTuple(_ cell: CSVScanner.Field, _ row: CSVScanner) -> TrajpackError {
    TrajpackError(
      .data,
      "line \(row.line), column '\(name)': the tuple '\(cell.text)' holds something that is "
        + "no number", at: place(row))
  }
}
