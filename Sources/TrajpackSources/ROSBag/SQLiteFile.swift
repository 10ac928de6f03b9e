import TrajpackFormat
import TrajpackStore

/// Reads the tables of an SQLite 3 database, row by row, in memory that its size does not change. Format after
/// sqlite.org/fileformat2.html; indices, views and other encodings than UTF-8 are not read.
final class SQLiteFile {
  /// A value of a row; texts and blobs stay until the next row.
  enum Value {
    case null
    case integer(Int64)
    case real(Double)
    case text(UnsafeRawBufferPointer)
    case blob(UnsafeRawBufferPointer)

    var integer: Int64? { if case .integer(let number) = self { number } else { nil } }
    var string: String? {
      if case .text(let bytes) = self { String(decoding: bytes, as: UTF8.self) } else { nil }
    }
    var bytes: UnsafeRawBufferPointer? {
      switch self {
      case .blob(let bytes), .text(let bytes): bytes
      default: nil
      }
    }
  }

  /// A table: its first page, and its columns in order.
  private struct Table {
    var root: Int
    var columns: [String]
    /// The column that is the number of the row.
    var key: Int?
  }

  private static let magic = Array("SQLite format 3\0".utf8)
  private static let mostBytes = 1 << 30
  private let file: LocalFile
  private let pageSize: Int
  private let usable: Int
  private let pages: Int
  private var tables: [String: Table] = [:]
  private let window: ByteBuffer
  private var filled = 0..<0
  private var payload = ByteBuffer(64 << 10)
  private var visited = 0

  /// Whether a file is an SQLite database.
  static func recognises(_ path: String) -> Bool {
    guard let file = try? LocalFile(path), file.length >= 100 else { return false }
    return (try? file.bytes(0..<magic.count)) == magic
  }

  /// Opens a database and reads its schema.
  ///
  /// - Throws: A data error where it is damaged, or a log beside it holds what it does not.
  init(_ file: LocalFile) throws(TrajpackError) {
    self.file = file
    guard file.length >= 100 else { throw Self.damaged("is shorter than its header") }
    let head = try file.bytes(0..<100)
    guard head.starts(with: Self.magic) else { throw Self.damaged("does not begin as SQLite does") }
    let size = Int(head[16]) << 8 | Int(head[17])
    pageSize = size == 1 ? 65536 : size
    guard pageSize >= 512, pageSize & (pageSize - 1) == 0 else {
      throw Self.damaged("has pages of \(pageSize) bytes")
    }
    usable = pageSize - Int(head[20])
    guard usable >= 480 else { throw Self.damaged("reserves \(head[20]) bytes of each page") }
    guard head[59] <= 1, head[56...58].allSatisfy({ $0 == 0 }) else {
      throw TrajpackError(.data, "is a database whose texts are UTF-16, which are not read")
    }
    pages = file.length / pageSize
    let count = head[28..<32].reduce(0) { $0 << 8 | Int($1) }
    guard count <= pages else {
      throw TrajpackError(
        .data,
        "was cut: it has \(pages) pages of \(pageSize) bytes, and its header says \(count); 'sqlite3 FILE .recover' "
          + "may save what is left")
    }
    window = ByteBuffer(max(1 << 20, pageSize))
    for suffix in ["-wal", "-journal"] where FileSystem.size(of: file.path + suffix) > 0 {
      throw TrajpackError(
        .data,
        "has a log beside it (\(FileSystem.name(of: file.path))\(suffix)) with changes that it lacks; 'sqlite3 FILE "
          + "\"PRAGMA wal_checkpoint(TRUNCATE)\"' takes them in")
    }
    try walk(Table(root: 1, columns: ["type", "name", "tbl_name", "rootpage", "sql"])) {
      (_, row) throws(TrajpackError) in
      guard row.count >= 5, row[0].string == "table",
        let name = row[1].string, let root = row[3].integer,
        let sql = row[4].string
      else { return }
      let (columns, key) = Self.columns(sql)
      tables[name] = Table(root: Int(clamping: root), columns: columns, key: key)
    }
  }

  /// Whether there is a table of that name.
  func has(_ table: String) -> Bool { tables[table] != nil }

  /// Hands over the values of some columns of every row of a table, in the order of the rows; a column that the table
  /// lacks is null.
  func rows(
    _ name: String, _ columns: [String],
    _ body: ([Value]) throws(TrajpackError) -> Void
  ) throws(TrajpackError) {
    guard let table = tables[name] else {
      throw TrajpackError(.data, "is a database without the table '\(name)'")
    }
    let places = columns.map { column in table.columns.firstIndex(of: column) }
    visited = 0
    try walk(table) { (number, row) throws(TrajpackError) in
      try body(
        places.map { place in
          guard let place, place < row.count else { return .null }
          if place == table.key, case .null = row[place] { return .integer(number) }
          return row[place]
        })
    }
  }

  private static func damaged(_ why: String) -> TrajpackError {
    TrajpackError(.data, "is a damaged SQLite database: it \(why)")
  }

  /// The names of the columns of a table, and which one is the number of the row.
  private static func columns(_ sql: String) -> ([String], Int?) {
    guard let open = sql.firstIndex(of: "("), let close = sql.lastIndex(of: ")"), open < close
    else {
      return ([], nil)
    }
    var parts: [String] = [""]
    var depth = 0
    for character in sql[sql.index(after: open)..<close] {
      switch character {
      case "(": depth += 1
      case ")": depth -= 1
      case "," where depth == 0:
        parts.append("")
        continue
      default: break
      }
      parts[parts.count - 1].append(character)
    }
    var names: [String] = []
    var key: Int?
    for part in parts {
      let words = part.split(whereSeparator: \.isWhitespace)
      guard let first = words.first else { continue }
      let upper = first.uppercased()
      if ["PRIMARY", "FOREIGN", "UNIQUE", "CHECK", "CONSTRAINT"].contains(upper) { continue }
      let rest = words.dropFirst().joined(separator: " ").uppercased()
      if rest.hasPrefix("INTEGER PRIMARY KEY") { key = names.count }
      names.append(first.trimming(["\"", "`", "[", "]", "'"]))
    }
    return (names, key)
  }

  // MARK: Pages

  /// A page; it stays until the next call.
  private func page(_ number: Int) throws(TrajpackError) -> UnsafeRawBufferPointer {
    guard number >= 1, number <= pages else { throw Self.damaged("names a page \(number)") }
    let at = (number - 1) * pageSize
    if at < filled.lowerBound || at + pageSize > filled.upperBound {
      let some = min(window.bytes.count, file.length - at)
      filled = 0..<0
      try file.read(at: at, into: UnsafeMutableRawBufferPointer(rebasing: window.bytes[..<some]))
      filled = at..<at + some
    }
    let first = at - filled.lowerBound
    return UnsafeRawBufferPointer(rebasing: window.bytes[first..<first + pageSize])
  }

  private static func number(_ bytes: UnsafeRawBufferPointer, _ at: Int, _ size: Int)
    throws(TrajpackError)
    -> Int
  {
    guard at >= 0, at + size <= bytes.count else { throw damaged("has a page that ends too early") }
    return bytes[at..<at + size].reduce(0) { $0 << 8 | Int($1) }
  }

  private static func varint(
    _ bytes: UnsafeRawBufferPointer, _ at: inout Int
  ) throws(TrajpackError) -> UInt64 {
    var value: UInt64 = 0
    for i in 0..<9 {
      guard at < bytes.count else { throw damaged("has a number that passes its end") }
      let byte = bytes[at]
      at += 1
      if i == 8 { return value << 8 | UInt64(byte) }
      value = value << 7 | UInt64(byte & 0x7F)
      if byte < 0x80 { return value }
    }
    return value
  }

  /// Walks a table's tree of pages from left to right.
  private func walk(
    _ table: Table, _ body: (Int64, [Value]) throws(TrajpackError) -> Void
  ) throws(TrajpackError) {
    visited = 0
    try walk(table.root, 0, body)
  }

  private func walk(
    _ number: Int, _ depth: Int, _ body: (Int64, [Value]) throws(TrajpackError) -> Void
  ) throws(TrajpackError) {
    visited += 1
    guard visited <= pages, depth < 40 else { throw Self.damaged("has pages that name each other") }
    // The page is copied, because others are read before its cells are through.
    let page = Array(try self.page(number))
    try page.withUnsafeBytesThrowing { (page) throws(TrajpackError) in
      let head = number == 1 ? 100 : 0
      let count = try Self.number(page, head + 3, 2)
      switch page[head] {
      case 5:
        for cell in 0..<count {
          let at = try Self.number(page, head + 12 + 2 * cell, 2)
          try walk(try Self.number(page, at, 4), depth + 1, body)
        }
        try walk(try Self.number(page, head + 8, 4), depth + 1, body)
      case 13:
        for cell in 0..<count {
          var at = try Self.number(page, head + 8 + 2 * cell, 2)
          let size = try Self.varint(page, &at)
          let row = Int64(bitPattern: try Self.varint(page, &at))
          try body(row, try Self.record(try bytes(page, at, size)))
        }
      default: throw Self.damaged("has a page of the kind \(page[head]) in a table")
      }
    }
  }

  /// The payload of a cell, gathered from its page and those that it goes on in.
  private func bytes(
    _ page: UnsafeRawBufferPointer, _ at: Int, _ size: UInt64
  ) throws(TrajpackError) -> UnsafeRawBufferPointer {
    guard size <= UInt64(min(file.length, Self.mostBytes)) else {
      throw Self.damaged("has a row of \(size) bytes")
    }
    let size = Int(size)
    var local = size
    if size > usable - 35 {
      let least = (usable - 12) * 32 / 255 - 23
      let fit = least + (size - least) % (usable - 4)
      local = fit <= usable - 35 ? fit : least
    }
    guard at + local + (local < size ? 4 : 0) <= page.count else {
      throw Self.damaged("has a row that passes the end of its page")
    }
    if local == size { return UnsafeRawBufferPointer(rebasing: page[at..<at + size]) }
    if payload.bytes.count < size { payload = ByteBuffer(size) }
    let to = payload.bytes.baseAddress.unsafelyUnwrapped
    to.copyMemory(from: page.baseAddress.unsafelyUnwrapped + at, byteCount: local)
    var done = local
    var next = try Self.number(page, at + local, 4)
    while done < size {
      let more = try self.page(next)
      let some = min(usable - 4, size - done)
      (to + done).copyMemory(from: more.baseAddress.unsafelyUnwrapped + 4, byteCount: some)
      done += some
      next = try Self.number(more, 0, 4)
    }
    return UnsafeRawBufferPointer(start: to, count: size)
  }

  /// The values of a record.
  private static func record(_ bytes: UnsafeRawBufferPointer) throws(TrajpackError) -> [Value] {
    var at = 0
    let head = try varint(bytes, &at)
    guard head <= UInt64(bytes.count) else { throw damaged("has a row whose head passes its end") }
    var values: [Value] = []
    var data = Int(head)
    while at < Int(head) {
      let type = try varint(bytes, &at)
      let size: UInt64
      switch type {
      case 0, 8, 9: size = 0
      case 1...4: size = type
      case 5: size = 6
      case 6, 7: size = 8
      case 12...: size = (type - 12) / 2
      default: throw damaged("has a value of the kind \(type)")
      }
      guard size <= UInt64(bytes.count - data) else {
        throw damaged("has a value that passes the end of its row")
      }
      let part = UnsafeRawBufferPointer(rebasing: bytes[data..<data + Int(size)])
      data += Int(size)
      switch type {
      case 0: values.append(.null)
      case 8: values.append(.integer(0))
      case 9: values.append(.integer(1))
      case 1...6:
        let start: Int64 = part[0] >= 0x80 ? -1 : 0
        values.append(.integer(part.reduce(start) { $0 << 8 | Int64($1) }))
      case 7: values.append(.real(Double(bitPattern: part.reduce(0) { $0 << 8 | UInt64($1) })))
      default: values.append(type % 2 == 0 ? .blob(part) : .text(part))
      }
    }
    return values
  }
}

extension StringProtocol {
  /// Without some characters at both ends.
  fileprivate func trimming(_ characters: Set<Character>) -> String {
    let front = drop { characters.contains($0) }
    guard let last = front.lastIndex(where: { !characters.contains($0) }) else { return "" }
    return String(front[...last])
  }
}
