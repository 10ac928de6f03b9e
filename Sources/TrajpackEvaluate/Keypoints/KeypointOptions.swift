import TrajpackSignal

/// What happens to a true keypoint that cannot be seen: behind the camera, off the screen, or
/// hidden.
enum UnseenRule: String, CaseIterable, Sendable {
  /// It counts like any other.
  case count
  /// It does not count.
  case skip
  /// It counts as missed.
  case miss
}

/// How the figures of several clips become one.
enum ClipReduction: String, CaseIterable, Sendable {
  /// All keypoints of all clips together.
  case pooled
  /// The mean over clips of each clip's figure.
  case meanOfClips = "mean_of_clips"
}

/// The camera's own axes.
enum PoseAxes: String, CaseIterable, Sendable {
  /// x right, y up, looking along −z.
  case openGL = "opengl"
  /// x right, y down, looking along z.
  case openCV = "opencv"
}

/// Options of `keypoints.state_alignment`.
struct StateAlignmentOptions: PredictionOptions {
  var thresholds: [Double] = [4, 8, 16, 32]
  var strict = false
  var firstFrame = false
  var reduction = ClipReduction.pooled
  var joints: [Int] = []
  var axes = PoseAxes.openGL
  var direction = PoseDirection.cameraToWorld
  var quaternionOrder = QuaternionLayout.xyzw
  var nearPlane = 0.05
  var behind = UnseenRule.skip
  var offScreen = UnseenRule.skip
  var occluded = UnseenRule.count
  var depthMeaning = CameraDepth.axis
  var depthScale = 1.0
  var depthTolerance = 0.1
  var trueWidth = 1280.0
  var trueHeight = 720.0
  var trackWidth = 1280.0
  var trackHeight = 720.0
  var gridWidth = 1280.0
  var gridHeight = 720.0
  var invisible = UnseenRule.count
  var failed = FailureRule.withhold

  static let table: [Option<Self>] = [
    .numbers("thresholds", \.thresholds, "pixels within which a keypoint counts", above: 0),
    .flag("strict", \.strict, "distance < threshold (true) or ≤ (false); the notes differ"),
    .flag("first_frame", \.firstFrame, "whether each clip's first frame counts"),
    .choice("clips", \.reduction, "how the clips become one figure"),
    .counts("joints", \.joints, "the joints that count; all when empty"),
    .choice("camera_axes", \.axes, "the camera's own axes"),
    .choice("pose", \.direction, "what the camera pose maps"),
    .choice("quaternion_order", \.quaternionOrder, "order of the numbers of a quaternion"),
    .number("near_plane", \.nearPlane, "a joint nearer than this is behind the camera", lowest: 0),
    .choice("behind", \.behind, "joints behind the camera (count: counts as missed)"),
    .choice("off_screen", \.offScreen, "joints outside the true picture"),
    .choice("occluded", \.occluded, "joints hidden by the mask or by the depth"),
    .choice("depth_meaning", \.depthMeaning, "what the depth image holds"),
    .number("depth_scale", \.depthScale, "world units of one unit of depth", above: 0),
    .number(
      "depth_tolerance", \.depthTolerance, "world units a joint may lie behind the surface",
      lowest: 0),
    .number("true_width", \.trueWidth, "width of the picture of the intrinsics, pixels", above: 0),
    .number("true_height", \.trueHeight, "height of it", above: 0),
    .number("track_width", \.trackWidth, "width of the picture that was tracked", above: 0),
    .number("track_height", \.trackHeight, "height of it", above: 0),
    .number("grid_width", \.gridWidth, "width of the grid the thresholds are on", above: 0),
    .number("grid_height", \.gridHeight, "height of it", above: 0),
    .choice("invisible", \.invisible, "tracks that the tracker calls invisible"),
    failure(\.failed),
  ]
}

/// Which frames of a track are evaluated.
enum QueryMode: String, CaseIterable, Sendable {
  /// Those after the query frame.
  case first
  /// All but the query frame.
  case strided
}

/// Options of `keypoints.tap_vid`.
struct TAPVidOptions: PredictionOptions {
  var thresholds: [Double] = [1, 2, 4, 8, 16]
  var mode = QueryMode.first
  var scaleX = 1.0
  var scaleY = 1.0
  var failure = 50.0
  var reduction = ClipReduction.meanOfClips
  var failed = FailureRule.withhold

  static let table: [Option<Self>] = [
    .numbers("thresholds", \.thresholds, "pixels, compared with <", above: 0),
    .choice("query_mode", \.mode, "which frames of a track are evaluated"),
    .number("scale_x", \.scaleX, "both tracks' x are multiplied by this (256 / width)", above: 0),
    .number("scale_y", \.scaleY, "both tracks' y are multiplied by this (256 / height)", above: 0),
    .number("failure", \.failure, "pixels at which a track is lost (survival)", above: 0),
    .choice("clips", \.reduction, "how the clips become one figure"),
    failure(\.failed),
  ]
}
