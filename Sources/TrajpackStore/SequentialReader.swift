import TrajpackFormat

/// Reads rows of the blocks of a shard in their order: of each block it keeps the chunk that was read last, so that reading
/// on costs each chunk once. ``BlockReader`` is for rows in any order. One thread at a time.
package final class SequentialReader {
  private struct Current {
    var chunk = -1
    var isShuffled = false
    var bytes: ByteBuffer?
  }

  private let shard: Shard
  private let chunks: StoredChunks
  /// The inflated chunk of each block.
  private var current: [Current]

  /// A reader of `shard`.
  package init(_ shard: Shard) {
    self.shard = shard
    chunks = StoredChunks(shard)
    current = Array(repeating: Current(), count: shard.schema.blocks.count)
  }

  /// Copies whole rows of block `number` to `destination`, one behind the other.
  ///
  /// - Parameter limit: The row up to which more will be asked for: their bytes are read ahead.
  /// - Throws: A data error naming the shard, stream, episode, chunk and byte where a chunk is damaged.
  package func read(
    block number: Int, rows: Range<Int>, limit: Int, into destination: UnsafeMutableRawPointer
  ) throws(TrajpackError) {
    let block = shard.schema.blocks[number]
    precondition(rows.lowerBound >= 0 && rows.upperBound <= block.rows)
    let (size, chunkRows) = (block.rowBytes, max(block.chunkRows, 1))
    let last = (max(min(limit, block.rows), rows.upperBound) - 1) / chunkRows
    var row = rows.lowerBound
    while row < rows.upperBound {
      let chunk = row / chunkRows
      let start = chunk * chunkRows
      let part = row - start..<min(rows.upperBound - start, chunkRows)
      if current[number].chunk != chunk { try load(chunk, number, block, last: last) }
      guard let bytes = current[number].bytes else { return }
      BlockReader.copy(
        UnsafeRawBufferPointer(bytes.bytes), block, shuffled: current[number].isShuffled,
        rows: part, columns: 0..<size, into: destination + (row - rows.lowerBound) * size,
        stride: size)
      row = start + part.upperBound
    }
  }

  /// Inflates a chunk. Up to chunk `last` others are wanted, too.
  private func load(
    _ chunk: Int, _ number: Int, _ block: Block, last: Int
  ) throws(TrajpackError) {
    current[number].chunk = -1
    let buffer = current[number].bytes ?? ByteBuffer(block.chunkBytes)
    current[number].bytes = buffer
    current[number].isShuffled = try chunks.inflate(
      chunk, of: number, last: last, into: buffer.bytes)
    current[number].chunk = chunk
  }
}
