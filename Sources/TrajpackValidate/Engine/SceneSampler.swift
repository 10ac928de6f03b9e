import TrajpackFormat

/// A camera at a moment.
struct ScenePose: Sendable {
  /// The number of the moment, among those that are kept.
  var moment: Int
  /// Focal lengths and principal point, in pixels.
  var intrinsics: (fx: Double, fy: Double, cx: Double, cy: Double)
  var position: SIMD3<Double>
  /// The rotation as it is stored: three rows of a matrix, or four numbers.
  var rotation: [Double]
}

/// Joints of a skeleton at a moment.
struct ScenePoints: Sendable {
  var moment: Int
  var points: [SIMD3<Double>]
}

/// The camera of an episode: a track of it that has intrinsics and a pose whose conventions are known.
struct SceneCamera: Sendable {
  var track: Int
  var clock: Clock
  var rows: Int
  var intrinsics: (channel: Int, elements: [Int])
  /// The channel of a matrix, or of a quaternion.
  var rotation: Int
  /// The channel of the position; `nil` where the matrix has it.
  var position: Int?
  var isQuaternion: Bool
  /// What the data says.
  var convention: CameraConvention

  /// Moments that are kept of an episode.
  static let moments = 16

  /// The first such track; `nil` where there is none.
  init?(_ about: EpisodeAbout) {
    for (number, track) in about.tracks.enumerated() where track.entity == nil && track.count > 0 {
      let channels = about.schema.streams[track.stream].channels
      guard case .regular = track.clock,
        let k = channels.firstIndex(where: {
          $0.kind == .intrinsics
            && ($0.shape == [3, 3] || ($0.shape == [4] && $0.convention("order") == "fx fy cx cy"))
        })
      else { continue }
      let elements = channels[k].shape == [4] ? [0, 1, 2, 3] : [0, 4, 2, 5]
      for (at, channel) in channels.enumerated() {
        guard let convention = CameraConvention(channel) else { continue }
        let isMatrix = channel.kind == .matrix
        let position = channels.firstIndex { $0.kind == .position && $0.shape == [3] }
        guard isMatrix || position != nil else { continue }
        self.track = number
        (clock, rows) = (track.clock, track.count)
        intrinsics = (k, elements)
        rotation = at
        self.position = isMatrix ? nil : position
        isQuaternion = !isMatrix
        self.convention = convention
        return
      }
    }
    return nil
  }

  /// The rows of the camera that are kept.
  var kept: [Int] {
    let count = min(Self.moments, rows)
    return (0..<count).map { $0 * rows / count }
  }
}

/// How the numbers of a camera's pose are meant.
struct CameraConvention: Hashable, Sendable {
  var isToWorld: Bool
  var isOpenGL: Bool
  /// Whether w is the last of a quaternion's numbers.
  var isLast: Bool

  init(isToWorld: Bool, isOpenGL: Bool, isLast: Bool) {
    (self.isToWorld, self.isOpenGL, self.isLast) = (isToWorld, isOpenGL, isLast)
  }

  /// What a channel says; `nil` where it is no pose of a camera, or leaves something open.
  init?(_ channel: Channel) {
    guard let pose = channel.convention("pose")?.lowercased(),
      let axes = channel.convention("axes")?.lowercased(), axes == "opengl" || axes == "opencv",
      pose == "camera-to-world" || pose == "world-to-camera"
    else { return nil }
    isToWorld = pose == "camera-to-world"
    isOpenGL = axes == "opengl"
    switch channel.kind {
    case .matrix:
      guard channel.shape == [3, 4] || channel.shape == [4, 4] else { return nil }
      isLast = true
    case .quaternion:
      guard channel.shape == [4], let order = channel.convention("order"),
        order == "xyzw" || order == "wxyz"
      else { return nil }
      isLast = order == "xyzw"
    default: return nil
    }
  }

  /// All that there are; quaternions have two orders.
  static func all(isQuaternion: Bool) -> [CameraConvention] {
    var out: [CameraConvention] = []
    for isLast in isQuaternion ? [true, false] : [true] {
      for isToWorld in [true, false] {
        for isOpenGL in [true, false] {
          out.append(.init(isToWorld: isToWorld, isOpenGL: isOpenGL, isLast: isLast))
        }
      }
    }
    return out
  }

  /// In how many points it differs from another.
  func distance(to other: CameraConvention) -> Int {
    (isToWorld == other.isToWorld ? 0 : 1) + (isOpenGL == other.isOpenGL ? 0 : 1)
      + (isLast == other.isLast ? 0 : 1)
  }

  /// What it says otherwise than another, in words.
  func words(unlike other: CameraConvention) -> String {
    var words: [String] = []
    if isToWorld != other.isToWorld {
      words.append(isToWorld ? "camera-to-world" : "world-to-camera")
    }
    if isOpenGL != other.isOpenGL { words.append(isOpenGL ? "OpenGL axes" : "OpenCV axes") }
    if isLast != other.isLast { words.append(isLast ? "order xyzw" : "order wxyz") }
    return words.joined(separator: ", ")
  }
}

/// Keeps a camera, or joints of a skeleton, at some moments of an episode.
final class SceneSampler {
  private let track: TrackContext
  /// Rows that are kept, and the number of the moment of each.
  private let rows: [(row: Int, moment: Int)]
  private let camera: SceneCamera?
  private let joints: TrackContext.Columns?
  private var next = 0
  private(set) var poses: [ScenePose] = []
  private(set) var points: [ScenePoints] = []

  /// Joints that are kept of a skeleton.
  private static let mostJoints = 16

  init?(_ track: TrackContext) {
    guard let camera = SceneCamera(track.about) else { return nil }
    self.track = track
    if camera.track == track.number {
      self.camera = camera
      joints = nil
      rows = camera.kept.enumerated().map { ($1, $0) }
      return
    }
    guard track.stream.skeleton != nil, track.clock.isRegular,
      let joints = track.columns.first(where: {
        let channel = track.stream.channels[$0.channel]
        return channel.kind == .position && channel.shape.count == 2 && channel.shape[1] == 3
          && !$0.isField
      })
    else { return nil }
    self.camera = nil
    self.joints = joints
    rows = camera.kept.enumerated().compactMap { moment, row in
      let time = camera.clock.time(ofRow: row)
      return time.flatMap { track.clock.row(nearest: $0, of: track.rows) }.map { ($0, moment) }
    }
  }

  func add(_ run: TrackRun) {
    while next < rows.count, rows[next].row < run.first + run.count {
      let (row, moment) = (rows[next].row - run.first, rows[next].moment)
      next += 1
      guard row >= 0 else { continue }
      if let joints {
        let found = (0..<min(joints.count / 3, Self.mostJoints)).map { joint in
          SIMD3(
            run.column(joints, 3 * joint)[row], run.column(joints, 3 * joint + 1)[row],
            run.column(joints, 3 * joint + 2)[row])
        }
        points.append(ScenePoints(moment: moment, points: found))
      } else if let camera {
        take(camera, run, row, moment)
      }
    }
  }

  private func take(_ camera: SceneCamera, _ run: TrackRun, _ row: Int, _ moment: Int) {
    func number(_ channel: Int, _ element: Int) -> Double {
      let place = track.columnsOfChannel[channel]
      guard place >= 0, !track.columns[place].isField else { return .nan }
      return run.column(track.columns[place], element)[row]
    }
    let k = camera.intrinsics.elements.map { number(camera.intrinsics.channel, $0) }
    let rotation: [Double]
    let position: SIMD3<Double>
    if camera.isQuaternion, let place = camera.position {
      rotation = (0..<4).map { number(camera.rotation, $0) }
      position = SIMD3(number(place, 0), number(place, 1), number(place, 2))
    } else {
      rotation = [0, 1, 2, 4, 5, 6, 8, 9, 10].map { number(camera.rotation, $0) }
      position = SIMD3(
        number(camera.rotation, 3), number(camera.rotation, 7), number(camera.rotation, 11))
    }
    poses.append(
      ScenePose(
        moment: moment, intrinsics: (k[0], k[1], k[2], k[3]), position: position,
        rotation: rotation))
  }
}
