import TrajpackCodecs
import TrajpackFormat

/// Reads everything in a shard once, in the order of the file, by several threads, as far as a stage says:
/// so the cost of each stage can be told apart.
public struct ReadBenchmark: Sendable {
  /// How far each chunk is taken.
  public enum Stage: Int, Sendable, CaseIterable {
    /// Its bytes are read.
    case read
    /// And compared with their checksum.
    case check
    /// And inflated, not checked.
    case inflate
    /// And checked, inflated and put into rows: what a reader does.
    case rows
  }

  /// Bytes that are read at once.
  private static let span = 256 << 10

  private struct Piece: Sendable {
    var block: Int
    var chunk: Int
    var place: ShardIndex.Chunk
  }

  /// What a scan has measured.
  public struct Measure: Sendable {
    /// Bytes of all rows.
    public var bytes = 0
    /// Seconds that all threads together spent in the codec.
    public var codecSeconds = 0.0

    /// Nothing yet.
    public init() {}
  }

  /// Takes every chunk of every block as far as `stage`. In the stage ``Stage/inflate`` the codec works as
  /// it comes, its own checksum included: what reading rows is compared with.
  ///
  /// - Throws: The first damage.
  public static func run(
    _ shard: Shard, _ stage: Stage, pool: WorkerPool
  ) throws(TrajpackError) -> Measure {
    var pieces: [Piece] = []
    for (number, block) in shard.schema.blocks.enumerated() {
      for chunk in 0..<block.chunks {
        pieces.append(
          Piece(block: number, chunk: chunk, place: shard.index.chunk(chunk, of: block)))
      }
    }
    pieces.sort { $0.place.offset < $1.place.offset }
    let tools = ScanTools()
    var jobs: [Future<Measure>] = []
    var first = 0
    for i in pieces.indices {
      let end = pieces[i].place.offset + pieces[i].place.stored
      let next = i + 1 < pieces.count ? pieces[i + 1].place : nil
      if let next, next.offset + next.stored - pieces[first].place.offset <= span,
        next.offset - end <= 64 << 10
      {
        continue
      }
      let part = Array(pieces[first...i])
      jobs.append(
        pool.run { () throws(TrajpackError) in try scan(shard, part, stage, tools) })
      first = i + 1
    }
    var sum = Measure()
    for job in jobs {
      let part = try job.value()
      sum.bytes += part.bytes
      sum.codecSeconds += part.codecSeconds
    }
    return sum
  }

  private static func scan(
    _ shard: Shard, _ pieces: [Piece], _ stage: Stage, _ tools: ScanTools
  ) throws(TrajpackError) -> Measure {
    var measure = Measure()
    guard let first = pieces.first else { return measure }
    let tool = tools.borrow()
    defer { tools.giveBack(tool) }
    let start = first.place.offset
    // Of a damaged file the last chunk to begin need not be the last to end.
    let end = pieces.reduce(start) { max($0, $1.place.offset + $1.place.stored) }
    let bytes = tool.stored(end - start)
    try shard.file.read(at: start, into: bytes)
    let decompressor = stage == .rows ? tool.trusting : tool.checking
    for piece in pieces {
      let (block, place) = (shard.schema.blocks[piece.block], piece.place)
      let at = place.offset - start
      let stored = UnsafeRawBufferPointer(rebasing: bytes[at..<at + place.stored])
      let count = min(block.chunkRows, block.rows - piece.chunk * block.chunkRows)
      measure.bytes += count * block.rowBytes
      switch stage {
      case .read: continue
      case .check: _ = CRC32C.of(stored)
      case .inflate, .rows:
        do throws(TrajpackError) {
          let out = tool.raw(block.chunkBytes)
          if stage == .inflate {
            let isPlain = place.filterMask & (block.shuffle > 1 ? 0b10 : 0b1) != 0
            let clock = ContinuousClock()
            let before = clock.now
            try decompressor.decompress(stored, isPlain ? .none : block.codec, into: out)
            let spent = (clock.now - before).components
            measure.codecSeconds += Double(spent.seconds) + Double(spent.attoseconds) * 1e-18
          } else {
            let shuffled = try shard.inflate(stored, place, block, decompressor, into: out)
            let rows = tool.rows(block.chunkBytes)
            guard let target = rows.baseAddress else { continue }
            BlockReader.copy(
              UnsafeRawBufferPointer(out), block, shuffled: shuffled, rows: 0..<count,
              columns: 0..<block.rowBytes, into: target, stride: block.rowBytes)
          }
        } catch { throw shard.damaged(piece.chunk, block: piece.block, error) }
      }
    }
    return measure
  }
}

/// What a thread needs to scan, kept from one piece of work to the next.
private final class ScanTools: @unchecked Sendable {
  final class Tool {
    let checking = Decompressor()
    let trusting = Decompressor(trustsCaller: true)
    private var buffers: [OwnedBuffer] = (0..<3).map { _ in OwnedBuffer(count: 1 << 20) }

    private func buffer(_ i: Int, _ count: Int) -> UnsafeMutableRawBufferPointer {
      if buffers[i].bytes.count < count { buffers[i] = OwnedBuffer(count: count) }
      return UnsafeMutableRawBufferPointer(rebasing: buffers[i].bytes[..<count])
    }
    func stored(_ count: Int) -> UnsafeMutableRawBufferPointer { buffer(0, count) }
    func raw(_ count: Int) -> UnsafeMutableRawBufferPointer { buffer(1, count) }
    func rows(_ count: Int) -> UnsafeMutableRawBufferPointer { buffer(2, count) }
  }

  private let lock = ConditionLock()
  private var free: [Tool] = []

  func borrow() -> Tool { lock.locked { free.popLast() } ?? Tool() }
  func giveBack(_ tool: Tool) { lock.locked { free.append(tool) } }
}
