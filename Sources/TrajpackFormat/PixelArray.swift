/// How the pixels of a row lie, of a channel that is a picture.
package struct PixelArray: Sendable, Equatable {
  package var height: Int
  package var width: Int
  /// Samples of a pixel.
  package var planes: Int
  /// Whether the first axis counts planes; else the last one does, or there is one plane.
  package var isPlanar: Bool

  /// The most samples that a pixel of a picture has.
  private static let maximumPlanes = 4

  /// Of rows of shape [height, width], [height, width, planes] or [planes, height, width] with 1 to 4 planes, which count as
  /// the last axis where both could be; `nil` where it is none of these, or longer than 32,768 pixels.
  package init?(shape: [Int]) {
    switch shape.count {
    case 2: (height, width, planes, isPlanar) = (shape[0], shape[1], 1, false)
    case 3 where (1...Self.maximumPlanes).contains(shape[2]):
      (height, width, planes, isPlanar) = (shape[0], shape[1], shape[2], false)
    case 3 where (1...Self.maximumPlanes).contains(shape[0]):
      (planes, height, width, isPlanar) = (shape[0], shape[1], shape[2], true)
    default: return nil
    }
    let limit = 1...1 << 15
    guard limit.contains(height), limit.contains(width) else { return nil }
  }
}

extension Channel {
  /// How the pixels of a row lie, of a channel of kind `image` or `depth` that has rows of such a shape.
  package var pixels: PixelArray? {
    (kind == .image || kind == .depth) && type != .bytes ? PixelArray(shape: shape) : nil
  }
}
