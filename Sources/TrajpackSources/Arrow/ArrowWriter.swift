import TrajpackCodecs
import TrajpackFormat
import TrajpackStore

/// Writes a table in Arrow's IPC format as a file (arrow.apache.org/docs/format/Columnar.html): a batch for each call of
/// ``append(_:count:)``, buffers packed by zstd. Shapes are lists of fixed size.
///
/// The corresponding Python is `pyarrow.ipc.new_file`.
final class ArrowWriter: TableSink {
  static let ending = "arrow"
  private static let magic = Array("ARROW1".utf8)
  private static let version: Int16 = 4

  private let file: OutputFile
  private let columns: [ParquetOutputColumn]
  private let facts: [(String, String)]
  private let compressor: Compressor
  private var room = ByteBuffer(0)
  private var blocks: [[Int]] = []

  init(
    _ name: String, _ columns: [ParquetOutputColumn], facts: [(String, String)],
    in folder: ExportFolder
  ) throws(TrajpackError) {
    file = try OutputFile(name, in: folder)
    (self.columns, self.facts) = (columns, facts)
    compressor = try Compressor(.zstd, level: 3)
    try file.write(Self.magic + [0, 0])
    var schema = FlatBufferWriter()
    let place = self.schema(&schema)
    _ = try message(&schema, kind: 1, place, body: 0)
  }

  // MARK: The schema

  private func schema(_ out: inout FlatBufferWriter) -> Int {
    let fields = columns.map { field($0, &out) }
    let list = out.vector(fields)
    var pairs: [Int] = []
    for (key, value) in facts {
      let (key, value) = (out.text(key), out.text(value))
      pairs.append(out.table([.place(key), .place(value)]))
    }
    let metadata = pairs.isEmpty ? nil : FlatBufferWriter.Field.place(out.vector(pairs))
    return out.table([.short(0), .place(list), metadata])
  }

  private func field(_ column: ParquetOutputColumn, _ out: inout FlatBufferWriter) -> Int {
    switch column.form {
    case .numbers(let type, let shape): number(column.name, type, shape, isNullable: false, &out)
    case .nullable(let type, let shape): number(column.name, type, shape, isNullable: true, &out)
    case .text: leaf(column.name, 5, out.table([]), isNullable: true, &out)
    case .binary, .picture: leaf(column.name, 4, out.table([]), isNullable: true, &out)
    case .texts: list(column.name, &out)
    }
  }

  /// A list of texts.
  private func list(_ name: String, _ out: inout FlatBufferWriter) -> Int {
    let item = leaf("item", 5, out.table([]), isNullable: false, &out)
    let children = out.vector([item])
    return leaf(name, 12, out.table([]), isNullable: false, children: children, &out)
  }

  private func leaf(
    _ name: String, _ kind: UInt8, _ type: Int, isNullable: Bool, children: Int? = nil,
    _ out: inout FlatBufferWriter
  ) -> Int {
    let children = children ?? out.vector([])
    let text = out.text(name)
    return out.table([
      .place(text), .bool(isNullable), .byte(kind), .place(type), nil, .place(children),
    ])
  }

  private func number(
    _ name: String, _ type: ElementType, _ shape: [Int], isNullable: Bool,
    _ out: inout FlatBufferWriter
  ) -> Int {
    guard let size = shape.first else {
      let (kind, table): (UInt8, Int)
      switch type {
      case .bool: (kind, table) = (6, out.table([]))
      case .float32, .float64: (kind, table) = (3, out.table([.short(type == .float32 ? 1 : 2)]))
      default:
        let isSigned = type.code.first == "i"
        (kind, table) = (2, out.table([.int(Int32(type.size * 8)), .bool(isSigned)]))
      }
      return leaf(name, kind, table, isNullable: isNullable, &out)
    }
    let item = number("item", type, Array(shape.dropFirst()), isNullable: isNullable, &out)
    let children = out.vector([item])
    let table = out.table([.int(Int32(clamping: size))])
    return leaf(name, 16, table, isNullable: false, children: children, &out)
  }

  // MARK: Batches

  /// The nodes and buffers of a batch, and its bytes.
  private struct Batch {
    var nodes: [[Int]] = []
    var buffers: [[Int]] = []
    var body: [UInt8] = []
  }

  /// Adds a buffer, packed where that makes it smaller.
  private func add(_ bytes: [UInt8], to batch: inout Batch) throws(TrajpackError) {
    let start = batch.body.count
    if !bytes.isEmpty {
      let bound = Compressor.bound(bytes.count)
      if room.bytes.count < bound { room = ByteBuffer(bound) }
      let count = try bytes.withBytes { (raw) throws(TrajpackError) in
        try compressor.compress(raw, into: room.bytes)
      }
      batch.body += littleEndian([UInt64(bitPattern: count == nil ? -1 : Int64(bytes.count))])
      if let count { batch.body += room.bytes[..<count] } else { batch.body += bytes }
    }
    batch.buffers.append([start, batch.body.count - start])
    while batch.body.count % 8 != 0 { batch.body.append(0) }
  }

  /// Writes rows as a batch, a column's rows for each column.
  func append(_ rows: [ParquetOutputRows], count: Int) throws(TrajpackError) {
    var batch = Batch()
    for (column, rows) in zip(columns, rows) { try add(column, rows, count, to: &batch) }
    var out = FlatBufferWriter()
    let compression = out.table([.byte(1), .byte(0)])
    let buffers = out.structs(batch.buffers)
    let nodes = out.structs(batch.nodes)
    let header = out.table([
      .long(Int64(count)), .place(nodes), .place(buffers), .place(compression),
    ])
    let at = file.count
    let metadata = try message(&out, kind: 3, header, body: batch.body.count)
    try file.write(batch.body)
    blocks.append([at, metadata, batch.body.count])
  }

  private func add(
    _ column: ParquetOutputColumn, _ rows: ParquetOutputRows, _ count: Int, to batch: inout Batch
  ) throws(TrajpackError) {
    switch (column.form, rows) {
    case (.numbers(let type, let shape), .numbers(let bytes)):
      try addNumbers(type, shape, bytes, nil, count, to: &batch)
    case (.nullable(let type, let shape), .masked(let bytes, let there)):
      try addNumbers(type, shape, bytes, there, count, to: &batch)
    case (_, .bytes(let texts)):
      batch.nodes.append([count, texts.count { $0 == nil }])
      try add(Self.bits(texts.map { $0 != nil }), to: &batch)
      try addTexts(texts.map { $0 ?? [] }, to: &batch)
    case (_, .lists(let lists)):
      batch.nodes.append([count, 0])
      try add([], to: &batch)
      try add(try Self.offsets(lists.map(\.count)), to: &batch)
      let texts = lists.flatMap { $0.map { Array($0.utf8) } }
      batch.nodes.append([texts.count, 0])
      try add([], to: &batch)
      try addTexts(texts, to: &batch)
    default:
      throw TrajpackError(.data, "the rows of the column '\(column.name)' are not of its type")
    }
  }

  private func addTexts(_ texts: [[UInt8]], to batch: inout Batch) throws(TrajpackError) {
    try add(try Self.offsets(texts.map(\.count)), to: &batch)
    try add(texts.flatMap(\.self), to: &batch)
  }

  private static func offsets(_ counts: [Int]) throws(TrajpackError) -> [UInt8] {
    var sum = 0
    var out: [UInt32] = [0]
    for count in counts {
      sum += count
      guard sum <= Int(Int32.max) else {
        throw TrajpackError(.data, "texts of more than 2 GiB do not fit into a batch of Arrow")
      }
      out.append(UInt32(sum))
    }
    return littleEndian(out)
  }

  private func addNumbers(
    _ type: ElementType, _ shape: [Int], _ bytes: [UInt8], _ there: [Bool]?, _ count: Int,
    to batch: inout Batch
  ) throws(TrajpackError) {
    var items = count
    for size in shape {
      batch.nodes.append([items, 0])
      try add([], to: &batch)
      items *= size
    }
    batch.nodes.append([items, there?.count { !$0 } ?? 0])
    try add(there.map { Self.bits($0) } ?? [], to: &batch)
    try add(type == .bool ? Self.bits(bytes.map { $0 != 0 }) : bytes, to: &batch)
  }

  private static func bits(_ values: [Bool]) -> [UInt8] {
    var out = [UInt8](repeating: 0, count: (values.count + 7) / 8)
    for (i, value) in values.enumerated() where value { out[i / 8] |= 1 << UInt8(i % 8) }
    return out
  }

  // MARK: Messages

  /// Writes a message; how many bytes its metadata have.
  private func message(
    _ out: inout FlatBufferWriter, kind: UInt8, _ header: Int, body: Int
  ) throws(TrajpackError) -> Int {
    let root = out.table([
      .short(Self.version), .byte(kind), .place(header), .long(Int64(body)),
    ])
    let bytes = out.finish(root)
    try file.write(littleEndian([UInt32.max, UInt32(bytes.count)]) + bytes)
    return 8 + bytes.count
  }

  /// Writes the footer and makes the file durable.
  func finish() throws(TrajpackError) {
    try file.write(littleEndian([UInt32.max, 0]))
    var out = FlatBufferWriter()
    let batches = out.structs(blocks)
    let dictionaries = out.structs([])
    let schema = self.schema(&out)
    let root = out.table([
      .short(Self.version), .place(schema), .place(dictionaries), .place(batches),
    ])
    let footer = out.finish(root)
    try file.write(footer + littleEndian([UInt32(footer.count)]) + Self.magic)
    try file.finish()
  }
}
