import TrajpackCodecs
import TrajpackFormat
import TrajpackRemote

/// Compares every stored byte of a shard with its checksums.
public struct Verification: Sendable {
  /// What was found.
  public struct Result: Sendable {
    /// Bytes of the files that were read.
    public var bytes = 0
    /// Chunks that were checked.
    public var chunks = 0
    /// What is damaged, a sentence each, in the order of the file.
    public var damages: [TrajpackError] = []

    /// Nothing yet.
    public init() {}
  }

  /// Checks a shard: its index when it is opened, then every chunk, then, where the dataset lists it, the
  /// digest of the whole file and its counts.
  ///
  /// - Parameters:
  ///   - list: What lists it: "manifest" or "journal".
  ///   - statistics: The shard's are added to them.
  ///   - advance: Told how many more bytes have been read.
  public static func verify(
    _ path: String, expected: Manifest.Entry?, list: String,
    statistics: inout DatasetStatistics, pool: WorkerPool, isStopped: @Sendable () -> Bool,
    advance: @escaping @Sendable (Int) -> Void
  ) throws(TrajpackError) -> Result {
    var result = Result()
    let isThere = RemoteLocation.isRemote(path) ? true : try FileSystem.hasFile(path)
    guard isThere else {
      result.damages = [
        TrajpackError(
          .data, file: path, "is missing, but the dataset lists it; restore it from a copy")
      ]
      return result
    }
    let shard: Shard
    do throws(TrajpackError) {
      shard = try Shard(path)
      try statistics.add(shard)
    } catch {
      guard error.fault != .machine else { throw error }
      result.damages = [error]
      return result
    }
    let digest = pool.run { () throws(TrajpackError) in try shard.file.sha256() }
    var jobs: [Future<[TrajpackError]>] = []
    for (number, block) in shard.schema.blocks.enumerated() {
      for first in stride(from: 0, to: block.chunks, by: 256) {
        let range = first..<min(first + 256, block.chunks)
        jobs.append(
          pool.run { () throws(TrajpackError) in
            try check(shard, block: number, chunks: range, advance)
          })
      }
      result.chunks += block.chunks
    }
    for job in jobs {
      if isStopped() { return result }
      result.damages += try job.value()
    }
    result.bytes = shard.file.length
    let found = try digest.value()
    guard let expected else { return result }
    if result.damages.isEmpty, expected.receipt.sha256 != found {
      result.damages.append(
        TrajpackError(
          .data, file: shard.name,
          "its data matches its checksums, but the file is not the one that was "
            + "committed (SHA-256 \(found), \(list) \(expected.receipt.sha256)); restore it from a copy"
        ))
    } else if result.damages.isEmpty {
      result.damages += counts(of: shard, expected.receipt, list)
    }
    return result
  }

  /// Compares what the list says of a shard with the shard, which is good.
  private static func counts(
    of shard: Shard, _ receipt: ShardWriter.Receipt, _ list: String
  ) -> [TrajpackError] {
    let index = shard.index
    let rows = (0..<index.trackCount).reduce(0) { $0 + index.rows(ofTrack: $1).count }
    let all = [
      ("bytes", receipt.bytes, shard.file.length),
      ("episodes", receipt.episodes, index.episodeCount),
      ("rows", receipt.rows, rows),
    ]
    return all.filter { $0.1 != $0.2 }.map { what, listed, found in
      TrajpackError(
        .data,
        "the \(list) is damaged: it says that \(shard.name) has \(listed) \(what), but it has \(found); "
          + "restore the \(list) from a copy")
    }
  }

  private static func check(
    _ shard: Shard, block number: Int, chunks: Range<Int>, _ advance: (Int) -> Void
  ) throws(TrajpackError) -> [TrajpackError] {
    let block = shard.schema.blocks[number]
    let decompressor = Decompressor()
    var damages: [TrajpackError] = []
    var out = [UInt8](repeating: 0, count: block.chunkBytes)
    for chunk in chunks {
      if let damage = try shard.damage(ofChunk: chunk, block: number, decompressor, &out) {
        damages.append(damage)
      }
      advance(shard.index.chunk(chunk, of: block).stored)
    }
    return damages
  }
}
