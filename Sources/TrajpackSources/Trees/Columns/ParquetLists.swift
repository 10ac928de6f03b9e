import TrajpackFormat
import TrajpackStore

/// Lists of numbers of any length, as their bytes, and lists of texts, as JSON.
enum ParquetLists {
  /// The bytes of the list of each row, none where it is absent; `nil` where a list holds a null.
  ///
  /// - Throws: A data error where the column is damaged.
  static func read(
    _ column: ParquetColumn, _ file: ParquetFile
  ) throws(TrajpackError) -> ColumnSpools.Texts? {
    let wrong = TrajpackError(
      .data, file: file.path, "column '\(column.name)' has other rows than the file; it is damaged")
    guard column.repetition == 1, let own = ParquetRowBuilder.type(column) else { throw wrong }
    let logical = column.logical.flatMap { ElementType(rawValue: $0) }
    // Whole numbers of fewer than 32 bits are stored as 32.
    let size = own.isFloat ? own.size : min(logical?.size ?? own.size, own.size)
    let spool = RowSpool()
    var ends: [Int] = []
    var absent: Set<Int> = []
    var end = 0
    var hasNulls = false
    try file.read(column) { (page) throws(TrajpackError) in
      var piece: [UInt8] = []
      var next = 0
      for i in 0..<page.count {
        let level = page.definition.isEmpty ? column.definition : page.definition[i]
        if page.repetition[i] == 0 {
          if level < column.outer { absent.insert(ends.count) }
          ends.append(end)
        }
        guard !ends.isEmpty else { throw wrong }
        guard level == column.definition else {
          if level >= column.lists[0] { hasNulls = true }
          continue
        }
        let at = next * own.size
        guard at + size <= page.values.count else { throw wrong }
        piece += page.values[at..<at + size]
        next += 1
        end += size
        ends[ends.count - 1] = end
      }
      try spool.append(piece)
    }
    guard ends.count == file.rows else { throw wrong }
    return hasNulls ? nil : ColumnSpools.Texts(spool: spool, ends: ends, absent: absent)
  }

  /// The list of texts of each row as JSON; none where it is absent.
  static func readTexts(
    _ column: ParquetColumn, _ file: ParquetFile
  ) throws(TrajpackError) -> ColumnSpools.Texts {
    let wrong = TrajpackError(
      .data, file: file.path, "column '\(column.name)' has other rows than the file; it is damaged")
    guard column.repetition == 1 else { throw wrong }
    var lists = TextLists()
    // The list of the row that is being read, which may go on in the next page; `nil` where the row has none.
    var list: [[UInt8]?]? = nil
    var rows = 0
    try file.read(column) { (page) throws(TrajpackError) in
      var next = 0
      for i in 0..<page.count {
        let level = page.definition.isEmpty ? column.definition : page.definition[i]
        if page.repetition[i] == 0 {
          if rows > 0 { try lists.append(list.map { $0[...] }) }
          rows += 1
          list = level < column.outer ? nil : []
        }
        guard rows > 0 else { throw wrong }
        if level == column.definition {
          list?.append(Array(page.values[page.bytes(next)]))
          next += 1
        } else if level >= column.lists[0] {
          list?.append(nil)
        }
      }
      try lists.flush()
    }
    if rows > 0 { try lists.append(list.map { $0[...] }) }
    try lists.flush()
    guard rows == file.rows else { throw wrong }
    return lists.texts
  }
}

/// Collects lists of texts as JSON, one a row.
struct TextLists {
  private let spool = RowSpool()
  private var piece: [UInt8] = []
  private var ends: [Int] = []
  private var absent: Set<Int> = []
  private var end = 0

  /// Appends the list of a row, `nil` for a text that is absent; or a row that has none.
  mutating func append(_ list: ArraySlice<[UInt8]?>?) throws(TrajpackError) {
    if let list {
      var values: [JSONValue] = []
      for text in list {
        guard let text else {
          values.append(.null)
          continue
        }
        guard let string = String(validating: text, as: UTF8.self) else {
          throw TrajpackError(.data, "row \(ends.count) has a list with a text that is no UTF-8")
        }
        values.append(.string(string))
      }
      let json = Array(JSONValue.array(values).text().utf8)
      piece += json
      end += json.count
    } else {
      absent.insert(ends.count)
    }
    ends.append(end)
  }

  /// Takes what was appended out of memory.
  mutating func flush() throws(TrajpackError) {
    try spool.append(piece)
    piece.removeAll(keepingCapacity: true)
  }

  /// All of them, as texts.
  var texts: ColumnSpools.Texts { .init(spool: spool, ends: ends, absent: absent) }
}
