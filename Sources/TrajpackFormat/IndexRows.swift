import CPlatform

/// Looks at rows of a table in order, a block of them unpacked at a time.
@usableFromInline
package final class IndexRows {
  private let table: PackedTable
  @usableFromInline let unpacked: UnsafeMutablePointer<Int64>
  // In memory of its own, where Swift does not count who looks at it.
  @usableFromInline let block: UnsafeMutablePointer<Int>
  private let wanted: [Int]
  /// Per column: its value where the whole column is constant.
  private var constants: [Int64?]

  /// Looks at `columns` of a table only, or at all of them.
  package init(_ table: PackedTable, columns: [Int]? = nil) {
    self.table = table
    wanted = columns ?? Array(0..<table.columns)
    constants = Array(repeating: nil, count: table.columns)
    unpacked = .allocate(capacity: PackedTable.blockRows * table.columns)
    block = .allocate(capacity: 1)
    block.initialize(to: -1)
  }

  deinit {
    unpacked.deallocate()
    block.deallocate()
  }

  /// The row of that number; it is there until another one is looked at.
  @inlinable
  package func row(_ number: Int) -> Row {
    if number &>> PackedTable.blockShift != block.pointee {
      unpack(number &>> PackedTable.blockShift)
    }
    return Row(UnsafePointer(unpacked) + (number & (PackedTable.blockRows &- 1)))
  }

  @usableFromInline
  func unpack(_ block: Int) {
    self.block.pointee = block
    guard let lines = table.lines else { return }
    let count = min(PackedTable.blockRows, table.count - block * PackedTable.blockRows)
    for column in wanted {
      let line = lines + block * table.columns + column
      let isConstant = line.pointee.width == 0 && line.pointee.slope == 0
      if isConstant, constants[column] == line.pointee.base { continue }
      constants[column] =
        isConstant && count == PackedTable.blockRows ? line.pointee.base : nil
      tp_column_unpack(line, count, unpacked + column * PackedTable.blockRows)
    }
  }

  /// A row.
  @usableFromInline
  package struct Row {
    @usableFromInline let at: UnsafePointer<Int64>

    @inlinable
    init(_ at: UnsafePointer<Int64>) { self.at = at }

    /// A number of it.
    @inlinable
    package subscript(column: Int) -> Int { Int(at[column &* PackedTable.blockRows]) }
  }
}
