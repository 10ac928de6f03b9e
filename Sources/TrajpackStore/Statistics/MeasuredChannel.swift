import TrajpackFormat

/// Rows of a track of a shard.
public struct TrackPart: Sendable, Equatable {
  /// The shard's place among those that are measured.
  package var shard: Int
  /// The track's number in the shard.
  public var track: Int
  /// Rows, counted from the track's first.
  public var rows: Range<Int>

  /// Some rows of a track.
  public init(shard: Int, track: Int, rows: Range<Int>) {
    self.shard = shard
    self.track = track
    self.rows = rows
  }
}

/// A channel whose statistics are wanted, and what a component of it is.
public struct MeasuredChannel: Sendable {
  /// The stream's name.
  public var stream: String
  /// The channel's name.
  public var name: String
  /// The shape of a row.
  public var shape: [Int]
  /// For each component, the elements of a row that belong to it.
  public var components: [[Int]]
  /// Whether quantiles are wanted.
  public var hasQuantiles: Bool

  /// A channel of numbers.
  public init(
    stream: String, name: String, shape: [Int], components: [[Int]], hasQuantiles: Bool
  ) {
    self.stream = stream
    self.name = name
    self.shape = shape
    self.components = components
    self.hasQuantiles = hasQuantiles
  }

  /// `stream/channel`.
  public var path: String { "\(stream)/\(name)" }
  var elements: Int { shape.reduce(1, *) }
}
