import TrajpackCodecs
import TrajpackFormat
import TrajpackStore

/// A table in Arrow's IPC format, of a file or of a stream (arrow.apache.org/docs/format/Columnar.html): its columns as
/// arrays whose first axis counts rows.
final class ArrowFile: ColumnTree {
  static let title = "Arrow (.arrow, .feather)"
  static let endings = [".arrow", ".feather", ".ipc", ".arrows"]

  let path: String
  let nodes: [TreeNode]
  let rows: Int
  private let file: LocalFile
  private let schema: [ArrowColumn]
  private let columns: [String: ArrowColumn]
  private let batches: [ArrowBatch]
  private let dictionaries: [Int: [ArrowBatch]]
  private let spools = ColumnSpools()

  private static let magic = Array("ARROW1".utf8)
  private static let mostMetadata = 64 << 20

  /// Whether a file is one: it begins with the mark of the file format, or as a stream with the length of a schema.
  static func recognises(_ path: String) -> Bool {
    guard FileSystem.item(at: path) == .file, let file = try? LocalFile(path),
      let first = try? file.bytes(0..<min(file.length, 16)), first.count >= 16
    else { return false }
    if first.starts(with: magic) { return true }
    guard first.starts(with: [0xFF, 0xFF, 0xFF, 0xFF]) else { return false }
    let length = Int(first.little(4, as: Int32.self))
    guard length > 0, length <= min(file.length - 8, mostMetadata),
      let bytes = try? file.bytes(8..<8 + length), let message = try? FlatTable(bytes)
    else { return false }
    return (try? message.integer(1, UInt8.self)) == 1
  }

  /// Reads the schema and the places of all batches.
  init(_ path: String) throws(TrajpackError) {
    self.path = path
    let file = try LocalFile(path)
    self.file = file
    var reader = ArrowMessages(file)
    try within(file: path) { () throws(TrajpackError) in try reader.read() }
    (schema, batches, dictionaries) = (reader.columns, reader.batches, reader.dictionaries)
    let rows = reader.batches.reduce(0) { $0 + $1.rows }
    self.rows = rows
    var nodes = [TreeNode(path: "/", content: .group)]
    var columns: [String: ArrowColumn] = [:]
    for column in reader.columns {
      ArrowFile.add(column, "", rows, &nodes, &columns)
    }
    self.columns = columns
    // What the values of lists and the nulls are is in the batches.
    for i in nodes.indices {
      guard let column = columns[nodes[i].path] else { continue }
      do throws(TrajpackError) {
        nodes[i].content = .array(try Self.array(column, file, reader, rows))
      } catch {
        guard error.fault == .data else { throw error }
        throw TrajpackError(.data, file: path, "column '\(column.name)': \(error.message)")
      }
    }
    self.nodes = nodes
  }

  private static func add(
    _ column: ArrowColumn, _ prefix: String, _ rows: Int, _ nodes: inout [TreeNode],
    _ columns: inout [String: ArrowColumn]
  ) {
    let place = "\(prefix)/\(column.name.replacing("/", with: "_"))"
    guard columns[place] == nil, !nodes.contains(where: { $0.path == place }) else {
      nodes.append(TreeNode(path: place + " ", content: .unread("is a second column of that name")))
      return
    }
    if case .structure = column.form {
      nodes.append(TreeNode(path: place, content: .group))
      for child in column.children { add(child, place, rows, &nodes, &columns) }
      return
    }
    nodes.append(TreeNode(path: place, content: .unread("")))
    columns[place] = column
  }

  /// What a column is as an array.
  private static func array(
    _ column: ArrowColumn, _ file: LocalFile, _ reader: ArrowMessages, _ rows: Int
  ) throws(TrajpackError) -> TreeArray {
    var leaf = column
    while let child = leaf.listed { leaf = child }
    var array = TreeArray(form: .unread(""), shape: [rows])
    array.storage = column.type
    if let why = leaf.unread ?? column.unread {
      array.form = .unread(why)
      return array
    }
    let decoder = ArrowDecoder(file, reader.columns, reader.dictionaries)
    let facts = try decoder.facts(column, reader.batches)
    switch leaf.form {
    case .text, .bytes:
      if leaf.number != column.number {
        guard column.listed?.number == leaf.number, leaf.form == .text else {
          array.form = .unread(
            "holds lists of \(leaf.form == .text ? "lists of text" : "bytes"), which is no channel")
          return array
        }
        array.holdsTextLists = true
      }
      array.form = leaf.form == .text ? .text : .bytes
    case .null: array.form = .unread("is absent in every row")
    default:
      guard let shape = facts.shape else {
        guard column.listed?.number == leaf.number, let type = leaf.element else {
          array.form = .unread("holds lists of lists of different lengths, which is no channel")
          return array
        }
        guard try decoder.hasWholeLists(leaf, reader.batches) else {
          array.form = .unread(
            "holds lists of different lengths, some with nulls, which is no channel")
          return array
        }
        (array.form, array.listed) = (.bytes, type)
        return array
      }
      array.shape += shape
      guard var type = leaf.element else {
        array.form = .unread("is of the type \(leaf.type), which is not read")
        return array
      }
      if facts.hasNulls, !type.isFloat {
        type = type == .uint32 || type.size == 8 ? .int64 : .int32
        array.missing = .sentinel
      }
      array.form = .numbers(type)
      array.tick = leaf.tick
    }
    return array
  }

  func read(
    _ node: TreeNode, _ part: [Range<Int>],
    _ body: (UnsafeRawBufferPointer) throws(TrajpackError) -> Void
  ) throws(TrajpackError) {
    guard let column = columns[node.path], let array = node.array, let type = array.type else {
      throw TrajpackError(.data, file: path, "\(node.path): is no column of numbers")
    }
    let spool = try within("\(path): column '\(column.name)'") { () throws(TrajpackError) in
      try spools.numbers(node.path) { () throws(TrajpackError) in
        let decoder = ArrowDecoder(file, schema, dictionaries)
        return try decoder.numbers(
          column, batches, as: type, array.missing ?? .nan, array.shape.dropFirst().reduce(1, *))
      }
    }
    try ArrayGather(shape: array.shape, part: part, size: type.size).read(spool, body)
  }

  func texts(
    _ node: TreeNode, _ rows: Range<Int>, _ body: ([UInt8]?) throws(TrajpackError) -> Void
  ) throws(TrajpackError) {
    guard let column = columns[node.path] else {
      throw TrajpackError(.data, file: path, "\(node.path): is no column of texts")
    }
    let texts = try within("\(path): column '\(column.name)'") { () throws(TrajpackError) in
      try spools.texts(node.path) { () throws(TrajpackError) in
        let decoder = ArrowDecoder(file, schema, dictionaries)
        if node.array?.holdsTextLists == true { return try decoder.textLists(column, batches) }
        return node.array?.listed != nil
          ? try decoder.lists(column, batches) : try decoder.texts(column, batches)
      }
    }
    try texts.forEach(rows, body)
  }
}
