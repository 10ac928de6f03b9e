import TrajpackCodecs
import TrajpackFormat
import TrajpackRemote
import TrajpackStore

/// What a loader has done so far.
struct Counters: Sendable {
  var bytesRead = 0
  var bytesInflated = 0
  var chunks = 0
  var cacheHits = 0

  mutating func add(_ other: Counters) {
    bytesRead += other.bytesRead
    bytesInflated += other.bytesInflated
    chunks += other.chunks
    cacheHits += other.cacheHits
  }
}

/// Reads, inflates and copies chunks. It keeps its working memory and belongs to one thread at a time.
final class ChunkWorker {
  let setup: LoaderSetup
  let cache: ChunkCache?
  var counters = Counters()
  let finisher: RowConverter
  /// Where frames of videos come from.
  var frameSource: FrameSource?
  private let decompressor = Decompressor(trustsCaller: true)
  var ahead = ReadAhead()
  private var inflated = ReusableBuffer()
  /// Rows of chunks stored as they are, on their way to their place.
  private var rows = ReusableBuffer()
  var places: [ShardIndex.Chunk] = []
  /// Where the stored bytes of each block lie, in the file's mapping or in `ahead`.
  var found: [UnsafeRawPointer] = []
  var sources: [ChunkSource] = []
  /// Chunks that had to be brought a second time.
  var again: [RemoteFetch] = []
  /// Eight a block: where its byte planes lie.
  var planes: [UnsafeRawPointer] = []
  private var viewers: [Int: TrackViewer] = [:]
  /// The items after the one that is done, as far as this thread took them.
  private(set) var upcoming: (plan: BatchPlan, items: Range<Int>)?
  /// The shard whose length was looked at for the items that are done; -1 for none.
  private var measured = -1

  init(_ setup: LoaderSetup, cache: ChunkCache?) {
    self.setup = setup
    self.cache = cache
    finisher = RowConverter(setup)
  }

  /// Does items of a plan, one after the other; those that failed, and why: a data error naming the chunk that is
  /// damaged, a machine error where it cannot be read.
  func run(_ items: Range<Int>, _ plan: BatchPlan) -> [(item: Int, error: TrajpackError)] {
    var failures: [(item: Int, error: TrajpackError)] = []
    measured = -1
    plan.segments.withUnsafeBufferPointer { segments in
      for item in items {
        upcoming = (plan, item + 1..<items.upperBound)
        do throws(TrajpackError) {
          try run(UnsafeBufferPointer(rebasing: segments[plan.segments(ofItem: item)]), plan)
        } catch { failures.append((item, error)) }
      }
    }
    upcoming = nil
    ahead.begin()
    return failures
  }

  /// Does one item of a plan: all segments of one chunk.
  private func run(_ segments: UnsafeBufferPointer<Segment>, _ plan: BatchPlan)
    throws(TrajpackError)
  {
    let first = segments[0]
    if first.isFrames { return try decode(segments, plan) }
    let shard = setup.shards[first.shard]
    let chunk = first.chunk
    let read = shard.programs.reads[first.read]
    if read.isStoredPlain, !shard.isRemote, isChecked(shard, first.read, chunk) {
      try readDirectly(segments, plan, shard, first.read, chunk)
      return
    }
    let epoch = shard.view.epoch(plan.epoch, ofStream: read.stream)
    if let cache {
      let entry = try cached(cache, shard, first, epoch: epoch)
      point(at: entry.bytes, read.blocks, entry.shuffled)
      // Other threads may evict this entry; holding it keeps its buffer from being reused.
      withExtendedLifetime(entry) { copy(segments, plan, read.blocks) }
      return
    }
    let bytes = inflated.room(read.bytes)
    if isPrepared(shard, read.stream) {
      point(at: bytes, read.blocks, try load(shard, first.read, chunk, epoch: epoch, into: bytes))
    } else {
      try locate(shard, first.read, chunk, scratch: bytes)
    }
    copy(segments, plan, read.blocks)
  }

  /// The inflated blocks of a chunk, kept or made to be kept.
  private func cached(
    _ cache: ChunkCache, _ shard: LoadedShard, _ segment: Segment, epoch: UInt64
  ) throws(TrajpackError) -> ChunkCache.Entry {
    let key = ChunkCache.Key(chunk: segment.key, epoch: epoch)
    if let hit = cache.find(key) {
      counters.cacheHits += 1
      return hit
    }
    let entry = cache.make(bytes: shard.programs.reads[segment.read].bytes)
    entry.shuffled = try load(shard, segment.read, segment.chunk, epoch: epoch, into: entry.bytes)
    cache.keep(key, entry)
    try keepSiblings(cache, shard, segment, epoch: epoch)
    return entry
  }

  /// Keeps the other chunks of a track that a plan could only make whole, so that it is not made again.
  private func keepSiblings(
    _ cache: ChunkCache, _ shard: LoadedShard, _ segment: Segment, epoch: UInt64
  ) throws(TrajpackError) {
    let read = shard.programs.reads[segment.read]
    guard isPrepared(shard, read.stream), let viewer = viewers[shard.number],
      let chunks = viewer.siblings(ofChunk: segment.chunk, stream: read.stream),
      chunks.count * read.bytes <= cache.limit / 2
    else { return }
    for chunk in chunks {
      let key = ChunkCache.Key(
        chunk: Segment.key(shard: shard.number, read: segment.read, chunk: chunk), epoch: epoch)
      if cache.has(key) { continue }
      let entry = cache.make(bytes: read.bytes)
      entry.shuffled = try load(shard, segment.read, chunk, epoch: epoch, into: entry.bytes)
      cache.keep(key, entry)
    }
  }

  private func isChecked(_ shard: LoadedShard, _ read: Int, _ chunk: Int) -> Bool {
    shard.programs.reads[read].blocks.allSatisfy {
      shard.isChecked(shard.firstChunks[$0.block] + chunk)
    }
  }

  func isPrepared(_ shard: LoadedShard, _ stream: Int) -> Bool {
    shard.view.prepared?.isPrepared(stream) ?? false
  }

  /// The sources of blocks that lie inflated side by side.
  private func point(
    at bytes: UnsafeMutableRawBufferPointer, _ blocks: [BlockRead], _ shuffled: [Bool]
  ) {
    sources.removeAll(keepingCapacity: true)
    guard let base = bytes.baseAddress else { return }
    for (block, isShuffled) in zip(blocks, shuffled) {
      sources.append(.whole(UnsafeRawPointer(base + block.offset), isShuffled: isShuffled))
    }
  }

  /// Looks once before every few chunks whether a mapped file still has its length.
  func look(at mapping: MappedFile, _ shard: LoadedShard) throws(TrajpackError) {
    guard measured != shard.number else { return }
    try mapping.check()
    measured = shard.number
  }

  /// Reads and inflates the blocks of a chunk; says which are still shuffled.
  private func load(
    _ shard: LoadedShard, _ read: Int, _ chunk: Int, epoch: UInt64,
    into out: UnsafeMutableRawBufferPointer
  ) throws(TrajpackError) -> [Bool] {
    let blocks = shard.programs.reads[read].blocks
    let stream = shard.programs.reads[read].stream
    if let prepared = shard.view.prepared, prepared.isPrepared(stream) {
      if viewers.count > 16, viewers[shard.number] == nil { viewers.removeAll() }
      let viewer = viewers[shard.number] ?? TrackViewer(shard.view, prepared)
      viewers[shard.number] = viewer
      try viewer.fill(chunk: chunk, stream: stream, blocks, epoch: epoch, into: out)
      // A thread keeps the whole tracks of many shards only while they are small.
      if viewer.wholeBytes > 16 << 20 {
        for (number, other) in viewers where number != shard.number { other.forget() }
      }
      counters.chunks += 1
      return Array(repeating: false, count: blocks.count)
    }
    try find(shard, read, chunk)
    var shuffled: [Bool] = []
    for (i, block) in blocks.enumerated() {
      shuffled.append(
        try inflate(
          shard, chunk, block, places[i],
          UnsafeRawBufferPointer(start: found[i], count: places[i].stored),
          into: UnsafeMutableRawBufferPointer(
            rebasing: out[block.offset..<block.offset + block.bytes])))
    }
    return shuffled
  }

  /// Inflates one block that was checked where that was to be done; says whether it is still shuffled.
  func inflate(
    _ shard: LoadedShard, _ chunk: Int, _ block: BlockRead, _ place: ShardIndex.Chunk,
    _ bytes: UnsafeRawBufferPointer, into out: UnsafeMutableRawBufferPointer
  ) throws(TrajpackError) -> Bool {
    let isShuffled: Bool
    do throws(TrajpackError) {
      isShuffled = try shard.shard.inflate(
        bytes, place, shard.shard.schema.blocks[block.block], decompressor, into: out,
        isChecked: true)
    } catch {
      throw shard.shard.damaged(chunk, block: block.block, error)
    }
    counters.bytesInflated += block.bytes
    counters.chunks += 1
    return isShuffled
  }

  private func copy(
    _ segments: UnsafeBufferPointer<Segment>, _ plan: BatchPlan, _ blocks: [BlockRead]
  ) {
    planes.withUnsafeBufferPointer { planes in
      for segment in segments {
        let program = segment.program._withUnsafeGuaranteedRef { $0 }
        let rows = Int(segment.row)..<Int(segment.row + segment.count)
        for copy in segment.isStaged ? program.staged : program.direct {
          let block = blocks[copy.source]
          let (to, stride) = target(copy, segment, program, plan)
          switch sources[copy.source] {
          case .whole(let at, let isShuffled):
            RowCopy.copy(
              UnsafeRawBufferPointer(start: at, count: block.bytes), block, isShuffled: isShuffled,
              rows: rows, copy, into: to, stride: stride)
          case .planes(let first):
            guard let base = planes.baseAddress else { continue }
            RowCopy.copy(planes: base + first, block, rows: rows, copy, into: to, stride: stride)
          }
        }
      }
    }
  }

  private func target(
    _ copy: ColumnCopy, _ segment: Segment, _ program: GroupProgram, _ plan: BatchPlan
  ) -> (UnsafeMutableRawPointer, Int) {
    if copy.isStaged, let staging = plan.staging {
      return (
        staging + segment.staging + copy.place.offset,
        segment.isStaged ? program.stagedRow : program.directRow
      )
    }
    let byte = copy.place.byte(Int(segment.window), Int(segment.outRow), Int(segment.slot))
    return (plan.memory + byte, copy.place.rowStride)
  }

  /// Rows of chunks that are neither compressed nor shuffled and whose checksums need not be compared: from the file
  /// straight to their place.
  private func readDirectly(
    _ segments: UnsafeBufferPointer<Segment>, _ plan: BatchPlan, _ shard: LoadedShard, _ read: Int,
    _ chunk: Int
  ) throws(TrajpackError) {
    let blocks = shard.programs.reads[read].blocks
    let mapping = shard.mapping
    if let mapping { try look(at: mapping, shard) }
    places.removeAll(keepingCapacity: true)
    for block in blocks {
      let place = shard.index.chunk(row: shard.firstChunks[block.block] + chunk)
      guard place.stored == block.bytes else {
        let why = TrajpackError(
          .data, "the chunk holds \(place.stored) bytes where \(block.bytes) are expected")
        throw shard.shard.damaged(chunk, block: block.block, why)
      }
      places.append(place)
    }
    for segment in segments {
      let program = segment.program._withUnsafeGuaranteedRef { $0 }
      for copy in segment.isStaged ? program.staged : program.direct {
        let block = blocks[copy.source]
        let place = places[copy.source]
        let (to, stride) = target(copy, segment, program, plan)
        let bytes = Int(segment.count) * block.rowBytes
        let at = place.offset + Int(segment.row) * block.rowBytes
        counters.bytesRead += bytes
        if let mapping {
          RowCopy.copy(
            mapping.bytes(at: at, count: bytes), block, isShuffled: false,
            rows: 0..<Int(segment.count),
            copy, into: to, stride: stride)
          continue
        }
        if copy.width == block.rowBytes, stride == copy.width {
          try shard.shard.file.read(
            at: at, into: UnsafeMutableRawBufferPointer(start: to, count: bytes))
          continue
        }
        let room = rows.room(bytes)
        try shard.shard.file.read(
          at: at, into: UnsafeMutableRawBufferPointer(rebasing: room[..<bytes]))
        RowCopy.copy(
          UnsafeRawBufferPointer(room), block, isShuffled: false, rows: 0..<Int(segment.count),
          copy,
          into: to, stride: stride)
      }
    }
    counters.chunks += blocks.count
  }
}

/// Memory that grows and is used again.
struct ReusableBuffer: ~Copyable {
  private var memory = UnsafeMutableRawBufferPointer(start: nil, count: 0)

  /// At least `count` bytes, at a multiple of 64.
  mutating func room(_ count: Int) -> UnsafeMutableRawBufferPointer {
    if memory.count < max(count, 1) {
      memory.deallocate()
      memory = .allocate(byteCount: max(count, 1), alignment: 64)
    }
    return memory
  }

  deinit { memory.deallocate() }
}
