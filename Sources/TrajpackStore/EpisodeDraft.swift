import TrajpackFormat

/// A recording that is ready to be written: its tracks, and where their rows are kept meanwhile.
public struct EpisodeDraft: Sendable {
  /// The id, unique in the dataset.
  public var id: String
  /// The name of its split; empty for none.
  public var split: String
  /// Metadata of the episode; an object.
  public var metadata: JSONValue
  /// The tracks, in the order in which they are written.
  public var tracks: [TrackDraft]
  /// What a user should know of how the recording was read; nothing of it is written.
  public var remarks: [String]

  /// A recording.
  public init(
    id: String, split: String = "", metadata: JSONValue = .object([]), tracks: [TrackDraft] = [],
    remarks: [String] = []
  ) {
    self.id = id
    self.split = split
    self.metadata = metadata
    self.tracks = tracks
    self.remarks = remarks
  }
}

extension EpisodeDraft {
  /// Bytes of its rows, as a schema lays them out, and of what they point into.
  public func byteCount(in schema: Schema) -> Int {
    tracks.reduce(0) { sum, track in
      let blocks = schema.rowBlocks(of: track.stream)
      let row = blocks.reduce(0) { $0 + schema.blocks[$1].rowBytes }
      return sum + row * track.count + (track.bytes?.count ?? 0)
    }
  }
}

/// One entity's contiguous rows of a stream, ready to be written.
public struct TrackDraft: Sendable {
  /// Rows of one block: packed rows that begin at a byte of a spool.
  public struct Rows: Sendable {
    /// The bytes.
    public var spool: RowSpool
    /// Where the first row begins.
    public var offset: Int

    /// Rows that begin at byte `offset` of `spool`.
    public init(_ spool: RowSpool, offset: Int = 0) {
      self.spool = spool
      self.offset = offset
    }
  }

  /// The bytes that rows of bytes channels point into.
  public enum Bytes: Sendable {
    case spool(RowSpool, Range<Int>)
    case file(LocalFile)
    case made(any MadeBytes)

    /// How many.
    public var count: Int {
      switch self {
      case .spool(_, let range): return range.count
      case .file(let file): return file.length
      case .made(let bytes): return bytes.count
      }
    }

    package func read(at offset: Int, into buffer: UnsafeMutableRawBufferPointer)
      throws(TrajpackError)
    {
      switch self {
      case .spool(let spool, let range):
        try spool.read(at: range.lowerBound + offset, into: buffer)
      case .file(let file): try file.read(at: offset, into: buffer)
      case .made(let bytes): try bytes.read(at: offset, into: buffer)
      }
    }
  }

  /// The stream, by its number in the schema.
  public var stream: Int
  /// Whose rows they are.
  public var entity: Entity?
  /// How the rows map to time.
  public var clock: Clock
  /// How many rows.
  public var count: Int
  /// Metadata of the track; an object.
  public var metadata: JSONValue
  /// The rows of each of the stream's blocks but its blob, in the order of the schema.
  public var rows: [Rows]
  /// The track's part of the stream's blob.
  public var bytes: Bytes?

  /// A track.
  public init(
    stream: Int, entity: Entity? = nil, clock: Clock, count: Int,
    metadata: JSONValue = .object([]), rows: [Rows], bytes: Bytes? = nil
  ) {
    self.stream = stream
    self.entity = entity
    self.clock = clock
    self.count = count
    self.metadata = metadata
    self.rows = rows
    self.bytes = bytes
  }
}
