import TrajpackFormat
import TrajpackStore

/// An episode whose rows can be read: of a shard, or of a source that was read and not yet written.
/// One thread at a time.
public protocol EpisodeData {
  /// What it is.
  var about: EpisodeAbout { get }
  /// Copies whole rows of a block of the track's stream; `rows` count from the track's first.
  ///
  /// - Throws: A data error where a chunk is damaged.
  func read(
    track: Int, block: Int, rows: Range<Int>, into buffer: UnsafeMutableRawPointer
  ) throws(TrajpackError)
}

/// What is known of an episode before its rows are read.
public struct EpisodeAbout: Sendable {
  /// A track of it.
  public struct Track: Sendable {
    /// The stream, by number.
    public var stream: Int
    /// Whose rows they are.
    public var entity: Entity?
    /// How rows map to time.
    public var clock: Clock
    /// Rows.
    public var count: Int
    /// Bytes that rows of bytes channels point into.
    public var blobBytes: Int
    /// The JSON of its metadata; empty where it has none.
    public var metadata: String

    /// A track.
    public init(
      stream: Int, entity: Entity?, clock: Clock, count: Int, blobBytes: Int, metadata: String
    ) {
      self.stream = stream
      self.entity = entity
      self.clock = clock
      self.count = count
      self.blobBytes = blobBytes
      self.metadata = metadata
    }
  }

  /// Its id.
  public var id: String
  /// The name of its split; empty where it has none.
  public var split: String
  /// The JSON of its metadata; empty where it has none.
  public var metadata: String
  /// The file that has it; `nil` for a source.
  public var shard: String?
  /// Streams, channels and blocks.
  public var schema: Schema
  /// Its tracks.
  public var tracks: [Track]

  /// An episode.
  public init(
    id: String, split: String, metadata: String, shard: String?, schema: Schema, tracks: [Track]
  ) {
    self.id = id
    self.split = split
    self.metadata = metadata
    self.shard = shard
    self.schema = schema
    self.tracks = tracks
  }
}

/// An episode of a shard.
struct ArchivedEpisode: EpisodeData {
  let shard: Shard
  let about: EpisodeAbout
  private let first: [Int]
  private let reader: BlockReader

  init(_ shard: Shard, episode number: Int, reader: BlockReader) {
    self.shard = shard
    self.reader = reader
    let episode = shard.index.episode(number)
    let tracks = episode.tracks.map { shard.index.track($0) }
    first = tracks.map(\.rows.lowerBound)
    about = EpisodeAbout(
      id: episode.id, split: episode.split, metadata: episode.metadata, shard: shard.name,
      schema: shard.schema,
      tracks: tracks.map {
        .init(
          stream: $0.stream, entity: $0.entity, clock: $0.clock, count: $0.rows.count,
          blobBytes: $0.blob.count, metadata: $0.metadata)
      })
  }

  func read(
    track: Int, block: Int, rows: Range<Int>, into buffer: UnsafeMutableRawPointer
  ) throws(TrajpackError) {
    let size = shard.schema.blocks[block].rowBytes
    let base = first[track]
    try reader.read(
      block: block, rows: base + rows.lowerBound..<base + rows.upperBound, columns: 0..<size,
      into: buffer, stride: size)
  }
}
