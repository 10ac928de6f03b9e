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

/// What is known of an episode before its rows are read. An object: it is named by all that is found in the episode.
public final class EpisodeAbout: Sendable {
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
  public let id: String
  /// The name of its split; empty where it has none.
  public let split: String
  /// The JSON of its metadata; empty where it has none.
  public let metadata: String
  /// The file that has it; `nil` for a source.
  public let shard: String?
  /// Streams, channels and blocks.
  public let schema: Schema
  /// Its tracks.
  public let tracks: [Track]

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
  private let reader: LentReader

  init(_ shard: Shard, episode number: Int, reader: LentReader) {
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
    try reader.blocks.read(
      block: block, rows: base + rows.lowerBound..<base + rows.upperBound, columns: 0..<size,
      into: buffer, stride: size)
  }
}

/// The readers of a shard, kept from one batch of episodes to the next: what they read into is not asked of the system again.
final class ShardReaders: @unchecked Sendable {
  private let lock = ConditionLock()
  private var idle: [BlockReader] = []
  private let shard: Shard
  private let cache: Int

  init(_ shard: Shard) {
    self.shard = shard
    // Rows are read in order: the chunks at hand and the ones before are enough.
    let chunks = shard.schema.blocks.indices.reduce(0) {
      $0 + (shard.schema.blobs.contains($1) ? 0 : shard.schema.blocks[$1].chunkBytes)
    }
    cache = min(max(2 * chunks, 1 << 20), 24 << 20)
  }

  /// A reader that nobody else uses until it is let go.
  func lend() -> LentReader {
    LentReader(lock.locked { idle.popLast() } ?? BlockReader(shard, cache: cache), self)
  }

  fileprivate func take(back reader: BlockReader) { lock.locked { idle.append(reader) } }
}

/// A reader of ``ShardReaders``, which goes back when it is let go.
final class LentReader {
  let blocks: BlockReader
  private let owner: ShardReaders

  fileprivate init(_ blocks: BlockReader, _ owner: ShardReaders) {
    (self.blocks, self.owner) = (blocks, owner)
  }

  deinit { owner.take(back: blocks) }
}
