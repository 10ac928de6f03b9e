import TrajpackCodecs
import TrajpackFormat

/// Rows of a stream that fill a chunk of each of its blocks, and what becomes of them in a worker.
struct ChunkJob: Sendable {
  /// The stream, and the chunk's number in it.
  var stream: Int
  var number: Int
  /// The rows of each block, by block number, as long as a chunk.
  var blocks: [Int: [UInt8]]
  /// Which rows belong to which split; nothing for a blob.
  var spans: [StatisticsGatherer.Span]
  /// The number of the first row in the stream.
  var first: Int

  /// Bytes of its rows.
  var bytes: Int { blocks.values.reduce(0) { $0 + $1.count } }

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
    for (number, bytes) in blocks.sorted(by: { $0.key < $1.key }) {
      outcome.packed.append(
        try compressors.pack(bytes, block: number, chunk: self.number, schema.blocks[number]))
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
  private let monitor = Monitor()
  private var free: [Codec: [Compressor]] = [:]
  private let level: Int?

  init(level: Int?) { self.level = level }

  /// Shuffles and compresses a chunk of a block.
  func pack(
    _ bytes: [UInt8], block number: Int, chunk: Int, _ block: Block
  ) throws(TrajpackError) -> ChunkJob.Packed {
    guard block.codec != .none else {
      return ChunkJob.Packed(
        block: number, number: chunk, bytes: bytes, raw: bytes.count, filterMask: 0,
        crc: bytes.withUnsafeBytes { CRC32C.of($0) })
    }
    var source = bytes
    let shuffles = block.shuffle > 1
    if shuffles {
      bytes.withUnsafeBytes { from in
        source.withUnsafeMutableBytes {
          Shuffle.apply(from, elementSize: block.shuffle, into: $0)
        }
      }
    }
    // Elements that are shuffled one by one lie in planes, a byte of all elements each.
    let planes = shuffles && block.shuffle == block.type.size ? block.shuffle : 1
    var packed = try compress(
      source, block.codec,
      planes: block.codec == .lz4 || source.count / planes >= Block.planeBytes ? planes : 1)
    var mask: UInt32 = 0
    if packed == nil {
      // The chunk does not shrink: it is stored shuffled, and the mask says that the filters after the
      // shuffle were left out.
      packed = source
      mask = block.codec == .lz4 ? 0b11 : 0b1
      if shuffles { mask <<= 1 }
    }
    let stored = packed ?? source
    return ChunkJob.Packed(
      block: number, number: chunk, bytes: stored, raw: bytes.count, filterMask: mask,
      crc: stored.withUnsafeBytes { CRC32C.of($0) })
  }

  /// Compresses bytes; `nil` where they do not shrink.
  func compress(
    _ source: [UInt8], _ codec: Codec, planes: Int = 1
  ) throws(TrajpackError) -> [UInt8]? {
    let compressor: Compressor
    if let idle = monitor.locked({ free[codec]?.popLast() }) {
      compressor = idle
    } else {
      compressor = try Compressor(codec, level: codec == .none ? nil : level)
    }
    defer { monitor.locked { free[codec, default: []].append(compressor) } }
    var failure: TrajpackError?
    var count: Int?
    let bound = Compressor.bound(source.count)
    let out = [UInt8](unsafeUninitializedCapacity: bound) { buffer, used in
      source.withUnsafeBytes { from in
        do throws(TrajpackError) {
          count = try compressor.compress(
            from, into: UnsafeMutableRawBufferPointer(buffer), planes: planes)
        } catch { failure = error }
      }
      used = count ?? 0
    }
    if let failure { throw failure }
    return count == nil ? nil : out
  }
}
