/// How the estimated camera path is fitted to the true one before it is compared.
enum PathAlignment: String, CaseIterable, Sendable {
  /// Not at all.
  case none
  /// One factor, least squares about the origin: s = Σ p·p̂ / Σ p̂·p̂.
  case scale
  /// The scale of the Sim(3) fit alone (evo's `correct_only_scale`).
  case scaleUmeyama = "scale_umeyama"
  /// One factor that minimises the sum of distances, not of their squares (WorldScore).
  case scaleL1 = "scale_l1"
  /// Rotation and translation: Umeyama without scale.
  case se3
  /// Rotation, translation and scale: Umeyama, IEEE PAMI 13 (1991).
  case sim3
}

/// Order of a quaternion's four numbers.
enum QuaternionLayout: String, CaseIterable, Sendable {
  case xyzw
  case wxyz
}

/// What a pose maps.
enum PoseDirection: String, CaseIterable, Sendable {
  case cameraToWorld = "camera_to_world"
  case worldToCamera = "world_to_camera"
}

/// The camera's own axes in the rotations of an estimate.
enum EstimateAxes: String, CaseIterable, Sendable {
  /// Those of the truth.
  case asTruth = "as_truth"
  /// x right, y up, z backwards.
  case opengl
  /// x right, y down, z forwards.
  case opencv

  /// Whether rotations must be turned by half a turn about x to have the truth's axes.
  func differ(from truth: PoseAxes) -> Bool {
    self != .asTruth && rawValue != truth.rawValue
  }
}

/// The scale of the estimate's steps in a relative error of translation.
enum StepScale: String, CaseIterable, Sendable {
  /// That of the alignment: 1 without one, and with one that has no scale.
  case alignment
  /// None: steps as they are.
  case none
  /// The scale of the Sim(3) fit.
  case umeyama
}

/// Which pairs of frames a relative error is taken over.
enum PairChoice: String, CaseIterable, Sendable {
  /// Every frame i with i + Δ.
  case all
  /// i = 0, Δ, 2Δ, … (evo's default).
  case consecutive
}

/// How the figures of several paths become one.
enum PathReduction: String, CaseIterable, Sendable {
  /// The mean over paths of each path's figure.
  case meanOfPaths = "mean_of_paths"
  /// All frames of all paths together.
  case pooled
}

/// Options of `camera.path`: ATE and RPE.
struct CameraPathOptions: PredictionOptions {
  var alignment = PathAlignment.sim3
  var scaleTruth = false
  var anySign = false
  var stepScale = StepScale.alignment
  var firstPose = false
  var quaternionOrder = QuaternionLayout.xyzw
  var direction = PoseDirection.cameraToWorld
  var truthAxes = PoseAxes.openGL
  var estimateAxes = EstimateAxes.asTruth
  var delta = 1
  var pairs = PairChoice.all
  var dropRotationAbove: Double?
  var dropTranslationAbove: Double?
  var minimumPairs = 1
  var reduction = PathReduction.meanOfPaths
  var failed = FailureRule.withhold

  static let table: [Option<Self>] = [
    .choice("alignment", \.alignment, "fit of the estimate to the truth before comparing"),
    .flag(
      "scale_truth", \.scaleTruth,
      "put the inverse of the fitted scale on the truth instead (WildBench's formula has it there)"
    ),
    .flag(
      "negative_scale", \.anySign, "let alignment=scale and scale_l1 find a factor below 0"),
    .choice(
      "rpe_scale", \.stepScale,
      "scale of the estimate's steps in relative errors, which need no other alignment"),
    .flag("first_pose", \.firstPose, "express both paths relative to their first pose first"),
    .choice("quaternion_order", \.quaternionOrder, "order of the numbers of a quaternion"),
    .choice("pose", \.direction, "what a pose maps"),
    .choice("truth_axes", \.truthAxes, "the camera's own axes in the true rotations"),
    .choice(
      "estimate_axes", \.estimateAxes,
      "the same of the estimate, which is turned where they differ"),
    .count("delta", \.delta, "frames between the two poses of a relative error", 1...1_000_000),
    .choice("pairs", \.pairs, "pairs of a relative error"),
    .optionalNumber(
      "drop_rotation_above", \.dropRotationAbove,
      "leave out relative errors that turn more than this, in degrees (MIND: 179)", above: 0),
    .optionalNumber(
      "drop_translation_above", \.dropTranslationAbove,
      "leave out relative errors that move more than this (MIND: 1e9)", above: 0),
    .count(
      "minimum_pairs", \.minimumPairs, "relative error needs this many pairs (MIND: 8)",
      1...1_000_000),
    .choice("reduction", \.reduction, "how several paths become one figure"),
    failure(\.failed),
  ]
}

/// What translations are divided by before CamI2V's errors.
enum TranslationScale: String, CaseIterable, Sendable {
  case none
  /// Each path by its own largest distance from its first camera ('relative').
  case own
  /// Both by the truth's ('absolute').
  case truth
}

/// Sum or mean over frames.
enum FrameReduction: String, CaseIterable, Sendable {
  case sum
  case mean
}

/// Options of `camera.control`: RotErr, TransErr, CamMC.
struct CameraControlOptions: PredictionOptions {
  var relative = true
  var translationScale = TranslationScale.own
  var reduction = FrameReduction.sum
  var quaternionOrder = QuaternionLayout.xyzw
  var direction = PoseDirection.cameraToWorld
  var truthAxes = PoseAxes.openGL
  var estimateAxes = EstimateAxes.asTruth
  var failed = FailureRule.withhold

  static let table: [Option<Self>] = [
    .flag("relative", \.relative, "express both paths relative to their first pose"),
    .choice("translation_scale", \.translationScale, "what translations are divided by"),
    .choice("frames", \.reduction, "sum over frames, as published, or mean"),
    .choice("quaternion_order", \.quaternionOrder, "order of the numbers of a quaternion"),
    .choice("pose", \.direction, "what a pose maps"),
    .choice("truth_axes", \.truthAxes, "the camera's own axes in the true rotations"),
    .choice(
      "estimate_axes", \.estimateAxes,
      "the same of the estimate, which is turned where they differ"),
    failure(\.failed),
  ]
}

/// Whose path says how far a camera went.
enum NormalisingPath: String, CaseIterable, Sendable {
  case truth
  /// The estimate's own, as WBench does, whose reference is made from the estimate.
  case estimate
}

/// Options of `camera.normalised`: WBench's nATE and WorldScore's camera score.
struct NormalisedCameraOptions: PredictionOptions {
  var samples = 0
  var measure = NormalisingPath.truth
  var alignment = PathAlignment.none
  var anySign = false
  var firstPose = true
  var shortestPath = 0.5
  var smallestTurn = 10.0
  var worstAngle = 15.0
  var worstDistance = 0.5
  var quaternionOrder = QuaternionLayout.xyzw
  var direction = PoseDirection.cameraToWorld
  var truthAxes = PoseAxes.openGL
  var estimateAxes = EstimateAxes.asTruth
  var failed = FailureRule.withhold

  static let table: [Option<Self>] = [
    .count(
      "samples", \.samples, "poses evenly spaced along each path (WBench: 20); 0: every frame",
      0...100_000),
    .choice("measure", \.measure, "whose length and turn nATE divides by (WBench: estimate)"),
    .choice("alignment", \.alignment, "fit of the estimate to the truth (WorldScore: scale_l1)"),
    .flag(
      "negative_scale", \.anySign,
      "let alignment=scale and scale_l1 find a factor below 0, as WorldScore's code does"),
    .flag("first_pose", \.firstPose, "express both paths relative to their first pose first"),
    .number("shortest_path", \.shortestPath, "least path length to divide by (WBench)", above: 0),
    .number("smallest_turn", \.smallestTurn, "least total turn, degrees (WBench)", above: 0),
    .number("worst_angle", \.worstAngle, "degrees that score 0 (WorldScore)", above: 0),
    .number("worst_distance", \.worstDistance, "distance that scores 0 (WorldScore)", above: 0),
    .choice("quaternion_order", \.quaternionOrder, "order of the numbers of a quaternion"),
    .choice("pose", \.direction, "what a pose maps"),
    .choice("truth_axes", \.truthAxes, "the camera's own axes in the true rotations"),
    .choice(
      "estimate_axes", \.estimateAxes,
      "the same of the estimate, which is turned where they differ"),
    failure(\.failed),
  ]
}
