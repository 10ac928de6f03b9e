import TrajpackCodecs
import TrajpackFormat

/// Reads rows of the blocks of a shard. It keeps the chunks that were read last, up to 24 MiB of them by default, so
/// that reading on costs each chunk once, and so does reading the same rows of one channel after the other.
/// One thread at a time.
public final class BlockReader {
  private struct Key: Hashable {
    var block: Int
    var chunk: Int
  }

  private struct Cached {
    var bytes: [UInt8]
    var shuffled: Bool
    /// When it was asked for last, counted in requests.
    var used: Int
  }

  private let shard: Shard
  private let chunks: StoredChunks
  /// Memory of chunks that were dropped, to be used again.
  private var spares: [[UInt8]] = []
  private var cache: [Key: Cached] = [:]
  private var cachedBytes = 0
  private var requests = 0
  private let maximumCache: Int

  /// A reader of `shard`, which keeps chunks of `cache` bytes at most, and always the one that it reads.
  public init(_ shard: Shard, cache: Int = 24 << 20) {
    self.shard = shard
    chunks = StoredChunks(shard)
    maximumCache = cache
  }

  /// Copies bytes `columns` of each of `rows` of block `number` to `destination`, a row every `stride`
  /// bytes.
  ///
  /// - Throws: A data error naming the shard, stream, episode, chunk and byte where a chunk is damaged.
  public func read(
    block number: Int, rows: Range<Int>, columns: Range<Int>,
    into destination: UnsafeMutableRawPointer, stride: Int
  ) throws(TrajpackError) {
    let block = shard.schema.blocks[number]
    precondition(rows.lowerBound >= 0 && rows.upperBound <= block.rows)
    let last = (rows.upperBound - 1) / max(block.chunkRows, 1)
    var row = rows.lowerBound
    while row < rows.upperBound {
      let chunk = row / block.chunkRows
      let start = chunk * block.chunkRows
      let part = row - start..<min(rows.upperBound - start, block.chunkRows)
      let key = Key(block: number, chunk: chunk)
      try load(key, block, last: last)
      guard let cached = cache[key] else { return }
      let out = destination + (row - rows.lowerBound) * stride
      cached.bytes.withUnsafeBytes { bytes in
        Self.copy(
          bytes, block, shuffled: cached.shuffled, rows: part, columns: columns, into: out,
          stride: stride)
      }
      row = start + part.upperBound
    }
  }

  /// Copies rows out of an inflated chunk, undoing its shuffle on the way.
  package static func copy(
    _ bytes: UnsafeRawBufferPointer, _ block: Block, shuffled: Bool, rows: Range<Int>,
    columns: Range<Int>, into destination: UnsafeMutableRawPointer, stride: Int
  ) {
    let size = block.rowBytes
    if shuffled, block.shuffle == size {
      Shuffle.undo(
        bytes, elementSize: size, elements: rows, columns: columns, into: destination,
        stride: stride)
    } else if shuffled {
      // Elements are shuffled one by one: the wanted ones of each row lie side by side.
      let element = block.shuffle
      let perRow = size / element
      let first = columns.lowerBound / element
      let end = (columns.upperBound + element - 1) / element
      for (n, row) in rows.enumerated() {
        Shuffle.undo(
          bytes, elementSize: element, elements: row * perRow + first..<row * perRow + end,
          columns: 0..<element, into: destination + n * stride, stride: element)
      }
    } else {
      guard let from = bytes.baseAddress else { return }
      if columns.count == size, stride == size {
        destination.copyMemory(from: from + rows.lowerBound * size, byteCount: rows.count * size)
      } else {
        for (n, row) in rows.enumerated() {
          (destination + n * stride).copyMemory(
            from: from + row * size + columns.lowerBound, byteCount: columns.count)
        }
      }
    }
  }

  /// Makes a chunk be in the cache. Up to chunk `last` others are wanted, too.
  private func load(_ key: Key, _ block: Block, last: Int) throws(TrajpackError) {
    requests += 1
    if let known = cache.index(forKey: key) {
      cache.values[known].used = requests
      return
    }
    if cachedBytes + block.chunkBytes > maximumCache { makeRoom(block.chunkBytes) }
    var buffer: [UInt8]
    if let spare = spares.last, spare.count == block.chunkBytes {
      buffer = spares.removeLast()
    } else {
      buffer = [UInt8](repeating: 0, count: block.chunkBytes)
    }
    let shuffled = try buffer.withMutableBytes { (out) throws(TrajpackError) in
      try chunks.inflate(key.chunk, of: key.block, last: last, into: out)
    }
    cachedBytes += buffer.count
    cache[key] = Cached(bytes: buffer, shuffled: shuffled, used: requests)
  }

  /// Drops the older half of the chunks, or all where that is not enough for `count` bytes; keeps the memory of those of
  /// that size, to be used again. Halves, so that finding the oldest costs little for each chunk.
  private func makeRoom(_ count: Int) {
    spares.removeAll(keepingCapacity: true)
    let oldest = cache.sorted { $0.value.used < $1.value.used }
    for (n, item) in oldest.enumerated()
    where n < (oldest.count + 1) / 2 || cachedBytes + count > maximumCache {
      cache[item.key] = nil
      cachedBytes -= item.value.bytes.count
      if item.value.bytes.count == count { spares.append(item.value.bytes) }
    }
  }
}

extension Shard {
  /// Why a chunk is damaged whose bytes are not those that were written.
  package static let isOtherThanChecksum = TrajpackError(
    .data, "its bytes do not match their checksum")

  /// Checks and inflates a stored chunk; says whether the result is still shuffled. A chunk whose bytes
  /// were checked before need not be checked again.
  package func inflate(
    _ stored: UnsafeRawBufferPointer, _ place: ShardIndex.Chunk, _ block: Block,
    _ decompressor: Decompressor, into out: UnsafeMutableRawBufferPointer, isChecked: Bool = false
  ) throws(TrajpackError) -> Bool {
    guard isChecked || CRC32C.of(stored) == place.crc else {
      throw Self.isOtherThanChecksum
    }
    let shuffles = block.shuffle > 1
    // A bit of the mask says that a filter was left out; the shuffle is the first where there is one.
    let codecBit = shuffles ? 0b10 : 0b1
    let codec = place.filterMask & codecBit != 0 ? Codec.none : block.codec
    try decompressor.decompress(stored, codec, into: out)
    return shuffles && place.filterMask & 1 == 0
  }

  /// Why a stored chunk is damaged, with its place; `nil` where it is whole.
  ///
  /// - Parameter scratch: At least `block.chunkBytes` bytes, which the chunk is inflated into.
  func damage(
    ofChunk chunk: Int, block number: Int, _ decompressor: Decompressor, _ scratch: inout [UInt8]
  ) throws(TrajpackError) -> TrajpackError? {
    let block = schema.blocks[number]
    let place = index.chunk(chunk, of: block)
    let stored = try file.bytes(place.offset..<place.offset + place.stored)
    return scratch.withUnsafeMutableBytes { buffer -> TrajpackError? in
      stored.withUnsafeBytes { bytes in
        do throws(TrajpackError) {
          _ = try inflate(bytes, place, block, decompressor, into: buffer)
          return nil
        } catch {
          return damaged(chunk, block: number, error)
        }
      }
    }
  }

  /// The error of a chunk that is damaged, or that the machine did not give, with its place.
  package func damaged(_ chunk: Int, block number: Int, _ why: TrajpackError) -> TrajpackError {
    let block = schema.blocks[number]
    let place = index.chunk(chunk, of: block)
    let stream = schema.streams[block.stream].name
    let episode =
      schema.blobs.contains(number)
      ? nil : self.episode(ofRow: chunk * block.chunkRows, stream: block.stream)
    return TrajpackError(
      why.fault,
      "\(name): stream '\(stream)'\(episode.map { ", episode '\($0)'" } ?? ""): chunk \(chunk) of "
        + "\(block.path) at byte \(place.offset) "
        + (why.fault == .machine
          ? "cannot be read: \(why.message)"
          : "is damaged: \(why.message); restore the shard from a copy or convert the source again"),
      at: ErrorPlace(
        file: name, episode: episode, stream: stream, row: chunk * block.chunkRows,
        byte: place.offset))
  }
}
