import TrajpackFormat
import TrajpackLoader
import TrajpackStore

/// One recording of a dataset, with its tracks.
public struct Episode: Sendable {
  /// Its number in the dataset, counted from 0.
  public let number: Int
  /// Its id, unique in the dataset.
  public let id: String
  /// The split that its shard gives it; empty where there is none.
  public let split: String
  /// What else is known of it, a JSON object.
  public let metadata: String
  /// Its tracks: the rows of a stream, or of one entity of a stream.
  public let tracks: [Track]

  init(_ dataset: OpenDataset, _ number: Int) throws(TrajpackError) {
    let (shard, local, first) = try dataset.episode(number)
    let episode = shard.index.episode(local)
    self.number = number
    id = episode.id
    split = episode.split
    metadata = episode.metadata.isEmpty ? "{}" : episode.metadata
    tracks = episode.tracks.map { Track(dataset, shard, local: $0, number: first + $0) }
  }

  /// The track of a stream, or of one entity of it.
  ///
  /// - Throws: A usage error where there is none, or where the stream has several and none is named.
  public func track(_ stream: String, entity: Int? = nil) throws(TrajpackError) -> Track {
    let found = tracks.filter { $0.stream == stream && (entity == nil || $0.entity == entity) }
    guard let first = found.first else {
      let names = tracks.map(\.stream)
      guard names.contains(stream) else {
        throw TrajpackError(
          .usage,
          "episode '\(id)' has no stream '\(stream)'\(Suggestion.text(for: stream, among: names))")
      }
      throw TrajpackError(
        .usage,
        "episode '\(id)' has no entity \(entity ?? 0) of stream '\(stream)'; it has "
          + tracks.filter { $0.stream == stream }.compactMap { $0.entity.map(String.init) }
          .joined(separator: ", "))
    }
    guard found.count == 1 else {
      throw TrajpackError(
        .usage,
        "episode '\(id)' has \(found.count) tracks of stream '\(stream)'; name one by its entity, like "
          + "\(found[1].entity ?? 0)")
    }
    return first
  }
}

/// Rows of one stream in one episode, or of one entity of it.
public struct Track: Sendable {
  /// The stream.
  public let stream: String
  /// The number of the entity, where the stream has several.
  public let entity: Int?
  /// The kind of the entity, like `npc`, where there is one.
  public let entityKind: String?
  /// The number of its rows.
  public let rowCount: Int
  private let dataset: OpenDataset
  private let number: Int
  private let channels: [TrajpackFormat.Channel]

  init(_ dataset: OpenDataset, _ shard: Shard, local: Int, number: Int) {
    let track = shard.index.track(local)
    self.dataset = dataset
    self.number = number
    stream = shard.schema.streams[track.stream].name
    channels = shard.schema.streams[track.stream].channels
    entity = track.entity.map { Int($0.index) }
    entityKind = track.entity?.kind
    rowCount = track.rows.count
  }

  private func checked(_ rows: Range<Int>?) throws(TrajpackError) -> Range<Int> {
    guard let rows else { return 0..<rowCount }
    guard rows.lowerBound >= 0, rows.upperBound <= rowCount else {
      throw TrajpackError(
        .usage,
        "rows \(rows.lowerBound) to \(rows.upperBound) are asked for; the track of '\(stream)' has \(rowCount)"
      )
    }
    return rows
  }

  /// The times of rows, in the stream's unit; of all rows where none are named.
  ///
  /// - Throws: A usage error where the track has no such rows, a data error where a chunk is damaged.
  public func times(rows: Range<Int>? = nil) throws(TrajpackError) -> [Double] {
    let rows = try checked(rows)
    return try [Double](count: rows.count) {
      (to: UnsafeMutableBufferPointer<Double>) throws(TrajpackError) in
      guard let base = to.baseAddress else { return }
      try TrackRows.times(
        dataset, track: number, first: rows.lowerBound, count: rows.count, into: base)
    }
  }

  /// Rows of a channel as numbers of type `Element`, one row after the other: `rows × shape` of them.
  ///
  /// Whole numbers are converted exactly or clamped to the range of `Element`; what is missing is NaN in floats.
  ///
  /// - Throws: A usage error where there is no such channel or row, or where the channel is text; a data error
  ///   where a chunk is damaged.
  public func values<Element: ArrayElement>(
    _ channel: String, rows: Range<Int>? = nil, as type: Element.Type = Element.self
  ) throws(TrajpackError) -> [Element] {
    let rows = try checked(rows)
    let source = try TrackRows(
      dataset, track: number, channel: channel, first: rows.lowerBound, count: rows.count)
    let elements = channels.first { $0.name == channel }?.elements ?? 1
    return try [Element](count: rows.count * elements) {
      (to: UnsafeMutableBufferPointer<Element>) throws(TrajpackError) in
      try source.read(
        as: Element.elementType, into: UnsafeMutableRawBufferPointer(to), observed: nil)
    }
  }

  /// Rows of a text channel; `nil` where nothing was observed.
  ///
  /// - Throws: A usage error where there is no such channel or row or where it has numbers, a data error where a
  ///   chunk is damaged or no UTF-8.
  public func texts(_ channel: String, rows: Range<Int>? = nil) throws(TrajpackError) -> [String?] {
    let rows = try checked(rows)
    let source = try TrackRows(
      dataset, track: number, channel: channel, first: rows.lowerBound, count: rows.count)
    var out: [String?] = []
    for (i, bytes) in try source.bytes().enumerated() {
      guard let bytes else {
        out.append(nil)
        continue
      }
      guard let text = String(validating: bytes, as: UTF8.self) else {
        throw TrajpackError(
          .data,
          "\(dataset.dataset.path): row \(rows.lowerBound + i) of '\(stream)/\(channel)' is no UTF-8; read it "
            + "with another program")
      }
      out.append(text)
    }
    return out
  }
}
