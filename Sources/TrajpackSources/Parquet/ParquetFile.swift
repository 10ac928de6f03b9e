import TrajpackFormat
import TrajpackStore

/// A Parquet file, as far as it is read here: see `docs/formats/parquet.md`.
final class ParquetFile: Sendable {
  let path: String
  /// What the file says of itself.
  let metadata: ParquetMetadata
  /// The bytes.
  let file: LocalFile

  /// The most bytes of metadata.
  private static let mostMetadata = 48 << 20
  private static let mark = Array("PAR1".utf8)

  var columns: [ParquetColumn] { metadata.columns }
  var rows: Int { metadata.rows }

  /// Whether the file begins as Parquet does.
  static func recognises(_ path: String) -> Bool {
    guard FileSystem.item(at: path) == .file, let file = try? LocalFile(path), file.length >= 12
    else { return false }
    return (try? file.bytes(0..<4)) == mark
  }

  /// Reads the metadata at the end of the file.
  ///
  /// - Throws: A data error, with the path, where it is no Parquet file or damaged.
  init(_ path: String) throws(TrajpackError) {
    self.path = path
    let file = try LocalFile(path)
    self.file = file
    metadata = try within(file: path) { () throws(TrajpackError) in
      if try GitLFS.isPointer(file) { throw TrajpackError(.data, GitLFS.refusal) }
      guard file.length >= 12, try file.bytes(0..<4) == Self.mark else {
        throw TrajpackError(.data, "is no Parquet file: it does not begin with PAR1")
      }
      let end = try file.bytes(file.length - 8..<file.length)
      if end[4...].elementsEqual("PARE".utf8) {
        throw TrajpackError(.data, "the file is encrypted, which is not read")
      }
      guard end[4...].elementsEqual(Self.mark) else {
        throw TrajpackError(
          .data,
          "the file does not end with PAR1; it was cut short, or its writer did not finish it")
      }
      let count = end[..<4].reversed().reduce(0) { $0 << 8 | Int($1) }
      guard count > 0, count <= file.length - 12 else {
        throw TrajpackError(
          .data, "the metadata are said to have \(count) bytes in a file of \(file.length)")
      }
      guard count <= Self.mostMetadata else {
        throw TrajpackError(
          .data, "the metadata have \(count) bytes; more than \(Self.mostMetadata) are not read")
      }
      let bytes = try file.bytes(file.length - 8 - count..<file.length - 8)
      return try bytes.withUnsafeBytesThrowing { (bytes) throws(TrajpackError) in
        try ParquetMetadata(bytes)
      }
    }
    for (number, group) in metadata.groups.enumerated() {
      for (chunk, column) in zip(group.chunks, metadata.columns)
      where chunk.bytes > file.length || chunk.offset > file.length - chunk.bytes {
        throw TrajpackError(
          .data, file: path,
          "column '\(column.name)' of row group \(number) is said to lie at bytes \(chunk.offset) to "
            + "\(chunk.offset &+ chunk.bytes), and the file has \(file.length)")
      }
    }
  }

  /// The leaf of a name; `nil` where there is none.
  func column(_ name: String) -> ParquetColumn? {
    metadata.columns.first { $0.name == name }
  }

  /// The leaves of a column of the table.
  func leaves(_ name: String) -> [ParquetColumn] { metadata.columns.filter { $0.path[0] == name } }

  /// The columns of the table, in order.
  var names: [String] {
    var names: [String] = []
    for column in metadata.columns where names.last != column.path[0] {
      names.append(column.path[0])
    }
    return names
  }

  /// Whether a leaf has absent values by what its writer says.
  func hasNulls(_ column: ParquetColumn) -> Bool {
    metadata.groups.contains { $0.rows > 0 && $0.chunks[column.number].nulls > 0 }
  }

  /// Whether a leaf may have absent values.
  func mayHaveNulls(_ column: ParquetColumn) -> Bool {
    column.definition > 0
      && metadata.groups.contains { $0.rows > 0 && $0.chunks[column.number].nulls != 0 }
  }

  /// The first value of a leaf of bytes; empty where there is none.
  func firstBytes(_ column: ParquetColumn) throws(TrajpackError) -> [UInt8] {
    guard column.physical == .bytes, let group = metadata.groups.first(where: { $0.rows > 0 })
    else { return [] }
    var pages = ParquetPages(file, column, group.chunks[column.number])
    return try within(
      "\(path): column '\(column.name)'", at: ErrorPlace(file: path, channel: column.name)
    ) { () throws(TrajpackError) in
      while try pages.next() {
        if pages.page.present > 0 { return Array(pages.page.values[pages.page.bytes(0)]) }
      }
      return []
    }
  }

  /// Hands over the pages of a leaf, of all row groups, one after another.
  func read(
    _ column: ParquetColumn, _ body: (ParquetPage) throws(TrajpackError) -> Void
  ) throws(TrajpackError) {
    for group in metadata.groups.indices { try read(column, group: group, body) }
  }

  /// Hands over the pages of a leaf in a row group.
  func read(
    _ column: ParquetColumn, group: Int,
    _ body: (ParquetPage) throws(TrajpackError) -> Void
  ) throws(TrajpackError) {
    var pages = ParquetPages(file, column, metadata.groups[group].chunks[column.number])
    while true {
      let at = pages.position
      let isMore = try within(
        "\(path): column '\(column.name)', row group \(group), byte \(at)",
        at: ErrorPlace(file: path, channel: column.name, byte: at)
      ) {
        () throws(TrajpackError) in try pages.next()
      }
      guard isMore else { return }
      try body(pages.page)
    }
  }
}
