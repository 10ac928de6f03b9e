import Glibc
import TrajpackCodecs
import TrajpackFormat

/// The raw bytes of a chunk on their way to a worker: in a buffer of their own, or in a spool that has
/// them in memory. Nobody writes to them any more.
struct ChunkBytes: @unchecked Sendable {
  private let owner: AnyObject
  /// The bytes.
  let bytes: UnsafeRawBufferPointer

  /// Bytes that `owner` keeps where they are.
  init(_ bytes: UnsafeRawBufferPointer, of owner: AnyObject) {
    self.owner = owner
    self.bytes = bytes
  }

  /// All of a buffer.
  init(_ buffer: ByteBuffer) { self.init(UnsafeRawBufferPointer(buffer.bytes), of: buffer) }

  /// Calls `body` with the bytes, which stay until it returns.
  func withBytes<Result, Failure: Error>(
    _ body: (UnsafeRawBufferPointer) throws(Failure) -> Result
  ) throws(Failure) -> Result {
    defer { withExtendedLifetime(owner) {} }
    return try body(bytes)
  }
}

/// Rows of a stream that fill a chunk of each of its blocks, and what becomes of them in a worker.
struct ChunkJob: Sendable {
  /// The stream, and the chunk's number in it.
  var stream: Int
  var number: Int
  /// The rows of each block, as long as a chunk, in the order of the blocks' numbers.
  var blocks: [(number: Int, rows: ChunkBytes)]
  /// Which rows belong to which split; nothing for a blob, or where the statistics are known.
  var spans: [StatisticsGatherer.Span]
  /// The number of the first row in the stream.
  var first: Int

  /// Bytes of its rows.
  var bytes: Int { blocks.reduce(0) { $0 + $1.rows.bytes.count } }

  /// A compressed chunk.
  struct Packed: Sendable {
    var block: Int
    var number: Int
    var bytes: [UInt8]
    var raw: Int
    var filterMask: UInt32
    var crc: UInt32
  }

  /// What the worker gives back.
  struct Outcome: Sendable {
    var packed: [Packed]
    var statistics: StatisticsGatherer.Partial?
  }

  /// Compresses the chunks.
  func run(
    _ schema: Schema, _ compressors: CompressorPool, _ gatherer: StatisticsGatherer
  ) throws(TrajpackError) -> Outcome {
    var outcome = Outcome(packed: [], statistics: nil)
    for (number, rows) in blocks {
      outcome.packed.append(
        try rows.withBytes { (bytes) throws(TrajpackError) in
          try compressors.pack(bytes, block: number, chunk: self.number, schema.blocks[number])
        })
    }
    if !spans.isEmpty {
      outcome.statistics = gatherer.observe(
        stream: stream, chunk: blocks, first: first, spans: spans)
    }
    return outcome
  }
}

/// Compressors that threads borrow.
final class CompressorPool: @unchecked Sendable {
  private let lock = ConditionLock()
  private struct Kind: Hashable {
    var codec: Codec
    var level: Int?
  }
  private var free: [Kind: [Compressor]] = [:]
  private let level: Int?
  /// Blocks of which each has a level of its own where none is said.
  private let levels: [Int: Int]
  private let search: Compressor.Search

  init(level: Int?, levels: [Int: Int] = [:], search: Compressor.Search) {
    self.level = level
    self.levels = levels
    self.search = search
  }

  /// Shuffles and compresses a chunk of a block.
  func pack(
    _ bytes: UnsafeRawBufferPointer, block number: Int, chunk: Int, _ block: Block
  ) throws(TrajpackError) -> ChunkJob.Packed {
    guard block.codec != .none else {
      return ChunkJob.Packed(
        block: number, number: chunk, bytes: Array(bytes), raw: bytes.count, filterMask: 0,
        crc: CRC32C.of(bytes))
    }
    let shuffles = block.shuffle > 1
    let shuffled =
      !shuffles
      ? []
      : [UInt8](unsafeUninitializedCapacity: bytes.count) { buffer, used in
        Shuffle.apply(
          bytes, elementSize: block.shuffle, into: UnsafeMutableRawBufferPointer(buffer))
        used = bytes.count
      }
    return try shuffled.withUnsafeBytesThrowing { (shuffled) throws(TrajpackError) in
      let source = shuffles ? shuffled : bytes
      // Elements that are shuffled one by one lie in planes, a byte of all elements each.
      let planes = shuffles && block.shuffle == block.type.size ? block.shuffle : 1
      let packed = try compress(
        source, block.codec,
        planes: block.codec == .lz4 || source.count / planes >= Block.planeBytes ? planes : 1,
        // The same number of the row before, or the same byte of the column before.
        stride: !shuffles
          ? block.rowBytes : planes > 1 ? block.elements : block.chunkRows * block.type.size,
        level: level ?? levels[number])
      var mask: UInt32 = 0
      if packed == nil {
        // The chunk does not shrink: it is stored shuffled, and the mask says that the filters after the
        // shuffle were left out.
        mask = block.codec == .lz4 ? 0b11 : 0b1
        if shuffles { mask <<= 1 }
      }
      let stored = packed ?? Array(source)
      return ChunkJob.Packed(
        block: number, number: chunk, bytes: stored, raw: bytes.count, filterMask: mask,
        crc: stored.withUnsafeBytes { CRC32C.of($0) })
    }
  }

  /// Compresses bytes; `nil` where they do not shrink.
  func compress(
    _ source: UnsafeRawBufferPointer, _ codec: Codec, planes: Int = 1, stride: Int = 0
  ) throws(TrajpackError) -> [UInt8]? {
    try compress(source, codec, planes: planes, stride: stride, level: level)
  }

  private func compress(
    _ source: UnsafeRawBufferPointer, _ codec: Codec, planes: Int, stride: Int, level: Int?
  ) throws(TrajpackError) -> [UInt8]? {
    let kind = Kind(codec: codec, level: codec == .none ? nil : level)
    let compressor: Compressor
    if let idle = lock.locked({ free[kind]?.popLast() }) {
      compressor = idle
    } else {
      compressor = try Compressor(codec, level: kind.level, search: search)
    }
    defer { lock.locked { free[kind, default: []].append(compressor) } }
    var count: Int?
    let bound = Compressor.bound(source.count)
    let out = try [UInt8](capacity: bound) { (room) throws(TrajpackError) in
      count = try compressor.compress(source, into: room, planes: planes, stride: stride)
      return count ?? 0
    }
    return count == nil ? nil : out
  }
}
