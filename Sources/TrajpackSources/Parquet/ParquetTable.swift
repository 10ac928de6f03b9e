import TrajpackFormat
import TrajpackStore

/// The columns of a Parquet file as rows; each is decoded when it is first asked for, and kept in a temporary file
/// where it is long.
final class ParquetTable: Sendable {
  /// Rows of numbers.
  struct Rows: Sendable {
    var spool: RowSpool
    var rowBytes: Int
  }

  /// Texts or bytes.
  struct Texts: Sendable {
    var spool: RowSpool
    /// Where each ends in the spool.
    var ends: [Int]
    /// The rows that have none.
    var absent: Set<Int>

    func text(_ row: Int) throws(TrajpackError) -> [UInt8]? {
      if absent.contains(row) { return nil }
      let start = row == 0 ? 0 : ends[row - 1]
      return try [UInt8](capacity: ends[row] - start) { (room) throws(TrajpackError) in
        try spool.read(at: start, into: room)
        return room.count
      }
    }
  }

  /// A column as rows of numbers.
  struct NumberColumn: Sendable {
    var name: String
    var shape: [Int]
    var type: ElementType
    var missing: Channel.Missing
  }

  let file: ParquetFile
  private let expected: [NumberColumn]
  private let numbers = MadeOnce<Rows>()
  private let texts = MadeOnce<Texts>()
  private let structs = MadeOnce<[[[String: Field]]]>()

  /// - Parameter expected: Columns that will be asked for: a thread that waits for a column decodes one of them meanwhile.
  init(_ path: String, expected: [NumberColumn] = []) throws(TrajpackError) {
    file = try ParquetFile(path)
    self.expected = expected
  }

  /// The column of a name that has one leaf.
  func column(_ name: String) throws(TrajpackError) -> ParquetColumn {
    let leaves = file.leaves(name)
    guard let first = leaves.first else {
      throw TrajpackError(.data, file: file.path, "has no column '\(name)'")
    }
    guard leaves.count == 1 else {
      throw TrajpackError(
        .data, file: file.path, "column '\(name)' is a struct, not numbers or text")
    }
    return first
  }

  /// Rows of numbers.
  func rows(_ wanted: NumberColumn) throws(TrajpackError) -> Rows {
    if let rows = try numbers.valueUnlessBusy(
      wanted.name,
      { () throws(TrajpackError) in
        try decoded(wanted)
      })
    {
      return rows
    }
    // Another thread decodes the column. An error in one of the others is thrown to whoever asks for that one.
    for other in expected where other.name != wanted.name {
      _ = try? numbers.valueUnlessBusy(other.name) { () throws(TrajpackError) in try decoded(other)
      }
    }
    return try numbers.value(wanted.name) { () throws(TrajpackError) in try decoded(wanted) }
  }

  private func decoded(_ wanted: NumberColumn) throws(TrajpackError) -> Rows {
    let column = try column(wanted.name)
    var builder = try ParquetRowBuilder(file, column, wanted.shape, wanted.type, wanted.missing)
    try file.read(column) { (page) throws(TrajpackError) in try builder.append(page) }
    return try builder.finish()
  }

  /// Whole numbers, one a row; those of some rows only, where it is said.
  func integers(
    _ name: String, _ range: Range<Int>? = nil
  ) throws(TrajpackError) -> [Int64] {
    let rows = try rows(NumberColumn(name: name, shape: [], type: .int64, missing: .never))
    return try bytes(rows, range ?? 0..<file.rows).withUnsafeBytes { bytes in
      (0..<bytes.count / 8).map {
        Int64(littleEndian: bytes.loadUnaligned(fromByteOffset: 8 * $0, as: Int64.self))
      }
    }
  }

  /// Numbers, one a row; NaN where there is none. Those of some rows only, where it is said.
  func doubles(_ name: String, _ range: Range<Int>? = nil) throws(TrajpackError) -> [Double] {
    let rows = try rows(NumberColumn(name: name, shape: [], type: .float64, missing: .nan))
    return try bytes(rows, range ?? 0..<file.rows).withUnsafeBytes { bytes in
      (0..<bytes.count / 8).map { bytes.loadUnaligned(fromByteOffset: 8 * $0, as: Double.self) }
    }
  }

  /// The packed bytes of some rows.
  func bytes(_ rows: Rows, _ range: Range<Int>) throws(TrajpackError) -> [UInt8] {
    try [UInt8](capacity: range.count * rows.rowBytes) { (room) throws(TrajpackError) in
      try rows.spool.read(at: range.lowerBound * rows.rowBytes, into: room)
      return room.count
    }
  }

  /// Texts or bytes, one a row: those of a leaf without lists.
  func texts(_ column: ParquetColumn) throws(TrajpackError) -> Texts {
    try texts.value(column.name) { () throws(TrajpackError) in
      guard column.repetition == 0, column.physical == .bytes else {
        throw TrajpackError(
          .data, file: file.path, "column '\(column.name)' holds no text and no bytes")
      }
      let spool = RowSpool()
      var ends: [Int] = []
      var absent: Set<Int> = []
      var last = 0
      try file.read(column) { (page) throws(TrajpackError) in
        try spool.append(page.values)
        var next = 0
        for i in 0..<page.count {
          if page.definition.isEmpty || page.definition[i] == column.definition {
            last += page.bytes(next).count
            next += 1
          } else {
            absent.insert(ends.count)
          }
          ends.append(last)
        }
      }
      guard ends.count == file.rows else {
        throw TrajpackError(
          .data, file: file.path, "column '\(column.name)' has \(ends.count) rows of \(file.rows)")
      }
      return Texts(spool: spool, ends: ends, absent: absent)
    }
  }

  /// The records of a column of lists of structs, decoded once.
  func recordRows(_ name: String) throws(TrajpackError) -> [[[String: Field]]] {
    try structs.value(name) { () throws(TrajpackError) in try records(name) }
  }

  /// Texts of a column whose rows are lists of text, or texts.
  func lists(_ name: String) throws(TrajpackError) -> [[String]] {
    let column = try column(name)
    guard column.physical == .bytes, column.repetition < 2 else {
      throw TrajpackError(.data, file: file.path, "column '\(name)' holds no lists of text")
    }
    var out: [[String]] = []
    try file.read(column) { (page) throws(TrajpackError) in
      var next = 0
      for i in 0..<page.count {
        if page.repetition.isEmpty || page.repetition[i] == 0 { out.append([]) }
        guard page.definition.isEmpty || page.definition[i] == column.definition else { continue }
        guard !out.isEmpty else {
          throw TrajpackError(.data, file: file.path, "column '\(name)' begins inside a list")
        }
        out[out.count - 1].append(
          String(decoding: page.values[page.bytes(next)], as: UTF8.self))
        next += 1
      }
    }
    guard out.count == file.rows else {
      throw TrajpackError(
        .data, file: file.path, "column '\(name)' has \(out.count) rows of \(file.rows)")
    }
    return out
  }
}
