/// Gathers the tables of a shard's index while it is written.
public struct IndexBuilder: Sendable {
  private var text: [UInt8] = []
  // By bytes: texts that Unicode calls equivalent are equal strings in Swift, but not the same bytes.
  private var interned: [[UInt8]: (Int, Int)] = [:]
  private var episodes: [Int64] = []
  private var tracks: [Int64] = []
  private var entities: [Entity] = []
  private var entityNumbers: [Entity: Int] = [:]
  private var clocks: [Clock] = []
  private var clockNumbers: [Clock: Int] = [:]
  private var splits: [String] = []
  /// The kinds of entities met so far.
  public private(set) var entityKinds: [String] = []

  /// Episodes so far.
  public var episodeCount: Int { episodes.count / ShardIndex.Columns.episodes }
  /// The names of the splits met so far.
  public var splitNames: [String] { splits }

  /// An empty index.
  public init() {}

  private mutating func intern(_ string: String) -> (Int64, Int64) {
    if string.isEmpty { return (0, 0) }
    let bytes = Array(string.utf8)
    if let (offset, length) = interned[bytes] { return (Int64(offset), Int64(length)) }
    let place = (text.count, bytes.count)
    text += bytes
    interned[bytes] = place
    return (Int64(place.0), Int64(place.1))
  }

  /// Adds an episode; the tracks added until the next one are its own.
  public mutating func addEpisode(id: String, split: String, metadata: String) {
    let (idAt, idLength) = intern(id)
    let (at, length) = intern(metadata)
    var number = -1
    if !split.isEmpty {
      number = splits.firstIndex(of: split) ?? splits.count
      if number == splits.count { splits.append(split) }
    }
    let first = tracks.count / ShardIndex.Columns.tracks
    episodes += [idAt, idLength, at, length, Int64(number), Int64(first), 0]
  }

  /// Adds a track to the last episode.
  public mutating func addTrack(
    stream: Int, entity: Entity?, clock: Clock, rows: Range<Int>, metadata: String,
    blob: Range<Int> = 0..<0
  ) {
    let (at, length) = intern(metadata)
    let clockNumber = clockNumbers[clock] ?? clocks.count
    if clockNumber == clocks.count {
      clocks.append(clock)
      clockNumbers[clock] = clockNumber
    }
    tracks += [
      Int64(episodeCount - 1), Int64(stream), Int64(entity.map { number(of: $0) } ?? -1),
      Int64(clockNumber), Int64(rows.lowerBound), Int64(rows.count), at, length,
      Int64(blob.lowerBound), Int64(blob.count),
    ]
    episodes[episodes.count - 1] += 1
  }

  private mutating func number(of entity: Entity) -> Int {
    if let number = entityNumbers[entity] { return number }
    if !entityKinds.contains(entity.kind) { entityKinds.append(entity.kind) }
    entities.append(entity)
    entityNumbers[entity] = entities.count - 1
    return entities.count - 1
  }

  /// The tables, in the order of the file; `chunks` has the rows of the chunk table.
  public func sections(chunks: [Int64]) -> [(
    id: ShardHeader.SectionID, table: [Int64], columns: Int
  )] {
    let entityRows = entities.flatMap { entity in
      [
        Int64(entityKinds.firstIndex(of: entity.kind) ?? 0), Int64(entity.index),
        Int64(entity.type),
      ]
    }
    let clockRows = clocks.flatMap { clock -> [Int64] in
      switch clock {
      case .regular(let start, let rate):
        return [clock.code, start.numerator, start.denominator, rate.numerator, rate.denominator]
      case .ticks(let tick): return [clock.code, 0, 1, tick.numerator, tick.denominator]
      case .float64: return [clock.code, 0, 1, 1, 1]
      }
    }
    return [
      (.episodes, episodes, ShardIndex.Columns.episodes),
      (.tracks, tracks, ShardIndex.Columns.tracks),
      (.entities, entityRows, ShardIndex.Columns.entities),
      (.clocks, clockRows, ShardIndex.Columns.clocks),
      (.chunks, chunks, ShardIndex.Columns.chunks),
    ]
  }

  /// The bytes that episode and track rows point into.
  public var textBytes: [UInt8] { text }
}
