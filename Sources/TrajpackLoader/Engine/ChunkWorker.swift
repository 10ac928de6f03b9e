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

/// Reads, inflates and copies chunks. It keeps its working memory and belongs to one thread at a time.
final class ChunkWorker {
  let setup: LoaderSetup
  let cache: ChunkCache?
  var counters = Counters()
  let finisher: Finisher
  private let decompressor = Decompressor(trustsCaller: true)
  private var stored = Scratch()
  private var inflated = Scratch()
  private var shuffled: [Bool] = []
  private var places: [ShardIndex.Chunk] = []
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
    if shard.programs.reads[first.read].isStoredPlain, isChecked(shard, first.read, chunk) {
      try readDirectly(segments, plan, shard, first.read, chunk)
      return
    }
    let epoch = shard.view.epoch(
      plan.epoch, ofStream: shard.programs.reads[first.read].stream)
    if let cache {
      let key = ChunkCache.Key(chunk: first.key, epoch: epoch)
      if let hit = cache.find(key) {
        counters.cacheHits += 1
        copy(segments, plan, shard, first.read, hit.bytes, hit.shuffled)
        return
      }
      let entry = cache.make(bytes: shard.programs.reads[first.read].bytes)
      try load(shard, first.read, chunk, epoch: epoch, into: entry.bytes)
      entry.shuffled = shuffled
      copy(segments, plan, shard, first.read, entry.bytes, shuffled)
      cache.keep(key, entry)
      return
    }
    let bytes = inflated.room(shard.programs.reads[first.read].bytes)
    try load(shard, first.read, chunk, epoch: epoch, into: bytes)
    copy(segments, plan, shard, first.read, bytes, shuffled)
  }

  private func isChecked(_ shard: LoadedShard, _ read: Int, _ chunk: Int) -> Bool {
    shard.programs.reads[read].blocks.allSatisfy {
      shard.isChecked(shard.firstChunks[$0.block] + chunk)
    }
  }

  /// Reads and inflates the blocks of a chunk; a read from the file where they lie together.
  private func load(
    _ shard: LoadedShard, _ read: Int, _ chunk: Int, epoch: UInt64,
    into out: UnsafeMutableRawBufferPointer
  ) throws(TrajpackError) {
    let blocks = shard.programs.reads[read].blocks
    shuffled.removeAll(keepingCapacity: true)
    let stream = shard.programs.reads[read].stream
    if let prepared = shard.view.prepared, prepared.isPrepared(stream) {
      if viewers.count > 16, viewers[shard.number] == nil { viewers.removeAll() }
      let viewer = viewers[shard.number] ?? TrackViewer(shard.view, prepared)
      viewers[shard.number] = viewer
      try viewer.fill(chunk: chunk, stream: stream, blocks, epoch: epoch, into: out)
      shuffled.append(contentsOf: repeatElement(false, count: blocks.count))
      counters.chunks += 1
      return
    }
    places.removeAll(keepingCapacity: true)
    var (begin, end, sum) = (Int.max, 0, 0)
    for block in blocks {
      let place = shard.index.chunk(row: shard.firstChunks[block.block] + chunk)
      places.append(place)
      begin = min(begin, place.offset)
      end = max(end, place.offset + place.stored)
      sum += place.stored
    }
    let isOneRead = end - begin <= sum + 64 << 10
    let bytes = stored.room(isOneRead ? end - begin : places.map(\.stored).max() ?? 0)
    if isOneRead {
      try shard.shard.file.read(
        at: begin, into: UnsafeMutableRawBufferPointer(rebasing: bytes[..<(end - begin)]))
    }
    for (i, block) in blocks.enumerated() {
      let place = places[i]
      let row = shard.firstChunks[block.block] + chunk
      let at = isOneRead ? place.offset - begin : 0
      let part = UnsafeMutableRawBufferPointer(rebasing: bytes[at..<at + place.stored])
      if !isOneRead { try shard.shard.file.read(at: place.offset, into: part) }
      let isChecked = shard.isChecked(row)
      do throws(TrajpackError) {
        shuffled.append(
          try shard.shard.inflate(
            UnsafeRawBufferPointer(part), place, shard.shard.schema.blocks[block.block],
            decompressor,
            into: UnsafeMutableRawBufferPointer(
              rebasing: out[block.offset..<block.offset + block.bytes]),
            isChecked: isChecked))
      } catch {
        throw shard.shard.damaged(chunk, block: block.block, error)
      }
      if !isChecked { shard.setChecked(row) }
      counters.bytesRead += place.stored
      counters.bytesInflated += block.bytes
      counters.chunks += 1
    }
  }

  private func copy(
    _ segments: UnsafeBufferPointer<Segment>, _ plan: BatchPlan, _ shard: LoadedShard, _ read: Int,
    _ bytes: UnsafeMutableRawBufferPointer, _ shuffled: [Bool]
  ) {
    let blocks = shard.programs.reads[read].blocks
    for segment in segments {
      let program = segment.program._withUnsafeGuaranteedRef { $0 }
      for copy in segment.isStaged ? program.staged : program.direct {
        let block = blocks[copy.source]
        let (to, stride) = target(copy, segment, program, plan)
        RowCopy.copy(
          UnsafeRawBufferPointer(rebasing: bytes[block.offset..<block.offset + block.bytes]), block,
          isShuffled: shuffled[copy.source],
          rows: Int(segment.row)..<Int(segment.row + segment.count),
          copy, into: to, stride: stride)
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
    if let mapping, measured != shard.number {
      try mapping.check()
      measured = shard.number
    }
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
      let element = block.shuffle
      let perRow = size / element
      if columns.count == size, stride == size {
        Shuffle.undo(
          bytes, elementSize: element,
          elements: rows.lowerBound * perRow..<rows.upperBound * perRow,
          columns: 0..<element, into: to, stride: element)
        return
      }
      let first = columns.lowerBound / element
      let end = (columns.upperBound + element - 1) / element
      for (n, row) in rows.enumerated() {
        Shuffle.undo(
          bytes, elementSize: element, elements: row * perRow + first..<row * perRow + end,
          columns: 0..<element, into: to + n * stride, stride: element)
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
