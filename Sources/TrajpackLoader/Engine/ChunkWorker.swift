import TrajpackCodecs
import TrajpackFormat
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

/// Where the rows of a block of a chunk lie.
enum ChunkSource {
  /// All its bytes in a row.
  case whole(UnsafeRawPointer, isShuffled: Bool)
  /// Its byte planes, each at a place of its own; the number of the first one.
  case planes(Int)
}

/// Reads, inflates and copies chunks. It keeps its working memory and belongs to one thread at a time.
final class ChunkWorker {
  let setup: LoaderSetup
  let cache: ChunkCache?
  var counters = Counters()
  let finisher: Finisher
  private let decompressor = Decompressor(trustsCaller: true)
  private var stored = Scratch()
  private var inflated = Scratch()
  private var places: [ShardIndex.Chunk] = []
  /// Where the stored bytes of each block lie, in the file's mapping or in `stored`.
  private var found: [UnsafeRawPointer] = []
  private var sources: [ChunkSource] = []
  /// Eight a block: where its byte planes lie.
  private var planes: [UnsafeRawPointer] = []
  private var viewers: [Int: TrackViewer] = [:]
  /// The shard whose length was looked at since ``begin()``; -1 for none.
  private var measured = -1

  init(_ setup: LoaderSetup, cache: ChunkCache?) {
    self.setup = setup
    self.cache = cache
    finisher = Finisher(setup)
  }

  /// Before some items, done one after the other at once.
  func begin() { measured = -1 }

  /// Does one item of a plan: all segments of one chunk.
  ///
  /// - Throws: A data error naming the chunk that is damaged, a machine error where it cannot be read.
  func run(_ segments: UnsafeBufferPointer<Segment>, _ plan: BatchPlan) throws(TrajpackError) {
    let first = segments[0]
    let shard = setup.shards[first.shard]
    let chunk = first.chunk
    let read = shard.programs.reads[first.read]
    if read.isStoredPlain, isChecked(shard, first.read, chunk) {
      try readDirectly(segments, plan, shard, first.read, chunk)
      return
    }
    let epoch = shard.view.epoch(plan.epoch, ofStream: read.stream)
    if let cache {
      let entry = try cached(cache, shard, first, epoch: epoch)
      point(at: entry.bytes, read.blocks, entry.shuffled)
      // Who else has an entry may give it away, but nobody fills it again before this one lets go.
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
    return entry
  }

  private func isChecked(_ shard: LoadedShard, _ read: Int, _ chunk: Int) -> Bool {
    shard.programs.reads[read].blocks.allSatisfy {
      shard.isChecked(shard.firstChunks[$0.block] + chunk)
    }
  }

  private func isPrepared(_ shard: LoadedShard, _ stream: Int) -> Bool {
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

  /// Finds the stored bytes of the blocks of a chunk: in the file's mapping where they were checked before,
  /// else by reading them, at once where they lie together.
  ///
  /// - Returns: Whether all of them were checked.
  private func find(
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

  /// Looks once before every few chunks whether a mapped file still has its length.
  private func look(at mapping: MappedFile, _ shard: LoadedShard) throws(TrajpackError) {
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
      counters.chunks += 1
      return Array(repeating: false, count: blocks.count)
    }
    _ = try find(shard, read, chunk)
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

  /// Checks and inflates one block; says whether it is still shuffled.
  private func inflate(
    _ shard: LoadedShard, _ chunk: Int, _ block: BlockRead, _ place: ShardIndex.Chunk,
    _ bytes: UnsafeRawBufferPointer, into out: UnsafeMutableRawBufferPointer
  ) throws(TrajpackError) -> Bool {
    let row = shard.firstChunks[block.block] + chunk
    let isChecked = shard.isChecked(row)
    let isShuffled: Bool
    do throws(TrajpackError) {
      isShuffled = try shard.shard.inflate(
        bytes, place, shard.shard.schema.blocks[block.block], decompressor, into: out,
        isChecked: isChecked)
    } catch {
      throw shard.shard.damaged(chunk, block: block.block, error)
    }
    if !isChecked { shard.setChecked(row) }
    counters.bytesInflated += block.bytes
    counters.chunks += 1
    return isShuffled
  }

  /// Finds the rows of a chunk and inflates no more of it than has to be: what is stored as it is, whole blocks
  /// or planes of bytes in lz4 chunks, is copied from where it lies.
  private func locate(
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

  /// Rows of chunks that are neither compressed nor shuffled and whose checksum is known to be right: from
  /// the file straight to their place.
  private func readDirectly(
    _ segments: UnsafeBufferPointer<Segment>, _ plan: BatchPlan, _ shard: LoadedShard, _ read: Int,
    _ chunk: Int
  ) throws(TrajpackError) {
    let blocks = shard.programs.reads[read].blocks
    let mapping = shard.mapping
    if let mapping { try look(at: mapping, shard) }
    places.removeAll(keepingCapacity: true)
    for block in blocks {
      places.append(shard.index.chunk(row: shard.firstChunks[block.block] + chunk))
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
        let room = stored.room(bytes)
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
struct Scratch: ~Copyable {
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

enum RowCopy {
  /// Copies columns of rows out of byte planes, one for each byte of an element.
  static func copy(
    planes: UnsafePointer<UnsafeRawPointer>, _ block: BlockRead, rows: Range<Int>,
    _ copy: ColumnCopy, into to: UnsafeMutableRawPointer, stride: Int
  ) {
    let element = block.shuffle
    let perRow = block.rowBytes / element
    if copy.width == block.rowBytes, stride == copy.width {
      Shuffle.undo(
        planes: planes, elementSize: element,
        elements: rows.lowerBound * perRow..<rows.upperBound * perRow, into: to)
      return
    }
    let first = copy.column / element
    let end = (copy.column + copy.width + element - 1) / element
    for (n, row) in rows.enumerated() {
      Shuffle.undo(
        planes: planes, elementSize: element,
        elements: row * perRow + first..<row * perRow + end, into: to + n * stride)
    }
  }

  /// Copies columns of rows out of an inflated chunk, undoing its shuffle on the way.
  static func copy(
    _ bytes: UnsafeRawBufferPointer, _ block: BlockRead, isShuffled: Bool, rows: Range<Int>,
    _ copy: ColumnCopy, into to: UnsafeMutableRawPointer, stride: Int
  ) {
    let size = block.rowBytes
    let columns = copy.column..<copy.column + copy.width
    if isShuffled, block.shuffle == size {
      Shuffle.undo(
        bytes, elementSize: size, elements: rows, columns: columns, into: to, stride: stride)
    } else if isShuffled {
      let plane = bytes.count / max(block.shuffle, 1)
      guard let base = bytes.baseAddress, block.shuffle <= 8 else { return }
      withUnsafeTemporaryAllocation(of: UnsafeRawPointer.self, capacity: block.shuffle) { planes in
        for p in 0..<block.shuffle { planes.initializeElement(at: p, to: base + p * plane) }
        guard let first = planes.baseAddress else { return }
        self.copy(planes: first, block, rows: rows, copy, into: to, stride: stride)
      }
    } else if let from = bytes.baseAddress {
      if columns.count == size, stride == size {
        to.copyMemory(from: from + rows.lowerBound * size, byteCount: rows.count * size)
      } else {
        for (n, row) in rows.enumerated() {
          (to + n * stride).copyMemory(
            from: from + row * size + columns.lowerBound, byteCount: columns.count)
        }
      }
    }
  }
}
