import Synchronization
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

  let file: ParquetFile
  private let numbers = Mutex<[String: Rows]>([:])
  private let texts = Mutex<[String: Texts]>([:])
  private let structs = Mutex<[String: [[[String: Field]]]]>([:])

  init(_ path: String) throws(TrajpackError) { file = try ParquetFile(path) }

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

  /// Rows of numbers of a shape, each as `type`.
  func rows(
    _ name: String, shape: [Int], as type: ElementType, missing: Channel.Missing
  ) throws(TrajpackError) -> Rows {
    let column = try column(name)
    return try numbers.withLock { (known) throws(TrajpackError) in
      if let rows = known[name] { return rows }
      var builder = try ParquetRowBuilder(file, column, shape, type, missing)
      try file.read(column) { (page) throws(TrajpackError) in try builder.append(page) }
      let rows = try builder.finish()
      known[name] = rows
      return rows
    }
  }

  /// Whole numbers, one a row; those of some rows only, where it is said.
  func integers(
    _ name: String, _ range: Range<Int>? = nil
  ) throws(TrajpackError) -> [Int64] {
    let rows = try rows(name, shape: [], as: .int64, missing: .never)
    return try bytes(rows, range ?? 0..<file.rows).withUnsafeBytes { bytes in
      (0..<bytes.count / 8).map {
        Int64(littleEndian: bytes.loadUnaligned(fromByteOffset: 8 * $0, as: Int64.self))
      }
    }
  }

  /// Numbers, one a row; NaN where there is none.
  func doubles(_ name: String) throws(TrajpackError) -> [Double] {
    let rows = try rows(name, shape: [], as: .float64, missing: .nan)
    return try bytes(rows, 0..<file.rows).withUnsafeBytes { bytes in
      (0..<bytes.count / 8).map { bytes.loadUnaligned(fromByteOffset: 8 * $0, as: Double.self) }
    }
  }

  /// The packed bytes of some rows.
  func bytes(_ rows: Rows, _ range: Range<Int>) throws(TrajpackError) -> [UInt8] {
    var bytes = [UInt8](repeating: 0, count: range.count * rows.rowBytes)
    try fill(&bytes, rows.spool, range.lowerBound * rows.rowBytes)
    return bytes
  }

  private func fill(
    _ bytes: inout [UInt8], _ spool: RowSpool, _ offset: Int
  ) throws(TrajpackError) {
    try bytes.withMutableBytes { (out) throws(TrajpackError) in
      try spool.read(at: offset, into: out)
    }
  }

  /// Texts or bytes, one a row: those of a leaf without lists.
  func texts(_ column: ParquetColumn) throws(TrajpackError) -> Texts {
    try texts.withLock { (known) throws(TrajpackError) in
      if let found = known[column.name] { return found }
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
      let found = Texts(spool: spool, ends: ends, absent: absent)
      known[column.name] = found
      return found
    }
  }

  /// The records of a column of lists of structs, decoded once.
  func recordRows(_ name: String) throws(TrajpackError) -> [[[String: Field]]] {
    try structs.withLock { (known) throws(TrajpackError) in
      if let found = known[name] { return found }
      let found = try records(name)
      known[name] = found
      return found
    }
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
