import TrajpackCodecs
import TrajpackFormat

/// Which chunks of a shard are damaged: every stored byte is compared with its checksum and inflated.
package struct ShardDamage: Sendable {
  /// The damaged chunks of each block, in order.
  package private(set) var chunks: [[Int]]
  /// What is wrong with the first ones, a sentence each.
  package private(set) var sentences: [String] = []
  private let schema: Schema

  /// The most sentences that are kept of a shard.
  package static let mostSentences = 16

  /// Looks at all chunks of a shard.
  ///
  /// - Throws: An error of the machine; damage is what it finds.
  package init(_ shard: Shard, pool: WorkerPool) throws(TrajpackError) {
    schema = shard.schema
    chunks = Array(repeating: [], count: schema.blocks.count)
    for (number, block) in schema.blocks.enumerated() {
      let jobs = stride(from: 0, to: block.chunks, by: 64).map { first in
        pool.run { () throws(TrajpackError) in
          try Self.look(shard, block: number, chunks: first..<min(first + 64, block.chunks))
        }
      }
      for job in jobs {
        for (chunk, error) in try job.value() {
          chunks[number].append(chunk)
          if sentences.count < Self.mostSentences { sentences.append(error.message) }
        }
      }
    }
  }

  /// Whether nothing is damaged.
  package var isEmpty: Bool { chunks.allSatisfy(\.isEmpty) }

  private static func look(
    _ shard: Shard, block number: Int, chunks: Range<Int>
  ) throws(TrajpackError) -> [(Int, TrajpackError)] {
    let block = shard.schema.blocks[number]
    let decompressor = Decompressor()
    var out = [UInt8](repeating: 0, count: block.chunkBytes)
    var found: [(Int, TrajpackError)] = []
    for chunk in chunks {
      if let damage = try shard.damage(ofChunk: chunk, block: number, decompressor, &out) {
        found.append((chunk, damage))
      }
    }
    return found
  }

  /// The rows of `rows` of a block (bytes, of a blob) that lie in damaged chunks, in order and apart.
  package func rows(ofBlock number: Int, in rows: Range<Int>) -> [Range<Int>] {
    let size = schema.blocks[number].chunkRows
    var out: [Range<Int>] = []
    for chunk in chunks[number] {
      let lost = (chunk * size..<(chunk + 1) * size).clamped(to: rows)
      guard !lost.isEmpty else { continue }
      if let last = out.last, last.upperBound == lost.lowerBound {
        out[out.count - 1] = last.lowerBound..<lost.upperBound
      } else {
        out.append(lost)
      }
    }
    return out
  }
}
