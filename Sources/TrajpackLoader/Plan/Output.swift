import TrajpackFormat

/// One array of a batch.
public struct Output: Sendable {
  /// What it holds.
  public enum Role: String, Sendable { case values, observed, present, padding, time, meta, value }

  /// The name: `state/hp`, `observed:state/hp`, `padding:state`, or a feature matrix's own.
  public var name: String
  /// What it holds.
  public var role: Role
  /// The type of its elements.
  public var type: ElementType
  /// `[B, T, (E,) ...]`.
  public var shape: [Int]
  /// Its first byte in a batch.
  public var offset: Int
  /// Its bytes.
  public var bytes: Int
  /// The stream; empty for a feature matrix.
  public var stream: String
  /// The channels that it holds.
  public var channels: [String]
  /// Entities: the length of axis 2, or 0.
  public var entities: Int
  /// The units, where all of it has the same.
  public var units: String?
  /// The kind, where it is one channel.
  public var kind: Kind?
  /// The names of the codes of a value that is a category.
  public var categories: [String]?

  /// Bytes of one window.
  var windowBytes: Int { bytes / max(shape[0], 1) }
}

/// Where a channel's rows go in a batch: byte `offset + window · windowStride + t · rowStride +
/// slot · slotStride`.
struct OutputStride: Sendable {
  var offset: Int
  var windowStride: Int
  var rowStride: Int
  var slotStride: Int

  @inline(__always)
  func byte(_ window: Int, _ t: Int, _ slot: Int) -> Int {
    offset + window * windowStride + t * rowStride + slot * slotStride
  }
}

/// How values between two rows are made.
enum Blend: Sendable { case asOf, nearest, linear, slerp, degrees, radians }

/// A selected channel.
struct SelectedChannel: Sendable {
  var stream: String
  var channel: Channel
  var group: Int
  var type: ElementType
  var place: OutputStride
  var observed: OutputStride?
  var blend: Blend
  /// Values become `(x - shift) · scale`, an element each, those of each group one after the other; empty where
  /// they are not scaled.
  var shift: [Double] = []
  var scale: [Double] = []
  /// Which of the layout's groupings says what group an episode is of; `nil` where all is one group.
  var grouping: Int?
  /// How it was normalised.
  var rule: NormalizationRule?
  var fill: LoaderOptions.Fill?
  /// Why `normalize` leaves it as it is, where it would be scaled otherwise.
  var isLeftRaw = false
  /// Whether its rows are decoded frames of a video.
  var isFrames = false
  /// How its rows are pictures, where they are, and what is given out of these.
  var picture: PictureRows?
  /// What its numbers are asked for as, where it is depth.
  var depth: DepthRequest?
  /// What becomes of its values when pictures are cut, scaled or mirrored.
  var following: FrameFollowing?

  var path: String { isFrames ? stream : "\(stream)/\(channel.name)" }
  /// Whether its rows are frames of a video or arrays of pixels.
  var isPicture: Bool { isFrames || picture != nil }
  var rowBytes: Int { channel.elements * type.size }
}

/// How long rows count where no other follows.
struct RowHold: Sendable, Equatable {
  /// Whether the last row counts to the end of the episode.
  var toEnd: Bool
  /// The longest that a row counts, in time.
  var limit: Rational?
}

/// Channels of a stream whose rows are found in the same way.
struct Group: Sendable {
  var stream: String
  /// Places in relation to the window's start, instead of the window's rows.
  var offsets: [LoaderOptions.Offset]?
  var isNative: Bool
  /// `nil`: the last row counts as long as the interval before it.
  var hold: RowHold?
  /// Rows of a window.
  var length: Int
  /// Room for entities; 0 where the stream belongs to the episode.
  var entities: Int
  var channels: [Int] = []
  var padding: OutputStride?
  var present: OutputStride?
  var time: OutputStride?
  /// Who the entities are: kind, index and type of each.
  var entity: OutputStride?

  var slots: Int { max(entities, 1) }
}
