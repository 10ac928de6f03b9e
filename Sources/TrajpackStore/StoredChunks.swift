import TrajpackCodecs
import TrajpackFormat

/// Reads stored chunks of a shard, checks and inflates them. Chunks that are wanted next and lie near behind one are read
/// together with it. One thread at a time.
final class StoredChunks {
  private let shard: Shard
  private let decompressor = Decompressor(trustsCaller: true)
  /// Bytes of the file that were read last, and where they lie in it.
  private var stored = ByteBuffer(4 << 10)
  private var range = 0..<0

  /// The most bytes of several chunks that are read together, and the most between two of them.
  private static let span = 256 << 10
  private static let gap = 16 << 10

  init(_ shard: Shard) { self.shard = shard }

  /// Inflates a chunk of block `number`; says whether the result is still shuffled.
  ///
  /// - Parameters:
  ///   - last: The last chunk of the block that will be asked for in the same order.
  ///   - out: As many bytes as the block's chunks have.
  /// - Throws: An error naming the shard, stream, episode, chunk and byte: of data where the chunk is damaged, of the
  ///   machine where it cannot be read.
  func inflate(
    _ chunk: Int, of number: Int, last: Int, into out: UnsafeMutableRawBufferPointer
  ) throws(TrajpackError) -> Bool {
    let block = shard.schema.blocks[number]
    let place = shard.index.chunk(chunk, of: block)
    do throws(TrajpackError) {
      try fetch(place, chunk, block, last: last)
      let at = place.offset - range.lowerBound
      return try shard.inflate(
        UnsafeRawBufferPointer(rebasing: stored.bytes[at..<at + place.stored]), place, block,
        decompressor, into: out)
    } catch {
      throw shard.damaged(chunk, block: number, error)
    }
  }

  /// Reads the bytes of a chunk, if they are not there, and of those up to `last` that lie near behind it.
  private func fetch(
    _ place: ShardIndex.Chunk, _ chunk: Int, _ block: Block, last: Int
  ) throws(TrajpackError) {
    let wanted = place.offset..<place.offset + place.stored
    if range.lowerBound <= wanted.lowerBound, range.upperBound >= wanted.upperBound { return }
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

  private func fetch(_ wanted: Range<Int>) throws(TrajpackError) {
    range = 0..<0
    if stored.bytes.count < wanted.count {
      stored = ByteBuffer(max(wanted.count, min(2 * stored.bytes.count, Self.span)))
    }
    try shard.file.read(
      at: wanted.lowerBound,
      into: UnsafeMutableRawBufferPointer(rebasing: stored.bytes[..<wanted.count]))
    range = wanted
  }
}
