import CPlatform
import TrajpackFormat
import TrajpackStore

/// How large pictures are, which part of them is taken, and how large that becomes.
struct PictureGeometry: Sendable, Equatable {
  var width: Int
  var height: Int
  /// [height, width], or [top, left, height, width]; `nil` for all of it.
  var crop: [Int]?
  var outWidth: Int
  var outHeight: Int

  /// Whether pixels lie elsewhere in what is given out.
  var isChanged: Bool { crop != nil || outWidth != width || outHeight != height }
}

/// A channel whose rows are arrays of pixels, [height, width], [height, width, planes] or [planes, height, width], and what is
/// given out of them: a part, scaled, in another layout, mirrored.
struct PictureRows: Sendable {
  let geometry: PictureGeometry
  /// The shape of a row of the batch.
  let shape: [Int]
  /// Whether rows are given out otherwise than they are stored.
  let isConverted: Bool
  private let stored: tp_picture
  private let given: tp_picture
  private let filters: (x: TriangleFilter, y: TriangleFilter)?

  /// `nil` where the channel is no picture.
  ///
  /// - Throws: A usage error where a crop does not lie inside of it.
  init?(_ stream: String, _ channel: Channel, _ options: LoaderOptions) throws(TrajpackError) {
    guard let pixels = Self.layout(stream, channel, options) else { return nil }
    let stored = Self.picture(pixels)
    let path = "\(stream)/\(channel.name)"
    let crop = options.crop.value(stream: stream, channel: channel.name)
    let size = options.size.value(stream: stream, channel: channel.name)
    let (height, width) = (stored.height, stored.width)
    var (tall, wide) = (height, width)
    if let cut = FrameCrop(crop) {
      let (top, left) = (cut.fixed?.top ?? 0, cut.fixed?.left ?? 0)
      guard top + cut.height <= height, left + cut.width <= width else {
        throw TrajpackError(
          .usage, option: "crop",
          "\(cut.width) × \(cut.height) pixels"
            + (cut.fixed == nil ? "" : " at left \(left), top \(top)")
            + " do not lie inside the pictures of '\(path)', which are \(width) × \(height)")
      }
      (tall, wide) = (cut.height, cut.width)
    }
    let (outHeight, outWidth) = size.map { ($0[0], $0[1]) } ?? (tall, wide)
    geometry = PictureGeometry(
      width: width, height: height, crop: crop, outWidth: outWidth, outHeight: outHeight)
    let layout = options.layout.value(stream: stream, channel: channel.name)
    let isPlanar: Bool =
      switch layout {
      case .TCHW?: true
      case .THWC?: false
      case nil: pixels.isPlanar
      }
    var out = pixels
    (out.height, out.width, out.isPlanar) = (outHeight, outWidth, isPlanar)
    self.stored = stored
    given = Self.picture(out)
    if channel.shape.count == 2 {
      shape = [outHeight, outWidth]
    } else {
      shape =
        isPlanar
        ? [stored.channels, outHeight, outWidth] : [outHeight, outWidth, stored.channels]
    }
    isConverted = geometry.isChanged || out != pixels || options.flip > 0
    let isScaled = outWidth != wide || outHeight != tall
    filters =
      isScaled && pixels.planes >= 3 && channel.kind == .image && Self.code(channel.type) != nil
      ? (TriangleFilter(wide, outWidth), TriangleFilter(tall, outHeight)) : nil
  }

  /// Where samples lie.
  private static func picture(_ pixels: PixelArray) -> tp_picture {
    let (height, width, planes) = (pixels.height, pixels.width, pixels.planes)
    return tp_picture(
      height: height, width: width, channels: planes, row: pixels.isPlanar ? width : width * planes,
      pixel: pixels.isPlanar ? 1 : planes, plane: pixels.isPlanar ? height * width : 1)
  }

  /// How the pixels of a channel lie; `nil` where it is no picture: its kind is another and no option names it, or its shape is.
  static func layout(
    _ stream: String, _ channel: Channel, _ options: LoaderOptions
  ) -> PixelArray? {
    if let pixels = channel.pixels { return pixels }
    guard channel.type != .bytes, channel.kind != .image, channel.kind != .depth,
      options.namesPicture(stream, channel)
    else { return nil }
    return PixelArray(shape: channel.shape)
  }

  /// Bytes of memory that ``write(_:of:_:into:middle:)`` works in.
  func room(_ type: ElementType) -> Int {
    guard filters != nil, let element = Self.code(type) else { return 0 }
    var (part, given) = (part, given)
    return tp_picture_triangle_room(&part, &given, Int32(element))
  }

  /// The types of colours that are mixed when they are scaled; of others the nearest is taken.
  private static func code(_ type: ElementType) -> Int? {
    switch type {
    case .uint8: TP_PICTURE_U8
    case .uint16: TP_PICTURE_U16
    case .float32: TP_PICTURE_F32
    case .float64: TP_PICTURE_F64
    default: nil
    }
  }

  /// The stored picture, as large as the part that is taken.
  private var part: tp_picture {
    var part = stored
    if let cut = FrameCrop(geometry.crop) { (part.width, part.height) = (cut.width, cut.height) }
    return part
  }

  /// Writes what is given out of a stored row: as many elements as ``shape`` has, of the same type.
  func write(
    _ row: UnsafeRawPointer, of type: ElementType, _ draw: FrameDraw,
    into out: UnsafeMutableRawPointer, middle: UnsafeMutableRawPointer
  ) {
    let at =
      FrameCrop(geometry.crop)?.place(draw, width: geometry.width, height: geometry.height) ?? (
        0, 0
      )
    var (part, given) = (part, given)
    let first = row + (at.1 * stored.row + at.0 * stored.pixel) * type.size
    let mirrored: Int32 = draw.isMirrored ? 1 : 0
    guard let filters, let element = Self.code(type) else {
      tp_picture_nearest(first, &part, out, &given, Int32(type.size), mirrored)
      return
    }
    filters.x.withWeights { x in
      filters.y.withWeights { y in
        tp_picture_triangle(first, &part, out, &given, x, y, Int32(element), mirrored, middle)
      }
    }
  }
}

/// The weights of a triangle filter between two lengths.
private final class TriangleFilter: Sendable {
  private let first: [Int]
  private let count: [Int]
  private let weights: [Double]
  private let fixed: [Int32]
  private let taps: Int

  init(_ length: Int, _ out: Int) {
    taps = tp_triangle_taps(length, out)
    var first = [Int](repeating: 0, count: out)
    var count = first
    var weights = [Double](repeating: 0, count: out * taps)
    var fixed = [Int32](repeating: 0, count: out * taps)
    tp_triangle_weights(length, out, &first, &count, &weights, &fixed)
    (self.first, self.count, self.weights, self.fixed) = (first, count, weights, fixed)
  }

  func withWeights(_ body: (UnsafePointer<tp_triangle>) -> Void) {
    first.withUnsafeBufferPointer { first in
      count.withUnsafeBufferPointer { count in
        weights.withUnsafeBufferPointer { weights in
          fixed.withUnsafeBufferPointer { fixed in
            var filter = tp_triangle(
              first: first.baseAddress, count: count.baseAddress, taps: taps,
              weights: weights.baseAddress, fixed: fixed.baseAddress)
            body(&filter)
          }
        }
      }
    }
  }
}

extension LoaderOptions {
  /// Whether an option names a channel whose kind is another than image and depth as a picture.
  func namesPicture(_ stream: String, _ channel: Channel) -> Bool {
    let path = "\(stream)/\(channel.name)"
    return [size.rules.map(\.pattern), crop.rules.map(\.pattern), layout.rules.map(\.pattern)]
      .contains { $0.contains { $0.text == path } }
  }
}
