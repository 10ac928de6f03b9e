import TrajpackFormat
import TrajpackStore

/// Lists of numbers of any length, as their bytes.
enum ParquetLists {
  /// What an error says of lists that hold nulls.
  static let null = "a null within a list"

  /// The bytes of the list of each row; none where it is absent.
  ///
  /// - Throws: A data error where the column is damaged, or a list holds a null.
  static func read(
    _ column: ParquetColumn, _ file: ParquetFile
  ) throws(TrajpackError) -> ColumnSpools.Texts {
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
          guard level < column.lists[0] else {
            throw TrajpackError(
              .data, file: file.path, "column '\(column.name)' holds \(null)")
          }
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
    return ColumnSpools.Texts(spool: spool, ends: ends, absent: absent)
  }
}
