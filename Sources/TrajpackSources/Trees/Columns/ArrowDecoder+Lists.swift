import TrajpackFormat
import TrajpackStore

/// Lists of numbers of any length, as their bytes.
extension ArrowDecoder {
  /// Whether no list holds a null.
  func hasWholeLists(_ leaf: ArrowColumn, _ batches: [ArrowBatch]) throws(TrajpackError) -> Bool {
    for batch in batches {
      guard let slot = try slots(batch)[leaf.number] else { continue }
      if batch.nodes[slot.node].nulls != 0 { return false }
    }
    return true
  }

  /// Where the lists of a batch begin, and where the last one ends.
  func starts(
    _ column: ArrowColumn, _ batch: ArrowBatch, _ slot: Slot
  ) throws(TrajpackError) -> [Int] {
    guard case .fixedList(let size) = column.form else { return try offsets(column, batch, slot) }
    return (0...batch.nodes[slot.node].count).map { $0 * size }
  }

  /// The bytes of the list of each row; none where it is absent.
  func lists(
    _ column: ArrowColumn, _ batches: [ArrowBatch]
  ) throws(TrajpackError) -> ColumnSpools.Texts {
    let damaged = TrajpackError(.data, "its lists pass the end of their values")
    guard let leaf = column.listed, let type = leaf.element else { throw damaged }
    let spool = RowSpool()
    var ends: [Int] = []
    var absent: Set<Int> = []
    var end = 0
    for batch in batches {
      let slots = try slots(batch)
      guard let slot = slots[column.number], let inner = slots[leaf.number] else { continue }
      let rows = try present(column, batch, slots)
      let bits = try validity(batch, slot)
      let count = batch.nodes[slot.node].count
      let items = batch.nodes[inner.node].count
      let starts = try starts(column, batch, slot)
      guard count == batch.rows, (starts.last ?? 0) <= items else { throw damaged }
      var writer = SpoolWriter()
      var taken = 0
      for row in 0..<count {
        if (rows?[row] ?? row) >= 0, Self.isSet(bits, row) {
          taken += starts[row + 1] - starts[row]
        } else {
          absent.insert(ends.count)
        }
        ends.append(end + taken * type.size)
      }
      let wanted = (0..<count).flatMap { row -> Range<Int> in
        absent.contains(ends.count - count + row) ? 0..<0 : starts[row]..<starts[row + 1]
      }
      try append(leaf, batch, inner, wanted, taken, type, .never, &writer)
      try writer.flush()
      var bytes = [UInt8](repeating: 0, count: taken * type.size)
      try bytes.withUnsafeMutableBufferPointer { (room) throws(TrajpackError) in
        try writer.spool.read(at: 0, into: UnsafeMutableRawBufferPointer(room))
      }
      try spool.append(bytes)
      end += taken * type.size
    }
    return ColumnSpools.Texts(spool: spool, ends: ends, absent: absent)
  }
}
