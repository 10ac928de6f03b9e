import TrajpackCodecs
import TrajpackFormat

/// Reads everything in a shard once, in the order of the file, by several threads, as far as a stage says:
/// so the cost of each stage can be told apart.
public struct SequentialScan: Sendable {
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

  /// Runs of chunks of about that many raw bytes are a piece of work.
  private static let piece = 4 << 20

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
    var jobs: [Deferred<Measure>] = []
    for (number, block) in shard.schema.blocks.enumerated() {
      let perJob = max(piece / block.chunkBytes, 1)
      for first in stride(from: 0, to: block.chunks, by: perJob) {
        let range = first..<min(first + perJob, block.chunks)
        jobs.append(
          pool.run { () throws(TrajpackError) in try scan(shard, number, range, stage) })
      }
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
    _ shard: Shard, _ number: Int, _ chunks: Range<Int>, _ stage: Stage
  ) throws(TrajpackError) -> Measure {
    let block = shard.schema.blocks[number]
    let places = chunks.map { shard.index.chunk($0, of: block) }
    let most = places.reduce(0) { max($0, $1.stored) }
    let stored = IndexMemory(count: most)
    let raw = IndexMemory(count: block.chunkBytes)
    let rows = IndexMemory(count: block.chunkBytes)
    let decompressor = Decompressor(trustsCaller: stage == .rows)
    var measure = Measure()
    for (chunk, place) in zip(chunks, places) {
      let buffer = UnsafeMutableRawBufferPointer(rebasing: stored.bytes[..<place.stored])
      try shard.file.read(at: place.offset, into: buffer)
      let count = min(block.chunkRows, block.rows - chunk * block.chunkRows)
      measure.bytes += count * block.rowBytes
      if stage == .read { continue }
      if stage == .check {
        _ = CRC32C.of(UnsafeRawBufferPointer(buffer))
        continue
      }
      do throws(TrajpackError) {
        let out = UnsafeMutableRawBufferPointer(rebasing: raw.bytes[..<block.chunkBytes])
        let clock = ContinuousClock()
        let start = clock.now
        var shuffled = false
        if stage == .inflate {
          let isPlain = place.filterMask & (block.shuffle > 1 ? 0b10 : 0b1) != 0
          try decompressor.decompress(
            UnsafeRawBufferPointer(buffer), isPlain ? .none : block.codec, into: out)
        } else {
          shuffled = try shard.inflate(UnsafeRawBufferPointer(buffer), place, block, decompressor, into: out)
        }
        let spent = (clock.now - start).components
        measure.codecSeconds += Double(spent.seconds) + Double(spent.attoseconds) * 1e-18
        guard stage == .rows, let target = rows.bytes.baseAddress else { continue }
        BlockReader.copy(
          UnsafeRawBufferPointer(out), block, shuffled: shuffled, rows: 0..<count,
          columns: 0..<block.rowBytes, into: target, stride: block.rowBytes)
      } catch { throw shard.damaged(chunk, block: number, error) }
    }
    return measure
  }
}
