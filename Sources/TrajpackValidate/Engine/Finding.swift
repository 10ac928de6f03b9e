import TrajpackCodecs
import TrajpackFormat

/// Rows at which a rule found something.
public struct Place: Sendable, Equatable {
  /// The file of the shard; `nil` for a source.
  public var shard: String?
  /// The episode's id; `nil` where the finding is of a file or of the whole.
  public var episode: String?
  /// Whose rows they are, as `monster 0`.
  public var entity: String?
  /// Rows of the track, counted from its first; `nil` where all are meant.
  public var rows: Range<Int>?
  /// Values that were found there, the first few.
  public var values: [Double]
  /// What else is to be said of this place.
  public var note: String?
}

/// What a rule found: the same fault at any number of places.
public struct Finding: Sendable {
  /// The rule.
  public var rule: String
  /// How bad it is.
  public var severity: Severity
  /// The dataset or source, as it was named.
  public var dataset: String
  /// The stream; `nil` where it is of none.
  public var stream: String?
  /// The channel; `nil` where it is of none.
  public var channel: String?
  /// What is wrong, without the values.
  public var what: String
  /// How often: rows or values.
  public var count: Int
  /// In how many tracks or files.
  public var tracks: Int
  /// The first three places.
  public var places: [Place]

  /// The most places that are kept.
  static let mostPlaces = 3

  /// `stream/channel`, the stream, or nothing.
  public var subject: String? {
    guard let stream else { return channel }
    return channel.map { "\(stream)/\($0)" } ?? stream
  }

  /// What stays the same when the data around a fault changes: the rule, what it is about and what is wrong. A
  /// baseline knows findings by it.
  public var fingerprint: String {
    let text = Array(
      [rule, stream ?? "", channel ?? "", what].joined(separator: "\u{1F}").utf8)
    return text.withUnsafeBytes { SHA256.of($0) }.prefix(16).description
  }
}

/// The first places of a fault in a track, and how often it is there. Neighbouring rows are one place.
struct Spots {
  private(set) var count = 0
  private(set) var places: [(rows: Range<Int>, values: [Double])] = []

  var isEmpty: Bool { count == 0 }

  mutating func add(_ row: Int, _ value: Double) {
    count += 1
    if let last = places.indices.last {
      if places[last].rows.contains(row) { return }
      if places[last].rows.upperBound == row {
        places[last].rows = places[last].rows.lowerBound..<row + 1
        if places[last].values.count < Finding.mostPlaces { places[last].values.append(value) }
        return
      }
    }
    if places.count < Finding.mostPlaces { places.append((row..<row + 1, [value])) }
  }

  mutating func add(_ rows: Range<Int>, _ values: [Double]) {
    count += rows.count
    if places.count < Finding.mostPlaces { places.append((rows, values)) }
  }
}

/// What one rule found in one track or episode.
struct Hit: Sendable {
  var stream: String?
  var channel: String?
  var entity: String?
  var what: String
  var count: Int
  var places: [(rows: Range<Int>?, values: [Double], note: String?)]
}

/// What one rule finds in an episode.
struct Hits {
  private(set) var list: [Hit] = []

  mutating func add(_ hit: Hit) { list.append(hit) }

  /// Spots of a channel of a track.
  mutating func add(_ what: String, _ track: TrackContext, channel: Int?, _ spots: Spots) {
    guard !spots.isEmpty else { return }
    list.append(
      Hit(
        stream: track.stream.name, channel: channel.map { track.stream.channels[$0].name },
        entity: track.entityName, what: what, count: spots.count,
        places: spots.places.map { ($0.rows, $0.values, nil) }))
  }

  /// Something of a whole track.
  mutating func add(
    _ what: String, _ track: TrackContext, channel: Int? = nil, count: Int = 1,
    rows: Range<Int>? = nil, values: [Double] = [], note: String? = nil
  ) {
    list.append(
      Hit(
        stream: track.stream.name, channel: channel.map { track.stream.channels[$0].name },
        entity: track.entityName, what: what, count: count, places: [(rows, values, note)]))
  }
}

/// What a rule finds by comparing episodes.
struct DatasetHits {
  private(set) var list:
    [(stream: String?, channel: String?, what: String, count: Int, tracks: Int, places: [Place])] =
      []

  mutating func add(
    _ what: String, stream: String? = nil, channel: String? = nil, count: Int? = nil,
    tracks: Int? = nil, _ places: [Place]
  ) {
    list.append(
      (
        stream, channel, what, count ?? places.count, tracks ?? places.count,
        Array(places.prefix(Finding.mostPlaces))
      ))
  }
}
