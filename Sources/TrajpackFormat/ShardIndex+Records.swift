/// Something that has tracks: a player, a monster. Its kind, its place among its kind, and its type.
public struct Entity: Sendable, Hashable {
  /// What it is: `npc`, `monster`, `weapon`.
  public var kind: String
  /// Its place among the entities of its kind in the episode.
  public var index: Int
  /// The source's number for the type of entity; -1 where unknown.
  public var type: Int

  /// An entity.
  public init(kind: String, index: Int, type: Int) {
    self.kind = kind
    self.index = index
    self.type = type
  }
}

extension ShardIndex {
  /// One recording.
  public struct Episode: Sendable {
    /// The id, unique in the dataset.
    public let id: String
    /// The name of its split; empty where it has none.
    public let split: String
    /// Its tracks, by number.
    public let tracks: Range<Int>
    /// The JSON of its metadata; empty where it has none.
    public let metadata: String
  }

  /// One entity's contiguous rows of a stream in one episode.
  public struct Track: Sendable {
    /// The episode, by number.
    public let episode: Int
    /// The stream, by number.
    public let stream: Int
    /// Whose rows they are; `nil` for a stream of the episode itself.
    public let entity: Entity?
    /// How the rows map to time.
    public let clock: Clock
    /// The rows, of the stream's rows in the shard.
    public let rows: Range<Int>
    /// The JSON of its metadata; empty where it has none.
    public let metadata: String
    /// The bytes that its rows of ``ElementType/bytes`` channels point into, of the stream's blob.
    public let blob: Range<Int>
  }

  /// A stored chunk.
  public struct Chunk: Sendable {
    /// Its first byte in the file.
    public let offset: Int
    /// Its bytes in the file.
    public let stored: Int
    /// Filters that were left out, as HDF5's filter mask says it: a bit a filter.
    public let filterMask: Int
    /// CRC-32C of the stored bytes.
    public let crc: UInt32
  }

  /// The episode of that number.
  public func episode(_ number: Int) -> Episode {
    let split = episodes[number, 4]
    let first = episodes[number, 5]
    return Episode(
      id: string(episodes[number, 0], episodes[number, 1]),
      split: split < 0 ? "" : schema.splits[split], tracks: first..<first + episodes[number, 6],
      metadata: string(episodes[number, 2], episodes[number, 3]))
  }

  /// The track of that number.
  public func track(_ number: Int) -> Track {
    let entity = tracks[number, 2]
    let first = tracks[number, 4]
    return Track(
      episode: tracks[number, 0], stream: tracks[number, 1],
      entity: entity < 0
        ? nil
        : Entity(
          kind: schema.entityKinds[entities[entity, 0]], index: entities[entity, 1],
          type: entities[entity, 2]), clock: clock(row: tracks[number, 3]) ?? .float64,
      rows: first..<first + tracks[number, 5],
      metadata: string(tracks[number, 6], tracks[number, 7]),
      blob: tracks[number, 8]..<tracks[number, 8] + tracks[number, 9])
  }

  /// Rows of a track without making its strings.
  public func rows(ofTrack number: Int) -> Range<Int> {
    tracks[number, 4]..<tracks[number, 4] + tracks[number, 5]
  }

  /// The chunk of that number of a block.
  public func chunk(_ number: Int, of block: Block) -> Chunk {
    let row = block.firstChunk + number
    return Chunk(
      offset: chunks[row, 0], stored: chunks[row, 1], filterMask: chunks[row, 3],
      crc: UInt32(truncatingIfNeeded: chunks[row, 4]))
  }
}
