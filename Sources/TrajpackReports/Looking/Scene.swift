import TrajpackFormat
import TrajpackLoader
import TrajpackSignal
import TrajpackStore

/// What a camera of a recording saw: which pictures, by which camera, and which skeletons it shows.
///
/// Only what the archive says is used. Where the camera's conventions are unknown there are no skeletons, and
/// ``silence`` says why.
struct Scene: Sendable {
  /// A video of the episode, or a channel of it whose rows are arrays of pixels.
  struct Video: Sendable {
    /// Its stream: `rgb`, `depth`; with the channel where the stream has others.
    var name: String
    /// Its track, by its number in the dataset.
    var track: Int
    /// The channel of an array of pixels; `nil` for a video.
    var channel: Int?
    /// Frames.
    var frames: Int
    /// Pixels of a frame, as recorded.
    var width: Int
    var height: Int
    /// Whether its samples are distances or a function of them.
    var isDepth: Bool
    /// When frame 0 is, and frames a unit of time; nil where times are explicit.
    var clock: Clock
  }

  /// A skeleton's points over the rows of one track.
  struct Skeleton: Sendable {
    var entity: Entity?
    var bones: [[Int]]
    var joints: Int
    /// `[rows, joints, 3]`.
    var points: [Double]
    var clock: Clock
    var rows: Int
  }

  var videos: [Video] = []
  var skeletons: [Skeleton] = []
  /// The camera of each row of its track; nil where a row has none.
  var cameras: [PinholeCamera?] = []
  var cameraClock = Clock.float64
  /// Why no skeleton can be drawn; nil where some can, or there are none.
  var silence: String?

  /// The videos, and where `skeletons` the cameras and skeletons, of an episode of a shard.
  init(
    _ shard: Shard, episode: Int, firstTrack: Int, reader: BlockReader, skeletons wanted: Bool
  ) throws(TrajpackError) {
    let tracks = shard.index.episode(episode).tracks.map {
      (number: $0, track: TrackReader(shard, track: $0, reader: reader))
    }
    for (number, track) in tracks where track.stream.isVideo {
      guard let facts = try? JSONValue(parsing: track.track.metadata),
        let width = facts["width"]?.int, let height = facts["height"]?.int, width > 0, height > 0,
        width <= 1 << 15, height <= 1 << 15, track.count > 0
      else { continue }
      videos.append(
        Video(
          name: track.stream.name, track: firstTrack + number, frames: track.count, width: width,
          height: height, isDepth: Self.isDepth(track.stream), clock: track.track.clock))
    }
    for (number, track) in tracks
    where !track.stream.isVideo && track.track.entity == nil && track.count > 0 {
      for (channel, own) in track.stream.channels.enumerated() {
        guard let pixels = own.pixels, pixels.height >= Self.leastPixels,
          pixels.width >= Self.leastPixels
        else { continue }
        let isOnly = track.stream.channels.count == 1
        videos.append(
          Video(
            name: isOnly ? track.stream.name : "\(track.stream.name)/\(own.name)",
            track: firstTrack + number, channel: channel, frames: track.count,
            width: pixels.width, height: pixels.height, isDepth: own.kind == .depth,
            clock: track.track.clock))
      }
    }
    // Colour first.
    videos.sort { !$0.isDepth && $1.isDepth }
    guard wanted, tracks.contains(where: { $0.track.stream.skeleton != nil }) else { return }
    try readCamera(tracks.map(\.track))
    guard !cameras.isEmpty else { return }
    for (_, track) in tracks {
      guard let name = track.stream.skeleton, track.count > 0,
        let bones = shard.schema.skeleton(named: name)?.edges,
        let channel = track.stream.channels.firstIndex(where: {
          $0.kind == .position && $0.shape.count == 2 && $0.shape[1] == 3
        })
      else { continue }
      let joints = track.stream.channels[channel].shape[0]
      skeletons.append(
        Skeleton(
          entity: track.track.entity,
          bones: bones.filter { $0.count == 2 && $0.allSatisfy { (0..<joints).contains($0) } },
          joints: joints,
          points: try track.read(channel: channel, rows: 0..<track.count).doubles(),
          clock: track.track.clock, rows: track.count))
    }
  }

  /// The fewest rows and columns of an array that is shown as a picture.
  private static let leastPixels = 4

  private static func isDepth(_ stream: TrajpackFormat.Stream) -> Bool {
    stream.channels.contains { $0.kind == .depth }
      || stream.name.split(separator: "/").contains { $0.lowercased().hasPrefix("depth") }
  }

  /// The camera: a stream of the episode with intrinsics, a position and a rotation, all of one track.
  private mutating func readCamera(_ tracks: [TrackReader]) throws(TrajpackError) {
    func find(_ kind: Kind, _ shapes: [[Int]], in stream: TrajpackFormat.Stream) -> Int? {
      stream.channels.firstIndex { $0.kind == kind && shapes.contains($0.shape) }
    }
    for track in tracks where track.track.entity == nil {
      let stream = track.stream
      guard let k = find(.intrinsics, [[4]], in: stream),
        let place = find(.position, [[3]], in: stream),
        let turn = find(.quaternion, [[4]], in: stream), track.count > 0
      else { continue }
      let (intrinsics, rotation) = (stream.channels[k], stream.channels[turn])
      guard intrinsics.convention("order") == "fx fy cx cy" else {
        silence = "'\(stream.name)/\(intrinsics.name)' does not say that it is fx fy cx cy"
        continue
      }
      let order = rotation.convention("order")
      guard order == "xyzw" || order == "wxyz",
        let pose = rotation.convention("pose").flatMap({ CameraPose(rawValue: $0) }),
        let axes = CameraAxes.allCases.first(where: {
          $0.rawValue.lowercased() == rotation.convention("axes")?.lowercased()
        })
      else {
        silence = "'\(stream.name)/\(rotation.name)' does not say its order, pose and axes"
        continue
      }
      let values = try track.read(channels: [k, place, turn], rows: 0..<track.count)
      let (focal, centre, q) = (values[0].doubles(), values[1].doubles(), values[2].doubles())
      cameras = (0..<track.count).map { row in
        func four(_ x: [Double]) -> SIMD4<Double> {
          SIMD4(x[4 * row], x[4 * row + 1], x[4 * row + 2], x[4 * row + 3])
        }
        let turned = four(q)
        return PinholeCamera(
          intrinsics: four(focal),
          position: SIMD3(centre[3 * row], centre[3 * row + 1], centre[3 * row + 2]),
          quaternion: order == "xyzw" ? turned : SIMD4(turned.y, turned.z, turned.w, turned.x),
          pose: pose, axes: axes)
      }
      cameraClock = track.track.clock
      silence = nil
      return
    }
    if silence == nil {
      silence = "no stream has a camera: intrinsics, a position and a rotation"
    }
  }

  /// The bones of every skeleton that is there at a frame of a video, in its pixels, by entity.
  func bones(
    _ video: Video, frame: Int
  ) -> [(entity: Entity?, lines: [(from: SIMD2<Double>, to: SIMD2<Double>)])] {
    guard let time = video.clock.time(ofRow: frame),
      let row = cameraClock.row(nearest: time, of: cameras.count), let camera = cameras[row]
    else { return [] }
    return skeletons.compactMap { skeleton in
      guard let row = skeleton.clock.row(nearest: time, of: skeleton.rows) else { return nil }
      func point(_ joint: Int) -> SIMD3<Double> {
        let at = 3 * (row * skeleton.joints + joint)
        return SIMD3(skeleton.points[at], skeleton.points[at + 1], skeleton.points[at + 2])
      }
      let lines = skeleton.bones.compactMap { camera.bone(point($0[0]), point($0[1])) }
      return lines.isEmpty ? nil : (skeleton.entity, lines)
    }
  }
}
