/// A fraction of two integers, as containers state rates and time bases; 0/0 or x/0 is unknown.
public struct VideoRational: Sendable, Equatable, CustomStringConvertible {
  /// The numerator.
  public var num: Int32
  /// The denominator; 0 where the fraction is unknown.
  public var den: Int32

  /// The fraction `num / den`, not reduced.
  public init(_ num: Int32, _ den: Int32) {
    self.num = num
    self.den = den
  }

  /// Whether it is a positive number.
  public var isPositive: Bool { num > 0 && den > 0 }

  /// The fraction as `num/den`.
  public var description: String { "\(num)/\(den)" }
}

/// The facts of a video stream that a decoder or a reader of the archive needs.
public struct VideoStream: Sendable, Equatable {
  /// libavcodec's name: `h264`, `hevc`, `av1`, `ffv1`.
  public var codec = ""
  /// The container's four-character code, as a little-endian number; 0 where there is none.
  public var codecTag: UInt32 = 0
  /// The codec's own profile number, -99 where unknown.
  public var profile: Int32 = -99
  /// The codec's own level number, -99 where unknown.
  public var level: Int32 = -99
  /// Picture width in pixels, after cropping, before rotation.
  public var width: Int32 = 0
  /// Picture height in pixels, after cropping, before rotation.
  public var height: Int32 = 0
  /// libavutil's name of the decoded pixel format: `yuv420p`, `gray`, `gray12le`.
  public var pixelFormat = ""
  /// Bits of the first component; 0 where the pixel format is unknown.
  public var bitsPerComponent: Int32 = 0
  /// Bits a sample that the container states (raw video needs it); 0 where absent.
  public var bitsPerCodedSample: Int32 = 0
  /// libavutil's name: `tv`, `pc`, `unknown`.
  public var colorRange = "unknown"
  /// libavutil's name of the matrix: `bt709`, `smpte170m`, `unknown`.
  public var colorSpace = "unknown"
  /// Seconds a tick of pts, dts and duration.
  public var timeBase = VideoRational(0, 0)
  /// The average frame rate that the container states or libavformat estimated, in Hz.
  public var averageFrameRate = VideoRational(0, 0)
  /// libavformat's guess of the base frame rate, in Hz.
  public var baseFrameRate = VideoRational(0, 0)
  /// First pts in ticks, `Int64.min` where unknown.
  public var startTime = Int64.min
  /// Degrees to turn the picture clockwise for display, in [0, 360); nil without a display
  /// matrix. Decoding does not apply it.
  public var rotation: Double?
  /// The codec's parameter sets as the container holds them.
  public var extradata: [UInt8] = []

  /// A stream with nothing known.
  public init() {}
}

/// A stream of the file beside the indexed one: it stays in the file, which is kept verbatim.
public struct VideoOtherStream: Sendable, Equatable {
  /// Its number in the container, from 0.
  public var number: Int
  /// libavutil's name: `audio`, `subtitle`, `data`, `attachment`, `video`.
  public var kind: String
  /// libavcodec's name.
  public var codec: String

  /// A stream by its number, kind and codec.
  public init(number: Int, kind: String, codec: String) {
    self.number = number
    self.kind = kind
    self.codec = codec
  }
}

extension VideoStream {
  /// The pixel format and the range of colours: the formats of full range that libavutil calls `yuvj420p` and so on are
  /// `yuv420p` of the range `pc`, with the same samples.
  package var formatWithoutRange: (pixelFormat: String, colorRange: String) {
    pixelFormat.hasPrefix("yuvj")
      ? ("yuv" + pixelFormat.dropFirst(4), "pc") : (pixelFormat, colorRange)
  }
}
