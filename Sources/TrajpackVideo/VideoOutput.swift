/// What decoded frames are written as. Rows lie one after the other with no padding.
public struct VideoOutput: Sendable, Equatable {
  /// The samples of a frame.
  public enum Format: String, Sendable, Equatable, CaseIterable {
    /// (height, width) uint8: the stored samples of a gray video, or the brightness (Y) of a YUV one, never
    /// converted to another range. 8 bits a sample.
    case gray8
    /// (height, width) uint16: the same for 9 to 16 bits a sample, never shifted.
    case gray16
    /// (height, width, 3) uint8 of full range. The matrix and range are those that the stream states; BT.601 and
    /// limited range where it states none (as ffmpeg does); gray counts as full range.
    case rgb24
    /// The decoder's own samples, bit for bit: the planes of the stream's pixel format one after the other.
    case native
  }

  /// How colours are scaled; only where the size differs from the stream's. Gray samples are always taken from the
  /// nearest place, so that no value appears that was not recorded.
  public enum Scaling: Sendable, Equatable {
    /// The nearest sample: makes no new values.
    case nearest
    /// A triangle filter, widened when shrinking.
    case bilinear
    /// The mean of the covered samples when shrinking.
    case area
  }

  /// The samples of a frame.
  public var format: Format
  /// Width in pixels; nil for the stream's.
  public var width: Int?
  /// Height in pixels; nil for the stream's.
  public var height: Int?
  /// How colours are scaled.
  public var scaling: Scaling
  /// Whether colours are three planes (3, height, width) instead.
  public var isPlanar: Bool
  /// The size of the part of each picture that is wanted, taken before scaling; nil for the whole. Where it lies is said with
  /// each frame.
  public var crop: Size?

  /// A size in pixels.
  public struct Size: Sendable, Equatable {
    /// Columns.
    public var width: Int
    /// Rows.
    public var height: Int
    /// A size.
    public init(width: Int, height: Int) { (self.width, self.height) = (width, height) }
  }

  /// Where the part of a picture lies, and whether it is mirrored left to right afterwards.
  public struct Place: Sendable, Equatable {
    /// Columns to its left.
    public var left = 0
    /// Rows above it.
    public var top = 0
    /// Whether it is mirrored.
    public var isMirrored = false
    /// A place.
    public init(left: Int = 0, top: Int = 0, isMirrored: Bool = false) {
      (self.left, self.top, self.isMirrored) = (left, top, isMirrored)
    }
  }

  /// An output in `format`, scaled to `width` × `height` where they are given.
  public init(
    _ format: Format, width: Int? = nil, height: Int? = nil, scaling: Scaling = .bilinear,
    isPlanar: Bool = false, crop: Size? = nil
  ) {
    (self.format, self.width, self.height, self.scaling) = (format, width, height, scaling)
    (self.isPlanar, self.crop) = (isPlanar, crop)
  }
}
