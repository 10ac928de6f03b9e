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
    /// The different texts; only where a cell is no number.
    var texts = DistinctTexts(atMost: WildWorldExamination.maximumTexts)

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
    try within(file: "state.csv") { () throws(TrajpackError) in
      let table = try TableReader(csv: file)
      var names: Set<String> = []
      var columns: [Column] = []
      for (i, name) in table.form.header.enumerated() {
        // pandas writes its index without a name.
        columns.append(Column(name: name.isEmpty ? "column\(i + 1)" : name))
        guard names.insert(columns[i].name).inserted else {
          throw TrajpackError(.data, "column '\(columns[i].name)' comes twice in the header")
        }
      }
      var rows = 0
      while try table.next() {
        for i in columns.indices { try columns[i].add(table[i], table) }
        rows += 1
      }
      return (columns, rows)
    }
  }
}

extension WildWorldExamination.Column {
  /// Adds a cell.
  @inline(__always)
  fileprivate mutating func add(
    _ cell: CSVScanner.Field, _ row: TableReader
  ) throws(TrajpackError) {
    let count = WildWorldCell.tuple(cell.bytes) { facts.add($1) }
    if count > 0 {
      guard (width ?? documented ?? count) == count else { throw arity(count, row) }
      width = count
      if facts.hasText {
        throw wrong(row, "has the tuple '\(cell.text)', which holds something that is no number")
      }
      return
    }
    let number = WildWorldCell.number(cell.bytes)
    switch number.form {
    case .text: try note(cell, row)
    case .missing: if expected == nil { try note(cell, row) }
    default:
      guard (width ?? documented ?? 1) == 1 else { throw arity(1, row) }
      width = 1
    }
    facts.add(number)
  }

  /// Keeps the text of a cell that is no number.
  private mutating func note(
    _ cell: CSVScanner.Field, _ row: TableReader
  ) throws(TrajpackError) {
    let text = cell.text
    guard cell.isUTF8 else {
      throw wrong(row, "is no UTF-8 text")
    }
    if let expected {
      throw wrong(row, "must hold \(expected) but has the text '\(text)'")
    }
    if DecimalLiteral(cell.bytes).form == .text {
      guard (width ?? 1) == 1 else {
        throw wrong(row, "has '\(text)', which is no tuple of \(width ?? 0) numbers")
      }
      width = 1
    }
    texts.add(text)
  }

  private func wrong(_ row: TableReader, _ what: String) -> TrajpackError {
    row.wrong("column '\(name)' \(what)", column: name)
  }

  private func arity(_ count: Int, _ row: TableReader) -> TrajpackError {
    wrong(
      row, "has \(counted(count, "number")) where \(width ?? documented ?? 0) are expected")
  }
}
