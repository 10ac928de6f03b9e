extension Recipe {
  /// How each evaluator is fed. `action.following` and `action.agreement` read verdicts instead, and
  /// `compare.paired` reports.
  static let all: [Recipe] = camera + keypoints + poses + forecasts + attractors + actions

  private static let cameraInputs: [Input] = [
    .truth("truth_position", .cameraPosition), .truth("truth_rotation", .cameraRotation),
    .mirror("estimate_position", "truth_position", .cameraPosition),
    .mirror("estimate_rotation", "truth_rotation", .cameraRotation),
  ]

  private static let camera: [Recipe] = [
    Recipe(
      evaluator: "camera.path", suite: "camera",
      scores: [
        "camera.ate", "camera.ate_rotation_degrees", "camera.rpe_translation",
        "camera.rpe_rotation_degrees",
      ], pooling: .stacked, isBatched: true, inputs: cameraInputs),
    Recipe(
      evaluator: "camera.control", suite: "camera",
      scores: ["camera.rot_err", "camera.trans_err", "camera.cam_mc"], pooling: .stacked,
      isBatched: true, inputs: cameraInputs,
      needs: ["truth_rotation", "estimate_rotation"]),
    Recipe(
      evaluator: "camera.normalised", suite: "camera",
      scores: [
        "camera.nate_translation", "camera.nate_rotation", "camera.wbench_accuracy",
        "camera.worldscore",
      ], pooling: .stacked, isBatched: true, inputs: cameraInputs,
      needs: ["truth_rotation", "estimate_rotation"]),
  ]

  private static let keypoints: [Recipe] = [
    Recipe(
      evaluator: "keypoints.state_alignment", suite: "keypoints",
      scores: [
        "keypoints.state_alignment", "keypoints.state_alignment_truth",
        "keypoints.state_alignment_ratio",
      ], pooling: .joined,
      inputs: [
        .array("tracks"), .array("visibles", padding: 0), .array("truth_tracks"),
        .array("truth_visibles", padding: 0), .truth("joints", .joints),
        .truth("camera_rotation", .cameraRotation), .truth("camera_position", .cameraPosition),
        .truth("intrinsics", .intrinsics), .truth("points", .named),
        .truth("mask", .named, padding: 0), .truth("occlusion", .named, padding: 0),
        .truth("depth", .named),
      ]),
    Recipe(
      evaluator: "keypoints.tap_vid", suite: "keypoints",
      scores: [
        "keypoints.occlusion_accuracy", "keypoints.within_", "keypoints.delta_average",
        "keypoints.jaccard_", "keypoints.average_jaccard", "keypoints.survival",
      ], pooling: .joined,
      inputs: [
        .truth("truth", .named), .truth("truth_visibles", .named, padding: 0), .array("tracks"),
        .array("visibles", padding: 0),
      ]),
    Recipe(
      evaluator: "state.alignment", suite: "state", scores: ["state.alignment"],
      pooling: .stacked, isBatched: true,
      inputs: [
        .truth("truth", .states), .mirror("prediction", "truth", .states, ["prediction"]),
      ]),
  ]

  private static let poses: [Recipe] = [
    Recipe(
      evaluator: "skeleton.pose", suite: "pose",
      scores: [
        "skeleton.mpjpe", "skeleton.pa_mpjpe", "skeleton.n_mpjpe", "skeleton.mpjve_per_",
        "skeleton.acceleration_error_per_", "skeleton.pck",
      ], pooling: .joined,
      inputs: [.truth("truth", .joints), .mirror("prediction", "truth", .joints, ["joints"])]),
    Recipe(
      evaluator: "skeleton.plausibility", suite: "pose",
      scores: [
        "skeleton.bone_drift", "skeleton.foot_sliding_per_", "skeleton.ground_penetration",
      ], pooling: .joined, measuresOne: true,
      inputs: [.mirror("joints", "joints", .joints, ["prediction"])]),
    Recipe(
      evaluator: "depth.errors", suite: "depth", scores: ["depth."], pooling: .joined,
      inputs: [.truth("truth", .depth), .mirror("prediction", "truth", .depth, ["depth"])]),
  ]

  private static let forecasts: [Recipe] = [
    Recipe(
      evaluator: "forecast.errors", suite: "forecast",
      scores: [
        "mse", "mae", "rmse", "nrmse", "marre", "r2", "rmsle", "smape", "mape", "wape",
        "coefficient_of_variation", "spearman", "pearson", "kendall", "mutual_information",
        "kl_divergence", "hellinger", "mase", "ope",
      ].map { "forecast.\($0)" }, pooling: .mean, isBatched: true,
      inputs: [.truth("truth", .values), .mirror("prediction", "truth", .values, ["forecast"])]),
    Recipe(
      evaluator: "forecast.intervals", suite: "forecast",
      scores: ["forecast.msis", "forecast.coverage"], pooling: .mean,
      inputs: [.truth("truth", .values), .array("lower"), .array("upper")]),
    Recipe(
      evaluator: "forecast.ensemble", suite: "forecast",
      scores: [
        "forecast.crps", "forecast.quantile_loss", "forecast.weighted_quantile_loss",
      ], pooling: .mean, inputs: [.truth("truth", .values), .array("ensemble")]),
    Recipe(
      evaluator: "forecast.dtw", suite: "forecast", scores: ["forecast.dtw"], pooling: .mean,
      inputs: [.truth("truth", .values), .mirror("prediction", "truth", .values, ["forecast"])]),
    Recipe(
      evaluator: "forecast.valid_time", suite: "forecast", scores: ["forecast.vpt_"],
      pooling: .mean, isBatched: true,
      inputs: [.truth("truth", .values), .mirror("prediction", "truth", .values, ["forecast"])]),
  ]

  private static let pair: [Input] = [
    .truth("truth", .values), .mirror("generated", "truth", .values, ["prediction"]),
  ]
  private static let one: [Input] = [
    .mirror("series", "series", .values, ["prediction", "generated"])
  ]

  private static let attractors: [Recipe] = [
    Recipe(
      evaluator: "attractor.d_stsp", suite: "attractor", scores: ["attractor.d_stsp"],
      pooling: .mean, inputs: pair),
    Recipe(
      evaluator: "attractor.spectrum", suite: "attractor",
      scores: [
        "attractor.d_h", "attractor.log_spectral_distance", "attractor.spectrum_correlation",
      ], pooling: .mean, inputs: pair),
    Recipe(
      evaluator: "attractor.arrow_of_time", suite: "attractor",
      scores: ["attractor.transition_divergence", "attractor.asymmetry_distance"], pooling: .mean,
      inputs: pair),
    Recipe(
      evaluator: "attractor.correlation_dimension", suite: "attractor",
      scores: ["attractor.correlation_dimension", "attractor.takens_dimension"], pooling: .mean,
      measuresOne: true, inputs: one),
    Recipe(
      evaluator: "attractor.lyapunov", suite: "attractor", scores: ["attractor.lyapunov"],
      pooling: .mean, measuresOne: true, inputs: one),
    Recipe(
      evaluator: "attractor.lyapunov_spectrum", suite: "attractor",
      scores: ["attractor.lyapunov_", "attractor.kaplan_yorke"], pooling: .mean,
      inputs: [.array("jacobians")]),
    Recipe(
      evaluator: "attractor.recurrence", suite: "attractor",
      scores: [
        "recurrence_rate", "determinism", "mean_line", "longest_line", "line_entropy",
        "laminarity", "trapping_time",
      ].map { "attractor.\($0)" }, pooling: .mean, measuresOne: true, inputs: one),
    Recipe(
      evaluator: "attractor.geometry", suite: "attractor",
      scores: [
        "hull_area", "path_length", "correlation", "revisit_rate", "exploration", "centroid_",
        "spread_",
      ].map { "attractor.\($0)" }, pooling: .mean, measuresOne: true, inputs: one),
    Recipe(
      evaluator: "generative.distances", suite: "generative", scores: ["generative."],
      pooling: .stacked, isBatched: true,
      inputs: [
        .truth("real", .values), .mirror("generated", "real", .values, ["prediction"]),
      ]),
  ]

  private static let actions: [Recipe] = [
    Recipe(
      evaluator: "action.segments", suite: "action", scores: ["action.segments"],
      pooling: .joined, inputs: [.truth("actions", .actions)]),
    Recipe(
      evaluator: "action.segmentation", suite: "action",
      scores: ["action.frame_accuracy", "action.edit", "action.f1_"], pooling: .joined,
      inputs: [.truth("truth", .actions), .mirror("prediction", "truth", .actions, ["actions"])]),
    Recipe(
      evaluator: "action.recogniser", suite: "action",
      scores: ["action.frame_accuracy", "action.edit", "action.f1_"], pooling: .joined,
      inputs: [
        .truth("truth", .actions), .mirror("joints", "train_joints", .joints, ["prediction"]),
      ]),
    Recipe(
      evaluator: "action.following", suite: "action", scores: ["action.following"],
      pooling: .joined, inputs: []),
    Recipe(
      evaluator: "action.agreement", suite: "action",
      scores: ["action.agreement", "action.kappa"], pooling: .joined, inputs: []),
    Recipe(
      evaluator: "action.keyboard_mouse", suite: "control",
      scores: ["action.keyboard", "action.mouse"], pooling: .joined,
      inputs: [
        .truth("truth_keys", .keys), .mirror("predicted_keys", "truth_keys", .keys),
        .truth("truth_mouse", .mouse), .mirror("predicted_mouse", "truth_mouse", .mouse),
      ]),
  ]
}
