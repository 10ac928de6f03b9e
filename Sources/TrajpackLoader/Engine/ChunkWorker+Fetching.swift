import TrajpackCodecs
import TrajpackFormat
import TrajpackRemote
import TrajpackStore

extension ChunkWorker {
  /// Begins to bring all chunks of a batch that lie on servers, so that as many requests are under way as the batches
  /// ahead have, however few threads inflate.
  func fetch(_ plan: BatchPlan) {
    plan.fetches.removeAll()
    var ranges: [Int: [Range<Int>]] = [:]
    for item in 0..<plan.itemCount {
      let segment = plan.segments[plan.items[item]]
      guard !segment.isFrames else { continue }
      let shard = setup.shards[segment.shard]
      let read = shard.programs.reads[segment.read]
      guard shard.isRemote, !isPrepared(shard, read.stream) else { continue }
      if let cache {
        let epoch = shard.view.epoch(plan.epoch, ofStream: read.stream)
        if cache.has(ChunkCache.Key(chunk: segment.key, epoch: epoch)) { continue }
      }
      for block in read.blocks {
        let place = shard.index.chunk(row: shard.firstChunks[block.block] + segment.chunk)
        let range = place.offset..<place.offset + place.stored
        // What this machine keeps is read when it is wanted.
        if shard.kept?.keeps(range) == true { continue }
        ranges[segment.shard, default: []].append(range)
      }
    }
    for (shard, ranges) in ranges {
      plan.fetches[shard] = setup.shards[shard].shard.file.fetch(ranges)
    }
  }

  /// Finds the blocks of a chunk among the bytes that were asked for with the batch; false where they were not.
  ///
  /// - Throws: What kept them from coming.
  func findFetched(
    _ shard: LoadedShard, _ blocks: [BlockRead], _ chunk: Int
  ) throws(TrajpackError) -> Bool {
    again.removeAll(keepingCapacity: true)
    guard let fetch = upcoming?.plan.fetches[shard.number] else { return false }
    places.removeAll(keepingCapacity: true)
    for block in blocks {
      let place = shard.index.chunk(row: shard.firstChunks[block.block] + chunk)
      guard let bytes = try fetch.bytes(place.offset..<place.offset + place.stored),
        let base = bytes.baseAddress
      else {
        found.removeAll(keepingCapacity: true)
        return false
      }
      places.append(place)
      found.append(base)
    }
    return true
  }

  /// Brings a block of a remote chunk once more, whose bytes do not match their checksum: they may have been changed on
  /// their way. Whether they match now.
  func bringAgain(_ shard: LoadedShard, _ number: Int) throws(TrajpackError) -> Bool {
    let place = places[number]
    let range = place.offset..<place.offset + place.stored
    shard.remote?.forget(range)
    guard let fetch = shard.shard.file.fetch([range]), let bytes = try fetch.bytes(range),
      let base = bytes.baseAddress, CRC32C.of(bytes) == place.crc
    else { return false }
    again.append(fetch)
    found[number] = base
    return true
  }
}
