import CPlatform
import Synchronization

/// A table of int64 columns in little memory: each column is stored per 512 rows as a linear fit plus the
/// residuals, in as few bytes as they need. A million episodes of one length take no memory for a row, and
/// others a few bytes.
public struct PackedTable: Sendable {
  /// Columns of a row.
  public let columns: Int
  /// Rows.
  public let count: Int
  private let blocks: Blocks?
  // Kept beside the blocks, so that looking at an element does not count references.
  @usableFromInline nonisolated(unsafe) let lines: UnsafePointer<tp_column>?

  /// Rows of a block.
  @usableFromInline static let blockRows = 512
  @usableFromInline static let blockShift = 9

  /// A table without rows.
  public init(columns: Int) {
    self.columns = columns
    count = 0
    blocks = nil
    lines = nil
  }

  fileprivate init(_ blocks: Blocks, columns: Int, count: Int) {
    self.columns = columns
    self.count = count
    self.blocks = blocks
    lines = blocks.lines.baseAddress.map { UnsafePointer($0) }
  }

  /// One element. Rows and columns are the caller's to keep in bounds; they come from counts that the
  /// index has checked, never from the file.
  @inlinable
  public subscript(row: Int, column: Int) -> Int {
    guard let lines, row >= 0, row < count else { return 0 }
    let line = lines[(row &>> Self.blockShift) &* columns &+ column]
    let place = row & (Self.blockRows &- 1)
    // With width 0 the pointer is a dummy; the mask makes the residual 0.
    let rest =
      UnsafeRawPointer(line.bytes).unsafelyUnwrapped
      .loadUnaligned(fromByteOffset: place &* Int(line.width), as: UInt64.self) & line.mask
    return Int(truncatingIfNeeded: line.base) &+ Int(truncatingIfNeeded: line.slope) &* place
      &+ Int(truncatingIfNeeded: rest)
  }

  /// Whether some of it lies in other memory than what was given for it.
  package var hasOwnMemory: Bool { blocks?.hasOwnMemory ?? false }

  /// The most bytes that a table of so many rows takes of ``IndexMemory``.
  package static func room(rows: Int, columns: Int) -> Int {
    // A line and numbers of eight bytes of each column of a block, and what rounding adds to both.
    (rows / blockRows + 1) * (columns * MemoryLayout<tp_column>.stride + 48) + rows * columns * 8
  }

  /// The packed blocks.
  fileprivate final class Blocks: @unchecked Sendable {
    // Each block is written by one thread before the table is made, and only read afterwards.
    private(set) var lines: UnsafeMutableBufferPointer<tp_column>
    /// What a line without bytes points at.
    private let nothing = UnsafeMutablePointer<UInt64>.allocate(capacity: 1)
    private let columns: Int
    private let memory: IndexMemory?
    /// Whether some block lies in memory of its own.
    private let hasOwn = Atomic<Bool>(false)

    init(blocks: Int, columns: Int, memory: IndexMemory?) {
      self.columns = columns
      self.memory = memory
      nothing.initialize(to: 0)
      let count = blocks * columns
      lines =
        memory?.take(count * MemoryLayout<tp_column>.stride).map {
          UnsafeMutableBufferPointer(
            start: $0.bindMemory(to: tp_column.self, capacity: count), count: count)
        } ?? .allocate(capacity: count)
      clear(0)
    }

    private func clear(_ first: Int) {
      lines[first...].initialize(
        repeating: tp_column(
          base: 0, slope: 0, mask: 0, width: 0,
          bytes: UnsafePointer(
            UnsafeRawPointer(nothing).assumingMemoryBound(to: UInt8.self))))
    }

    deinit {
      // On a disk, not even a look is worth the pages.
      if hasOwn.load(ordering: .relaxed) {
        for at in stride(from: 0, to: lines.count, by: columns) {
          if let bytes = owned(at), memory?.owns(bytes) != true { bytes.deallocate() }
        }
      }
      free(lines)
      nothing.deallocate()
    }

    private func free(_ lines: UnsafeMutableBufferPointer<tp_column>) {
      if let start = lines.baseAddress, memory?.owns(start) == true { return }
      lines.deallocate()
    }

    /// Whether some of it lies in other memory than what was given for it.
    var hasOwnMemory: Bool {
      hasOwn.load(ordering: .relaxed)
        || lines.baseAddress.map { memory?.owns($0) != true } ?? false
    }

    /// The bytes of a block, which begin with those of its first column that has some.
    private func owned(_ first: Int) -> UnsafePointer<UInt8>? {
      (first..<first + columns).first { lines[$0].width > 0 }.flatMap { lines[$0].bytes }
    }

    /// Makes room for as many blocks again.
    func grow() {
      let old = lines
      lines = .allocate(capacity: max(old.count, columns) * 2)
      _ = lines.moveInitialize(fromContentsOf: old)
      free(old)
      clear(old.count)
    }

    func pack(_ block: Int, _ rows: UnsafeBufferPointer<Int64>) {
      let count = rows.count / columns
      guard let from = rows.baseAddress, let out = lines.baseAddress, count > 0 else { return }
      let line = out + block * columns
      let bytes = tp_columns_fit(from, count, columns, line)
      if bytes == 0 { return }
      if let place = memory?.take(bytes + 8) {
        tp_columns_pack(from, count, columns, line, place.assumingMemoryBound(to: UInt8.self))
      } else {
        hasOwn.store(true, ordering: .relaxed)
        tp_columns_pack(from, count, columns, line, .allocate(capacity: bytes + 8))
      }
    }
  }
}

extension PackedTable {
  /// Packs a table whose number of rows is known; several threads may pack rows of their own.
  public struct Packer: Sendable {
    private let blocks: Blocks
    private let columns: Int
    private let count: Int

    /// For a table of `bytes` bytes: rows of little-endian int64.
    ///
    /// - Throws: A data error where the bytes are not whole rows.
    package init(
      bytes: Int, columns: Int, name: String, memory: IndexMemory? = nil
    ) throws(TrajpackError) {
      guard bytes % (columns * 8) == 0 else {
        throw TrajpackError(
          .data, "section '\(name)' of the index has \(bytes) bytes, not whole rows")
      }
      self.columns = columns
      count = bytes / (columns * 8)
      blocks = Blocks(
        blocks: (count + PackedTable.blockRows - 1) / PackedTable.blockRows, columns: columns,
        memory: memory)
    }

    /// Bytes of a block, which is packed as a whole.
    public var blockBytes: Int { PackedTable.blockRows * columns * 8 }

    /// Packs bytes from byte `offset` of the table on: whole blocks, aligned to 8 bytes in memory, the last
    /// block of the table as long as it is.
    public func pack(_ bytes: UnsafeRawBufferPointer, at offset: Int) {
      for at in stride(from: 0, to: bytes.count, by: blockBytes) {
        let block = UnsafeRawBufferPointer(
          rebasing: bytes[at..<min(at + blockBytes, bytes.count)])
        blocks.pack((offset + at) / blockBytes, block.bindMemory(to: Int64.self))
      }
    }

    /// The table, when all is packed.
    public var table: PackedTable { PackedTable(blocks, columns: columns, count: count) }
  }

  /// Packs a table row by row.
  package struct Builder: ~Copyable {
    private let blocks: Blocks
    private let columns: Int
    private let rows: UnsafeMutableBufferPointer<Int64>
    private var filled = 0
    private var packed = 0

    /// A table without rows yet; in `memory`, where that is given, as far as ``room(rows:columns:)`` of them go.
    package init(columns: Int, rows expected: Int = 0, memory: IndexMemory? = nil) {
      self.columns = columns
      blocks = Blocks(
        blocks: memory?.isOnDisk == true ? expected / PackedTable.blockRows + 1 : 0,
        columns: columns, memory: memory)
      rows = .allocate(capacity: PackedTable.blockRows * columns)
      rows.initialize(repeating: 0)
    }

    deinit { rows.deallocate() }

    /// Adds a row of two columns.
    @inline(__always)
    package mutating func append(_ first: Int, _ second: Int) {
      rows[filled] = Int64(first)
      rows[filled + 1] = Int64(second)
      filled += 2
      if filled == rows.count { flush() }
    }

    /// Adds a row of four columns.
    @inline(__always)
    package mutating func append(_ first: Int, _ second: Int, _ third: Int, _ fourth: Int) {
      rows[filled] = Int64(first)
      rows[filled + 1] = Int64(second)
      rows[filled + 2] = Int64(third)
      rows[filled + 3] = Int64(fourth)
      filled += 4
      if filled == rows.count { flush() }
    }

    private mutating func flush() {
      if (packed + 1) * columns > blocks.lines.count { blocks.grow() }
      blocks.pack(packed, UnsafeBufferPointer(rebasing: rows[..<filled]))
      packed += 1
      filled = 0
    }

    /// Rows so far.
    package var count: Int { packed * PackedTable.blockRows + filled / columns }

    /// The table.
    package consuming func table() -> PackedTable {
      let count = count
      if filled > 0 { flush() }
      return PackedTable(blocks, columns: columns, count: count)
    }
  }
}
