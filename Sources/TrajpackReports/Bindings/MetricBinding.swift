import TrajpackEvaluate

/// Where an evaluator's arrays come from when an archive and predictions are compared, and how the figures
/// of several episodes become one.
struct MetricBinding: Sendable {
  /// What an input holds, which decides the channels that it is by default.
  enum Content: Sendable {
    /// The camera: `camera/pos`, `camera/rot`, `camera/K`.
    case cameraPosition, cameraRotation, intrinsics
    /// Joints of skeletons, `[J, 3]` a row.
    case joints
    /// Numbers on a continuous scale: scalars, positions, directions, angles.
    case values
    /// State variables: scalars alone.
    case states
    /// What says which action a frame shows.
    case actions
    /// Pressed keys and movements of the mouse.
    case keys, mouse
    /// Depth images.
    case depth
    /// Nothing, unless `--map` says what.
    case named
  }

  enum Side: Sendable { case truth, prediction }

  /// One array of the evaluator.
  struct Input: Sendable {
    var name: String
    var side: Side
    var content: Content
    /// The input of the truth whose channels the prediction has too.
    var mirrors: String?
    /// Names that an array of a prediction file may have, besides the input's own.
    var aliases: [String] = []
    /// Fills frames that pad a shorter episode.
    var padding = Double.nan
  }

  /// How the figures of episodes become one.
  enum Pooling: String, Sendable {
    /// The evaluator gets all episodes one after the other, with their lengths.
    case joined = "all episodes together, as clips"
    /// The evaluator gets all episodes as rows of one array.
    case stacked = "all episodes together, as series"
    /// The mean of the episodes' figures.
    case mean = "mean over episodes"
  }

  var evaluator: String
  var suite: String
  var pooling: Pooling
  /// Whether it takes several series of one length at once.
  var isBatched = false
  /// Whether it measures one series, so that the truth has a figure of its own.
  var measuresOne = false
  var inputs: [Input]
  /// Inputs that the evaluator calls optional and that nothing can be computed without here.
  var needs: [String] = []

  /// What the names of its scores begin with.
  var scores: [String] { (try? Evaluator.named(evaluator))?.scores ?? [] }

  /// The input whose channels are the columns that all episodes share, where the evaluator needs that.
  var sharedColumns: String? {
    switch evaluator {
    case "state.alignment", "skeleton.pose": return "truth"
    case "skeleton.plausibility": return "joints"
    case "generative.distances": return "real"
    default: return nil
    }
  }

  /// The suites, in the order of the reports.
  static let suites = [
    "camera", "keypoints", "state", "pose", "forecast", "attractor", "action", "control", "depth",
    "generative",
  ]
}

extension MetricBinding.Input {
  static func truth(_ name: String, _ content: MetricBinding.Content, padding: Double = .nan)
    -> Self
  {
    Self(name: name, side: .truth, content: content, padding: padding)
  }

  /// The same channels as those of a truth input, from the predictions.
  static func mirror(
    _ name: String, _ truth: String, _ content: MetricBinding.Content, _ aliases: [String] = [],
    padding: Double = .nan
  ) -> Self {
    Self(
      name: name, side: .prediction, content: content, mirrors: truth, aliases: aliases,
      padding: padding)
  }

  /// An array that only the predictions have.
  static func array(_ name: String, _ aliases: [String] = [], padding: Double = .nan) -> Self {
    Self(name: name, side: .prediction, content: .named, aliases: aliases, padding: padding)
  }
}
