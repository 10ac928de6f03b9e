import TrajpackCodecs
import TrajpackFormat

/// Writes a Parquet file: PLAIN values in pages of version 2, compressed by zstd; no dictionaries and no statistics of
/// values, which readers need not have.
///
/// The corresponding Python is `pyarrow.parquet.ParquetWriter`.
final class ParquetWriter {
  private struct Chunk {
    var leaf: ParquetLeaf
    var offset: Int
    var values: Int
    var nulls: Int
    var raw: Int
    var stored: Int
  }

  private static let mark = Array("PAR1".utf8)
  /// Bytes of values in a page, about.
  private static let pageBytes = 1 << 20

  private let file: OutputFile
  private let columns: [ParquetOutputColumn]
  private let facts: [(String, String)]
  private let compressor: Compressor
  private var groups: [(rows: Int, chunks: [Chunk])] = []

  /// - Parameter facts: What the file says of itself besides, as pandas' index.
  init(
    _ name: String, _ columns: [ParquetOutputColumn], facts: [(String, String)] = [],
    in folder: ExportFolder
  ) throws(TrajpackError) {
    file = try OutputFile(name, in: folder)
    self.columns = columns
    self.facts = facts
    compressor = try Compressor(.zstd, level: 3)
    try file.write(Self.mark)
  }

  /// Bytes so far.
  var count: Int { file.count }

  /// Writes rows as a row group, a column's rows for each column.
  func append(_ rows: [ParquetOutputRows], count: Int) throws(TrajpackError) {
    var chunks: [Chunk] = []
    for (column, rows) in zip(columns, rows) {
      for (number, leaf) in column.leaves.enumerated() {
        chunks.append(try write(column, leaf, number, rows, count))
      }
    }
    groups.append((count, chunks))
  }

  /// Levels and values of a page.
  private struct Page {
    var rows = 0
    var values = 0
    var nulls = 0
    var repetition: [UInt8] = []
    var definition: [UInt8] = []
    var plain: [UInt8] = []
  }

  private func write(
    _ column: ParquetOutputColumn, _ leaf: ParquetLeaf, _ number: Int, _ rows: ParquetOutputRows,
    _ count: Int
  ) throws(TrajpackError) -> Chunk {
    var chunk = Chunk(
      leaf: leaf, offset: file.count, values: 0, nulls: 0, raw: 0, stored: 0)
    switch (column.form, rows) {
    case (.numbers(let type, let shape), .numbers(let bytes)):
      let elements = shape.reduce(1, *)
      let row = elements * type.size
      guard bytes.count == count * row else { throw other(column) }
      let pattern = ParquetLevels.pattern(shape)
      let step = max(Self.pageBytes / max(row, 1), 1)
      for first in stride(from: 0, to: count, by: step) {
        let some = min(step, count - first)
        var page = Page(rows: some, values: some * elements)
        if !shape.isEmpty {
          var levels: [UInt8] = []
          levels.reserveCapacity(some * elements)
          for _ in 0..<some { levels += pattern }
          page.repetition = ParquetLevels.packed(levels, most: shape.count)
          page.definition = ParquetLevels.run(some * elements, of: UInt8(shape.count))
        }
        page.plain = ParquetLevels.plain(bytes[first * row..<(first + some) * row], type)
        try append(page, to: &chunk)
      }
    case (.nullable(let type, let shape), .masked(let bytes, let there)):
      let elements = shape.reduce(1, *)
      let row = elements * type.size
      guard bytes.count == count * row, there.count == count * elements else {
        throw other(column)
      }
      let pattern = ParquetLevels.pattern(shape)
      let step = max(Self.pageBytes / max(row, 1), 1)
      for first in stride(from: 0, to: count, by: step) {
        let some = min(step, count - first)
        var page = Page(rows: some, values: some * elements)
        var (repetition, definition, kept): ([UInt8], [UInt8], [UInt8]) = ([], [], [])
        for element in first * elements..<(first + some) * elements {
          definition.append(UInt8(shape.count + (there[element] ? 1 : 0)))
          if there[element] {
            kept += bytes[element * type.size..<(element + 1) * type.size]
          } else {
            page.nulls += 1
          }
        }
        if !shape.isEmpty {
          for _ in 0..<some { repetition += pattern }
          page.repetition = ParquetLevels.packed(repetition, most: shape.count)
        }
        page.definition = ParquetLevels.packed(definition, most: shape.count + 1)
        page.plain = ParquetLevels.plain(kept[...], type)
        try append(page, to: &chunk)
      }
    case (.text, .bytes(let rows)), (.binary, .bytes(let rows)), (.picture, .bytes(let rows)):
      // Of a picture's path there is none.
      try texts(number == 0 ? rows : rows.map { _ in nil }, &chunk)
    case (.texts, .lists(let rows)):
      var (levels, there): ([UInt8], [UInt8]) = ([], [])
      var page = Page(rows: rows.count)
      for row in rows {
        for (i, text) in row.enumerated() {
          levels.append(i == 0 ? 0 : 1)
          there.append(1)
          ParquetLevels.append(Array(text.utf8), to: &page.plain)
        }
        if row.isEmpty {
          levels.append(0)
          there.append(0)
          page.nulls += 1
        }
      }
      page.values = levels.count
      page.repetition = ParquetLevels.packed(levels, most: 1)
      page.definition = ParquetLevels.packed(there, most: 1)
      try append(page, to: &chunk)
    default: throw other(column)
    }
    return chunk
  }

  private func other(_ column: ParquetOutputColumn) -> TrajpackError {
    TrajpackError(.machine, "column '\(column.name)' is given rows of another form")
  }

  /// Texts or bytes with none among them.
  private func texts(_ rows: [[UInt8]?], _ chunk: inout Chunk) throws(TrajpackError) {
    var first = 0
    while first < rows.count {
      var page = Page()
      var there: [UInt8] = []
      while first < rows.count, page.plain.count < Self.pageBytes {
        there.append(rows[first] == nil ? 0 : 1)
        if let bytes = rows[first] {
          ParquetLevels.append(bytes, to: &page.plain)
        } else {
          page.nulls += 1
        }
        first += 1
      }
      (page.rows, page.values) = (there.count, there.count)
      page.definition = ParquetLevels.packed(there, most: 1)
      try append(page, to: &chunk)
    }
  }

  private func append(_ page: Page, to chunk: inout Chunk) throws(TrajpackError) {
    guard page.plain.count < 1 << 30 else {
      throw TrajpackError(
        .data,
        "'\(chunk.leaf.path[0])': \(page.plain.count) bytes are more than a page of Parquet may have"
      )
    }
    var stored = [UInt8](repeating: 0, count: Compressor.bound(page.plain.count))
    var size: Int?
    try page.plain.withBytes { (plain) throws(TrajpackError) in
      size = try stored.withMutableBytes { (stored) throws(TrajpackError) in
        try compressor.compress(plain, into: stored)
      }
    }
    let levels = page.repetition.count + page.definition.count
    var header = ThriftWriter()
    header.structure { out in
      out.int32(1, 3)
      out.int32(2, levels + page.plain.count)
      out.int32(3, levels + (size ?? page.plain.count))
      out.structure(8) { out in
        out.int32(1, page.values)
        out.int32(2, page.nulls)
        out.int32(3, page.rows)
        out.int32(4, 0)
        out.int32(5, page.definition.count)
        out.int32(6, page.repetition.count)
        out.flag(7, size != nil)
      }
    }
    let start = file.count
    try file.write(header.bytes)
    try file.write(page.repetition)
    try file.write(page.definition)
    try file.write(size.map { Array(stored[..<$0]) } ?? page.plain)
    chunk.values += page.values
    chunk.nulls += page.nulls
    chunk.raw += header.bytes.count + levels + page.plain.count
    chunk.stored += file.count - start
  }

  /// Writes what the file says of itself, and makes it durable.
  func finish() throws(TrajpackError) {
    let nodes =
      [ParquetNode(name: "schema", children: columns.count)] + columns.flatMap(\.nodes)
    var out = ThriftWriter()
    let (groups, facts) = (groups, facts)
    out.structure { out in
      out.int32(1, 2)
      out.structures(2, nodes) { out, node in
        if let physical = node.physical { out.int32(1, physical) }
        out.int32(3, node.repetition)
        out.text(4, node.name)
        if node.children > 0 { out.int32(5, node.children) }
        if let converted = node.converted { out.int32(6, converted) }
      }
      out.int64(3, groups.reduce(0) { $0 + $1.rows })
      out.structures(4, groups) { out, group in
        out.structures(1, group.chunks) { out, chunk in
          out.int64(2, chunk.offset)
          out.structure(3) { out in
            out.int32(1, chunk.leaf.physical)
            out.numbers(2, [0, 3])
            out.texts(3, chunk.leaf.path)
            out.int32(4, 6)
            out.int64(5, chunk.values)
            out.int64(6, chunk.raw)
            out.int64(7, chunk.stored)
            out.int64(9, chunk.offset)
            out.structure(12) { $0.int64(3, chunk.nulls) }
          }
        }
        out.int64(2, group.chunks.reduce(0) { $0 + $1.raw })
        out.int64(3, group.rows)
      }
      if !facts.isEmpty {
        out.structures(5, facts) { out, fact in
          out.text(1, fact.0)
          out.text(2, fact.1)
        }
      }
      out.text(6, "trajpack")
    }
    try file.write(out.bytes)
    try file.write(withUnsafeBytes(of: UInt32(out.bytes.count).littleEndian) { Array($0) })
    try file.write(Self.mark)
    try file.finish()
  }
}

/// Levels and PLAIN values as bytes.
enum ParquetLevels {
  private static func variable(_ number: Int, to out: inout [UInt8]) {
    var number = number
    while number >= 128 {
      out.append(UInt8(truncatingIfNeeded: number) | 128)
      number >>= 7
    }
    out.append(UInt8(number))
  }

  /// The repetition levels of a row of a shape.
  static func pattern(_ shape: [Int]) -> [UInt8] {
    (0..<shape.reduce(1, *)).map { element in
      if element == 0 { return 0 }
      var (rest, level) = (element, shape.count)
      for length in shape.reversed() {
        guard rest % length == 0 else { break }
        rest /= length
        level -= 1
      }
      return UInt8(level)
    }
  }

  /// So many of one level.
  static func run(_ count: Int, of level: UInt8) -> [UInt8] {
    var out: [UInt8] = []
    variable(count << 1, to: &out)
    out.append(level)
    return out
  }

  /// Levels bit by bit; one run where they are all the same.
  static func packed(_ levels: [UInt8], most: Int) -> [UInt8] {
    guard let first = levels.first else { return [] }
    if levels.allSatisfy({ $0 == first }) { return run(levels.count, of: first) }
    let width = Int.bitWidth - most.leadingZeroBitCount
    let groups = (levels.count + 7) / 8
    var out: [UInt8] = []
    variable(groups << 1 | 1, to: &out)
    let start = out.count
    out += [UInt8](repeating: 0, count: groups * width)
    for (i, level) in levels.enumerated() {
      let bit = i * width
      let word = UInt16(level) << UInt16(bit & 7)
      out[start + bit >> 3] |= UInt8(truncatingIfNeeded: word)
      if word > 255 { out[start + bit >> 3 + 1] |= UInt8(word >> 8) }
    }
    return out
  }

  /// A text or bytes, behind their length.
  static func append(_ bytes: [UInt8], to out: inout [UInt8]) {
    withUnsafeBytes(of: UInt32(bytes.count).littleEndian) { out.append(contentsOf: $0) }
    out += bytes
  }

  /// Packed elements as Parquet stores them: truth values a bit, shorter integers as int32.
  static func plain(_ bytes: ArraySlice<UInt8>, _ type: ElementType) -> [UInt8] {
    func wide<T: FixedWidthInteger>(_ type: T.Type) -> [UInt8] {
      bytes.withUnsafeBytes { raw in
        var out: [UInt8] = []
        out.reserveCapacity(raw.count / MemoryLayout<T>.size * 4)
        for i in stride(from: 0, to: raw.count, by: MemoryLayout<T>.size) {
          let value = Int32(T(littleEndian: raw.loadUnaligned(fromByteOffset: i, as: T.self)))
          withUnsafeBytes(of: value.littleEndian) { out.append(contentsOf: $0) }
        }
        return out
      }
    }
    switch type {
    case .bool:
      var out = [UInt8](repeating: 0, count: (bytes.count + 7) / 8)
      for (i, value) in bytes.enumerated() where value != 0 { out[i >> 3] |= 1 << UInt8(i & 7) }
      return out
    case .int8: return wide(Int8.self)
    case .uint8: return wide(UInt8.self)
    case .int16: return wide(Int16.self)
    case .uint16: return wide(UInt16.self)
    default: return Array(bytes)
    }
  }
}
