/// What PCK's distance is divided by.
enum PCKNormaliser: String, CaseIterable, Sendable {
  /// The longer side of the true pose's bounding box, each frame.
  case boundingBox = "bounding_box"
  /// The distance of two named joints in the true pose (head size, torso length), each frame.
  case joints
  /// Nothing: the threshold is a distance.
  case none
}

/// Options of `skeleton.pose`.
struct PoseOptions: PredictionOptions {
  var root = -1
  var rate: Double?
  var alpha = 0.05
  var normaliser = PCKNormaliser.boundingBox
  var normaliserJoints: [Int] = []
  var strict = false
  var failed = FailureRule.withhold

  static let table: [Option<Self>] = [
    .count(
      "root", \.root, "joint of each entity moved to the origin first; −1 for none", -1...100_000),
    .optionalNumber("rate", \.rate, "frames a second, for figures per second", above: 0),
    .number("alpha", \.alpha, "PCK: share of the normaliser", above: 0),
    .choice("normaliser", \.normaliser, "PCK: what distances are divided by"),
    .counts(
      "normaliser_joints", \.normaliserJoints, "PCK: the two joints of normaliser=joints, by entity"
    ),
    .flag("strict", \.strict, "PCK: distance < (true) or ≤ (false)"),
    failure(\.failed),
  ]
}

/// Which axis points up.
enum UpAxis: String, CaseIterable, Sendable {
  /// Nothing says which.
  case unknown
  case x = "0"
  case y = "1"
  case z = "2"

  /// The axis.
  var index: Int? { Int(rawValue) }
}

/// Options of `skeleton.plausibility`.
struct PlausibilityOptions: PredictionOptions {
  var up: UpAxis = .unknown
  var ground = 0.0
  var contactHeight = 0.05
  var rate: Double?
  var penetrationTolerance = 0.0
  var failed = FailureRule.withhold

  static let table: [Option<Self>] = [
    .choice("up", \.up, "axis that points up; without it there is no ground"),
    .number("ground", \.ground, "height of the ground along it"),
    .number("contact_height", \.contactHeight, "a foot below this height touches", above: 0),
    .optionalNumber("rate", \.rate, "frames a second, for speeds", above: 0),
    .number(
      "penetration_tolerance", \.penetrationTolerance, "depth that does not count", lowest: 0),
    failure(\.failed),
  ]
}
