import TrajpackCodecs
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
  private let decompressor = Decompressor(trustsCaller: true)
  /// The inflated chunk of each block.
  private var current: [Current]
  /// Bytes of the file that were read last, and where they begin: chunks that lie near each other are read together.
  private var stored = ByteBuffer(SequentialReader.span)
  private var storedRange = 0..<0

  /// The most bytes of several chunks that are read together, and the most between two of them.
  private static let span = 256 << 10
  private static let gap = 16 << 10

  /// A reader of `shard`.
  package init(_ shard: Shard) {
    self.shard = shard
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
    let place = shard.index.chunk(chunk, of: block)
    do throws(TrajpackError) {
      try fetch(place, chunk, block, last: last)
      let at = place.offset - storedRange.lowerBound
      current[number].isShuffled = try shard.inflate(
        UnsafeRawBufferPointer(rebasing: stored.bytes[at..<at + place.stored]), place, block,
        decompressor, into: buffer.bytes)
    } catch {
      throw shard.damaged(chunk, block: number, error)
    }
    current[number].chunk = chunk
  }

  /// Reads the bytes of a chunk, if they are not there, and of those up to `last` that lie near behind it.
  private func fetch(
    _ place: ShardIndex.Chunk, _ chunk: Int, _ block: Block, last: Int
  ) throws(TrajpackError) {
    let wanted = place.offset..<place.offset + place.stored
    if storedRange.lowerBound <= wanted.lowerBound, storedRange.upperBound >= wanted.upperBound {
      return
    }
    var end = wanted.upperBound
    for next in chunk + 1..<max(last, chunk) + 1 {
      let other = shard.index.chunk(next, of: block)
      guard other.offset >= end, other.offset - end <= Self.gap,
        other.offset + other.stored - wanted.lowerBound <= Self.span
      else { break }
      end = other.offset + other.stored
    }
    do throws(TrajpackError) {
      try fetch(wanted.lowerBound..<end)
    } catch {
      guard end > wanted.upperBound else { throw error }
      // What is wrong with a later chunk is said when that is read.
      try fetch(wanted)
    }
  }

  private func fetch(_ range: Range<Int>) throws(TrajpackError) {
    storedRange = 0..<0
    if stored.bytes.count < range.count { stored = ByteBuffer(range.count) }
    try shard.file.read(
      at: range.lowerBound,
      into: UnsafeMutableRawBufferPointer(rebasing: stored.bytes[..<range.count]))
    storedRange = range
  }
}
