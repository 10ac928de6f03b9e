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
  /// The name of the split by which rules compare, that of a scheme where one counts; empty where it has none.
  public let split: String
  /// The name of the split that the shard states, by which its statistics are stored.
  public let storedSplit: String
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
    id: String, split: String, storedSplit: String? = nil, metadata: String, shard: String?,
    schema: Schema, tracks: [Track]
  ) {
    self.id = id
    self.split = split
    self.storedSplit = storedSplit ?? split
    self.metadata = metadata
    self.shard = shard
    self.schema = schema
    self.tracks = tracks
  }
}

/// An episode of a shard. An object: as what can be read of any kind it is handed on without copying its parts.
final class ArchivedEpisode: EpisodeData {
  let shard: Shard
  let about: EpisodeAbout
  private let first: [Int]
  private let reader: LentReader
  private let limits: RowLimits

  /// - Parameter split: Its split by a scheme; `nil` where those of the shards count.
  init(
    _ shard: Shard, episode number: Int, split: String?, reader: LentReader, limits: RowLimits
  ) {
    self.shard = shard
    self.reader = reader
    self.limits = limits
    let episode = shard.index.episode(number)
    let tracks = episode.tracks.map { shard.index.track($0) }
    first = tracks.map(\.rows.lowerBound)
    about = EpisodeAbout(
      id: episode.id, split: split ?? episode.split, storedSplit: episode.split,
      metadata: episode.metadata, shard: shard.name,
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
    let base = first[track]
    try reader.blocks.read(
      block: block, rows: base + rows.lowerBound..<base + rows.upperBound,
      limit: limits.rows[about.tracks[track].stream], into: buffer)
  }
}

/// How far the episodes of a batch reach in each stream.
final class RowLimits: Sendable {
  fileprivate let rows: [Int]

  init(_ shard: Shard, episodes: [Int]) {
    var rows = Array(repeating: 0, count: shard.schema.streams.count)
    for episode in episodes {
      for number in shard.index.tracks(ofEpisode: episode) {
        let track = shard.index.numbers(ofTrack: number)
        rows[track.stream] = max(
          rows[track.stream], shard.index.rows(ofTrack: number).upperBound)
      }
    }
    self.rows = rows
  }
}

/// The readers of a shard, kept from one batch of episodes to the next: what they read into is not asked of the system again.
final class ShardReaders: @unchecked Sendable {
  private let lock = ConditionLock()
  private var idle: [SequentialReader] = []
  private let shard: Shard

  init(_ shard: Shard) { self.shard = shard }

  /// A reader that nobody else uses until it is let go.
  func lend() -> LentReader {
    LentReader(lock.locked { idle.popLast() } ?? SequentialReader(shard), self)
  }

  fileprivate func take(back reader: SequentialReader) { lock.locked { idle.append(reader) } }
}

/// A reader of ``ShardReaders``, which goes back when it is let go.
final class LentReader {
  let blocks: SequentialReader
  private let owner: ShardReaders

  fileprivate init(_ blocks: SequentialReader, _ owner: ShardReaders) {
    (self.blocks, self.owner) = (blocks, owner)
  }

  deinit { owner.take(back: blocks) }
}
