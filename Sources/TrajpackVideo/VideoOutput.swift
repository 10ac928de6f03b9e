/// What decoded frames are written as. Rows lie one after the other with no padding.
public struct VideoOutput: Sendable, Equatable {
  /// The samples of a frame.
  public enum Format: Sendable, Equatable {
    /// (height, width) uint8, brightness 0...255. An 8-bit gray video is copied as it is; other
    /// formats are converted to full range.
    case gray8
    /// (height, width, 3) uint8. The matrix is the one the stream states, BT.601 where it states
    /// none (as ffmpeg does).
    case rgb24
    /// The decoder's own samples, bit for bit: the planes of the stream's pixel format one after
    /// the other (gray: (height, width) uint8; gray10le to gray16le: uint16).
    case native
  }

  /// How pictures are scaled; only where the size differs from the stream's.
  public enum Scaling: Sendable, Equatable {
    /// The nearest sample: makes no new values, so the one for depth and labels.
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
  /// How pictures are scaled.
  public var scaling: Scaling

  /// An output in `format`, scaled to `width` × `height` where they are given.
  public init(
    _ format: Format, width: Int? = nil, height: Int? = nil, scaling: Scaling = .bilinear
  ) {
    (self.format, self.width, self.height, self.scaling) = (format, width, height, scaling)
  }
}
