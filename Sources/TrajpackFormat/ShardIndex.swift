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
  /// What the tracks of each stream are like.
  package private(set) var streamTallies: [StreamSummary] = []
  /// The episodes of each split; the first number is that of those without one.
  package private(set) var splitTallies: [SplitTally] = []

  let text: OwnedBuffer
  let textCount: Int
  @usableFromInline let episodes: PackedTable
  @usableFromInline let tracks: PackedTable
  let entities: PackedTable
  let clocks: PackedTable
  let chunks: PackedTable

  /// The columns of the tables, in order.
  package enum Columns {
    static let episodes = 7  // id, id length, metadata, metadata length, split, first track, tracks
    // episode, stream, entity, clock, rows, metadata, blob: first and count each
    static let tracks = 10
    static let entities = 3  // kind, index, type
    static let clocks = 5  // code, start, start denominator, rate or tick, its denominator
    static let chunks = 5  // offset, stored, raw, filter mask, crc

    /// Columns of a section that is a table of the index.
    package static func of(_ section: ShardHeader.SectionID) -> Int? {
      switch section {
      case .episodes: episodes
      case .tracks: tracks
      case .entities: entities
      case .clocks: clocks
      case .chunks: chunks
      default: nil
      }
    }
  }

  /// The parts of an index as a reader has them in memory.
  public struct Parts {
    /// The JSON of the schema.
    public var schema: JSONValue
    /// The bytes that tables point into, the first `textCount` of `text`.
    public var text: OwnedBuffer
    /// How many they are.
    public var textCount: Int
    /// The tables that there are.
    public var tables: [ShardHeader.SectionID: PackedTable]
    /// What they lie in, to be settled when they have been checked.
    package let memory: IndexMemory?

    /// The parts of an index.
    package init(
      schema: JSONValue, text: OwnedBuffer, textCount: Int,
      tables: [ShardHeader.SectionID: PackedTable], memory: IndexMemory? = nil
    ) {
      self.memory = memory
      self.schema = schema
      self.text = text
      self.textCount = textCount
      self.tables = tables
    }
  }

  /// Does work number 0, 1 and so on, on several threads or one, and returns when all is done.
  public typealias ParallelFor = (_ count: Int, _ work: @escaping @Sendable (Int) -> Void) -> Void

  /// Checks the parts of an index of a file of `fileLength` bytes, in `pieces` that are shared out.
  ///
  /// - Throws: A data error naming the row of the table that breaks a rule.
  public init(
    _ parts: Parts, fileLength: UInt64, pieces: Int = 1,
    sharing: ParallelFor = { count, work in (0..<count).forEach(work) }
  ) throws(TrajpackError) {
    func table(_ id: ShardHeader.SectionID, _ columns: Int) -> PackedTable {
      parts.tables[id] ?? PackedTable(columns: columns)
    }
    schema = try Schema(json: parts.schema)
    episodes = table(.episodes, Columns.episodes)
    tracks = table(.tracks, Columns.tracks)
    entities = table(.entities, Columns.entities)
    clocks = table(.clocks, Columns.clocks)
    chunks = table(.chunks, Columns.chunks)
    text = parts.text
    textCount = parts.textCount

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
    try checkEntitiesAndClocks()
    // A piece has lists of streams and splits of its own.
    let isLean = schema.streams.count + schema.splits.count < 1024
    let count = isLean ? max(min(pieces, episodes.count), 1) : 1
    splitTallies = try checkEpisodes(pieces: count, sharing)
    streamTallies = try checkTracks(pieces: count, sharing)
    parts.memory?.settle()
  }

  func string(_ offset: Int, _ length: Int) -> String {
    String(decoding: text.bytes[offset..<offset + length], as: UTF8.self)
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
