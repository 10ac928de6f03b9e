import Glibc
import TrajpackCodecs
import TrajpackFormat

/// Writes one shard: takes episodes, cuts their rows into chunks, has them compressed by a pool, and
/// writes them in time-block order. One thread at a time.
///
/// Nothing is visible under the shard's name before ``commit(attributes:)`` has made all of it durable.
public final class ShardWriter {
  /// What was committed.
  public struct Receipt: Sendable, Equatable {
    /// Bytes of the file.
    public var bytes: Int
    /// SHA-256 of the file.
    public let digest: FileDigest
    /// Episodes in it.
    public var episodes: Int
    /// Rows of all tracks.
    public var rows: Int

    /// SHA-256 of the file, in 64 hexadecimal digits.
    public var sha256: String { digest.hexadecimal }

    /// What was committed.
    public init(bytes: Int, digest: FileDigest, episodes: Int, rows: Int) {
      (self.bytes, self.digest, self.episodes, self.rows) = (bytes, digest, episodes, rows)
    }
  }

  struct Pending {
    /// The stream's blocks of rows, and the rows of a chunk of each.
    let blocks: [Int]
    let chunkRows: Int
    /// The first row of the chunk that is being filled, and how many rows it has.
    var first = 0
    var filled = 0
    /// Its rows, a buffer a block; none before the first row.
    var buffers: [ByteBuffer] = []
    var spans: [StatisticsGatherer.Span] = []
  }

  /// The path the shard is to have.
  public let path: String
  let temporary: String
  var schema: Schema
  let pool: WorkerPool
  private let level: Int?
  let compressors: CompressorPool
  let backend: any ShardBackend
  var gatherer: StatisticsGatherer
  var index = IndexBuilder()
  var pending: [Pending]
  var blobs: [Int: (chunk: ByteBuffer, rows: Int)] = [:]
  var queue: [(jobs: Future<[ChunkJob.Outcome]>, bytes: Int)] = []
  var queuedBytes = 0
  var waiting: [ChunkJob] = []
  var waitingBytes = 0
  var chunks: [[Int64]]
  var isDone = false
  private var isSettled = false
  private var isTried: Bool
  var trackRows = 0
  /// Told how many bytes of rows and blobs of an episode were taken, while it is appended.
  public var tookBytes: ((Int) -> Void)?

  /// Begins a shard that is to be named `path`.
  ///
  /// - Parameters:
  ///   - schema: Its streams and blocks, without rows.
  ///   - level: The level of compression; the codec's own default where `nil`.
  ///   - search: How lz4 looks for matches where no level is said.
  ///   - shuffles: The shuffle of each block, where it is known; else the first episode decides.
  ///   - pool: The threads that compress.
  ///   - make: Makes the container.
  public convenience init(
    _ path: String, schema: Schema, level: Int?, search: Compressor.Search = .thorough,
    shuffles: [Int]? = nil, pool: WorkerPool, backend make: MakeBackend
  ) throws(TrajpackError) {
    try self.init(
      path, schema: schema, level: level, shuffles: shuffles, pool: pool,
      compressors: Self.compressors(for: schema, level: level, search: search), backend: make)
  }

  /// The compressors of shards of a schema.
  static func compressors(
    for schema: Schema, level: Int?, search: Compressor.Search
  ) -> CompressorPool {
    // Frames are the bulk of an archive and are read more often than written: zstd looks harder for them.
    let levels = schema.streams.compactMap { stream -> Int? in
      guard stream.hasChunkedFrames, let blob = stream.blob, schema.blocks[blob].codec == .zstd
      else { return nil }
      return blob
    }
    return CompressorPool(
      level: level, levels: Dictionary(uniqueKeysWithValues: levels.map { ($0, framesLevel) }),
      search: search)
  }

  /// Begins a shard with compressors that others of the same schema have used.
  init(
    _ path: String, schema: Schema, level: Int?, shuffles: [Int]?, pool: WorkerPool,
    compressors: CompressorPool, backend make: MakeBackend
  ) throws(TrajpackError) {
    self.path = path
    var schema = schema
    for (number, shuffle) in (shuffles ?? []).enumerated() {
      schema.blocks[number].shuffle = shuffle
    }
    isTried = shuffles != nil
    self.schema = schema
    self.pool = pool
    self.level = level
    temporary = "\(FileSystem.parent(of: path))/.tmp-\(FileSystem.name(of: path))"
    self.compressors = compressors
    gatherer = StatisticsGatherer(schema)
    try FileSystem.remove(temporary)
    do throws(TrajpackError) {
      backend = try make(temporary)
    } catch {
      // A writer that was never whole has no deinit to take its file away.
      unlink(temporary)
      throw error
    }
    chunks = Array(repeating: [], count: schema.blocks.count)
    pending = schema.streams.indices.map { stream in
      let blocks = schema.rowBlocks(of: stream)
      return Pending(
        blocks: blocks, chunkRows: blocks.first.map { schema.blocks[$0].chunkRows } ?? 1)
    }
  }

  /// The level of zstd for frames that are stored as samples (docs/video.md has the measurement).
  public static let framesLevel = 12

  /// The shuffle of each block, where it was given or an episode has decided.
  var shuffles: [Int]? { isTried ? schema.blocks.map(\.shuffle) : nil }

  /// Makes the datasets, once, before the first row is written.
  func settle(_ episode: EpisodeDraft?) throws(TrajpackError) {
    guard !isSettled else { return }
    isSettled = true
    if let episode, !isTried {
      isTried = try ShuffleTrial(schema, compressors).settle(&schema, by: episode)
    }
    for (number, block) in schema.blocks.enumerated() {
      try backend.create(block, level: level, note: Self.note(schema, number))
    }
  }

  deinit { if !isDone { unlink(temporary) } }

  /// The columns of a block, for people who open the file with HDF5 tools.
  private static func note(_ schema: Schema, _ number: Int) -> String {
    let stream = schema.streams[schema.blocks[number].stream]
    if stream.blob == number { return "bytes of \(stream.name)" }
    return stream.channels.filter { $0.storage.block == number }.map { channel in
      let width = channel.storedElements
      let decimals = channel.storage.decimals.map { " /1e\($0)" } ?? ""
      return
        "\(channel.name) [\(channel.storage.column):\(channel.storage.column + width)]\(decimals)"
    }.joined(separator: "; ")
  }

  /// Writes an episode.
  public func append(_ episode: EpisodeDraft) throws(TrajpackError) {
    try settle(episode)
    index.addEpisode(
      id: episode.id, split: episode.split,
      metadata: episode.metadata == .object([]) ? "" : episode.metadata.text())
    for track in episode.tracks {
      let first = pending[track.stream].first + pending[track.stream].filled
      let blob = try append(bytes: track.bytes, of: track.stream)
      index.addTrack(
        stream: track.stream, entity: track.entity, clock: track.clock,
        rows: first..<first + track.count,
        metadata: try Self.metadata(of: track), blob: blob)
      try append(rows: track, split: episode.split)
      trackRows += track.count
    }
  }

  /// The metadata of a track whose bytes were written.
  private static func metadata(of track: TrackDraft) throws(TrajpackError) -> String {
    var metadata = track.metadata
    if case .made(let bytes) = track.bytes {
      for fact in try bytes.facts() { metadata.set(fact.name, fact.value) }
    }
    return metadata == .object([]) ? "" : metadata.text()
  }

  /// Writes rows of a track. Where `split` is `nil` their statistics are known.
  func append(rows track: TrackDraft, split: String?) throws(TrajpackError) {
    let stream = track.stream
    let (numbers, chunkRows) = (pending[stream].blocks, pending[stream].chunkRows)
    precondition(numbers.count == track.rows.count, "a draft has rows for each block of its stream")
    precondition(
      numbers.allSatisfy { schema.blocks[$0].chunkRows == chunkRows },
      "the blocks of a stream have chunks of the same rows")
    guard !numbers.isEmpty else { return }
    let rowBytes = numbers.reduce(0) { $0 + schema.blocks[$1].rowBytes }
    var done = 0
    while done < track.count {
      try Interruption.check()
      let before = done
      defer { tookBytes?((done - before) * rowBytes) }
      let filled = pending[stream].filled
      if filled == 0, track.count - done >= chunkRows,
        let blocks = wholeChunk(of: track, numbers, from: done)
      {
        try send(
          ChunkJob(
            stream: stream, number: pending[stream].first / chunkRows, blocks: blocks,
            spans: split.map { [.init(split: $0, rows: 0..<chunkRows)] } ?? [],
            first: pending[stream].first))
        pending[stream].first += chunkRows
        done += chunkRows
        continue
      }
      let count = min(chunkRows - filled, track.count - done)
      if pending[stream].buffers.isEmpty {
        pending[stream].buffers = numbers.map { ByteBuffer(schema.blocks[$0].chunkBytes) }
      }
      for (i, source) in track.rows.enumerated() {
        let size = schema.blocks[numbers[i]].rowBytes
        try source.spool.read(
          at: source.offset + done * size,
          into: UnsafeMutableRawBufferPointer(
            rebasing: pending[stream].buffers[i].bytes[filled * size..<(filled + count) * size]))
      }
      if let split {
        pending[stream].spans.append(.init(split: split, rows: filled..<filled + count))
      }
      pending[stream].filled += count
      done += count
      if pending[stream].filled == chunkRows { try close(stream) }
    }
  }

  /// The rows of a track that fill a chunk of each block, where all of them are in memory.
  private func wholeChunk(
    of track: TrackDraft, _ numbers: [Int], from row: Int
  ) -> [(number: Int, rows: ChunkBytes)]? {
    var blocks: [(number: Int, rows: ChunkBytes)] = []
    for (source, number) in zip(track.rows, numbers) {
      let block = schema.blocks[number]
      guard
        let bytes = source.spool.inMemory(
          at: source.offset + row * block.rowBytes, count: block.chunkBytes)
      else { return nil }
      blocks.append((number, ChunkBytes(bytes, of: source.spool)))
    }
    return blocks
  }

  /// Hands a stream's rows to the pool, as a chunk of each block.
  func close(_ stream: Int) throws(TrajpackError) {
    let part = pending[stream]
    guard part.filled > 0 else { return }
    pending[stream].first += part.filled
    pending[stream].filled = 0
    pending[stream].buffers = []
    pending[stream].spans = []
    for (number, buffer) in zip(part.blocks, part.buffers) {
      // Rows behind the last are 0.
      let rest = buffer.bytes[(part.filled * schema.blocks[number].rowBytes)...]
      UnsafeMutableRawBufferPointer(rebasing: rest).initializeMemory(as: UInt8.self, repeating: 0)
    }
    try send(
      ChunkJob(
        stream: stream, number: part.first / part.chunkRows,
        blocks: zip(part.blocks, part.buffers).map { ($0, ChunkBytes($1)) }, spans: part.spans,
        first: part.first))
  }

  func append(
    bytes: TrackDraft.Bytes?, of stream: Int
  ) throws(TrajpackError) -> Range<Int> {
    guard let bytes else { return 0..<0 }
    return try append(text: bytes.count, of: stream) { (offset, buffer) throws(TrajpackError) in
      try bytes.read(at: offset, into: buffer)
    }
  }

  /// Writes `length` bytes into the blob of a stream, if it has one; says which they are in it.
  func append(
    text length: Int, of stream: Int,
    _ read: (_ offset: Int, UnsafeMutableRawBufferPointer) throws(TrajpackError) -> Void
  ) throws(TrajpackError) -> Range<Int> {
    guard let number = schema.streams[stream].blob else { return 0..<0 }
    let size = schema.blocks[number].chunkRows
    let first = blobs[number]?.rows ?? 0
    var (chunk, rows) = blobs[number] ?? (ByteBuffer(size), 0)
    var done = 0
    while done < length {
      try Interruption.check()
      let filled = rows % size
      if filled == 0 { chunk = ByteBuffer(size) }
      let count = min(size - filled, length - done)
      try read(
        done, UnsafeMutableRawBufferPointer(rebasing: chunk.bytes[filled..<filled + count]))
      done += count
      rows += count
      tookBytes?(count)
      if rows % size == 0 { try send(blob: number, chunk, rows: rows) }
    }
    blobs[number] = (chunk, rows)
    return first..<rows
  }
}
