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

    /// What was committed; `sha256` has 64 hexadecimal digits.
    public init(bytes: Int, sha256: String, episodes: Int, rows: Int) {
      guard let digest = FileDigest(hexadecimal: sha256) else {
        preconditionFailure("a SHA-256 has 64 hexadecimal digits")
      }
      (self.bytes, self.digest, self.episodes, self.rows) = (bytes, digest, episodes, rows)
    }
  }

  private struct Pending {
    var filled = 0
    var first = 0
    var blocks: [Int: [UInt8]]
    var spans: [StatisticsGatherer.Span] = []
  }

  /// The path the shard is to have.
  public let path: String
  private let temporary: String
  private var schema: Schema
  private let pool: WorkerPool
  private let level: Int?
  private let compressors: CompressorPool
  private let backend: any ShardBackend
  private var gatherer: StatisticsGatherer
  private var index = IndexBuilder()
  private var pending: [Pending]
  private var blobs: [Int: (filled: [UInt8], rows: Int)] = [:]
  private var queue: [(job: Deferred<ChunkJob.Outcome>, bytes: Int)] = []
  private var queuedBytes = 0
  private var waiting: [ChunkJob] = []
  private var waitingBytes = 0
  private var chunks: [[Int64]]
  private var isDone = false
  private var isSettled = false
  private var trackRows = 0

  /// Begins a shard that is to be named `path`.
  ///
  /// - Parameters:
  ///   - schema: Its streams and blocks, without rows.
  ///   - level: The level of compression; the codec's own default where `nil`.
  ///   - pool: The threads that compress.
  ///   - make: Makes the container.
  public init(
    _ path: String, schema: Schema, level: Int?, pool: WorkerPool, backend make: MakeBackend
  ) throws(TrajpackError) {
    self.path = path
    self.schema = schema
    self.pool = pool
    self.level = level
    temporary = "\(FileSystem.parent(of: path))/.tmp-\(FileSystem.name(of: path))"
    compressors = CompressorPool(level: level)
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
    let blobNumbers = schema.blobs
    pending = schema.streams.indices.map { stream in
      var blocks: [Int: [UInt8]] = [:]
      for (number, block) in schema.blocks.enumerated()
      where block.stream == stream && !blobNumbers.contains(number) {
        blocks[number] = [UInt8](repeating: 0, count: block.chunkBytes)
      }
      return Pending(blocks: blocks)
    }
    for blob in blobNumbers { blobs[blob] = ([], 0) }
  }

  /// Makes the datasets, once, before the first row is written.
  private func settle(_ episode: EpisodeDraft?) throws(TrajpackError) {
    guard !isSettled else { return }
    isSettled = true
    if let episode { try ShuffleTrial(schema, compressors).settle(&schema, by: episode) }
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
      let width = channel.type == .bytes ? 2 : channel.elements
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
        metadata: track.metadata == .object([]) ? "" : track.metadata.text(), blob: blob)
      try append(rows: track, split: episode.split)
      trackRows += track.count
    }
  }

  private func append(rows track: TrackDraft, split: String) throws(TrajpackError) {
    let stream = track.stream
    let numbers = pending[stream].blocks.keys.sorted()
    precondition(numbers.count == track.rows.count, "a draft has rows for each block of its stream")
    guard let chunkRows = numbers.first.map({ schema.blocks[$0].chunkRows }) else { return }
    precondition(
      numbers.allSatisfy { schema.blocks[$0].chunkRows == chunkRows },
      "the blocks of a stream have chunks of the same rows")
    var done = 0
    while done < track.count {
      let filled = pending[stream].filled
      let count = min(chunkRows - filled, track.count - done)
      for (source, number) in zip(track.rows, numbers) {
        let size = schema.blocks[number].rowBytes
        try Self.fill(
          &pending[stream].blocks[number, default: []], at: filled * size, count: count * size
        ) { (buffer) throws(TrajpackError) in
          try source.spool.read(at: source.offset + done * size, into: buffer)
        }
      }
      pending[stream].spans.append(.init(split: split, rows: filled..<filled + count))
      pending[stream].filled += count
      done += count
      if pending[stream].filled == chunkRows { try close(stream) }
    }
  }

  private static func fill(
    _ bytes: inout [UInt8], at offset: Int, count: Int,
    _ read: (UnsafeMutableRawBufferPointer) throws(TrajpackError) -> Void
  ) throws(TrajpackError) {
    var failure: TrajpackError?
    bytes.withUnsafeMutableBytes { buffer in
      do throws(TrajpackError) {
        try read(UnsafeMutableRawBufferPointer(rebasing: buffer[offset..<offset + count]))
      } catch { failure = error }
    }
    if let failure { throw failure }
  }

  /// Hands a stream's rows to the pool, as a chunk of each block.
  private func close(_ stream: Int) throws(TrajpackError) {
    let part = pending[stream]
    guard part.filled > 0,
      let chunkRows = part.blocks.keys.first.map({ schema.blocks[$0].chunkRows })
    else { return }
    let fresh = part.blocks.mapValues { [UInt8](repeating: 0, count: $0.count) }
    pending[stream] = Pending(filled: 0, first: part.first + part.filled, blocks: fresh)
    try send(
      ChunkJob(
        stream: stream, number: part.first / chunkRows, blocks: part.blocks, spans: part.spans,
        first: part.first))
  }

  private func append(
    bytes: TrackDraft.Bytes?, of stream: Int
  ) throws(TrajpackError) -> Range<Int> {
    guard let number = schema.streams[stream].blob, let bytes else { return 0..<0 }
    let size = schema.blocks[number].chunkRows
    var (filled, rows) = blobs[number] ?? ([], 0)
    let first = rows
    var done = 0
    while done < bytes.count {
      let count = min(size - filled.count, bytes.count - done)
      let start = filled.count
      filled += [UInt8](repeating: 0, count: count)
      try Self.fill(&filled, at: start, count: count) { (buffer) throws(TrajpackError) in
        try bytes.read(at: done, into: buffer)
      }
      done += count
      rows += count
      if filled.count == size {
        try send(
          ChunkJob(
            stream: stream, number: (rows - 1) / size, blocks: [number: filled], spans: [], first: 0
          ))
        filled = []
      }
    }
    blobs[number] = (filled, rows)
    return first..<rows
  }

  /// Bytes of rows that wait for a thread or for being written.
  private static let maximumQueue = 32 << 20

  /// Queues a job; small ones travel together, so that threads are not woken for a few kilobytes.
  private func send(_ job: ChunkJob) throws(TrajpackError) {
    waiting.append(job)
    waitingBytes += job.bytes
    if waitingBytes >= 256 << 10 { try flush() }
  }

  private func flush() throws(TrajpackError) {
    guard !waiting.isEmpty else { return }
    for job in waiting {
      let (schema, compressors, gatherer) = (schema, compressors, gatherer)
      let bytes = job.bytes
      queuedBytes += bytes
      queue.append(
        (pool.run { () throws(TrajpackError) in try job.run(schema, compressors, gatherer) }, bytes)
      )
    }
    waiting = []
    waitingBytes = 0
    // Enough for every thread to have work while one chunk is written, whatever the size of chunks.
    while queue.count > 16 * pool.count + 64 || (queuedBytes > Self.maximumQueue && queue.count > 1)
    {
      try writeNext()
    }
  }

  private func writeNext() throws(TrajpackError) {
    let next = queue.removeFirst()
    queuedBytes -= next.bytes
    let outcome = try next.job.value()
    for packed in outcome.packed {
      var offset = 0
      try packed.bytes.withUnsafeBytesThrowing { (bytes) throws(TrajpackError) in
        offset = try backend.write(
          bytes, chunk: packed.number, block: packed.block, filterMask: packed.filterMask)
      }
      chunks[packed.block] += [
        Int64(offset), Int64(packed.bytes.count), Int64(packed.raw), Int64(packed.filterMask),
        Int64(packed.crc),
      ]
    }
    if let statistics = outcome.statistics { gatherer.merge(statistics) }
  }

  /// Writes what is left and the index, makes the file durable, and gives it its name.
  ///
  /// - Parameters:
  ///   - attributes: The schema's attributes; those it was begun with where `nil`.
  ///   - replacing: Replaces a file of that name, rather than refusing it.
  ///   - expected: The SHA-256 that it must have; another file is not named.
  public func commit(
    attributes: JSONValue? = nil, replacing: Bool = false, expected: String? = nil
  ) throws(TrajpackError) -> Receipt {
    try settle(nil)
    if let attributes { schema.attributes = attributes }
    for stream in schema.streams.indices {
      try close(stream)
      if let number = schema.streams[stream].blob, let (filled, rows) = blobs[number],
        !filled.isEmpty
      {
        let size = schema.blocks[number].chunkRows
        let padded = filled + [UInt8](repeating: 0, count: size - filled.count)
        try send(
          ChunkJob(
            stream: stream, number: (rows - 1) / size, blocks: [number: padded], spans: [], first: 0
          ))
      }
    }
    try flush()
    while !queue.isEmpty { try writeNext() }
    let sections = try writeIndex()
    try backend.finish(rows: schema.blocks.map(\.rows))
    let receipt = try seal(sections)
    guard expected == nil || receipt.sha256 == expected else {
      throw TrajpackError(
        .data,
        "\(path): was damaged, and the source gives another shard than the one that was acknowledged "
          + "(SHA-256 \(receipt.sha256), acknowledged \(expected ?? "")); restore the shard from a copy, "
          + "or use --overwrite to convert again")
    }
    try FileSystem.publish(temporary, as: path, replacing: replacing)
    isDone = true
    return receipt
  }

  private func writeIndex() throws(TrajpackError) -> [ShardHeader.Section] {
    var first = 0
    for number in schema.blocks.indices {
      let stream = schema.blocks[number].stream
      schema.blocks[number].rows = blobs[number]?.rows ?? pending[stream].first
      schema.blocks[number].firstChunk = first
      first += schema.blocks[number].chunks
    }
    schema.splits = index.splitNames
    schema.entityKinds = index.entityKinds
    // Sections are small and read once: lz4 has no place there.
    let chosen = schema.blocks.first?.codec ?? .zstd
    let codec = chosen == .lz4 ? .zstd : chosen
    var sections: [ShardHeader.Section] = []
    func write(
      _ id: ShardHeader.SectionID, _ bytes: [UInt8], _ type: ElementType, _ columns: Int,
      _ codec: Codec
    ) throws(TrajpackError) {
      guard !bytes.isEmpty else { return }
      guard
        bytes.count
          <= (id == .schema || codec != .none ? Shard.maximumSection : Shard.maximumIndex / 8)
      else {
        throw TrajpackError(
          .data,
          "\(FileSystem.name(of: path)): its index would have \(bytes.count) bytes of '\(id)', more "
            + "than readers take; use a smaller --shard-size")
      }
      var packed = codec == .none ? nil : try compressors.compress(bytes, codec)
      // What readers would take for a bomb is written as it is.
      if let count = packed?.count, bytes.count > Shard.mostInflated(stored: count) { packed = nil }
      let stored = packed ?? bytes
      var offset = 0
      try stored.withUnsafeBytesThrowing { (raw) throws(TrajpackError) in
        offset = try backend.write(
          section: "\(id)", raw, raw: bytes.count, type: type, columns: columns,
          codec: packed == nil ? .none : codec)
      }
      sections.append(
        ShardHeader.Section(
          id: id.rawValue, codec: packed == nil ? 0 : codec.rawValue, offset: UInt64(offset),
          stored: UInt64(stored.count), raw: UInt64(bytes.count),
          crc: stored.withUnsafeBytes { CRC32C.of($0) }))
    }
    let (moments, quantiles) = gatherer.tables(splits: schema.splits)
    try write(.statistics, littleEndian(moments.map(\.bitPattern)), .float64, 11, codec)
    try write(
      .quantiles, littleEndian(quantiles.map(\.bitPattern)), .float32,
      ComponentStatistics.probabilities.count, codec)
    try write(.schema, Array(schema.json.text().utf8), .uint8, 1, codec)
    try write(.text, index.textBytes, .uint8, 1, .none)
    for (id, table, columns) in index.sections(chunks: chunks.flatMap { $0 }) {
      try write(id, littleEndian(table), .int64, columns, .none)
    }
    return sections
  }

  /// Writes the header into the user block and takes the digest of the whole.
  private func seal(_ sections: [ShardHeader.Section]) throws(TrajpackError) -> Receipt {
    let fd = open(temporary, O_RDWR | O_CLOEXEC)
    guard fd >= 0 else { throw .system("cannot be opened", temporary) }
    defer { Glibc.close(fd) }
    let length = FileSystem.size(of: temporary)
    let header = ShardHeader(
      fileLength: UInt64(length), sections: sections,
      features: schema.blocks.contains { $0.codec == .lz4 } ? .lz4 : [])
    try FileSystem.write(header.bytes(), to: fd, temporary)
    try FileSystem.sync(fd, temporary)
    return Receipt(
      bytes: length, sha256: try LocalFile(temporary).sha256(), episodes: index.episodeCount,
      rows: trackRows)
  }
}

/// The bytes of integers, little-endian.
func littleEndian<Integer: FixedWidthInteger>(_ numbers: [Integer]) -> [UInt8] {
  var out: [UInt8] = []
  out.reserveCapacity(numbers.count * MemoryLayout<Integer>.size)
  for number in numbers { withUnsafeBytes(of: number.littleEndian) { out.append(contentsOf: $0) } }
  return out
}

extension Array where Element == UInt8 {
  /// `withUnsafeBytes` with a typed error, which the standard library's cannot throw.
  func withUnsafeBytesThrowing<Result>(
    _ body: (UnsafeRawBufferPointer) throws(TrajpackError) -> Result
  ) throws(TrajpackError) -> Result {
    let outcome: Swift.Result<Result, TrajpackError> = withUnsafeBytes { bytes in
      do throws(TrajpackError) { return .success(try body(bytes)) } catch { return .failure(error) }
    }
    return try outcome.get()
  }
}
