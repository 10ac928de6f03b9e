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
  /// The file, of a recording that cannot be read.
  public var file: String? = nil
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
  /// How often a baseline knows it, where it has become more.
  public var known: Int? = nil

  /// The most places that are kept.
  static let mostPlaces = 3

  /// `stream/channel`, the stream, or nothing.
  public var subject: String? {
    guard let stream else { return channel }
    return channel.map { "\(stream)/\($0)" } ?? stream
  }

  /// Where it is, as a baseline knows it: the shards, or recordings of a source, where these are what is wrong; else its episodes,
  /// where its places are all that there are. `nil` where there are more.
  var parts: [String]? {
    if rule.hasPrefix("container.") { return places.compactMap { $0.shard ?? $0.episode } }
    let episodes = places.compactMap(\.episode)
    return tracks <= Self.mostPlaces && episodes.count == places.count && !episodes.isEmpty
      ? Set(episodes).sorted() : nil
  }

  /// What stays the same when the data around a fault changes: the rule, what it is about and what is wrong. A
  /// baseline knows findings by it.
  public var fingerprint: String {
    let text = Array(
      [rule, stream ?? "", channel ?? "", what].joined(separator: "\u{1F}").utf8)
    return text.withUnsafeBytes { SHA256.of($0) }.prefix(16).description
  }
}

/// The first places of a fault in a track, and in how many rows it is. Neighbouring rows are one place, and a row in which several
/// columns have the fault is one row. Columns of a run may be added one after the other.
struct Spots {
  /// Rows.
  private(set) var count = 0
  /// Values: a row with the fault in several columns counts as often.
  private(set) var values = 0
  /// In the order of rows.
  private(set) var places: [(rows: Range<Int>, values: [Double])] = []
  /// A bit of each of the last rows up to ``last``, by its place in a ring, which grows with the rows that lie apart.
  private var seen: [UInt64] = []
  private var first = -1
  private var last = -1

  /// The most rows of the ring. A run has fewer: its columns go back by less.
  private static let mostRows = 1 << 15

  var isEmpty: Bool { count == 0 }

  mutating func add(_ row: Int, _ value: Double) {
    values += 1
    guard isNew(row) else { return }
    count += 1
    if let last = places.indices.last, places.count == Finding.mostPlaces,
      row > places[last].rows.upperBound
    {
      return
    }
    let next = places.firstIndex { $0.rows.lowerBound > row } ?? places.count
    let touchesBefore = next > 0 && places[next - 1].rows.upperBound == row
    let touchesNext = next < places.count && places[next].rows.lowerBound == row + 1
    if touchesBefore {
      let end = touchesNext ? places[next].rows.upperBound : row + 1
      places[next - 1].rows = places[next - 1].rows.lowerBound..<end
      let more = touchesNext ? [value] + places[next].values : [value]
      let room = Finding.mostPlaces - places[next - 1].values.count
      places[next - 1].values += more.prefix(max(room, 0))
      if touchesNext { places.remove(at: next) }
    } else if touchesNext {
      places[next].rows = row..<places[next].rows.upperBound
      places[next].values = Array(([value] + places[next].values).prefix(Finding.mostPlaces))
    } else {
      places.insert((row..<row + 1, [value]), at: next)
      if places.count > Finding.mostPlaces { places.removeLast() }
    }
  }

  /// Whether a row was not added before; notes it.
  private mutating func isNew(_ row: Int) -> Bool {
    if seen.isEmpty {
      seen = [0]
      (first, last) = (row, row)
    }
    first = min(first, row)
    while seen.count * 64 < Self.mostRows, max(last, row) - first >= seen.count * 64 { widen() }
    if row - last >= Self.mostRows {
      seen = Array(repeating: 0, count: seen.count)
      last = row
    }
    let size = seen.count * 64
    while last < row {
      last += 1
      seen[last % size / 64] &= ~(1 << UInt64(last % 64))
    }
    let (at, bit) = (row % size / 64, UInt64(1) << UInt64(row % 64))
    guard seen[at] & bit == 0 else { return false }
    seen[at] |= bit
    return true
  }

  /// Doubles the ring.
  private mutating func widen() {
    let size = seen.count * 64
    var wider = Array(repeating: UInt64(0), count: 2 * seen.count)
    for row in max(last - size + 1, 0)...last
    where seen[row % size / 64] >> UInt64(row % 64) & 1 == 1 {
      wider[row % (2 * size) / 64] |= 1 << UInt64(row % 64)
    }
    seen = wider
  }

  mutating func add(_ rows: Range<Int>, _ values: [Double]) {
    count += rows.count
    self.values += rows.count
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

  /// Spots of a channel of a track; `note` says what their values are, where they are not the channel's.
  mutating func add(
    _ what: String, _ track: TrackContext, channel: Int?, _ spots: Spots, note: String? = nil
  ) {
    guard !spots.isEmpty else { return }
    list.append(
      Hit(
        stream: track.stream.name, channel: channel.map { track.stream.channels[$0].name },
        entity: track.entityName, what: what, count: spots.count,
        places: spots.places.map { ($0.rows, $0.values, note) }))
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
  /// What was not compared, a phrase each.
  private(set) var left: [String] = []

  mutating func leaveOut(_ what: String) { left.append(what) }

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
