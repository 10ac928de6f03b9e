import TrajpackFormat
import TrajpackStore

/// A column of an Arrow schema, or what lies in one.
struct ArrowColumn: Sendable {
  enum Form: Sendable, Equatable {
    case null, truth, text, bytes, structure
    /// Numbers of so many bytes.
    case whole(Int, isSigned: Bool)
    case float(Int)
    /// Lists; offsets are of 8 bytes where they are large.
    case list(isLarge: Bool)
    case fixedList(Int)
    case fixedBytes(Int)
    /// What is not read, and how many buffers a batch has of it.
    case other(buffers: Int)
  }

  var name = ""
  /// The number of the column among all, depth first, by which its nodes are found.
  var number = 0
  var form = Form.null
  /// What its schema calls it: `list<float>`.
  var type = ""
  var isLarge = false
  /// Whether texts are views into several buffers.
  var isView = false
  /// The columns that it lies in, outermost first, by their numbers.
  var parents: [Int] = []
  var children: [ArrowColumn] = []
  /// The time of one, of dates and times.
  var tick: Rational?
  /// The number of the dictionary in which its values lie, and the bytes of the places in it.
  var dictionary: (id: Int, bytes: Int, isSigned: Bool)?
  /// Why it is not read.
  var unread: String?

  /// What a list has as elements.
  var listed: ArrowColumn? {
    switch form {
    case .list, .fixedList: return children.first
    default: return nil
    }
  }

  /// The type of the numbers.
  var element: ElementType? {
    switch form {
    case .truth: return .bool
    case .whole(1, let isSigned): return isSigned ? .int8 : .uint8
    case .whole(2, let isSigned): return isSigned ? .int16 : .uint16
    case .whole(4, let isSigned): return isSigned ? .int32 : .uint32
    case .whole(8, let isSigned): return isSigned ? .int64 : .uint64
    case .float(8): return .float64
    case .float: return .float32
    default: return nil
    }
  }

  /// How many buffers a batch has of it, without those of its children.
  var buffers: Int {
    if dictionary != nil { return 2 }
    switch form {
    case .null: return 0
    case .structure, .fixedList: return 1
    case .text, .bytes: return isView ? 2 : 3
    case .other(let buffers): return buffers
    default: return 2
    }
  }

  /// The columns in it and itself, depth first, as nodes and buffers come. Values of a dictionary lie elsewhere.
  func forEach(_ body: (ArrowColumn) -> Void) {
    body(self)
    if dictionary == nil { for child in children { child.forEach(body) } }
  }
}

/// Rows that were written together.
struct ArrowBatch: Sendable {
  var rows = 0
  var nodes: [(count: Int, nulls: Int)] = []
  /// Where each buffer lies in the file.
  var buffers: [Range<Int>] = []
  /// How many buffers of data each column of views has.
  var views: [Int] = []
  /// 0 for lz4, 1 for zstd, -1 where buffers are as they are.
  var codec = -1
}

/// The messages of an Arrow file or stream.
struct ArrowMessages {
  private let file: LocalFile
  private(set) var columns: [ArrowColumn] = []
  private(set) var batches: [ArrowBatch] = []
  private(set) var dictionaries: [Int: [ArrowBatch]] = [:]
  private var next = 0
  /// The version of the metadata; 4 is V5.
  private var version: Int16 = 4

  private static let mostMetadata = 64 << 20

  init(_ file: LocalFile) { self.file = file }

  /// Reads the metadata of all messages.
  ///
  /// - Throws: A data error where the file is damaged or was cut.
  mutating func read() throws(TrajpackError) {
    let first = try file.bytes(0..<min(file.length, 8))
    let isFile = first.starts(with: Array("ARROW1".utf8))
    if isFile, file.length >= 16,
      !(try file.bytes(8..<12)).starts(with: [0xFF, 0xFF, 0xFF, 0xFF])
    {
      return try readFooter()
    }
    var at = isFile ? 8 : 0
    var isEnded = false
    while at + 8 <= file.length {
      let head = try file.bytes(at..<at + 8)
      guard head.starts(with: [0xFF, 0xFF, 0xFF, 0xFF]) else {
        throw TrajpackError(
          .data, "has no message at byte \(at); it is damaged, or of a version before 0.15")
      }
      let length = Int(head.little(4, as: Int32.self))
      if length == 0 {
        isEnded = true
        break
      }
      guard length > 0, length <= Self.mostMetadata else {
        throw TrajpackError(.data, "the message at byte \(at) claims \(length) bytes of metadata")
      }
      guard length <= file.length - at - 8 else { throw cut(at) }
      let message = try FlatTable(try file.bytes(at + 8..<at + 8 + length))
      let body = at + 8 + length
      let size = Int(try message.integer(3, Int64.self))
      guard size >= 0, size <= file.length - body else { throw cut(at) }
      try take(message, body..<body + size, at)
      at = body + size
    }
    guard !columns.isEmpty || next > 0 else { throw TrajpackError(.data, "has no schema") }
    if !isEnded, isFile || at != file.length { throw cut(at) }
    if isFile {
      let last = try file.bytes(max(file.length - 6, 0)..<file.length)
      guard last == Array("ARROW1".utf8) else {
        throw TrajpackError(
          .data, "does not end with ARROW1; it was cut, or its writer did not finish it")
      }
    }
  }

  /// Reads a file whose schema stands in its footer alone, as polars writes it: the footer says where its batches lie.
  private mutating func readFooter() throws(TrajpackError) {
    let end = try file.bytes(file.length - 10..<file.length)
    guard end[4...].elementsEqual(Array("ARROW1".utf8)) else {
      throw TrajpackError(
        .data,
        "has no message at byte 8 and does not end with ARROW1; it was cut, or it is of a version before 0.15"
      )
    }
    let length = Int(end.little(0, as: Int32.self))
    guard length > 0, length <= min(Self.mostMetadata, file.length - 18) else {
      throw TrajpackError(.data, "claims \(length) bytes of footer; it is damaged")
    }
    let footer = try FlatTable(try file.bytes(file.length - 10 - length..<file.length - 10))
    version = try footer.integer(0, Int16.self)
    guard let schema = try footer.table(1) else { throw TrajpackError(.data, "has no schema") }
    try take(schema: schema)
    // Of each block the first byte, the length of its metadata and that of its body.
    for block in try footer.structs(2, 3) + footer.structs(3, 3) {
      let (at, metadata, size) = (block[0], block[1] & 0xFFFF_FFFF, block[2])
      guard at >= 8, metadata >= 8, metadata <= Self.mostMetadata, size >= 0, at < file.length,
        metadata <= file.length - at, size <= file.length - at - metadata
      else { throw TrajpackError(.data, "has a batch outside of the file; it is damaged") }
      let head = try file.bytes(at..<at + 8)
      let hasMark = head.starts(with: [0xFF, 0xFF, 0xFF, 0xFF])
      let message = try FlatTable(try file.bytes(at + (hasMark ? 8 : 4)..<at + metadata))
      try take(message, at + metadata..<at + metadata + size, at)
    }
  }

  private mutating func take(schema header: FlatTable) throws(TrajpackError) {
    guard try header.integer(0, Int16.self) == 0 else {
      throw TrajpackError(.data, "is of big-endian numbers, which are not read of Arrow files")
    }
    for field in try header.tables(1) {
      let next = try column(field)
      columns.append(next)
    }
    next = max(next, 1)
  }

  private func cut(_ at: Int) -> TrajpackError {
    TrajpackError(
      .data, "ends within the message at byte \(at); it was cut, or its writer did not finish it")
  }

  private mutating func take(
    _ message: FlatTable, _ body: Range<Int>, _ at: Int
  ) throws(TrajpackError) {
    guard let header = try message.table(2) else {
      throw TrajpackError(.data, "the message at byte \(at) has no header")
    }
    switch try message.integer(1, UInt8.self) {
    case 1:
      version = try message.integer(0, Int16.self)
      try take(schema: header)
    case 2:
      guard let data = try header.table(1) else { break }
      let id = Int(try header.integer(0, Int64.self))
      let batch = try batch(data, body, at)
      if try header.integer(2, UInt8.self) != 0 {
        dictionaries[id, default: []].append(batch)
      } else {
        guard dictionaries[id] == nil || batches.isEmpty else {
          throw TrajpackError(.data, "replaces a dictionary between batches, which is not read")
        }
        dictionaries[id] = [batch]
      }
    case 3: batches.append(try batch(header, body, at))
    default: throw TrajpackError(.data, "the message at byte \(at) is of a kind that is not read")
    }
  }

  private func batch(
    _ header: FlatTable, _ body: Range<Int>, _ at: Int
  ) throws(TrajpackError) -> ArrowBatch {
    var batch = ArrowBatch()
    batch.rows = Int(try header.integer(0, Int64.self))
    batch.views = try header.structs(4, 1).map { $0[0] }
    for node in try header.structs(1, 2) { batch.nodes.append((node[0], node[1])) }
    for buffer in try header.structs(2, 2) {
      guard buffer[0] >= 0, buffer[1] >= 0, buffer[0] <= body.count,
        buffer[1] <= body.count - buffer[0]
      else { throw TrajpackError(.data, "the message at byte \(at) has buffers outside of it") }
      batch.buffers.append(body.lowerBound + buffer[0]..<body.lowerBound + buffer[0] + buffer[1])
    }
    guard batch.rows >= 0, batch.nodes.allSatisfy({ $0.count >= 0 && $0.count <= 1 << 40 }) else {
      throw TrajpackError(.data, "the message at byte \(at) has impossible counts")
    }
    if let compression = try header.table(3) {
      batch.codec = Int(try compression.integer(0, Int8.self))
      guard (0...1).contains(batch.codec) else {
        throw TrajpackError(.data, "is packed by a codec that is neither lz4 nor zstd")
      }
    }
    return batch
  }

  private mutating func column(
    _ field: FlatTable, _ parents: [Int] = []
  ) throws(TrajpackError) -> ArrowColumn {
    guard parents.count < 16, next < 1 << 16 else {
      throw TrajpackError(.data, "has columns more than 16 deep, or more than 65,536")
    }
    var column = ArrowColumn()
    column.name = try field.text(0) ?? ""
    (column.number, column.parents) = (next, parents)
    next += 1
    let kind = try field.integer(2, UInt8.self)
    let type = try field.table(3)
    if let encoding = try field.table(4) {
      let index = try encoding.table(1)
      let bits = Int(try index?.integer(0, Int32.self) ?? 32)
      column.dictionary = (
        Int(try encoding.integer(0, Int64.self)), bits / 8,
        try index?.integer(1, UInt8.self) ?? 1 != 0
      )
    }
    for child in try field.tables(5) {
      let inner = try self.column(child, parents + [column.number])
      column.children.append(inner)
    }
    try Self.describe(&column, kind, type, version)
    return column
  }

  private static let names = [
    "none", "null", "int", "float", "binary", "utf8", "bool", "decimal", "date", "time",
    "timestamp",
    "interval", "list", "struct", "union", "fixed_size_binary", "fixed_size_list", "map",
    "duration",
    "large_binary", "large_utf8", "large_list", "run_end_encoded", "binary_view", "utf8_view",
    "list_view", "large_list_view",
  ]

  private static func describe(
    _ column: inout ArrowColumn, _ kind: UInt8, _ type: FlatTable?, _ version: Int16
  ) throws(TrajpackError) {
    column.type = Int(kind) < names.count ? names[Int(kind)] : "type \(kind)"
    let seconds: [Rational?] = [
      .one, Rational(1, 1000), Rational(1, 1_000_000), Rational(1, 1_000_000_000),
    ]
    func unit(_ other: Int16) throws(TrajpackError) -> Rational? {
      let unit = Int(try type?.integer(0, Int16.self, or: other) ?? other)
      return seconds.indices.contains(unit) ? seconds[unit] : nil
    }
    switch kind {
    case 1: column.form = .null
    case 2:
      let bits = Int(try type?.integer(0, Int32.self) ?? 0)
      let isSigned = try type?.integer(1, UInt8.self) ?? 0 != 0
      // polars has some of 128 bits.
      column.form =
        [8, 16, 32, 64].contains(bits)
        ? .whole(bits / 8, isSigned: isSigned) : .other(buffers: 2)
      column.type = "\(isSigned ? "" : "u")int\(bits)"
    case 3:
      let precision = Int(try type?.integer(0, Int16.self) ?? 0)
      guard (0...2).contains(precision) else {
        throw TrajpackError(.data, "has floats of an unknown width")
      }
      column.form = .float([2, 4, 8][precision])
      column.type = ["float16", "float32", "float64"][precision]
    case 4, 19: (column.form, column.isLarge) = (.bytes, kind == 19)
    case 5, 20: (column.form, column.isLarge) = (.text, kind == 20)
    case 23, 24: (column.form, column.isView) = (kind == 24 ? .text : .bytes, true)
    case 6: column.form = .truth
    case 8:
      let isDays = try type?.integer(0, Int16.self, or: 1) ?? 1 == 0
      column.form = .whole(isDays ? 4 : 8, isSigned: true)
      column.tick = isDays ? Rational(86_400, 1) : Rational(1, 1000)
    case 9:
      column.tick = try unit(1)
      column.form = .whole(Int(try type?.integer(1, Int32.self, or: 32) ?? 32) / 8, isSigned: true)
    case 10:
      column.tick = try unit(0)
      column.form = .whole(8, isSigned: true)
    case 18:
      column.tick = try unit(1)
      column.form = .whole(8, isSigned: true)
    case 12, 21: (column.form, column.isLarge) = (.list(isLarge: kind == 21), kind == 21)
    case 13: column.form = .structure
    case 15: column.form = .fixedBytes(Int(try type?.integer(0, Int32.self) ?? 0))
    case 16: column.form = .fixedList(Int(try type?.integer(0, Int32.self) ?? 0))
    case 7, 11, 17: column.form = .other(buffers: 2)
    // Unions have no marks of nulls of their own from V5 on; the dense ones have places besides.
    case 14:
      let isDense = try type?.integer(0, Int16.self) ?? 0 != 0
      column.form = .other(buffers: (isDense ? 2 : 1) + (version < 4 ? 1 : 0))
    case 22: column.form = .other(buffers: 0)
    case 25, 26: column.form = .other(buffers: 3)
    default:
      throw TrajpackError(
        .data,
        "column '\(column.name)' is of the type \(column.type), so that the columns behind it cannot be found"
      )
    }
    switch column.form {
    case .other, .fixedBytes:
      column.unread = "is of the type \(column.type), which is not read"
    case .list, .fixedList:
      guard column.children.count == 1 else {
        throw TrajpackError(.data, "has a list without one element")
      }
      column.type += "<\(column.children[0].type)>"
      if column.children[0].dictionary != nil, column.children[0].form != .text {
        column.unread = "holds lists of a dictionary, which is no channel"
      }
      if case .structure = column.children[0].form {
        column.unread = "holds lists of structs, which is no channel"
      }
    default: break
    }
    if let dictionary = column.dictionary {
      column.type = "dictionary<\(column.type)>"
      guard [1, 2, 4, 8].contains(dictionary.bytes) else {
        throw TrajpackError(.data, "has a dictionary whose places are of \(dictionary.bytes) bytes")
      }
      if column.form != .text {
        column.unread = "is of the type \(column.type), which is not read"
      }
    }
  }
}
