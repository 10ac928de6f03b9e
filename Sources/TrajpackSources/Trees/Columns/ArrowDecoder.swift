import TrajpackCodecs
import TrajpackFormat
import TrajpackStore

/// Decodes columns of the batches of an Arrow file.
struct ArrowDecoder {
  private let file: LocalFile
  private let columns: [ArrowColumn]
  let dictionaries: [Int: [ArrowBatch]]
  private let unpacker = Decompressor()

  private static let mostBuffer = 1 << 31

  init(_ file: LocalFile, _ columns: [ArrowColumn], _ dictionaries: [Int: [ArrowBatch]]) {
    (self.file, self.columns, self.dictionaries) = (file, columns, dictionaries)
  }

  /// Where the nodes and buffers of columns lie in a batch.
  struct Slot {
    var node = 0
    var buffer = 0
    var views = 0
  }

  func slots(_ batch: ArrowBatch) throws(TrajpackError) -> [Int: Slot] {
    var out: [Int: Slot] = [:]
    var next = Slot()
    var view = 0
    for column in columns {
      column.forEach { column in
        var own = next
        next.node += 1
        next.buffer += column.buffers
        if column.isView, column.dictionary == nil {
          own.views =
            view < batch.views.count ? min(max(batch.views[view], 0), batch.buffers.count) : 0
          next.buffer += own.views
          view += 1
        }
        out[column.number] = own
      }
    }
    guard next.node == batch.nodes.count, next.buffer == batch.buffers.count else {
      throw TrajpackError(.data, "a batch has other columns than the schema; the file is damaged")
    }
    return out
  }

  /// The bytes of a buffer, unpacked.
  func buffer(
    _ batch: ArrowBatch, _ number: Int, least: Int
  ) throws(TrajpackError) -> [UInt8] {
    let range = batch.buffers[number]
    var bytes: [UInt8]
    if batch.codec < 0 || range.isEmpty {
      bytes = try file.bytes(range)
    } else {
      let stored = try file.bytes(range)
      guard stored.count >= 8 else { throw TrajpackError(.data, "a packed buffer has no length") }
      let size = Int(stored.little(0, as: Int64.self))
      if size == -1 {
        bytes = Array(stored[8...])
      } else {
        // lz4 packs 255 to 1; zstd runs of one byte some 30,000 to 1.
        guard size >= 0, size <= Self.mostBuffer, size / 40_000 <= stored.count else {
          throw TrajpackError(.data, "a packed buffer claims \(size) bytes in \(stored.count)")
        }
        bytes = [UInt8](repeating: 0, count: size)
        let codec = batch.codec
        if size > 0 {
          try bytes.withUnsafeMutableBufferPointer { (out) throws(TrajpackError) in
            try stored.withUnsafeBufferPointer { (source) throws(TrajpackError) in
              let from = UnsafeRawBufferPointer(UnsafeBufferPointer(rebasing: source[8...]))
              let to = UnsafeMutableRawBufferPointer(out)
              if codec == 0 {
                try LZ4Frame.decompress(from, into: to)
              } else {
                try unpacker.decompress(from, .zstd, into: to)
              }
            }
          }
        }
      }
    }
    guard bytes.count >= least else {
      throw TrajpackError(.data, "a buffer has \(bytes.count) bytes where \(least) are expected")
    }
    return bytes
  }

  /// Which elements of a column are there; `nil` where all are.
  func validity(
    _ batch: ArrowBatch, _ slot: Slot
  ) throws(TrajpackError) -> [UInt8]? {
    guard batch.nodes[slot.node].nulls != 0 else { return nil }
    guard !batch.buffers[slot.buffer].isEmpty else { return nil }
    return try buffer(batch, slot.buffer, least: (batch.nodes[slot.node].count + 7) / 8)
  }

  static func isSet(_ bits: [UInt8]?, _ index: Int) -> Bool {
    bits.map { $0[index >> 3] >> UInt8(index & 7) & 1 == 1 } ?? true
  }

  /// Where lists begin.
  func offsets(
    _ column: ArrowColumn, _ batch: ArrowBatch, _ slot: Slot
  ) throws(TrajpackError) -> [Int] {
    let count = batch.nodes[slot.node].count
    guard count > 0 else { return [0] }
    let size = column.isLarge ? 8 : 4
    let bytes = try buffer(batch, slot.buffer + 1, least: (count + 1) * size)
    var out: [Int] = []
    out.reserveCapacity(count + 1)
    var last = 0
    for i in 0...count {
      let at =
        column.isLarge
        ? Int(bytes.little(i * 8, as: Int64.self)) : Int(bytes.little(i * 4, as: Int32.self))
      guard at >= last else {
        throw TrajpackError(.data, "its offsets go back; the file is damaged")
      }
      out.append(at)
      last = at
    }
    return out
  }

  /// Whether a column has nulls, and the shape of its rows; none where lists differ in length.
  func facts(
    _ column: ArrowColumn, _ batches: [ArrowBatch]
  ) throws(TrajpackError) -> (hasNulls: Bool, shape: [Int]?) {
    var (hasNulls, shape) = (false, [Int?]())
    for batch in batches {
      let slots = try slots(batch)
      func nulls(_ number: Int) -> Bool {
        slots[number].map { batch.nodes[$0.node].nulls != 0 } ?? false
      }
      if column.parents.contains(where: nulls) { hasNulls = true }
      var (level, depth) = (column, 0)
      while true {
        guard let slot = slots[level.number] else { break }
        if nulls(level.number) { hasNulls = true }
        guard let inner = level.listed, level.dictionary == nil else { break }
        if shape.count == depth { shape.append(nil) }
        if case .fixedList(let size) = level.form {
          shape[depth] = size
        } else {
          let bits = try validity(batch, slot)
          let ends = try offsets(level, batch, slot)
          for i in 0..<ends.count - 1 where Self.isSet(bits, i) {
            let length = ends[i + 1] - ends[i]
            guard shape[depth] == nil || shape[depth] == length else { return (hasNulls, nil) }
            shape[depth] = length
          }
        }
        level = inner
        depth += 1
      }
    }
    let known = shape.map { $0 ?? 0 }
    return (hasNulls, known.contains { $0 <= 0 } ? nil : known)
  }

  /// The numbers of all rows as `type`.
  func numbers(
    _ column: ArrowColumn, _ batches: [ArrowBatch], as type: ElementType,
    _ missing: Channel.Missing, _ elements: Int
  ) throws(TrajpackError) -> RowSpool {
    var writer = SpoolWriter()
    for batch in batches {
      let slots = try slots(batch)
      var rows: [Int]? = try present(column, batch, slots)
      var (level, first) = (column, 0)
      // From the rows to the elements of the innermost lists.
      while let inner = level.listed {
        guard let slot = slots[level.number] else { break }
        let bits = try validity(batch, slot)
        let count = batch.nodes[slot.node].count
        let starts: [Int]
        let length: Int
        if case .fixedList(let size) = level.form {
          (starts, length) = ((0..<count).map { $0 * size }, size)
        } else {
          let ends = try offsets(level, batch, slot)
          starts = Array(ends.dropLast())
          length = (0..<count).first { Self.isSet(bits, $0) }.map { ends[$0 + 1] - ends[$0] } ?? 0
        }
        var next: [Int] = []
        for row in rows ?? Array(first..<first + count) {
          let isThere = row >= 0 && row < count && Self.isSet(bits, row)
          if isThere {
            next += starts[row]..<starts[row] + length
          } else {
            next += [Int](repeating: -1, count: max(length, 0))
          }
        }
        (rows, first, level) = (next, 0, inner)
      }
      guard let slot = slots[level.number] else { continue }
      // Where every list of the batch is absent its length is not known.
      if let some = rows, some.count != batch.rows * elements {
        guard some.allSatisfy({ $0 < 0 }) else {
          throw TrajpackError(.data, "its lists differ in length")
        }
        rows = [Int](repeating: -1, count: batch.rows * elements)
      }
      try append(level, batch, slot, rows, batch.rows * elements, type, missing, &writer)
    }
    try writer.flush()
    return writer.spool
  }

  /// The rows of a batch, -1 for those whose struct is absent; `nil` where all are there.
  func present(
    _ column: ArrowColumn, _ batch: ArrowBatch, _ slots: [Int: Slot]
  ) throws(TrajpackError) -> [Int]? {
    var rows: [Int]?
    for parent in column.parents {
      guard let slot = slots[parent], let bits = try validity(batch, slot) else { continue }
      rows = (0..<batch.rows).map { Self.isSet(bits, $0) && (rows?[$0] ?? 0) >= 0 ? $0 : -1 }
    }
    return rows
  }

  func append(
    _ column: ArrowColumn, _ batch: ArrowBatch, _ slot: Slot, _ rows: [Int]?, _ total: Int,
    _ type: ElementType, _ missing: Channel.Missing, _ writer: inout SpoolWriter
  ) throws(TrajpackError) {
    let count = batch.nodes[slot.node].count
    let bits = try validity(batch, slot)
    let width: Int
    switch column.form {
    case .whole(let size, _): width = size
    case .float(let size): width = size
    default: width = 0
    }
    let bytes = try buffer(
      batch, slot.buffer + 1, least: count == 0 ? 0 : width == 0 ? (count + 7) / 8 : count * width)
    guard rows != nil || count == total else {
      throw TrajpackError(.data, "a batch has \(count) values where \(total) are expected")
    }
    if rows == nil, bits == nil, width == type.size, column.element == type,
      column.form != .float(2)
    {
      try writer.flush()
      return try writer.spool.append(Array(bytes[..<(total * width)]))
    }
    for i in 0..<total {
      let index = rows?[i] ?? i
      guard index < count else {
        throw TrajpackError(.data, "its lists pass the end of their values")
      }
      guard index >= 0, Self.isSet(bits, index) else {
        try Self.absent(type, missing, &writer)
        continue
      }
      try Self.put(column, bytes, index, type, missing, &writer)
    }
  }

  private static func absent(
    _ type: ElementType, _ missing: Channel.Missing, _ writer: inout SpoolWriter
  ) throws(TrajpackError) {
    switch type {
    case .float32: try writer.append(Float.nan.bitPattern)
    case .float64: try writer.append(Double.nan)
    case .int32 where missing == .sentinel: try writer.append(Int32.min)
    case .int64 where missing == .sentinel: try writer.append(Int64.min)
    default:
      throw TrajpackError(.data, "has a null where its nodes count none; the file is damaged")
    }
  }

  private static func put(
    _ column: ArrowColumn, _ bytes: [UInt8], _ index: Int, _ type: ElementType,
    _ missing: Channel.Missing, _ writer: inout SpoolWriter
  ) throws(TrajpackError) {
    let whole: Int64
    switch column.form {
    case .truth: whole = isSet(bytes, index) ? 1 : 0
    case .float(2):
      return try writer.append(
        Float(Float16(bitPattern: bytes.little(index * 2, as: UInt16.self))).bitPattern)
    case .float(4): return try writer.append(bytes.little(index * 4, as: UInt32.self))
    case .float: return try writer.append(bytes.little(index * 8, as: UInt64.self))
    case .whole(1, let isSigned):
      whole = isSigned ? Int64(Int8(bitPattern: bytes[index])) : Int64(bytes[index])
    case .whole(2, let isSigned):
      let bits = bytes.little(index * 2, as: UInt16.self)
      whole = isSigned ? Int64(Int16(bitPattern: bits)) : Int64(bits)
    case .whole(4, let isSigned):
      let bits = bytes.little(index * 4, as: UInt32.self)
      whole = isSigned ? Int64(Int32(bitPattern: bits)) : Int64(bits)
    default:
      let bits = bytes.little(index * 8, as: UInt64.self)
      if missing == .sentinel, column.element == .uint64, bits > UInt64(Int64.max) {
        throw TrajpackError(.data, "has \(bits) beside nulls, which int64 does not hold")
      }
      whole = Int64(bitPattern: bits)
    }
    if missing == .sentinel, whole == (type == .int32 ? Int64(Int32.min) : Int64.min) {
      throw TrajpackError(
        .data, "has \(whole), the number that stands for 'not observed'; \(Channel.Missing.remedy)")
    }
    switch type.size {
    case 1: try writer.append(UInt8(truncatingIfNeeded: whole))
    case 2: try writer.append(UInt16(truncatingIfNeeded: whole))
    case 4: try writer.append(UInt32(truncatingIfNeeded: whole))
    default: try writer.append(UInt64(truncatingIfNeeded: whole))
    }
  }
}
