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
struct PoseOptions: EvaluationOptions {
  var root = -1
  var rate: Double?
  var alpha = 0.05
  var normaliser = PCKNormaliser.boundingBox
  var normaliserJoints: [Int] = []
  var strict = false
  var nan = NaNRule.error

  static let table: [Option<Self>] = [
    .count("root", \.root, "joint moved to the origin first; −1 for none", -1...100_000),
    .optionalNumber("rate", \.rate, "frames a second, for figures per second", above: 0),
    .number("alpha", \.alpha, "PCK: share of the normaliser", above: 0),
    .choice("normaliser", \.normaliser, "PCK: what distances are divided by"),
    .counts("normaliser_joints", \.normaliserJoints, "PCK: the two joints of normaliser=joints"),
    .flag("strict", \.strict, "PCK: distance < (true) or ≤ (false)"),
    .choice(
      "nan_predictions", \.nan, "what a NaN in a predicted joint does (worst: not available)"),
  ]
}

/// Options of `skeleton.plausibility`.
struct PlausibilityOptions: EvaluationOptions {
  var up = 1
  var ground = 0.0
  var contactHeight = 0.05
  var rate: Double?
  var penetrationTolerance = 0.0
  var nan = NaNRule.skip

  static let table: [Option<Self>] = [
    .count("up", \.up, "axis that points up: 0, 1 or 2", 0...2),
    .number("ground", \.ground, "height of the ground along it"),
    .number("contact_height", \.contactHeight, "a foot below this height touches", above: 0),
    .optionalNumber("rate", \.rate, "frames a second, for speeds", above: 0),
    .number(
      "penetration_tolerance", \.penetrationTolerance, "depth that does not count", lowest: 0),
    .choice(
      "nan_predictions", \.nan, "what a joint that is not a number does (worst: not available)"),
  ]
}
