import TrajpackFormat
import TrajpackLoader
import TrajpackStore

/// An episode as pictures over time: what its cameras saw with the skeletons in it, depth beside, and under them the
/// entities and the state with a mark at the moment.
public struct EpisodeFilm {
  /// What is wanted.
  public struct Options: Sendable {
    /// Pixels across.
    public var width = 1280
    /// The moments that are drawn, of all; all where `nil`.
    public var frames: Range<Int>?
    /// Every so many of them.
    public var step = 1
    /// Names for actions.
    public var names: @Sendable (String) -> String? = { _ in nil }

    /// The defaults.
    public init() {}
  }

  /// Pixels of a picture.
  public let width: Int
  /// Pixels of a picture.
  public let height: Int
  /// The moments that are drawn: frames of the first video, or rows, or even steps through them.
  public let moments: [Int]
  /// Moments a second, as recorded; 30 where time has no seconds.
  public let rate: Double
  /// Every so many moments are drawn.
  public var step: Int { max(options.step, 1) }
  /// The videos that it has no room for.
  public let leftOut: [String]
  /// Why there are no skeletons, where the recording has some.
  public var silence: String? { scene.silence }

  private let data: OpenDataset
  private let scene: Scene
  private let panels: [FilmPanel]
  private let board: FilmBoard
  private let base: Raster
  private let options: Options
  private let colours: EntityColours
  /// Moments that the episode has.
  private let count: Int

  /// The most videos that a film shows.
  private static let mostPanels = 6
  /// The most moments of an episode without video.
  private static let mostMoments = 300

  /// Lays out the film of an episode.
  ///
  /// - Throws: A usage error where there is no such moment; a data error where the episode is damaged.
  public init(
    _ data: OpenDataset, episode number: Int, _ options: Options
  ) throws(TrajpackError) {
    (self.data, self.options) = (data, options)
    let (shard, local, first) = try data.episode(number)
    let summary = try DatasetSummary(data.dataset)
    var kinds: [String] = []
    for shard in data.shards { kinds += shard.schema.entityKinds.filter { !kinds.contains($0) } }
    colours = EntityColours(kinds)
    scene = try Scene(
      shard, episode: local, firstTrack: first, reader: BlockReader(shard), skeletons: true)
    var budget = PageBudget.film
    budget.bins = max(options.width / 2, 64)
    let sketch = try EpisodeSketch(
      data, number, PagePlan(summary, budget), colours: colours, folder: nil)
    let videos = Array(scene.videos.prefix(Self.mostPanels))
    leftOut = scene.videos.dropFirst(Self.mostPanels).map(\.name)
    let all: Int
    if let video = videos.first {
      all = video.frames
      rate = video.clock.rate?.value ?? 30
    } else {
      all = min(sketch.rows, Self.mostMoments)
      rate = 30
    }
    let range = options.frames ?? 0..<all
    guard range.lowerBound >= 0, range.upperBound <= all, !range.isEmpty else {
      throw TrajpackError(
        .usage,
        "episode '\(sketch.id)' has the frames 0 to \(all - 1), not \(range.lowerBound) to \(range.upperBound - 1)"
      )
    }
    count = all
    moments = Array(stride(from: range.lowerBound, to: range.upperBound, by: max(options.step, 1)))
    let wide = max(options.width / 2 * 2, 320)
    let gap = 12.0
    let top = 46.0
    // Up to three in a row, four in two rows of two.
    let columns = videos.count <= 3 ? videos.count : (videos.count + 1) / 2
    let each =
      videos.isEmpty ? 0 : (Double(wide) - gap * Double(columns + 1)) / Double(columns)
    var panels: [FilmPanel] = []
    var y = top
    for (n, video) in videos.enumerated() {
      if n == columns {
        y = (panels.map { $0.y + $0.height }.max().map { Double($0) } ?? top) + gap
      }
      let w = max(Int(min(each, Double(video.width) * 2)) / 2 * 2, 2)
      let h = max(w * video.height / video.width / 2 * 2, 2)
      // In the middle of its part.
      let x = gap + (each + gap) * Double(n % columns) + (each - Double(w)) / 2
      panels.append(
        try FilmPanel(data, video, x: Int(x), y: Int(y), width: w, height: h))
    }
    self.panels = panels
    let under = panels.map { $0.y + $0.height }.max().map { Double($0) + gap } ?? top
    board = FilmBoard(
      sketch, plots: PagePlan(summary, budget).plots, left: wide < 800 ? 120 : 176,
      right: Double(wide) - 76,
      top: under, hasPath: videos.isEmpty)
    width = wide
    height = (Int(board.bottom.rounded(.up)) + 1) / 2 * 2
    var raster = Raster(width: width, height: height, FilmColours.night)
    raster.text(sketch.id.printable, gap, 23, size: 14, FilmColours.ink, within: Double(wide) * 0.5)
    board.draw(into: &raster)
    base = raster
  }

  /// Draws the moments in turn; `each` has three bytes a pixel.
  ///
  /// - Parameter goesOn: Asked before each; no more is drawn where it says no.
  public func draw(
    goesOn: () -> Bool = { true }, each: ([UInt8]) throws(TrajpackError) -> Void
  ) throws(TrajpackError) {
    let batch = 8
    for start in stride(from: 0, to: moments.count, by: batch) {
      let part = Array(moments[start..<min(start + batch, moments.count)])
      var pictures: [[[UInt8]]] = []
      let times = part.map { (number: $0, time: time($0)) }
      for panel in panels { pictures.append(try panel.pictures(times)) }
      for (n, moment) in part.enumerated() {
        guard goesOn() else { return }
        try each(picture(moment, pictures.map { $0[n] }))
      }
    }
  }

  /// Some of the moments, by their places among all.
  func samples(_ places: [Int]) throws(TrajpackError) -> [[UInt8]] {
    var out: [[UInt8]] = []
    for place in places {
      let moment = moments[place]
      var pictures: [[UInt8]] = []
      for panel in panels { pictures += try panel.pictures([(moment, time(moment))]) }
      out.append(picture(moment, pictures))
    }
    return out
  }

  /// One moment.
  private func picture(_ moment: Int, _ pictures: [[UInt8]]) -> [UInt8] {
    var raster = base
    let time = self.time(moment)
    for (panel, picture) in zip(panels, pictures) {
      raster.put(picture, width: panel.width, height: panel.height, x: panel.x, y: panel.y)
      if !panel.video.isDepth { drawSkeletons(panel, panel.frame(moment, at: time), time, &raster) }
      let label = panels.count > 1 || panel.video.isDepth ? panel.video.name : ""
      if !label.isEmpty {
        raster.fill(
          Double(panel.x) + 8, Double(panel.y) + 8, Raster.width(label, size: 9) + 14, 20,
          FilmColours.night, 0.72)
        raster.text(label, Double(panel.x) + 15, Double(panel.y) + 18, size: 9, FilmColours.ink)
      }
    }
    let what = panels.isEmpty ? "" : "frame \(moment)   "
    raster.text(
      "\(what)\(Self.stamp(time, board.unit))", Double(width) - 14, 23, size: 11, FilmColours.soft,
      .right)
    board.mark(time, on: &raster)
    return raster.pixels
  }

  private static func stamp(_ time: Double, _ unit: String) -> String {
    let rounded = (time * 1000).rounded() / 1000
    return "\(Number.text(rounded)) \(unit)"
  }

  private func time(_ moment: Int) -> Double {
    if let video = panels.first?.video, let time = video.clock.time(ofRow: moment) { return time }
    return board.from + (board.to - board.from) * Double(moment) / Double(max(count, 1))
  }

  private func drawSkeletons(
    _ panel: FilmPanel, _ frame: Int, _ time: Double, _ raster: inout Raster
  ) {
    let scale = Double(panel.width) / Double(panel.video.width)
    let origin = SIMD2(Double(panel.x), Double(panel.y))
    let (w, h) = (Double(panel.width), Double(panel.height))
    var inner = Raster(
      copying: raster, x: panel.x, y: panel.y, width: panel.width, height: panel.height)
    var labels: [(text: String, at: SIMD2<Double>, ink: Raster.Colour)] = []
    for (entity, lines) in scene.bones(panel.video, frame: frame) {
      let ink = FilmColours.entity(entity.map { colours[$0] } ?? EntityColours.none)
      let isThing = entity?.kind == "weapon"
      for bone in lines {
        inner.line(bone.from * scale, bone.to * scale, SIMD3(0, 0, 0), width: isThing ? 4 : 5, 0.5)
      }
      for bone in lines {
        inner.line(bone.from * scale, bone.to * scale, ink, width: isThing ? 1.8 : 2.6)
      }
      guard !isThing else { continue }
      let ends = lines.flatMap { [$0.from * scale, $0.to * scale] }.filter {
        $0.x >= 0 && $0.y >= 0 && $0.x < w && $0.y < h
      }
      for end in ends { inner.line(end, end, SIMD3(255, 255, 255), width: 3) }
      guard let entity, let highest = ends.min(by: { $0.y < $1.y }) else { continue }
      let action = board.action(of: entity, at: time).map { options.names($0) ?? $0 }
      labels.append(
        ("\(entity.kind) \(entity.index)" + (action.map { "  \($0)" } ?? ""), highest, ink))
    }
    // Labels that would lie on each other are moved up.
    var taken: [(left: Double, right: Double, y: Double)] = []
    for label in labels.sorted(by: { $0.at.y > $1.at.y }) {
      let length = Raster.width(label.text.printable, size: 8) + 10
      let left = min(max(label.at.x - length / 2, 2), max(w - length - 2, 2))
      var y = min(max(label.at.y - 16, 12), h - 12)
      while y > 12,
        taken.contains(where: { $0.left < left + length && left < $0.right && abs($0.y - y) < 18 })
      {
        y -= 4
      }
      taken.append((left, left + length, y))
      inner.fill(left, y - 9, length, 18, FilmColours.night, 0.7)
      inner.text(label.text.printable, left + 5, y, size: 8, label.ink)
    }
    raster.put(
      inner.pixels, width: panel.width, height: panel.height, x: Int(origin.x), y: Int(origin.y))
  }
}

/// A video of a film, and where it stands.
struct FilmPanel {
  let video: Scene.Video
  let x: Int
  let y: Int
  let width: Int
  let height: Int
  private let frames: ScenePictures
  private let ramp: DepthRamp?

  init(
    _ data: OpenDataset, _ video: Scene.Video, x: Int, y: Int, width: Int, height: Int
  ) throws(TrajpackError) {
    (self.video, self.x, self.y, self.width, self.height) = (video, x, y, width, height)
    frames = try ScenePictures(data, video, width: width, height: height)
    // One ramp for all frames, or brightness would jump.
    ramp =
      frames.isGray
      ? DepthRamp(try frames.values(ScenePictures.spread(6, of: video.frames))) : nil
  }

  /// The frame of a moment: the nearest in time, or the same number where times are explicit; the last one of a video that has
  /// ended.
  func frame(_ moment: Int, at time: Double) -> Int {
    guard let place = video.clock.place(of: time)?.rounded() else {
      return min(moment, video.frames - 1)
    }
    return place.isFinite ? Int(min(max(place, 0), Double(video.frames - 1))) : 0
  }

  /// Three bytes a pixel of each moment.
  func pictures(_ moments: [(number: Int, time: Double)]) throws(TrajpackError) -> [[UInt8]] {
    let found = try frames.values(moments.map { frame($0.number, at: $0.time) })
    let count = width * height
    return moments.indices.map { n in
      guard let ramp else {
        return found[3 * n * count..<3 * (n + 1) * count].map { UInt8($0) }
      }
      var out = [UInt8](repeating: 0, count: 3 * count)
      for (k, value) in found[n * count..<(n + 1) * count].enumerated() {
        let colour = video.isDepth ? ramp.colour(value) : SIMD3(repeating: ramp.gray(value))
        (out[3 * k], out[3 * k + 1], out[3 * k + 2]) = (colour.x, colour.y, colour.z)
      }
      return out
    }
  }
}

/// The colours of films.
enum FilmColours {
  static let night = Raster.Colour(13, 17, 23)
  static let panel = Raster.Colour(24, 31, 43)
  static let rule = Raster.Colour(44, 54, 70)
  static let ink = Raster.Colour(228, 233, 240)
  static let soft = Raster.Colour(138, 151, 169)
  static let parts = [
    Raster.Colour(127, 180, 245), Raster.Colour(255, 158, 100), Raster.Colour(115, 218, 165),
    Raster.Colour(201, 160, 240),
  ]
  private static let entities = [
    Raster.Colour(76, 201, 240), Raster.Colour(249, 199, 79), Raster.Colour(144, 224, 164),
    Raster.Colour(199, 160, 255), Raster.Colour(255, 107, 107), Raster.Colour(255, 159, 110),
    Raster.Colour(236, 242, 250), Raster.Colour(94, 234, 212), Raster.Colour(244, 143, 177),
    Raster.Colour(197, 224, 99),
  ]

  static func entity(_ number: Int) -> Raster.Colour {
    entities.indices.contains(number) ? entities[number] : Raster.Colour(157, 184, 232)
  }
}
