import TrajpackCodecs
import TrajpackFormat

/// Finds which of two shuffles makes the chunks of a wide channel cheaper, by compressing some of the first
/// episode of a shard.
///
/// Rows as elements keep columns apart, which wins where columns are constant or slow. Elements one by one
/// make long planes of bytes, each a zstd block or an lz4 piece of its own, which wins where all columns are
/// alike and low bytes are noise; such chunks are inflated twice as fast, too. The same rows always decide alike.
struct ShuffleTrial {
  private static let trials = 8
  private let candidates: [Int]
  private let compressors: CompressorPool

  init(_ schema: Schema, _ compressors: CompressorPool) {
    self.compressors = compressors
    let blobs = schema.blobs
    candidates = schema.blocks.indices.filter { number in
      let block = schema.blocks[number]
      let channels = schema.streams[block.stream].channels
      return !blobs.contains(number) && (block.codec == .zstd || block.codec == .lz4)
        && block.type.size > 1
        && block.shuffle == block.rowBytes && block.chunkRows * block.elements >= Block.planeBytes
        && channels.count { $0.storage.block == number } == 1
    }
  }

  /// Sets the shuffle of each candidate; says whether the episode has a chunk of each.
  func settle(_ schema: inout Schema, by episode: EpisodeDraft) throws(TrajpackError) -> Bool {
    var isDecided = true
    for number in candidates {
      var block = schema.blocks[number]
      let chunks = try chunks(of: number, schema, episode)
      guard !chunks.isEmpty else {
        isDecided = false
        continue
      }
      func sum(_ block: Block) throws(TrajpackError) -> Int {
        var sum = 0
        for chunk in chunks { sum += try cost(chunk.bytes, number, block) }
        return sum
      }
      let byRow = try sum(block)
      block.shuffle = block.type.size
      let byElement = try sum(block)
      if byElement <= byRow { schema.blocks[number] = block }
    }
    return isDecided
  }

  /// What a chunk costs a reader, in nanoseconds, where a byte of the file takes one. An lz4 chunk takes 4 more for
  /// each sequence, and an eighth for each byte that is inflated and then copied again: measured together with
  /// what docs/decisions.md tells. zstd's time goes with its bytes.
  private func cost(
    _ bytes: UnsafeMutableRawBufferPointer, _ number: Int, _ block: Block
  ) throws(TrajpackError) -> Int {
    let packed = try compressors.pack(
      UnsafeRawBufferPointer(bytes), block: number, chunk: 0, block)
    guard block.codec == .lz4, packed.filterMask == 0 else { return packed.bytes.count }
    return try packed.bytes.withUnsafeBytesThrowing { (stored) throws(TrajpackError) in
      let work = try LZ4Chunk.work(stored, raw: packed.raw)
      return stored.count + 4 * work.sequences + work.inflated / 8
    }
  }

  /// Up to ``trials`` chunks of a block, from all over the first track that fills one.
  private func chunks(
    of number: Int, _ schema: Schema, _ episode: EpisodeDraft
  ) throws(TrajpackError) -> [ByteBuffer] {
    let block = schema.blocks[number]
    let blobs = schema.blobs
    let numbers = schema.blocks.indices.filter {
      schema.blocks[$0].stream == block.stream && !blobs.contains($0)
    }
    guard let place = numbers.firstIndex(of: number),
      let track = episode.tracks.first(where: {
        $0.stream == block.stream && $0.count >= block.chunkRows && $0.rows.indices.contains(place)
      })
    else { return [] }
    let rows = track.rows[place]
    let full = track.count / block.chunkRows
    let count = min(full, Self.trials)
    var out: [ByteBuffer] = []
    for i in 0..<count {
      let bytes = ByteBuffer(block.chunkBytes)
      try rows.spool.read(
        at: rows.offset + i * full / count * block.chunkBytes, into: bytes.bytes)
      out.append(bytes)
    }
    return out
  }
}
