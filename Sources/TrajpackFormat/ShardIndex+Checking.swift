extension ShardIndex {
  func damaged(_ table: String, _ row: Int, _ what: String) -> TrajpackError {
    TrajpackError(
      .data,
      "the index is damaged: row \(row) of the table '\(table)' \(what); "
        + "restore the shard from a copy")
  }

  func checkChunks(fileLength: UInt64) throws(TrajpackError) {
    let length = Int(clamping: fileLength)
    var total = 0
    let rows = IndexRows(chunks)
    for block in schema.blocks {
      let bytes = block.chunkBytes
      for row in block.firstChunk..<block.firstChunk + block.chunks {
        let chunk = rows.row(row)
        let (offset, stored) = (chunk[0], chunk[1])
        guard offset >= ShardHeader.size, stored >= 0, offset <= length, stored <= length - offset
        else { throw damaged("chunks", row, "lies outside the file") }
        // zstd and zlib never grow a chunk by more than a few bytes a block.
        guard chunk[2] == bytes, stored <= bytes + bytes / 64 + 1024 else {
          throw damaged("chunks", row, "has an impossible size")
        }
        // Chunks do not share bytes, so a small file cannot pass for a large one.
        guard stored <= length - total else { throw damaged("chunks", row, "is in the file twice") }
        total += stored
      }
    }
  }

  func checkEntitiesAndClocks() throws(TrajpackError) {
    for row in 0..<entities.count {
      guard (0..<schema.entityKinds.count).contains(entities[row, 0]) else {
        throw damaged("entities", row, "has an unknown kind")
      }
      guard (0..<Self.maximumEntities).contains(entities[row, 1]) else {
        throw damaged("entities", row, "has an impossible place among its kind")
      }
    }
    for row in 0..<clocks.count {
      guard clock(row: row) != nil else { throw damaged("clocks", row, "is no clock") }
    }
  }

  /// Places among the entities of a kind; far more than anything has.
  static let maximumEntities = 1 << 32

  func isText(_ offset: Int, _ length: Int) -> Bool {
    offset >= 0 && length >= 0 && offset <= textCount && length <= textCount - offset
  }

  /// Checks pieces of the episodes with `check`; a piece that throws leaves `nil`.
  func checkPieces<Found: Sendable>(
    _ pieces: Int, _ sharing: ParallelFor,
    _ check: @escaping @Sendable (Range<Int>) throws(TrajpackError) -> Found
  ) -> [Found]? {
    let count = episodes.count
    let slots = ResultBuffer<Found>(pieces)
    sharing(pieces) { piece in
      slots[piece] = try? check(count * piece / pieces..<count * (piece + 1) / pieces)
    }
    let found = (0..<pieces).compactMap { slots[$0] }
    return found.count == pieces ? found : nil
  }

  /// A place for each piece's result.
  private final class ResultBuffer<Value>: @unchecked Sendable {
    // Each place is written by one thread, and read when all are done.
    private let places: UnsafeMutableBufferPointer<Value?>

    init(_ count: Int) {
      places = .allocate(capacity: count)
      places.initialize(repeating: nil)
    }

    deinit {
      places.deinitialize()
      places.deallocate()
    }

    subscript(place: Int) -> Value? {
      get { places[place] }
      set { places[place] = newValue }
    }
  }
}
