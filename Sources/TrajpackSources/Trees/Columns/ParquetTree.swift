import TrajpackFormat
import TrajpackStore

/// A Parquet file as a tree of its columns.
final class ParquetTree: ColumnTree {
  static let title = "Parquet (.parquet)"
  static let endings = [".parquet", ".pq"]

  let path: String
  let nodes: [TreeNode]
  private let file: ParquetFile
  private let leaves: [String: ParquetColumn]
  private let spools = ColumnSpools()

  var rows: Int { file.rows }

  static func recognises(_ path: String) -> Bool { ParquetFile.recognises(path) }

  /// Reads the metadata, and of columns of lists the first rows.
  init(_ path: String) throws(TrajpackError) {
    self.path = path
    let file = try ParquetFile(path)
    self.file = file
    var nodes = [TreeNode(path: "/", content: .group)]
    var leaves: [String: ParquetColumn] = [:]
    for column in file.columns {
      let (names, isList) = Self.names(of: column, file)
      let place = "/" + names.map { $0.replacing("/", with: "_") }.joined(separator: "/")
      for depth in 1..<max(names.count, 1) {
        let group =
          "/" + names.prefix(depth).map { $0.replacing("/", with: "_") }.joined(separator: "/")
        if !nodes.contains(where: { $0.path == group }) {
          nodes.append(TreeNode(path: group, content: .group))
        }
      }
      guard column.repetition == 0 || isList, leaves[place] == nil else {
        if !nodes.contains(where: { $0.path == place }) {
          nodes.append(
            TreeNode(path: place, content: .unread("is a column of lists of structs, or of maps")))
        }
        continue
      }
      leaves[place] = column
      nodes.append(
        TreeNode(path: place, content: .array(try Self.array(column, file, spools, place))))
    }
    (self.nodes, self.leaves) = (nodes, leaves)
  }

  /// The names that lead to the values of a leaf, and whether these are numbers or texts, or lists of them. Lists lie as
  /// NAME.list.element, those of some old writers as NAME.array, and maps as NAME.key_value.key and NAME.key_value.value.
  private static func names(
    of column: ParquetColumn, _ file: ParquetFile
  ) -> (names: [String], isList: Bool) {
    let (path, depth) = (column.path, Int(column.repetition))
    if depth == 0 { return (path, false) }
    let isAlone = file.leaves(path[0]).count == 1
    if isAlone, path.count == 1 + depth || path.count == 1 + 2 * depth {
      return ([path[0]], true)
    }
    let groups: Set<String> = ["list", "bag", "array"]
    let count = path.count - 2 * depth
    if count > 0, (0..<depth).allSatisfy({ groups.contains(path[count + 2 * $0]) }) {
      return (Array(path.prefix(count)), true)
    }
    let first = path.dropFirst().firstIndex {
      groups.contains($0) || ["key_value", "map"].contains($0)
    }
    return (Array(path.prefix(first ?? 1)), false)
  }

  private static func array(
    _ column: ParquetColumn, _ file: ParquetFile, _ spools: ColumnSpools, _ place: String
  ) throws(TrajpackError) -> TreeArray {
    var array = TreeArray(form: .unread(""), shape: [file.rows])
    array.storage = column.physical.name + (column.logical.map { " (\($0))" } ?? "")
    if ["decimal", "interval", "float16", "uuid"].contains(column.logical) {
      array.form = .unread("is of the type \(column.logical ?? ""), which is not read")
    } else if column.physical == .bytes {
      guard column.repetition == 0 || (column.repetition == 1 && column.isText) else {
        array.form = .unread(
          "holds lists of \(column.isText ? "lists of text" : "bytes"), which is no channel")
        return array
      }
      array.form = column.isText ? .text : .bytes
      array.holdsTextLists = column.repetition > 0
    } else if let own = ParquetRowBuilder.type(column) {
      let plain = own.isFloat ? own : column.logical.flatMap { ElementType(rawValue: $0) } ?? own
      var type = plain
      if file.mayHaveNulls(column), !type.isFloat {
        type = type == .uint32 || type.size == 8 ? .int64 : .int32
        array.missing = .sentinel
      }
      if column.repetition > 0 {
        guard let shape = try file.firstShape(column) else {
          array.form = .unread("has no list with elements")
          return array
        }
        array.shape += shape
      }
      array.form = .numbers(type)
      array.tick = tick(column)
      // Whether all lists have the length of the first is known when they are read.
      if column.repetition > 0 {
        guard let spool = try builtRows(column, array, file) else {
          array.shape = [file.rows]
          array.missing = nil
          guard column.repetition == 1 else {
            array.form = .unread("holds lists of lists of different lengths, which is no channel")
            return array
          }
          guard let lists = try ParquetLists.read(column, file) else {
            array.form = .unread(
              "holds lists of different lengths, some with nulls, which is no channel")
            return array
          }
          // Their bytes are kept as they are, so no number among them stands for 'not observed'.
          (array.form, array.listed) = (.bytes, plain)
          _ = try spools.texts(place) { () throws(TrajpackError) in lists }
          return array
        }
        _ = try spools.numbers(place) { () throws(TrajpackError) in spool }
      }
    } else {
      array.form = .unread("is of the type \(column.physical.name), which is not read")
    }
    return array
  }

  /// The rows of a column; `nil` where it has lists of other lengths than the array's shape states.
  private static func builtRows(
    _ column: ParquetColumn, _ array: TreeArray, _ file: ParquetFile
  ) throws(TrajpackError) -> RowSpool? {
    let type = array.type ?? .float64
    var builder = try ParquetRowBuilder(
      file, column, Array(array.shape.dropFirst()), type,
      array.missing ?? (type.isFloat ? .nan : .never))
    do throws(TrajpackError) {
      try file.read(column) { (page) throws(TrajpackError) in try builder.append(page) }
      return try builder.finish().spool
    } catch {
      guard builder.isRagged else { throw error }
      return nil
    }
  }

  private static func rows(
    _ column: ParquetColumn, _ array: TreeArray, _ file: ParquetFile
  ) throws(TrajpackError) -> RowSpool {
    guard let rows = try builtRows(column, array, file) else {
      throw TrajpackError(
        .data, file: file.path, "column '\(column.name)' has lists of other lengths than before")
    }
    return rows
  }

  private static func tick(_ column: ParquetColumn) -> Rational? {
    switch column.logical {
    case "date": return Rational(86_400, 1)
    case "timestamp ms", "time ms": return Rational(1, 1000)
    case "timestamp us", "time us": return Rational(1, 1_000_000)
    case "timestamp ns", "time ns": return Rational(1, 1_000_000_000)
    default: return nil
    }
  }

  func read(
    _ node: TreeNode, _ part: [Range<Int>],
    _ body: (UnsafeRawBufferPointer) throws(TrajpackError) -> Void
  ) throws(TrajpackError) {
    guard let column = leaves[node.path], let array = node.array, let type = array.type else {
      throw TrajpackError(.data, file: path, "\(node.path): is no column of numbers")
    }
    let spool = try spools.numbers(node.path) { () throws(TrajpackError) in
      try Self.rows(column, array, file)
    }
    try ArrayGather(shape: array.shape, part: part, size: type.size).read(spool, body)
  }

  func texts(
    _ node: TreeNode, _ rows: Range<Int>, _ body: ([UInt8]?) throws(TrajpackError) -> Void
  ) throws(TrajpackError) {
    guard let column = leaves[node.path] else {
      throw TrajpackError(.data, file: path, "\(node.path): is no column of texts")
    }
    let path = path
    let texts = try spools.texts(node.path) { () throws(TrajpackError) in
      if node.array?.listed != nil, let lists = try ParquetLists.read(column, file) { return lists }
      if node.array?.holdsTextLists == true { return try ParquetLists.readTexts(column, file) }
      let found = try ParquetTable(path).texts(column)
      return ColumnSpools.Texts(spool: found.spool, ends: found.ends, absent: found.absent)
    }
    try texts.forEach(rows, body)
  }
}

extension ParquetFile {
  /// The lengths of the lists of the first row that has elements; `nil` where none has.
  func firstShape(_ column: ParquetColumn) throws(TrajpackError) -> [Int]? {
    let innermost = column.lists[column.lists.count - 1]
    for group in metadata.groups where group.rows > 0 {
      var pages = ParquetPages(file, column, group.chunks[column.number])
      /// Of each level, how many elements begin with it or a lower one.
      var counts = [Int](repeating: 0, count: Int(column.repetition))
      var isWhole = true
      var isOver = false
      let failure = "\(path): column '\(column.name)'"
      while !isOver {
        let isMore = try within(failure) { () throws(TrajpackError) in try pages.next() }
        guard isMore else { break }
        let page = pages.page
        for i in 0..<page.count {
          let level = page.repetition[i]
          if level == 0 {
            if isWhole, counts.first ?? 0 > 0 {
              isOver = true
              break
            }
            counts = counts.map { _ in 0 }
            isWhole = true
          }
          if !page.definition.isEmpty, page.definition[i] < innermost {
            isWhole = false
            continue
          }
          for depth in counts.indices where Int(level) <= depth + 1 { counts[depth] += 1 }
        }
      }
      guard isWhole, counts.first ?? 0 > 0 else { continue }
      var shape: [Int] = []
      var before = 1
      for count in counts {
        guard count % before == 0 else { return nil }
        shape.append(count / before)
        before = count
      }
      return shape
    }
    return nil
  }
}
