/// The tables as numbers, for planning: nothing is allocated for a row.
extension ShardIndex {
  /// A row of the track table.
  @usableFromInline
  package struct TrackRecord: Sendable {
    @usableFromInline package let episode: Int
    @usableFromInline package let stream: Int
    /// The row of the entity table; -1 for a stream of the episode itself.
    @usableFromInline package let entity: Int
    /// The row of the clock table.
    @usableFromInline package var clock: Int
    @usableFromInline package var first: Int
    @usableFromInline package var count: Int

    @inlinable
    package init(episode: Int, stream: Int, entity: Int, clock: Int, first: Int, count: Int) {
      self.episode = episode
      self.stream = stream
      self.entity = entity
      self.clock = clock
      self.first = first
      self.count = count
    }

    @inlinable
    init(_ row: IndexRows.Row) {
      self.init(
        episode: row[0], stream: row[1], entity: row[2], clock: row[3], first: row[4], count: row[5]
      )
    }
  }

  /// Tracks in order, faster than by number.
  @usableFromInline
  package struct TrackList {
    @usableFromInline let episodes: IndexRows
    @usableFromInline let tracks: IndexRows

    /// The tracks of an index.
    package init(_ index: ShardIndex) {
      episodes = IndexRows(index.episodes, columns: [5, 6])
      tracks = IndexRows(index.tracks, columns: Array(0...5))
    }

    /// The tracks of an episode.
    @inlinable
    package func tracks(ofEpisode number: Int) -> Range<Int> {
      let episode = episodes.row(number)
      return episode[5]..<episode[5] + episode[6]
    }

    /// The numbers of a track.
    @inlinable
    package func numbers(ofTrack number: Int) -> TrackRecord { TrackRecord(tracks.row(number)) }
  }

  /// A row of the entity table: the number of its kind, its index and its type.
  package struct EntityRecord: Sendable {
    package let kind: Int
    package let index: Int
    package let type: Int
  }

  /// The numbers of a track.
  @inlinable
  package func numbers(ofTrack number: Int) -> TrackRecord {
    TrackRecord(
      episode: tracks[number, 0], stream: tracks[number, 1], entity: tracks[number, 2],
      clock: tracks[number, 3], first: tracks[number, 4], count: tracks[number, 5])
  }

  /// The tracks of an episode.
  @inlinable
  package func tracks(ofEpisode number: Int) -> Range<Int> {
    let first = episodes[number, 5]
    return first..<first + episodes[number, 6]
  }

  /// The number of an episode's split; -1 where it has none.
  @inlinable
  package func split(ofEpisode number: Int) -> Int { episodes[number, 4] }

  /// The id of an episode.
  package func id(ofEpisode number: Int) -> String {
    string(episodes[number, 0], episodes[number, 1])
  }

  /// Calls `body` with the UTF-8 of an episode's id.
  package func withID<Result>(
    ofEpisode number: Int, _ body: (UnsafeRawBufferPointer) -> Result
  ) -> Result {
    let first = episodes[number, 0]
    return body(UnsafeRawBufferPointer(rebasing: text.bytes[first..<first + episodes[number, 1]]))
  }

  /// The number of the episode with that id.
  package func episode(withID id: String) -> Int? {
    let wanted = Array(id.utf8)
    return (0..<episodes.count).first { number in
      withID(ofEpisode: number) { $0.elementsEqual(wanted) }
    }
  }

  /// The numbers of an entity.
  package func numbers(ofEntity number: Int) -> EntityRecord {
    EntityRecord(
      kind: entities[number, 0], index: entities[number, 1], type: entities[number, 2])
  }

  /// The clocks, by number.
  package var allClocks: [Clock] { (0..<clocks.count).map { clock(row: $0) ?? .float64 } }
}

extension ShardIndex {
  /// A row of the chunk table, over all blocks.
  package func chunk(row: Int) -> Chunk {
    Chunk(
      offset: chunks[row, 0], stored: chunks[row, 1], filterMask: chunks[row, 3],
      crc: UInt32(truncatingIfNeeded: chunks[row, 4]))
  }

  /// Rows of the chunk table.
  package var chunkCount: Int { chunks.count }
}
