import TrajpackFormat
import TrajpackStore

/// Texts and bytes, and lists of texts.
extension ArrowDecoder {
  /// The texts or bytes of all rows.
  func texts(
    _ column: ArrowColumn, _ batches: [ArrowBatch]
  ) throws(TrajpackError) -> ColumnSpools.Texts {
    let spool = RowSpool()
    var ends: [Int] = []
    var absent: Set<Int> = []
    var last = 0
    let words = try words(of: column)
    for batch in batches {
      let slots = try slots(batch)
      guard let slot = slots[column.number] else { continue }
      let rows = try present(column, batch, slots)
      let all = try items(column, batch, slot, words)
      guard all.count == batch.rows else {
        throw TrajpackError(.data, "a batch has \(all.count) texts for \(batch.rows) rows")
      }
      var piece: [UInt8] = []
      for (i, text) in all.enumerated() {
        if let text, (rows?[i] ?? i) >= 0 {
          piece += text
          last += text.count
        } else {
          absent.insert(ends.count)
        }
        ends.append(last)
      }
      try spool.append(piece)
    }
    return ColumnSpools.Texts(spool: spool, ends: ends, absent: absent)
  }

  /// The lists of texts of all rows, each as JSON.
  func textLists(
    _ column: ArrowColumn, _ batches: [ArrowBatch]
  ) throws(TrajpackError) -> ColumnSpools.Texts {
    guard let leaf = column.listed else { return try texts(column, batches) }
    var lists = TextLists()
    let words = try words(of: leaf)
    for batch in batches {
      let slots = try slots(batch)
      guard let slot = slots[column.number], let inner = slots[leaf.number] else { continue }
      let rows = try present(column, batch, slots)
      let bits = try validity(batch, slot)
      let starts = try starts(column, batch, slot)
      let all = try items(leaf, batch, inner, words)
      guard starts.count == batch.rows + 1, (starts.last ?? 0) <= all.count else {
        throw TrajpackError(.data, "its lists pass the end of their values")
      }
      for row in 0..<batch.rows {
        let isThere = (rows?[row] ?? row) >= 0 && Self.isSet(bits, row)
        try lists.append(isThere ? all[starts[row]..<starts[row + 1]] : nil)
      }
      try lists.flush()
    }
    return lists.texts
  }

  /// The texts of the dictionary of a column, `nil` for a null in it; none where the column has no dictionary.
  private func words(of column: ArrowColumn) throws(TrajpackError) -> [[UInt8]?] {
    var words: [[UInt8]?] = []
    guard let dictionary = column.dictionary else { return [] }
    for batch in dictionaries[dictionary.id] ?? [] {
      var slot = Slot()
      slot.views = column.isView ? min(max(batch.views.first ?? 0, 0), batch.buffers.count) : 0
      guard batch.buffers.count >= (column.isView ? 2 + slot.views : 3) else {
        throw TrajpackError(.data, "a dictionary has too few buffers; the file is damaged")
      }
      let plain = try values(column, batch, slot, batch.nodes.first?.count ?? 0)
      words += plain
    }
    return words
  }

  /// The texts of a batch, by the dictionary where the column has one.
  private func items(
    _ column: ArrowColumn, _ batch: ArrowBatch, _ slot: Slot, _ words: [[UInt8]?]
  ) throws(TrajpackError) -> [[UInt8]?] {
    let count = batch.nodes[slot.node].count
    guard let dictionary = column.dictionary else { return try values(column, batch, slot, count) }
    let bits = try validity(batch, slot)
    let bytes = try buffer(batch, slot.buffer + 1, least: count * dictionary.bytes)
    var all: [[UInt8]?] = []
    for i in 0..<count {
      guard Self.isSet(bits, i) else {
        all.append(nil)
        continue
      }
      let place: Int
      switch dictionary.bytes {
      case 1: place = dictionary.isSigned ? Int(Int8(bitPattern: bytes[i])) : Int(bytes[i])
      case 2: place = Int(bytes.little(i * 2, as: UInt16.self))
      case 4: place = Int(bytes.little(i * 4, as: UInt32.self))
      default: place = Int(truncatingIfNeeded: bytes.little(i * 8, as: UInt64.self))
      }
      guard words.indices.contains(place) else {
        throw TrajpackError(.data, "names place \(place) of a dictionary of \(words.count)")
      }
      all.append(words[place])
    }
    return all
  }

  private func values(
    _ column: ArrowColumn, _ batch: ArrowBatch, _ slot: Slot, _ count: Int
  ) throws(TrajpackError) -> [[UInt8]?] {
    guard count > 0 else { return [] }
    guard batch.buffers.count >= slot.buffer + column.buffers else {
      throw TrajpackError(.data, "a batch has too few buffers; the file is damaged")
    }
    let bits = try validity(batch, slot)
    var out: [[UInt8]?] = []
    out.reserveCapacity(count)
    if column.isView {
      let views = try buffer(batch, slot.buffer + 1, least: count * 16)
      var data: [[UInt8]] = []
      for i in 0..<slot.views { data.append(try buffer(batch, slot.buffer + 2 + i, least: 0)) }
      for i in 0..<count {
        guard Self.isSet(bits, i) else {
          out.append(nil)
          continue
        }
        let length = Int(views.little(i * 16, as: Int32.self))
        if (0...12).contains(length) {
          out.append(Array(views[i * 16 + 4..<i * 16 + 4 + length]))
          continue
        }
        let (number, at) = (
          Int(views.little(i * 16 + 8, as: Int32.self)),
          Int(views.little(i * 16 + 12, as: Int32.self))
        )
        guard length > 0, data.indices.contains(number), at >= 0, at <= data[number].count - length
        else {
          throw TrajpackError(.data, "a text lies outside of its buffers; the file is damaged")
        }
        out.append(Array(data[number][at..<at + length]))
      }
      return out
    }
    let ends = try offsets(column, batch, slot)
    let bytes = try buffer(batch, slot.buffer + 2, least: ends.last ?? 0)
    for i in 0..<count {
      out.append(Self.isSet(bits, i) ? Array(bytes[ends[i]..<ends[i + 1]]) : nil)
    }
    return out
  }
}
