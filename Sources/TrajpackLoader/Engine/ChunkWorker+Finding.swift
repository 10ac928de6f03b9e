import TrajpackCodecs
import TrajpackFormat
import TrajpackRemote
import TrajpackStore

extension ChunkWorker {
  /// The most stored bytes that are read at once: they should still be in a processor's cache when they are inflated.
  private static let mostAhead = 192 << 10
  /// The most bytes between two chunks that are read along: what a call of the system costs.
  private static let widestGap = 8 << 10

  /// Finds the stored bytes of the blocks of a chunk, and compares them with their checksums where that is to be
  /// done: in the file's mapping, among those that were read for an earlier item, or by reading them.
  ///
  /// - Throws: A data error naming the block that is damaged.
  func find(_ shard: LoadedShard, _ read: Int, _ chunk: Int) throws(TrajpackError) {
    let blocks = shard.programs.reads[read].blocks
    found.removeAll(keepingCapacity: true)
    if let mapping = shard.mapping {
      places.removeAll(keepingCapacity: true)
      _ = place(shard, blocks, chunk, into: &places)
      try look(at: mapping, shard)
      for place in places {
        guard
          let at = mapping.bytes(at: place.offset, count: place.stored).baseAddress
        else { continue }
        found.append(at)
      }
    } else {
      let isFound = shard.isRemote ? try findFetched(shard, blocks, chunk) : false
      if !isFound { try bring(shard, read, chunk) }
    }
    for (i, block) in blocks.enumerated() {
      counters.bytesRead += places[i].stored
      let row = shard.firstChunks[block.block] + chunk
      if shard.isChecked(row) { continue }
      let bytes = UnsafeRawBufferPointer(start: found[i], count: places[i].stored)
      let isRight = CRC32C.of(bytes) == places[i].crc ? true : try bringAgain(shard, i)
      guard isRight else {
        throw shard.shard.damaged(chunk, block: block.block, Shard.isOtherThanChecksum)
      }
      shard.setChecked(row)
    }
  }

  /// Looks up where the blocks of a chunk lie; the bytes of the file from the first to the last of them, and how many
  /// of these are theirs.
  private func place(
    _ shard: LoadedShard, _ blocks: [BlockRead], _ chunk: Int, into places: inout [ShardIndex.Chunk]
  ) -> (bytes: Range<Int>, sum: Int) {
    var (begin, end, sum) = (Int.max, 0, 0)
    for block in blocks {
      let place = shard.index.chunk(row: shard.firstChunks[block.block] + chunk)
      places.append(place)
      begin = min(begin, place.offset)
      end = max(end, place.offset + place.stored)
      sum += place.stored
    }
    return (min(begin, end)..<end, sum)
  }

  /// Reads the blocks of a chunk, and with them those of the next items of the batch that lie right behind it in the
  /// file, so that one call of the system brings the bytes of several.
  private func bring(_ shard: LoadedShard, _ read: Int, _ chunk: Int) throws(TrajpackError) {
    let key = Segment.key(shard: shard.number, read: read, chunk: chunk)
    if ahead.next < ahead.chunks.count, ahead.chunks[ahead.next].key == key {
      return take()
    }
    ahead.begin()
    let blocks = shard.programs.reads[read].blocks
    let (bytes, sum) = place(shard, blocks, chunk, into: &ahead.places)
    ahead.chunks.append((key, 0..<ahead.places.count))
    guard bytes.count <= sum + 64 << 10 else {
      // Blocks far apart, as other writers than this may lay them.
      return try readApart(shard, sum)
    }
    ahead.bytes = bytes
    extend(shard, read)
    do throws(TrajpackError) {
      try ahead.read(shard)
    } catch {
      guard ahead.chunks.count > 1 else { throw error }
      // What keeps the next chunks from being read is theirs to say.
      ahead.shorten(to: bytes)
      try ahead.read(shard)
    }
    take()
  }

  /// Adds the next items as long as their bytes follow.
  private func extend(_ shard: LoadedShard, _ read: Int) {
    guard cache == nil, let (plan, items) = upcoming else { return }
    for item in items {
      let key = plan.segments[plan.items[item]].key
      let segment = plan.segments[plan.items[item]]
      guard segment.shard == shard.number, segment.read == read else { return }
      let first = ahead.places.count
      let (bytes, sum) = place(
        shard, shard.programs.reads[read].blocks, segment.chunk, into: &ahead.places)
      guard bytes.lowerBound >= ahead.bytes.upperBound,
        bytes.lowerBound - ahead.bytes.upperBound <= Self.widestGap,
        bytes.count <= sum + Self.widestGap,
        bytes.upperBound - ahead.bytes.lowerBound <= Self.mostAhead,
        shard.kept?.keeps(bytes) ?? true
      else {
        ahead.places.removeSubrange(first...)
        return
      }
      ahead.chunks.append((key, first..<ahead.places.count))
      ahead.bytes = ahead.bytes.lowerBound..<bytes.upperBound
    }
  }

  /// Points at the next chunk of those that were read together.
  private func take() {
    places.removeAll(keepingCapacity: true)
    let range = ahead.chunks[ahead.next].places
    places.append(contentsOf: ahead.places[range])
    for place in places {
      found.append(ahead.address(of: place.offset))
    }
    ahead.next += 1
  }

  private func readApart(_ shard: LoadedShard, _ sum: Int) throws(TrajpackError) {
    places.removeAll(keepingCapacity: true)
    places.append(contentsOf: ahead.places)
    ahead.begin()
    let bytes = ahead.memory.room(sum)
    guard let base = bytes.baseAddress else { return }
    var at = 0
    for place in places {
      try shard.shard.file.read(
        at: place.offset,
        into: UnsafeMutableRawBufferPointer(rebasing: bytes[at..<at + place.stored]))
      found.append(UnsafeRawPointer(base + at))
      at += place.stored
    }
  }

  /// Finds the rows of a chunk and inflates no more of it than has to be: what is stored as it is, whole blocks
  /// or planes of bytes in lz4 chunks, is copied from where it lies.
  func locate(
    _ shard: LoadedShard, _ read: Int, _ chunk: Int, scratch: UnsafeMutableRawBufferPointer
  ) throws(TrajpackError) {
    try find(shard, read, chunk)
    sources.removeAll(keepingCapacity: true)
    planes.removeAll(keepingCapacity: true)
    for (i, block) in shard.programs.reads[read].blocks.enumerated() {
      let place = places[i]
      let bytes = UnsafeRawBufferPointer(start: found[i], count: place.stored)
      let out = UnsafeMutableRawBufferPointer(
        rebasing: scratch[block.offset..<block.offset + block.bytes])
      if block.codecBit == 0 || place.filterMask & block.codecBit != 0, place.stored == block.bytes
      {
        counters.chunks += 1
        sources.append(
          .whole(found[i], isShuffled: block.shuffle > 1 && place.filterMask & 1 == 0))
      } else if block.hasPlanes, place.filterMask == 0,
        let at = try locatePlanes(shard, chunk, block, bytes, scratch: out)
      {
        sources.append(.planes(at))
      } else {
        let isShuffled = try inflate(shard, chunk, block, place, bytes, into: out)
        guard let base = out.baseAddress else { continue }
        sources.append(.whole(UnsafeRawPointer(base), isShuffled: isShuffled))
      }
    }
  }

  /// Finds the planes of an lz4 chunk; their number in `planes`, or `nil` where its pieces are no planes.
  private func locatePlanes(
    _ shard: LoadedShard, _ chunk: Int, _ block: BlockRead, _ bytes: UnsafeRawBufferPointer,
    scratch: UnsafeMutableRawBufferPointer
  ) throws(TrajpackError) -> Int? {
    let first = planes.count
    do throws(TrajpackError) {
      var pieces = try LZ4Chunk(bytes, raw: block.bytes)
      guard pieces.pieceBytes * block.shuffle == block.bytes, let base = scratch.baseAddress else {
        return nil
      }
      while let piece = try pieces.next() {
        if piece.isPlain, let at = piece.stored.baseAddress {
          planes.append(at)
        } else {
          let to = base + piece.range.lowerBound
          try LZ4Chunk.inflate(piece, into: to)
          planes.append(UnsafeRawPointer(to))
          counters.bytesInflated += piece.range.count
        }
      }
    } catch {
      throw shard.shard.damaged(chunk, block: block.block, error)
    }
    counters.chunks += 1
    return first
  }
}

/// Stored bytes of chunks that lie close together in a file, read at once.
struct ReadAhead: ~Copyable {
  var memory = Scratch()
  /// The bytes of the file that `memory` holds.
  var bytes = 0..<0
  /// The chunks, in the order of their items, and where their blocks lie.
  var chunks: [(key: UInt64, places: Range<Int>)] = []
  var places: [ShardIndex.Chunk] = []
  /// The one of them that is asked for next.
  var next = 0
  private var base: UnsafeMutableRawPointer?

  /// Forgets all.
  mutating func begin() {
    chunks.removeAll(keepingCapacity: true)
    places.removeAll(keepingCapacity: true)
    (bytes, next) = (0..<0, 0)
  }

  /// Leaves only the first chunk, which has these bytes.
  mutating func shorten(to bytes: Range<Int>) {
    chunks.removeSubrange(1...)
    self.bytes = bytes
  }

  mutating func read(_ shard: LoadedShard) throws(TrajpackError) {
    let room = memory.room(bytes.count)
    base = room.baseAddress
    let part = UnsafeMutableRawBufferPointer(rebasing: room[..<bytes.count])
    if shard.kept?.peek(at: bytes.lowerBound, into: part) == true { return }
    try shard.shard.file.read(at: bytes.lowerBound, into: part)
  }

  /// Where byte `offset` of the file lies.
  func address(of offset: Int) -> UnsafeRawPointer {
    UnsafeRawPointer(base.unsafelyUnwrapped + (offset - bytes.lowerBound))
  }
}
