/// Memory that tables look into. It is freed with the last of them.
public final class IndexMemory: @unchecked Sendable {
  // Written once before it is shared, only read afterwards.
  /// The bytes.
  public let bytes: UnsafeMutableRawBufferPointer
  private let release: @Sendable (UnsafeMutableRawBufferPointer) -> Void

  /// Memory that `release` gives back.
  public init(
    _ bytes: UnsafeMutableRawBufferPointer,
    release: @escaping @Sendable (UnsafeMutableRawBufferPointer) -> Void
  ) {
    self.bytes = bytes
    self.release = release
  }

  /// Fresh memory of `count` bytes.
  public convenience init(count: Int) {
    self.init(.allocate(byteCount: max(count, 1), alignment: 16)) { $0.deallocate() }
  }

  deinit { release(bytes) }
}

/// A table of the index: rows of int64 columns, looked at where they lie.
public struct IndexTable: @unchecked Sendable {
  // The memory is never changed while a table looks into it. Its address is kept beside it, so that
  // looking at an element does not count references.
  private let memory: IndexMemory?
  @usableFromInline let base: UnsafeRawPointer?
  /// Columns of a row.
  public let columns: Int
  /// Rows.
  public let count: Int

  /// The table in bytes `range` of `memory`.
  ///
  /// - Throws: A data error where the bytes are not whole rows.
  public init(
    _ memory: IndexMemory, _ range: Range<Int>, columns: Int, name: String
  ) throws(TrajpackError) {
    guard range.count % (columns * 8) == 0 else {
      throw TrajpackError(
        .data, "section '\(name)' of the index has \(range.count) bytes, not whole rows")
    }
    self.memory = memory
    base = memory.bytes.baseAddress.map { UnsafeRawPointer($0) + range.lowerBound }
    self.columns = columns
    self.count = range.count / (columns * 8)
  }

  /// A table without rows.
  public init(columns: Int) {
    memory = nil
    base = nil
    self.columns = columns
    count = 0
  }

  /// One element. Rows and columns are the caller's to keep in bounds; they come from counts that the
  /// index has checked, never from the file.
  @inlinable
  public subscript(row: Int, column: Int) -> Int {
    guard let base, row >= 0, row < count else { return 0 }
    let at = (row * columns + column) * 8
    return Int(Int64(littleEndian: base.loadUnaligned(fromByteOffset: at, as: Int64.self)))
  }
}
