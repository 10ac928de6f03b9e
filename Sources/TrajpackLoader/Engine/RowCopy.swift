import TrajpackCodecs

/// Where the rows of a block of a chunk lie.
enum ChunkSource {
  /// All its bytes in a row.
  case whole(UnsafeRawPointer, isShuffled: Bool)
  /// Its byte planes, each at a place of its own; the number of the first one.
  case planes(Int)
}

enum RowCopy {
  /// Copies columns of rows out of byte planes, one for each byte of an element.
  static func copy(
    planes: UnsafePointer<UnsafeRawPointer>, _ block: BlockRead, rows: Range<Int>,
    _ copy: ColumnCopy, into to: UnsafeMutableRawPointer, stride: Int
  ) {
    let element = block.shuffle
    let perRow = block.rowBytes / element
    if copy.width == block.rowBytes, stride == copy.width {
      Shuffle.undo(
        planes: planes, elementSize: element,
        elements: rows.lowerBound * perRow..<rows.upperBound * perRow, into: to)
      return
    }
    let first = copy.column / element
    let end = (copy.column + copy.width + element - 1) / element
    for (n, row) in rows.enumerated() {
      Shuffle.undo(
        planes: planes, elementSize: element,
        elements: row * perRow + first..<row * perRow + end, into: to + n * stride)
    }
  }

  /// Copies columns of rows out of an inflated chunk, undoing its shuffle on the way.
  static func copy(
    _ bytes: UnsafeRawBufferPointer, _ block: BlockRead, isShuffled: Bool, rows: Range<Int>,
    _ copy: ColumnCopy, into to: UnsafeMutableRawPointer, stride: Int
  ) {
    let size = block.rowBytes
    let columns = copy.column..<copy.column + copy.width
    if isShuffled, block.shuffle == size {
      Shuffle.undo(
        bytes, elementSize: size, elements: rows, columns: columns, into: to, stride: stride)
    } else if isShuffled {
      let plane = bytes.count / max(block.shuffle, 1)
      guard let base = bytes.baseAddress, block.shuffle <= 8 else { return }
      withUnsafeTemporaryAllocation(of: UnsafeRawPointer.self, capacity: block.shuffle) { planes in
        for p in 0..<block.shuffle { planes.initializeElement(at: p, to: base + p * plane) }
        guard let first = planes.baseAddress else { return }
        self.copy(planes: first, block, rows: rows, copy, into: to, stride: stride)
      }
    } else if let from = bytes.baseAddress {
      if columns.count == size, stride == size {
        to.copyMemory(from: from + rows.lowerBound * size, byteCount: rows.count * size)
      } else {
        for (n, row) in rows.enumerated() {
          (to + n * stride).copyMemory(
            from: from + row * size + columns.lowerBound, byteCount: columns.count)
        }
      }
    }
  }
}
