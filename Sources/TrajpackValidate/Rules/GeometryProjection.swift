import TrajpackFormat

extension Rule {
  static let geometryProjection = Rule(
    "geometry.projection", .warning,
    "skeletons are outside the picture, and inside by another convention",
    reason: """
      Camera-to-world taken for world-to-camera, or OpenGL's axes for OpenCV's, put every point behind the camera or beside the \
      picture: what is rendered, projected or learned from it has nothing to do with the video.
      """,
    example: """
      A pose that says camera-to-world, by which 0 % of the joints lie in the picture, and by world-to-camera 94 %. Joints of all \
      episodes are taken together, at 16 moments of each: reported where less than 30 % of at least 256 joints are in the picture by what the data says, \
      and 80 % or more by another convention (pose, axes, order of the quaternion), which is named. Pixels of pictures are not looked at. The \
      size of the picture is that of the only video, or twice the principal point. Cameras that leave a convention open are not looked at.
      """,
    remedy:
      "Write the convention that the finding names, or convert the poses to the one that is written.",
    check: .dataset { ProjectionCheck() })
}

/// How many joints lie in the picture by each convention; of the whole dataset.
struct SceneTally: Sendable {
  var stream: String
  var channel: String
  var said: CameraConvention
  var joints = 0
  /// In the order of ``CameraConvention/all(isQuaternion:)``.
  var inside: [Int]
  var isQuaternion: Bool

  /// The joints of an episode; `nil` where there is no camera or no skeleton.
  init?(_ about: EpisodeAbout, _ tracks: [TrackFacts]) {
    guard let camera = SceneCamera(about), tracks.indices.contains(camera.track) else { return nil }
    let size = IntrinsicsCheck.pictureSize(about)
    let stream = about.schema.streams[about.tracks[camera.track].stream]
    self.stream = stream.name
    channel = stream.channels[camera.rotation].name
    said = camera.convention
    isQuaternion = camera.isQuaternion
    let all = CameraConvention.all(isQuaternion: isQuaternion)
    inside = Array(repeating: 0, count: all.count)
    for pose in tracks[camera.track].poses {
      let k = pose.intrinsics
      let (width, height) = size ?? (2 * k.cx, 2 * k.cy)
      let turns = [true, false].map { Self.matrix(pose.rotation, isLast: $0) }
      let points = tracks.flatMap { $0.points.filter { $0.moment == pose.moment } }
        .flatMap(\.points)
      for point in points where point.x.isFinite && point.y.isFinite && point.z.isFinite {
        joints += 1
        for (number, convention) in all.enumerated() {
          guard let turn = convention.isLast ? turns[0] : turns[1] else { continue }
          var p = Self.seen(point, turn, pose.position, isToWorld: convention.isToWorld)
          if convention.isOpenGL { (p.y, p.z) = (-p.y, -p.z) }
          guard p.z > 0 else { continue }
          let (x, y) = (k.fx * p.x / p.z + k.cx, k.fy * p.y / p.z + k.cy)
          if x >= 0, x <= width, y >= 0, y <= height { inside[number] += 1 }
        }
      }
    }
    guard joints > 0 else { return nil }
  }

  /// A point in the camera's own axes.
  private static func seen(
    _ point: SIMD3<Double>, _ r: [Double], _ t: SIMD3<Double>, isToWorld: Bool
  ) -> SIMD3<Double> {
    if isToWorld {
      let d = point - t
      return SIMD3(
        r[0] * d.x + r[3] * d.y + r[6] * d.z, r[1] * d.x + r[4] * d.y + r[7] * d.z,
        r[2] * d.x + r[5] * d.y + r[8] * d.z)
    }
    return SIMD3(
      r[0] * point.x + r[1] * point.y + r[2] * point.z,
      r[3] * point.x + r[4] * point.y + r[5] * point.z,
      r[6] * point.x + r[7] * point.y + r[8] * point.z) + t
  }

  /// Nine numbers, row by row, of a stored rotation; `nil` where it is none.
  static func matrix(_ stored: [Double], isLast: Bool) -> [Double]? {
    guard stored.allSatisfy(\.isFinite) else { return nil }
    guard stored.count == 4 else { return stored }
    let norm = stored.reduce(0) { $0 + $1 * $1 }.squareRoot()
    guard norm > 0.5 else { return nil }
    let q = stored.map { $0 / norm }
    let (x, y, z, w) = isLast ? (q[0], q[1], q[2], q[3]) : (q[1], q[2], q[3], q[0])
    return [
      1 - 2 * (y * y + z * z), 2 * (x * y - z * w), 2 * (x * z + y * w),
      2 * (x * y + z * w), 1 - 2 * (x * x + z * z), 2 * (y * z - x * w),
      2 * (x * z - y * w), 2 * (y * z + x * w), 1 - 2 * (x * x + y * y),
    ]
  }
}

private final class ProjectionCheck: DatasetCheck {
  private struct Known {
    var tally: SceneTally
    var episodes: Int
    var place: Place
  }
  private var known: [Known] = []
  /// Cameras of a dataset; more are no cameras.
  private static let most = 64

  func add(_ episode: EpisodeFacts) {
    guard let tally = episode.scene else { return }
    guard
      let at = known.firstIndex(where: {
        $0.tally.stream == tally.stream && $0.tally.channel == tally.channel
          && $0.tally.said == tally.said && $0.tally.isQuaternion == tally.isQuaternion
      })
    else {
      if known.count < Self.most {
        known.append(Known(tally: tally, episodes: 1, place: episode.place()))
      }
      return
    }
    known[at].episodes += 1
    known[at].tally.joints += tally.joints
    for i in tally.inside.indices { known[at].tally.inside[i] += tally.inside[i] }
  }

  func finish(_ hits: inout DatasetHits) {
    for item in known where item.tally.joints >= 256 {
      let tally = item.tally
      let all = CameraConvention.all(isQuaternion: tally.isQuaternion)
      guard let said = all.firstIndex(of: tally.said),
        Double(tally.inside[said]) < 0.3 * Double(tally.joints),
        let most = tally.inside.max(), Double(most) >= 0.8 * Double(tally.joints)
      else { continue }
      // Of those that do nearly as well, the one that asks for the fewest changes.
      let good = all.indices.filter { Double(tally.inside[$0]) >= 0.98 * Double(most) }
      guard
        let best = good.min(by: {
          (all[$0].distance(to: tally.said), -tally.inside[$0])
            < (all[$1].distance(to: tally.said), -tally.inside[$1])
        })
      else { continue }
      func share(_ number: Int) -> String {
        "\(Int((100 * Double(tally.inside[number]) / Double(tally.joints)).rounded())) %"
      }
      var place = item.place
      place.note =
        "\(share(said)) of \(tally.joints) joints are in the picture, \(share(best)) by "
        + all[best].words(unlike: tally.said)
      hits.add(
        "the pose looks like \(all[best].words(unlike: tally.said)), and says "
          + tally.said.words(unlike: all[best]),
        stream: tally.stream, channel: tally.channel, count: item.episodes, [place])
    }
  }
}
