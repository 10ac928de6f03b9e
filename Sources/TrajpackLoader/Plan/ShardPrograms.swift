import TrajpackFormat

/// How rows of one stream's chunk are copied, worked out once for all shards of a schema.
struct ColumnCopy {
  /// Which of the stream's blocks, in the order of ``StreamRead/blocks``.
  var source: Int
  /// The first byte of a row, and how many.
  var column: Int
  var width: Int
  /// Where they go: a place in the batch, or a byte of a row of the staging area.
  var isStaged: Bool
  var place: OutputStride
}

/// A block that a stream's channels need.
struct BlockRead {
  var block: Int
  /// Where it begins among the inflated blocks of the same rows.
  var offset: Int
  var bytes: Int
  var chunkRows: Int
  var rowBytes: Int
  /// Elements of the shuffle; 0 for none.
  var shuffle: Int
  /// The bit of a chunk's filter mask which says that it is stored as it is, but for the shuffle; 0 for none.
  var codecBit: Int
  /// Whether a chunk may hold its byte planes as pieces of lz4.
  var hasPlanes: Bool
}

/// The blocks of one stream that have chunks of the same rows, and so are read together.
struct StreamRead {
  var stream: Int
  /// None for frames of a video.
  var blocks: [BlockRead] = []
  var bytes = 0
  var chunkRows: Int
  /// Whether rows can be read without inflating a chunk.
  var isStoredPlain = false
}

/// What is done with a channel's rows after they were copied.
struct ChannelConversion {
  /// The channel of the layout.
  var channel: Int
  /// How its elements are stored.
  var stored: ElementType
  var decimals: Int?
  /// Its first byte in a row of the staging area; -1 where the rows are in their place already.
  var staging: Int
  /// Whether the staged bytes, or what is given out of them as a picture, are the values themselves.
  var isPlain: Bool
  var missing: Channel.Missing
  /// How its numbers become distances.
  var depth: DepthConversion?
}

/// How the channels of one group that lie in one ``StreamRead`` are read from shards of one schema.
final class GroupProgram: @unchecked Sendable {
  // The buffers are filled once, by the initialiser.
  let group: Int
  /// Its number among the schema's reads.
  let read: Int
  let chunkRows: Int
  /// Copies where rows are taken as they are, and where all of them go through the staging area.
  let direct: UnsafeBufferPointer<ColumnCopy>
  let staged: UnsafeBufferPointer<ColumnCopy>
  /// Bytes of a row of the staging area, for either.
  let directRow: Int
  let stagedRow: Int
  let directFinishes: [ChannelConversion]
  let stagedFinishes: [ChannelConversion]
  /// The channel of the layout whose rows are decoded frames; then nothing is copied.
  let frames: Int?

  /// Frames of a video.
  init(_ number: Int, read: Int, frames: Int) {
    group = number
    self.read = read
    self.frames = frames
    chunkRows = 1
    direct = Self.copy([])
    staged = Self.copy([])
    (directRow, stagedRow) = (0, 0)
    (directFinishes, stagedFinishes) = ([], [])
  }

  /// - Parameter numbers: The numbers of the stream's channels by name.
  init(
    _ number: Int, _ layout: Layout, _ schema: Schema, _ numbers: [String: Int], read at: Int,
    _ read: StreamRead
  ) {
    group = number
    frames = nil
    self.read = at
    chunkRows = read.chunkRows
    let group = layout.groups[number]
    let stream = schema.streams[read.stream]
    var direct: [ColumnCopy] = []
    var staged: [ColumnCopy] = []
    var directFinishes: [ChannelConversion] = []
    var stagedFinishes: [ChannelConversion] = []
    var (directRow, stagedRow) = (0, 0)
    let sources = Dictionary(
      uniqueKeysWithValues: read.blocks.enumerated().map { ($1.block, $0) })
    // In the order of their bytes, so that neighbours are copied in one go.
    let members = group.channels.compactMap { i -> (Int, Channel, Int)? in
      guard let at = numbers[layout.channels[i].channel.name] else { return nil }
      let channel = stream.channels[at]
      return sources[channel.storage.block].map { (i, channel, $0) }
    }.sorted { ($0.2, $0.1.storage.column) < ($1.2, $1.1.storage.column) }
    for (i, channel, source) in members {
      let selected = layout.channels[i]
      let block = schema.blocks[channel.storage.block]
      let isPlain =
        block.type == selected.type && channel.storage.decimals == nil && selected.scale.isEmpty
        && (selected.fill == nil || channel.missing == .never) && selected.following == nil
        && selected.depth == nil
      let isPicture = selected.picture?.isConverted == true
      let width = channel.elements * block.type.size
      let copy = ColumnCopy(
        source: source, column: channel.storage.column * block.type.size, width: width,
        isStaged: false,
        place: selected.place)
      func staging(at byte: Int) -> ColumnCopy {
        var staged = copy
        staged.isStaged = true
        staged.place = OutputStride(offset: byte, windowStride: 0, rowStride: 0, slotStride: 0)
        return staged
      }
      var finish = ChannelConversion(
        channel: i, stored: block.type, decimals: channel.storage.decimals, staging: stagedRow,
        isPlain: isPlain, missing: channel.missing)
      // What cannot be converted was refused when the loader was made.
      finish.depth = selected.depth.flatMap { try? DepthConversion($0, channel, selected.path) }
      staged.append(staging(at: stagedRow))
      stagedFinishes.append(finish)
      stagedRow += width
      if isPlain, !isPicture {
        direct.append(copy)
        if selected.observed != nil {
          finish.staging = -1
          directFinishes.append(finish)
        }
      } else {
        direct.append(staging(at: directRow))
        finish.staging = directRow
        directFinishes.append(finish)
        directRow += width
      }
    }
    self.direct = Self.copy(Self.joined(direct, slots: group.slots))
    self.staged = Self.copy(Self.joined(staged, slots: group.slots))
    self.directRow = directRow
    self.stagedRow = stagedRow
    self.directFinishes = directFinishes
    self.stagedFinishes = stagedFinishes
  }

  deinit {
    direct.deallocate()
    staged.deallocate()
  }

  /// Joins copies whose bytes lie side by side at both ends.
  private static func joined(_ copies: [ColumnCopy], slots: Int) -> [ColumnCopy] {
    var out: [ColumnCopy] = []
    for copy in copies {
      if let last = out.last, last.source == copy.source, last.isStaged == copy.isStaged,
        last.column + last.width == copy.column,
        last.place.offset + last.width == copy.place.offset,
        last.place.rowStride == copy.place.rowStride,
        copy.isStaged || (slots == 1 && last.place.rowStride >= last.width + copy.width)
      {
        out[out.count - 1].width += copy.width
      } else {
        out.append(copy)
      }
    }
    return out
  }

  private static func copy(_ copies: [ColumnCopy]) -> UnsafeBufferPointer<ColumnCopy> {
    let buffer = UnsafeMutableBufferPointer<ColumnCopy>.allocate(capacity: copies.count)
    _ = buffer.initialize(from: copies)
    return UnsafeBufferPointer(buffer)
  }
}

/// All programs for shards of one schema.
final class ShardPrograms: Sendable {
  /// What is read together.
  let reads: [StreamRead]
  /// The programs of each group; none where the schema does not have the stream.
  let groups: [[GroupProgram]]
  /// Channels of each group that the schema does not have.
  let absent: [[Int]]
  /// The number of each group's stream in the schema; -1 where it does not have it.
  let streams: [Int]
  /// The reference stream; `nil` where the schema does not have it.
  let reference: Int?

  init(_ schema: Schema, _ layout: Layout, reference: String) {
    self.reference = schema.stream(named: reference)
    var reads: [StreamRead] = []
    for (number, stream) in schema.streams.enumerated() {
      let names = Set(
        layout.channels.filter { $0.stream == stream.name }.map(\.channel.name))
      let blocks = Set(
        stream.channels.filter { names.contains($0.name) && $0.type != .bytes }.map(\.storage.block)
      )
      for block in blocks.sorted() {
        let b = schema.blocks[block]
        let isPlain = b.codec == .none && b.shuffle <= 1
        let at =
          reads.firstIndex {
            $0.stream == number && $0.chunkRows == b.chunkRows && $0.isStoredPlain == isPlain
          } ?? reads.count
        if at == reads.count {
          reads.append(StreamRead(stream: number, chunkRows: b.chunkRows, isStoredPlain: isPlain))
        }
        reads[at].blocks.append(
          BlockRead(
            block: block, offset: reads[at].bytes, bytes: b.chunkBytes, chunkRows: b.chunkRows,
            rowBytes: b.rowBytes, shuffle: b.shuffle > 1 ? b.shuffle : 0,
            codecBit: b.codec == .none ? 0 : b.shuffle > 1 ? 0b10 : 0b1,
            hasPlanes: b.codec == .lz4 && b.shuffle == b.type.size && b.shuffle > 1))
        reads[at].bytes += (b.chunkBytes + 63) / 64 * 64
      }
    }
    let streams = layout.groups.map { schema.stream(named: $0.stream) ?? -1 }
    self.streams = streams
    let numbers = schema.streams.map(\.channelNumbers)
    var programs = streams.enumerated().map { g, stream in
      reads.indices.filter { reads[$0].stream == stream }.map { r in
        GroupProgram(g, layout, schema, numbers[stream], read: r, reads[r])
      }.filter { !$0.staged.isEmpty }
    }
    func hasFrames(_ stream: Int) -> Bool { stream >= 0 && schema.streams[stream].isVideo }
    for (number, channel) in layout.channels.enumerated()
    where channel.isFrames && hasFrames(streams[channel.group]) {
      programs[channel.group].append(
        GroupProgram(channel.group, read: reads.count, frames: number))
      reads.append(StreamRead(stream: streams[channel.group], chunkRows: 1))
    }
    groups = programs
    self.reads = reads
    absent = streams.enumerated().map { g, stream in
      layout.groups[g].channels.filter { i in
        if layout.channels[i].isFrames { return !hasFrames(stream) }
        return stream < 0 || numbers[stream][layout.channels[i].channel.name] == nil
      }
    }
  }
}
