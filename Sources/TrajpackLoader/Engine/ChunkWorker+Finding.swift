import TrajpackCodecs
import TrajpackFormat
import TrajpackStore

extension ChunkWorker {
  /// Finds the stored bytes of the blocks of a chunk: in the file's mapping where they were checked before,
  /// else by reading them, at once where they lie together.
  ///
  /// - Returns: Whether all of them were checked.
  func find(
    _ shard: LoadedShard, _ read: Int, _ chunk: Int
  ) throws(TrajpackError) -> Bool {
    let blocks = shard.programs.reads[read].blocks
    places.removeAll(keepingCapacity: true)
    found.removeAll(keepingCapacity: true)
    var (begin, end, sum, isChecked) = (Int.max, 0, 0, true)
    for block in blocks {
      let row = shard.firstChunks[block.block] + chunk
      let place = shard.index.chunk(row: row)
      places.append(place)
      begin = min(begin, place.offset)
      end = max(end, place.offset + place.stored)
      sum += place.stored
      isChecked = isChecked && shard.isChecked(row)
      counters.bytesRead += place.stored
    }
    if isChecked, let mapping = shard.mapping {
      try look(at: mapping, shard)
      for place in places {
        guard
          let at = mapping.bytes(at: place.offset, count: place.stored).baseAddress
        else { continue }
        found.append(at)
      }
      return true
    }
    let isOneRead = end - begin <= sum + 64 << 10
    let bytes = stored.room(isOneRead ? end - begin : sum)
    guard let base = bytes.baseAddress else { return isChecked }
    if isOneRead {
      try shard.shard.file.read(
        at: begin, into: UnsafeMutableRawBufferPointer(rebasing: bytes[..<(end - begin)]))
      for place in places { found.append(UnsafeRawPointer(base + place.offset - begin)) }
      return isChecked
    }
    var at = 0
    for place in places {
      try shard.shard.file.read(
        at: place.offset,
        into: UnsafeMutableRawBufferPointer(rebasing: bytes[at..<at + place.stored]))
      found.append(UnsafeRawPointer(base + at))
      at += place.stored
    }
    return isChecked
  }

  /// Finds the rows of a chunk and inflates no more of it than has to be: what is stored as it is, whole blocks
  /// or planes of bytes in lz4 chunks, is copied from where it lies.
  func locate(
    _ shard: LoadedShard, _ read: Int, _ chunk: Int, scratch: UnsafeMutableRawBufferPointer
  ) throws(TrajpackError) {
    let areChecked = try find(shard, read, chunk)
    sources.removeAll(keepingCapacity: true)
    planes.removeAll(keepingCapacity: true)
    for (i, block) in shard.programs.reads[read].blocks.enumerated() {
      let place = places[i]
      let bytes = UnsafeRawBufferPointer(start: found[i], count: place.stored)
      let out = UnsafeMutableRawBufferPointer(
        rebasing: scratch[block.offset..<block.offset + block.bytes])
      if areChecked, place.filterMask & block.codecBit != 0, place.stored == block.bytes {
        counters.chunks += 1
        sources.append(
          .whole(found[i], isShuffled: block.shuffle > 1 && place.filterMask & 1 == 0))
      } else if areChecked, block.hasPlanes, place.filterMask == 0,
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
