import TrajpackFormat

/// Finds which of two shuffles makes the chunks of a wide channel smaller, by compressing the first one
/// that the first episode of a shard has.
///
/// Rows as elements keep columns apart, which wins where columns are constant or slow. Elements one by one
/// make long planes of bytes, each a zstd block of its own, which wins where all columns are alike and low
/// bytes are noise; such chunks are inflated twice as fast, too. The same rows always decide alike.
struct ShuffleTrial {
  private let candidates: [Int]
  private let compressors: CompressorPool

  init(_ schema: Schema, _ compressors: CompressorPool) {
    self.compressors = compressors
    let blobs = schema.blobs
    candidates = schema.blocks.indices.filter { number in
      let block = schema.blocks[number]
      let channels = schema.streams[block.stream].channels
      return !blobs.contains(number) && block.codec == .zstd && block.type.size > 1
        && block.shuffle == block.rowBytes && block.chunkRows * block.elements >= Block.planeBytes
        && channels.count { $0.storage.block == number } == 1
    }
  }

  /// Sets the shuffle of each candidate.
  func settle(_ schema: inout Schema, by episode: EpisodeDraft) throws(TrajpackError) {
    for number in candidates {
      var block = schema.blocks[number]
      guard let bytes = try firstChunk(of: number, schema, episode) else { continue }
      let byRow = try compressors.pack(bytes, block: number, chunk: 0, block).bytes.count
      block.shuffle = block.type.size
      let byElement = try compressors.pack(bytes, block: number, chunk: 0, block).bytes.count
      if byElement <= byRow { schema.blocks[number] = block }
    }
  }

  /// The first rows of the first track that fill a chunk of a block; `nil` where none does.
  private func firstChunk(
    of number: Int, _ schema: Schema, _ episode: EpisodeDraft
  ) throws(TrajpackError) -> [UInt8]? {
    let block = schema.blocks[number]
    let blobs = schema.blobs
    let numbers = schema.blocks.indices.filter {
      schema.blocks[$0].stream == block.stream && !blobs.contains($0)
    }
    guard let place = numbers.firstIndex(of: number),
      let track = episode.tracks.first(where: {
        $0.stream == block.stream && $0.count >= block.chunkRows && $0.rows.indices.contains(place)
      })
    else { return nil }
    let rows = track.rows[place]
    var bytes = [UInt8](repeating: 0, count: block.chunkBytes)
    var failure: TrajpackError?
    bytes.withUnsafeMutableBytes { buffer in
      do throws(TrajpackError) { try rows.spool.read(at: rows.offset, into: buffer) } catch {
        failure = error
      }
    }
    if let failure { throw failure }
    return bytes
  }
}
