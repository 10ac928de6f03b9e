import TrajpackFormat
import TrajpackStore

/// Which part of the pictures a window takes, and whether it is mirrored; the same for all of its videos.
struct FrameDraw: Sendable {
  /// How far along what a crop leaves over its left and top edge lie, in [0, 1).
  var x: Double
  var y: Double
  var isMirrored: Bool

  /// The draw of a window, from (seed, epoch, dataset, window) alone, so that order, ranks and resuming change nothing.
  init(_ place: WindowOrder.Reference, epoch: UInt64, seed: UInt64, flip: Double) {
    let base = SplitMix64.seed(seed, 0x6372_6F70, epoch, UInt64(place.dataset), place.window)
    func unit(_ number: UInt64) -> Double {
      Double(SplitMix64.seed(base, number) >> 11) * 0x1p-53
    }
    (x, y) = (unit(1), unit(2))
    isMirrored = flip > 0 && unit(3) < flip
  }
}

/// How pictures of one stream are cut.
struct FrameCrop: Sendable {
  var width: Int
  var height: Int
  /// Where; drawn for each window where it is nil.
  var fixed: (left: Int, top: Int)?

  /// Of the option's numbers: [height, width], or [top, left, height, width].
  init?(_ numbers: [Int]?) {
    guard let numbers else { return nil }
    if numbers.count == 4 { fixed = (numbers[1], numbers[0]) }
    (height, width) = (numbers[numbers.count - 2], numbers[numbers.count - 1])
  }

  /// The place in pictures of a size.
  func place(_ draw: FrameDraw, width full: Int, height tall: Int) -> (left: Int, top: Int) {
    if let fixed { return fixed }
    func place(_ share: Double, _ free: Int) -> Int { min(Int(share * Double(free + 1)), free) }
    return (place(draw.x, max(full - width, 0)), place(draw.y, max(tall - height, 0)))
  }
}

/// Where a point of a picture goes when the picture is cut, scaled and mirrored: x' = scale · x + shift, with pixel centres at
/// whole numbers.
struct PixelMap: Sendable, Equatable {
  var scaleX = 1.0
  var scaleY = 1.0
  var shiftX = 0.0
  var shiftY = 0.0

  /// The picture as it is.
  init() {}

  /// Of pictures that are cut and scaled, as `draw` says.
  init(_ geometry: PictureGeometry, _ draw: FrameDraw) {
    let crop = FrameCrop(geometry.crop)
    let (left, top) =
      crop?.place(draw, width: geometry.width, height: geometry.height) ?? (0, 0)
    scaleX = Double(geometry.outWidth) / Double(crop?.width ?? geometry.width)
    scaleY = Double(geometry.outHeight) / Double(crop?.height ?? geometry.height)
    shiftX = (0.5 - Double(left)) * scaleX - 0.5
    shiftY = (0.5 - Double(top)) * scaleY - 0.5
    if draw.isMirrored {
      scaleX = -scaleX
      shiftX = Double(geometry.outWidth) - 1 - shiftX
    }
  }
}

/// What becomes of a channel's values when pictures are cut, scaled or mirrored.
enum FrameFollowing: Sendable {
  /// Pixels of the frames of a channel of the layout.
  case pixels(of: Int, PixelForm)
  /// Multiplied where the window is mirrored, a factor for each of the last elements, over and over.
  case mirrored([Double])
}

/// How pixels stand in a channel.
enum PixelForm: Sendable {
  /// fx, fy, cx, cy.
  case four
  /// A 3 × 3 matrix, row-major.
  case matrix
  /// Pairs of x and y.
  case points
}

extension FrameFollowing {
  /// Changes the elements of a row.
  func apply(
    _ x: UnsafeMutablePointer<Double>, count: Int, _ map: PixelMap, isMirrored: Bool
  ) {
    switch self {
    case .mirrored(let factors):
      guard isMirrored else { return }
      for i in 0..<count { x[i] *= factors[i % factors.count] }
    case .pixels(_, let form):
      switch form {
      case .points:
        for i in stride(from: 0, to: count - 1, by: 2) {
          x[i] = map.scaleX * x[i] + map.shiftX
          x[i + 1] = map.scaleY * x[i + 1] + map.shiftY
        }
      case .four:
        // A mirrored picture is that of a mirrored world, which a camera of positive focal length has taken.
        x[0] *= abs(map.scaleX)
        x[1] *= map.scaleY
        x[2] = map.scaleX * x[2] + map.shiftX
        x[3] = map.scaleY * x[3] + map.shiftY
      case .matrix:
        x[0] *= abs(map.scaleX)
        x[1] *= map.scaleX
        x[2] = map.scaleX * x[2] + map.shiftX
        x[4] *= map.scaleY
        x[5] = map.scaleY * x[5] + map.shiftY
      }
    }
  }
}

extension FrameSetup {
  /// The draw of a window of a plan.
  func draw(_ window: Int, _ plan: BatchPlan) -> FrameDraw {
    FrameDraw(plan.places[window], epoch: plan.epoch, seed: seed, flip: flip)
  }

  /// Where the pictures of a video are cut for a window.
  func place(_ channel: Int, _ draw: FrameDraw, _ facts: VideoFacts) -> (left: Int, top: Int) {
    (crops[channel] ?? nil)?.place(draw, width: facts.width, height: facts.height) ?? (0, 0)
  }
}

extension Planner {
  /// Notes what becomes of pixels in a window; where the recording has no such video, nothing.
  func geometry(
    _ window: WindowContext, _ plan: BatchPlan
  ) throws(TrajpackError) {
    guard let setup = setup.frames, setup.follows, let frameSource else { return }
    let draw = setup.draw(window.number, plan)
    plan.mirrored[window.number] = draw.isMirrored
    for (number, channel) in setup.followed.enumerated() {
      let at = window.number * setup.followed.count + number
      if let picture = self.setup.layout.channels[channel].picture {
        plan.pixelMaps[at] = PixelMap(picture.geometry, draw)
        continue
      }
      let stream = window.shard.programs.streams[self.setup.layout.channels[channel].group]
      let track = window.shard.index.tracks(ofEpisode: window.reference.episode).first {
        let numbers = window.shard.numbers(ofTrack: $0)
        return numbers.stream == stream && numbers.count > 0
      }
      guard stream >= 0, let track, var geometry = setup.geometries[channel] else { continue }
      let facts = try frameSource.video(
        window.shard.shard, VideoKey(shard: window.shard.number, track: track),
        media: setup.media[window.shard.number]
      ).facts
      (geometry.width, geometry.height) = (facts.width, facts.height)
      plan.pixelMaps[at] = PixelMap(geometry, draw)
    }
  }
}
