/// The index of a shard, checked: schema, episodes, tracks, entities, clocks and chunks.
///
/// Every number that points somewhere has been compared with the size of what it points into, so the
/// reading path follows them without looking again.
public struct ShardIndex: Sendable {
  /// Streams, channels and blocks.
  public let schema: Schema
  /// Rows of each stream, over all episodes.
  public let streamRows: [Int]
  /// The number of episodes.
  public var episodeCount: Int { episodes.count }
  /// The number of tracks.
  public var trackCount: Int { tracks.count }

  let memory: IndexMemory
  let textRange: Range<Int>
  let episodes: IndexTable
  let tracks: IndexTable
  let entities: IndexTable
  let clocks: IndexTable
  let chunks: IndexTable

  /// The columns of the tables, in order.
  enum Columns {
    static let episodes = 7  // id, id length, metadata, metadata length, split, first track, tracks
    // episode, stream, entity, clock, rows, metadata, blob: first and count each
    static let tracks = 10
    static let entities = 3  // kind, index, type
    static let clocks = 5  // code, start, start denominator, rate or tick, its denominator
    static let chunks = 5  // offset, stored, raw, filter mask, crc
  }

  /// The parts of an index as a reader has them in memory.
  public struct Parts {
    /// The JSON of the schema.
    public var schema: JSONValue
    /// The memory of the other sections, and where each lies in it.
    public var memory: IndexMemory
    /// Where each section lies in `memory`.
    public var ranges: [ShardHeader.SectionID: Range<Int>]

    /// The parts of an index.
    public init(
      schema: JSONValue, memory: IndexMemory, ranges: [ShardHeader.SectionID: Range<Int>]
    ) {
      self.schema = schema
      self.memory = memory
      self.ranges = ranges
    }
  }

  /// Checks the parts of an index of a file of `fileLength` bytes.
  ///
  /// - Throws: A data error naming the row of the table that breaks a rule.
  public init(_ parts: Parts, fileLength: UInt64) throws(TrajpackError) {
    func table(
      _ id: ShardHeader.SectionID, _ columns: Int
    ) throws(TrajpackError) -> IndexTable {
      guard let range = parts.ranges[id] else { return IndexTable(columns: columns) }
      return try IndexTable(parts.memory, range, columns: columns, name: "\(id)")
    }
    schema = try Schema(json: parts.schema)
    episodes = try table(.episodes, Columns.episodes)
    tracks = try table(.tracks, Columns.tracks)
    entities = try table(.entities, Columns.entities)
    clocks = try table(.clocks, Columns.clocks)
    chunks = try table(.chunks, Columns.chunks)
    memory = parts.memory
    textRange = parts.ranges[.text] ?? 0..<0

    try schema.validate(chunks: chunks.count)
    var rows = [Int?](repeating: nil, count: schema.streams.count)
    let blobs = schema.blobs
    for (i, block) in schema.blocks.enumerated() where !blobs.contains(i) {
      guard (rows[block.stream] ?? block.rows) == block.rows else {
        throw TrajpackError(
          .data,
          "the index is damaged: blocks of stream '\(schema.streams[block.stream].name)' "
            + "differ in rows")
      }
      rows[block.stream] = block.rows
    }
    streamRows = rows.map { $0 ?? 0 }
    try checkChunks(fileLength: fileLength)
    try checkEpisodes()
    try checkTracks()
  }

  private func damaged(_ table: String, _ row: Int, _ what: String) -> TrajpackError {
    TrajpackError(
      .data,
      "the index is damaged: row \(row) of the table '\(table)' \(what); "
        + "restore the shard from a copy")
  }

  private func checkChunks(fileLength: UInt64) throws(TrajpackError) {
    let length = Int(clamping: fileLength)
    var total = 0
    for block in schema.blocks {
      let bytes = block.chunkBytes
      for row in block.firstChunk..<block.firstChunk + block.chunks {
        let (offset, stored) = (chunks[row, 0], chunks[row, 1])
        guard offset >= ShardHeader.size, stored >= 0, offset <= length, stored <= length - offset
        else { throw damaged("chunks", row, "lies outside the file") }
        // zstd and zlib never grow a chunk by more than a few bytes a block.
        guard chunks[row, 2] == bytes, stored <= bytes + bytes / 64 + 1024 else {
          throw damaged("chunks", row, "has an impossible size")
        }
        // Chunks do not share bytes, so a small file cannot pass for a large one.
        guard stored <= length - total else { throw damaged("chunks", row, "is in the file twice") }
        total += stored
      }
    }
  }

  private func checkEpisodes() throws(TrajpackError) {
    var next = 0
    var idBytes = 0
    for row in 0..<episodes.count {
      guard isText(episodes[row, 0], episodes[row, 1]), isText(episodes[row, 2], episodes[row, 3])
      else { throw damaged("episodes", row, "points outside the text") }
      // No two ids are the same text, so together they are no longer than all text.
      guard episodes[row, 1] <= textRange.count - idBytes else {
        throw damaged("episodes", row, "has the id of another")
      }
      idBytes += episodes[row, 1]
      guard (-1..<schema.splits.count).contains(episodes[row, 4]) else {
        throw damaged("episodes", row, "has an unknown split")
      }
      let count = episodes[row, 6]
      guard episodes[row, 5] == next, count >= 0, count <= tracks.count - next else {
        throw damaged("episodes", row, "has tracks out of place")
      }
      next += count
    }
    guard next == tracks.count else {
      throw damaged("episodes", episodes.count, "is missing: some tracks have no episode")
    }
    for row in 0..<entities.count {
      guard (0..<schema.entityKinds.count).contains(entities[row, 0]) else {
        throw damaged("entities", row, "has an unknown kind")
      }
      guard (0..<Self.maximumEntities).contains(entities[row, 1]) else {
        throw damaged("entities", row, "has an impossible place among its kind")
      }
    }
    for row in 0..<clocks.count {
      guard clock(row: row) != nil else { throw damaged("clocks", row, "is no clock") }
    }
  }

  /// Places among the entities of a kind; far more than anything has.
  static let maximumEntities = 1 << 32

  private func checkTracks() throws(TrajpackError) {
    var episode = 0
    let times = schema.streams.map { stream in
      stream.channels.first { $0.name == "time" && $0.shape.isEmpty }?.type
    }
    // Where the next track of each stream begins: tracks lie one after the other.
    var next = [(row: Int, byte: Int)](repeating: (0, 0), count: streamRows.count)
    for row in 0..<tracks.count {
      while episode < episodes.count, row >= episodes[episode, 5] + episodes[episode, 6] {
        episode += 1
      }
      let stream = tracks[row, 1]
      guard tracks[row, 0] == episode, streamRows.indices.contains(stream),
        (-1..<entities.count).contains(tracks[row, 2]), (0..<clocks.count).contains(tracks[row, 3])
      else { throw damaged("tracks", row, "names something unknown") }
      let sort = clocks[tracks[row, 3], 0]
      guard sort == 0 || times[stream] == (sort == 1 ? .int64 : .float64) else {
        throw damaged("tracks", row, "has a clock of times in a stream without them")
      }
      let (first, count) = (tracks[row, 4], tracks[row, 5])
      guard first >= 0, count >= 0, first <= streamRows[stream], count <= streamRows[stream] - first
      else { throw damaged("tracks", row, "has rows outside its stream") }
      guard first == next[stream].row else {
        throw damaged("tracks", row, "does not follow the track before it")
      }
      next[stream].row += count
      guard isText(tracks[row, 6], tracks[row, 7]) else {
        throw damaged("tracks", row, "points outside the text")
      }
      let blob = schema.streams[stream].blob.map { schema.blocks[$0].rows } ?? 0
      let (start, bytes) = (tracks[row, 8], tracks[row, 9])
      guard start >= 0, bytes >= 0, start <= blob, bytes <= blob - start else {
        throw damaged("tracks", row, "has bytes outside its blob")
      }
      guard bytes == 0 || start == next[stream].byte else {
        throw damaged("tracks", row, "has bytes that do not follow those of the track before it")
      }
      next[stream].byte += bytes
    }
    for stream in streamRows.indices where next[stream].row != streamRows[stream] {
      throw TrajpackError(
        .data,
        "the index is damaged: stream '\(schema.streams[stream].name)' has \(streamRows[stream]) "
          + "rows, but its tracks have \(next[stream].row); restore the shard from a copy")
    }
  }

  private func isText(_ offset: Int, _ length: Int) -> Bool {
    offset >= 0 && length >= 0 && offset <= textRange.count && length <= textRange.count - offset
  }

  func string(_ offset: Int, _ length: Int) -> String {
    let start = textRange.lowerBound + offset
    return String(decoding: memory.bytes[start..<start + length], as: UTF8.self)
  }

  func clock(row: Int) -> Clock? {
    switch clocks[row, 0] {
    case 0:
      guard let start = Rational(Int64(clocks[row, 1]), Int64(clocks[row, 2])),
        let rate = Rational(Int64(clocks[row, 3]), Int64(clocks[row, 4])), rate.numerator > 0
      else { return nil }
      return .regular(start: start, rate: rate)
    case 1:
      guard let tick = Rational(Int64(clocks[row, 3]), Int64(clocks[row, 4])), tick.numerator > 0
      else { return nil }
      return .ticks(tick)
    case 2: return .float64
    default: return nil
    }
  }
}

extension Schema {
  /// The blocks that hold bytes of rows of any length, by number.
  public var blobs: Set<Int> {
    Set(streams.compactMap(\.blob))
  }
}
