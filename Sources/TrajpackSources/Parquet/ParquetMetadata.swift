import TrajpackFormat

/// A leaf of a Parquet schema: values of one type, perhaps in lists, perhaps absent.
struct ParquetColumn: Sendable {
  /// How values are stored; the numbers are those of `parquet.thrift`.
  enum Physical: Int, Sendable {
    case boolean, int32, int64, int96, float, double, bytes, fixedBytes

    var name: String {
      ["bool", "int32", "int64", "int96", "float32", "float64", "bytes", "fixed bytes"][rawValue]
    }
  }

  /// The number of the leaf.
  var number: Int
  /// Names from the root to the leaf.
  var path: [String]
  var physical: Physical
  /// Bytes of a value; 1 for truth values, 0 for bytes of any length.
  var width: Int
  /// The level at which a value is there.
  var definition: UInt8
  /// How many lists a value lies in.
  var repetition: UInt8
  /// For each list, the level from which on it has an element.
  var lists: [UInt8]
  /// The level from which on the outermost list is there, though it may be empty; of a leaf without lists, 0.
  var outer: UInt8
  /// Whether the bytes are text.
  var isText: Bool
  /// What the writer says that the values mean; `nil` for nothing.
  var logical: String?

  /// The names, joined by dots.
  var name: String { path.joined(separator: ".") }
}

/// What the end of a Parquet file says of it: `FileMetaData` of apache/parquet-format's parquet.thrift.
struct ParquetMetadata: Sendable {
  /// Where the pages of one column of a row group lie.
  struct Chunk: Sendable {
    var offset = -1
    var bytes = -1
    var values = -1
    var codec = -1
    /// Values that are absent, among them those of absent lists; -1 where the writer does not say.
    var nulls = -1
    var physical = -1
  }

  /// Rows that were written together.
  struct Group: Sendable {
    var rows = -1
    var chunks: [Chunk] = []
  }

  /// The leaves, in the order of the schema.
  var columns: [ParquetColumn] = []
  /// All rows.
  var rows = -1
  var groups: [Group] = []
  var createdBy = ""

  private struct Element {
    var name = ""
    var physical: Int?
    var width = 0
    var repetition = 0
    var children = 0
    var converted: Int?
    var logical: String?
  }

  private static let mostElements = 1 << 16
  private static let mostLevels = 32
  private static let converted = [
    "string", "map", "map entry", "list", "enum", "decimal", "date", "time ms", "time us",
    "timestamp ms", "timestamp us", "uint8", "uint16", "uint32", "uint64", "int8", "int16", "int32",
    "int64", "json", "bson", "interval",
  ]

  init(_ bytes: UnsafeRawBufferPointer) throws(TrajpackError) {
    var reader = ThriftReader(bytes)
    var elements: [Element] = []
    var groups: [Group] = []
    try reader.fields { (reader, field, kind) throws(TrajpackError) in
      switch (field, kind) {
      case (2, .list):
        try reader.list { (reader) throws(TrajpackError) in
          guard elements.count < Self.mostElements else {
            throw TrajpackError(.data, "the schema has more than \(Self.mostElements) elements")
          }
          elements.append(try Self.element(&reader))
        }
        try tree(elements)
      case (3, .int64): rows = try reader.integer()
      case (4, .list):
        try reader.list { (reader) throws(TrajpackError) in
          groups.append(try group(&reader, groups.count))
        }
      case (6, .binary): createdBy = try reader.text()
      case (8, _): throw TrajpackError(.data, "the file is encrypted, which is not read")
      default: try reader.skip(kind)
      }
    }
    guard !elements.isEmpty else { throw TrajpackError(.data, "the metadata have no schema") }
    self.groups = groups
    var sum = 0
    for group in groups {
      let (total, isOver) = sum.addingReportingOverflow(group.rows)
      guard !isOver else { throw TrajpackError(.data, "the row groups have too many rows") }
      sum = total
    }
    guard rows == sum else {
      throw TrajpackError(
        .data, "the metadata state \(rows) rows, and the row groups have \(sum) together")
    }
  }

  private static func element(_ reader: inout ThriftReader) throws(TrajpackError) -> Element {
    var element = Element()
    try reader.fields { (reader, field, kind) throws(TrajpackError) in
      switch (field, kind) {
      case (1, .int32): element.physical = try reader.integer()
      case (2, .int32): element.width = try reader.integer()
      case (3, .int32): element.repetition = try reader.integer()
      case (4, .binary): element.name = try reader.text()
      case (5, .int32): element.children = try reader.integer()
      case (6, .int32): element.converted = try reader.integer()
      case (10, .structure):
        try reader.fields { (reader, field, kind) throws(TrajpackError) in
          switch field {
          case 1: element.logical = "string"
          case 7: element.logical = "time"
          case 8 where kind == .structure:
            element.logical = "timestamp"
            try reader.fields { (reader, field, kind) throws(TrajpackError) in
              guard field == 2, kind == .structure else { return try reader.skip(kind) }
              try reader.fields { (reader, field, kind) throws(TrajpackError) in
                let units = [1: "ms", 2: "us", 3: "ns"]
                if let unit = units[Int(field)] { element.logical = "timestamp \(unit)" }
                try reader.skip(kind)
              }
            }
            return
          case 12: element.logical = "json"
          case 14: element.logical = "uuid"
          case 15: element.logical = "float16"
          default: break
          }
          try reader.skip(kind)
        }
      default: try reader.skip(kind)
      }
    }
    return element
  }

  /// Makes leaves of the elements, which stand in the order of a walk through the tree.
  private mutating func tree(_ elements: [Element]) throws(TrajpackError) {
    var next = 0
    func damaged(_ what: String) -> TrajpackError {
      TrajpackError(.data, "the schema is damaged: \(what)")
    }
    func walk(
      _ path: [String], _ definition: Int, _ lists: [UInt8], _ outer: UInt8,
      _ columns: inout [ParquetColumn]
    ) throws(TrajpackError) {
      guard next < elements.count else { throw damaged("it ends inside a group") }
      guard path.count < Self.mostLevels else {
        throw damaged("it is nested deeper than \(Self.mostLevels) levels")
      }
      let element = elements[next]
      next += 1
      guard 0...2 ~= element.repetition else {
        throw damaged("'\(element.name)' has the repetition \(element.repetition)")
      }
      let isRoot = next == 1
      let level = definition + (isRoot || element.repetition == 0 ? 0 : 1)
      let isList = !isRoot && element.repetition == 2
      let below = isList ? lists + [UInt8(level)] : lists
      let first = isList && lists.isEmpty ? UInt8(level - 1) : outer
      let names = isRoot ? [] : path + [element.name]
      if element.physical == nil || element.children > 0 {
        guard 0..<elements.count ~= element.children else {
          throw damaged("'\(element.name)' states \(element.children) children")
        }
        for _ in 0..<element.children { try walk(names, level, below, first, &columns) }
        return
      }
      guard let physical = element.physical.flatMap({ ParquetColumn.Physical(rawValue: $0) }) else {
        throw damaged("'\(element.name)' has the unknown type \(element.physical ?? -1)")
      }
      let width: Int
      switch physical {
      case .boolean: width = 1
      case .int32, .float: width = 4
      case .int64, .double: width = 8
      case .int96: width = 12
      case .bytes: width = 0
      case .fixedBytes: width = element.width
      }
      guard physical != .fixedBytes || 1...1 << 20 ~= width else {
        throw damaged("'\(element.name)' has values of \(width) bytes")
      }
      let converted = element.converted.flatMap {
        Self.converted.indices.contains($0) ? Self.converted[$0] : nil
      }
      let logical = converted ?? element.logical
      columns.append(
        ParquetColumn(
          number: columns.count, path: names, physical: physical, width: width,
          definition: UInt8(level), repetition: UInt8(below.count), lists: below, outer: first,
          isText: ["string", "enum", "json"].contains(logical), logical: logical))
    }
    try walk([], 0, [], 0, &columns)
    guard next == elements.count else { throw damaged("elements follow the last group") }
  }

  private func group(
    _ reader: inout ThriftReader, _ number: Int
  ) throws(TrajpackError) -> Group {
    var group = Group()
    try reader.fields { (reader, field, kind) throws(TrajpackError) in
      switch (field, kind) {
      case (1, .list):
        try reader.list { (reader) throws(TrajpackError) in
          guard group.chunks.count < columns.count else {
            throw TrajpackError(
              .data, "row group \(number) has more columns than the schema, \(columns.count)")
          }
          group.chunks.append(
            try chunk(&reader, columns[group.chunks.count], number))
        }
      case (3, .int64): group.rows = try reader.integer()
      default: try reader.skip(kind)
      }
    }
    guard group.chunks.count == columns.count else {
      throw TrajpackError(
        .data,
        "row group \(number) has \(group.chunks.count) columns and the schema \(columns.count)")
    }
    guard group.rows >= 0 else {
      throw TrajpackError(.data, "row group \(number) does not state how many rows it has")
    }
    for (chunk, column) in zip(group.chunks, columns)
    where column.repetition == 0 && chunk.values != group.rows {
      throw TrajpackError(
        .data,
        "column '\(column.name)' has \(chunk.values) values in row group \(number) of \(group.rows) rows"
      )
    }
    return group
  }

  private func chunk(
    _ reader: inout ThriftReader, _ column: ParquetColumn, _ group: Int
  ) throws(TrajpackError) -> Chunk {
    var chunk = Chunk()
    var (first, dictionary) = (-1, -1)
    try reader.fields { (reader, field, kind) throws(TrajpackError) in
      switch (field, kind) {
      case (1, .binary):
        if !(try reader.binary()).isEmpty {
          throw TrajpackError(
            .data, "column '\(column.name)' lies in another file, which is not read")
        }
      case (3, .structure):
        try reader.fields { (reader, field, kind) throws(TrajpackError) in
          switch (field, kind) {
          case (1, .int32): chunk.physical = try reader.integer()
          case (4, .int32): chunk.codec = try reader.integer()
          case (5, .int64): chunk.values = try reader.integer()
          case (7, .int64): chunk.bytes = try reader.integer()
          case (9, .int64): first = try reader.integer()
          case (11, .int64): dictionary = try reader.integer()
          case (12, .structure):
            try reader.fields { (reader, field, kind) throws(TrajpackError) in
              if field == 3, kind == .int64 {
                chunk.nulls = try reader.integer()
              } else {
                try reader.skip(kind)
              }
            }
          default: try reader.skip(kind)
          }
        }
      default: try reader.skip(kind)
      }
    }
    let place = "column '\(column.name)' of row group \(group)"
    chunk.offset = dictionary > 0 ? min(first, dictionary) : first
    guard chunk.offset >= 4, chunk.bytes >= 0, chunk.values >= 0, chunk.codec >= 0 else {
      throw TrajpackError(.data, "\(place): the metadata do not say where its pages lie")
    }
    guard chunk.physical == column.physical.rawValue else {
      throw TrajpackError(.data, "\(place): has another type than the schema states")
    }
    return chunk
  }
}
