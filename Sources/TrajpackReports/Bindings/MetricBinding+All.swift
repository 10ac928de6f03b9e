extension MetricBinding {
  /// How each evaluator is fed: `action.following` and `action.agreement` by verdicts, all others by arrays.
  /// `compare.paired` reads reports, and has a command of its own.
  static let all: [MetricBinding] = camera + keypoints + poses + forecasts + attractors + actions

  private static let cameraInputs: [Input] = [
    .truth("truth_position", .cameraPosition), .truth("truth_rotation", .cameraRotation),
    .mirror("estimate_position", "truth_position", .cameraPosition),
    .mirror("estimate_rotation", "truth_rotation", .cameraRotation),
  ]

  private static let camera: [MetricBinding] = [
    MetricBinding(
      evaluator: "camera.path", suite: "camera", pooling: .stacked, isBatched: true,
      inputs: cameraInputs),
    MetricBinding(
      evaluator: "camera.control", suite: "camera", pooling: .stacked,
      isBatched: true, inputs: cameraInputs,
      needs: ["truth_rotation", "estimate_rotation"]),
    MetricBinding(
      evaluator: "camera.normalised", suite: "camera", pooling: .stacked, isBatched: true,
      inputs: cameraInputs,
      needs: ["truth_rotation", "estimate_rotation"]),
  ]

  private static let keypoints: [MetricBinding] = [
    MetricBinding(
      evaluator: "keypoints.state_alignment", suite: "keypoints", pooling: .joined,
      inputs: [
        .array("tracks"), .array("visibles", padding: 0), .array("truth_tracks"),
        .array("truth_visibles", padding: 0), .truth("joints", .joints),
        .truth("camera_rotation", .cameraRotation), .truth("camera_position", .cameraPosition),
        .truth("intrinsics", .intrinsics), .truth("points", .named),
        .truth("mask", .named, padding: 0), .truth("occlusion", .named, padding: 0),
        .truth("depth", .named),
      ]),
    MetricBinding(
      evaluator: "keypoints.tap_vid", suite: "keypoints", pooling: .joined,
      inputs: [
        .truth("truth", .named), .truth("truth_visibles", .named, padding: 0), .array("tracks"),
        .array("visibles", padding: 0),
      ]),
    MetricBinding(
      evaluator: "state.alignment", suite: "state",
      pooling: .stacked, isBatched: true,
      inputs: [
        .truth("truth", .states), .mirror("prediction", "truth", .states, ["prediction"]),
      ]),
  ]

  private static let poses: [MetricBinding] = [
    MetricBinding(
      evaluator: "skeleton.pose", suite: "pose", pooling: .joined,
      inputs: [.truth("truth", .joints), .mirror("prediction", "truth", .joints, ["joints"])]),
    MetricBinding(
      evaluator: "skeleton.plausibility", suite: "pose", pooling: .joined, measuresOne: true,
      inputs: [.mirror("joints", "joints", .joints, ["prediction"])]),
    MetricBinding(
      evaluator: "depth.errors", suite: "depth", pooling: .joined,
      inputs: [.truth("truth", .depth), .mirror("prediction", "truth", .depth, ["depth"])]),
  ]

  private static let forecasts: [MetricBinding] = [
    MetricBinding(
      evaluator: "forecast.errors", suite: "forecast", pooling: .mean, isBatched: true,
      inputs: [.truth("truth", .values), .mirror("prediction", "truth", .values, ["forecast"])]),
    MetricBinding(
      evaluator: "forecast.intervals", suite: "forecast", pooling: .mean,
      inputs: [.truth("truth", .values), .array("lower"), .array("upper")]),
    MetricBinding(
      evaluator: "forecast.ensemble", suite: "forecast", pooling: .mean,
      inputs: [.truth("truth", .values), .array("ensemble")]),
    MetricBinding(
      evaluator: "forecast.dtw", suite: "forecast", pooling: .mean,
      inputs: [.truth("truth", .values), .mirror("prediction", "truth", .values, ["forecast"])]),
    MetricBinding(
      evaluator: "forecast.valid_time", suite: "forecast",
      pooling: .mean, isBatched: true,
      inputs: [.truth("truth", .values), .mirror("prediction", "truth", .values, ["forecast"])]),
  ]

  private static let pair: [Input] = [
    .truth("truth", .values), .mirror("generated", "truth", .values, ["prediction"]),
  ]
  private static let one: [Input] = [
    .mirror("series", "series", .values, ["prediction", "generated"])
  ]

  private static let attractors: [MetricBinding] = [
    MetricBinding(
      evaluator: "attractor.d_stsp", suite: "attractor",
      pooling: .mean, inputs: pair),
    MetricBinding(
      evaluator: "attractor.spectrum", suite: "attractor", pooling: .mean, inputs: pair),
    MetricBinding(
      evaluator: "attractor.arrow_of_time", suite: "attractor", pooling: .mean,
      inputs: pair),
    MetricBinding(
      evaluator: "attractor.correlation_dimension", suite: "attractor", pooling: .mean,
      measuresOne: true, inputs: one),
    MetricBinding(
      evaluator: "attractor.lyapunov", suite: "attractor",
      pooling: .mean, measuresOne: true, inputs: one),
    MetricBinding(
      evaluator: "attractor.lyapunov_spectrum", suite: "attractor", pooling: .mean,
      inputs: [.array("jacobians")]),
    MetricBinding(
      evaluator: "attractor.recurrence", suite: "attractor", pooling: .mean, measuresOne: true,
      inputs: one),
    MetricBinding(
      evaluator: "attractor.geometry", suite: "attractor", pooling: .mean, measuresOne: true,
      inputs: one),
    MetricBinding(
      evaluator: "generative.distances", suite: "generative",
      pooling: .stacked, isBatched: true,
      inputs: [
        .truth("real", .values), .mirror("generated", "real", .values, ["prediction"]),
      ]),
  ]

  private static let actions: [MetricBinding] = [
    MetricBinding(
      evaluator: "action.segments", suite: "action",
      pooling: .joined, inputs: [.truth("actions", .actions)]),
    MetricBinding(
      evaluator: "action.segmentation", suite: "action", pooling: .joined,
      inputs: [.truth("truth", .actions), .mirror("prediction", "truth", .actions, ["actions"])]),
    MetricBinding(
      evaluator: "action.recogniser", suite: "action", pooling: .joined,
      inputs: [
        .truth("truth", .actions), .mirror("joints", "train_joints", .joints, ["prediction"]),
      ]),
    MetricBinding(
      evaluator: "action.following", suite: "action",
      pooling: .joined, inputs: []),
    MetricBinding(
      evaluator: "action.agreement", suite: "action", pooling: .joined, inputs: []),
    MetricBinding(
      evaluator: "action.keyboard_mouse", suite: "control", pooling: .joined,
      inputs: [
        .truth("truth_keys", .keys), .mirror("predicted_keys", "truth_keys", .keys),
        .truth("truth_mouse", .mouse), .mirror("predicted_mouse", "truth_mouse", .mouse),
      ]),
  ]
}
