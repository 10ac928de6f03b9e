import TrajpackCodecs
import TrajpackFormat

/// Writing what other shards hold. Where a chunk of theirs becomes one of this shard's, its bytes are copied as they
/// are stored; statistics are merged, and only the rows that quantiles are estimated from are looked at.
extension ShardWriter {
  /// Some rows of a stream that belong to one split, and where they come from.
  private struct Source {
    var split: String
    var shard: Int
    /// The first row there, and here.
    var from: Int
    var first: Int
    var count: Int
  }

  /// Writes all episodes of shards, whose rows lie as this one's do but for the shuffle of a block and the
  /// chunks of texts. All of them have statistics.
  ///
  /// - Throws: A data error naming shard and chunk where one is damaged.
  func append(contentsOf shards: [Shard]) throws(TrajpackError) {
    try settle(nil)
    var sources: [[Source]] = schema.streams.map { _ in [] }
    for (number, shard) in shards.enumerated() {
      let reader = BlockReader(shard)
      let starts = pending.map { $0.first + $0.filled }
      for episode in 0..<shard.index.episodeCount {
        let episode = shard.index.episode(episode)
        index.addEpisode(id: episode.id, split: episode.split, metadata: episode.metadata)
        for track in episode.tracks {
          let track = shard.index.track(track)
          let first = starts[track.stream] + track.rows.lowerBound
          index.addTrack(
            stream: track.stream, entity: track.entity, clock: track.clock,
            rows: first..<first + track.rows.count, metadata: track.metadata,
            blob: try copyText(of: track, shard, reader))
          trackRows += track.rows.count
          sources[track.stream].append(
            Source(
              split: episode.split, shard: number, from: track.rows.lowerBound, first: first,
              count: track.rows.count))
        }
      }
      for stream in schema.streams.indices { try copyRows(of: stream, shard, reader) }
      try gatherer.add(shard)
    }
    try drain()
    for (stream, sources) in sources.enumerated() { try sample(stream, sources, shards) }
  }

  /// Copies a track's text, which gets chunks of its own here.
  private func copyText(
    of track: ShardIndex.Track, _ shard: Shard, _ reader: BlockReader
  ) throws(TrajpackError) -> Range<Int> {
    guard let blob = shard.schema.streams[track.stream].blob, !track.blob.isEmpty else {
      return 0..<0
    }
    return try append(text: track.blob.count, of: track.stream) {
      (offset, buffer) throws(TrajpackError) in
      let first = track.blob.lowerBound + offset
      try reader.read(
        block: blob, rows: first..<first + buffer.count, columns: 0..<1,
        into: buffer.baseAddress.unsafelyUnwrapped, stride: 1)
    }
  }

  /// Copies all rows of a stream: whole chunks as they are stored where they begin where one begins here.
  private func copyRows(
    of stream: Int, _ shard: Shard, _ reader: BlockReader
  ) throws(TrajpackError) {
    let part = pending[stream]
    guard let count = part.blocks.first.map({ shard.schema.blocks[$0].rows }) else { return }
    var row = 0
    let isAlike = part.blocks.allSatisfy { schema.blocks[$0].packs(like: shard.schema.blocks[$0]) }
    if part.filled == 0, isAlike {
      let whole = count / part.chunkRows
      try copyChunks(0..<whole, of: part.blocks, shard, to: part.first / part.chunkRows)
      row = whole * part.chunkRows
      pending[stream].first += row
    }
    while row < count {
      if pending[stream].buffers.isEmpty {
        pending[stream].buffers = part.blocks.map { ByteBuffer(schema.blocks[$0].chunkBytes) }
      }
      let filled = pending[stream].filled
      let piece = min(part.chunkRows - filled, count - row)
      for (number, buffer) in zip(part.blocks, pending[stream].buffers) {
        let size = schema.blocks[number].rowBytes
        try reader.read(
          block: number, rows: row..<row + piece, columns: 0..<size,
          into: buffer.bytes.baseAddress.unsafelyUnwrapped + filled * size, stride: size)
      }
      pending[stream].filled += piece
      row += piece
      if pending[stream].filled == part.chunkRows { try close(stream) }
    }
  }

  /// Bytes that are read at once.
  private static let span = 1 << 20

  /// Copies stored chunks of some blocks, chunk by chunk; the first becomes chunk `first`.
  private func copyChunks(
    _ range: Range<Int>, of blocks: [Int], _ shard: Shard, to first: Int
  ) throws(TrajpackError) {
    guard !range.isEmpty else { return }
    try drain()
    let places = range.flatMap { chunk in
      blocks.map { (chunk, $0, shard.index.chunk(chunk, of: shard.schema.blocks[$0])) }
    }
    var buffer = ByteBuffer(Self.span)
    var next = 0
    while next < places.count {
      // Chunks that lie side by side, or almost, are read together.
      let start = places[next].2.offset
      var (end, last) = (start + places[next].2.stored, next + 1)
      while last < places.count, places[last].2.offset >= end, places[last].2.offset - end <= 4096,
        places[last].2.offset + places[last].2.stored - start <= Self.span
      {
        end = places[last].2.offset + places[last].2.stored
        last += 1
      }
      if end - start > buffer.bytes.count { buffer = ByteBuffer(end - start) }
      let bytes = UnsafeMutableRawBufferPointer(rebasing: buffer.bytes[..<(end - start)])
      try shard.file.read(at: start, into: bytes)
      for (chunk, block, place) in places[next..<last] {
        let stored = UnsafeRawBufferPointer(
          rebasing: bytes[place.offset - start..<place.offset - start + place.stored])
        guard CRC32C.of(stored) == place.crc else {
          throw shard.damaged(
            chunk, block: block, TrajpackError(.data, "its bytes do not match their checksum"))
        }
        try write(
          stored, chunk: first + chunk - range.lowerBound, block: block,
          raw: schema.blocks[block].chunkBytes, filterMask: UInt32(place.filterMask), crc: place.crc
        )
      }
      next = last
    }
  }

  /// Looks at the rows of a stream that quantiles are estimated from.
  private func sample(
    _ stream: Int, _ sources: [Source], _ shards: [Shard]
  ) throws(TrajpackError) {
    let blocks = gatherer.sampledBlocks(of: stream)
    guard !blocks.isEmpty else { return }
    let buffers = blocks.map { ByteBuffer(schema.blocks[$0].rowBytes) }
    let row = zip(blocks, buffers).map { (number: $0, rows: ChunkBytes($1)) }
    for split in Set(sources.map(\.split)).sorted() {
      let parts = sources.filter { $0.split == split }
      let chosen = StatisticsGatherer.chosen(parts.map { $0.first..<$0.first + $0.count })
      var samples = StatisticsGatherer.Samples()
      var readers: (shard: Int, reader: BlockReader)?
      var part = 0
      for number in chosen {
        while number >= parts[part].first + parts[part].count { part += 1 }
        let source = parts[part]
        if readers?.shard != source.shard {
          readers = (source.shard, BlockReader(shards[source.shard]))
        }
        let old = source.from + number - source.first
        for (block, buffer) in zip(blocks, buffers) {
          let size = schema.blocks[block].rowBytes
          try readers?.reader.read(
            block: block, rows: old..<old + 1, columns: 0..<size,
            into: buffer.bytes.baseAddress.unsafelyUnwrapped, stride: size)
        }
        samples.keys.append(StatisticsGatherer.key(number))
        gatherer.sample(stream, row, rows: [0], first: number, into: &samples.values)
      }
      gatherer.add(samples, stream: stream, split: split)
    }
  }
}

extension Block {
  /// Whether stored chunks of the other block can be chunks of this one.
  fileprivate func packs(like other: Block) -> Bool {
    type == other.type && shape == other.shape && chunkRows == other.chunkRows
      && codec == other.codec && shuffle == other.shuffle
  }
}
