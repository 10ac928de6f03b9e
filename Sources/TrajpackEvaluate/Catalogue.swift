extension Evaluator {
  /// Every evaluator, in the order of the reports.
  public static let all: [Evaluator] = [
    PathErrors.evaluator, CameraControl.evaluator, NormalisedCamera.evaluator,
    StateAlignment.evaluator, TAPVid.evaluator, StateValues.evaluator,
    ActionSegments.evaluator, ActionFollowing.evaluator, JudgeAgreement.evaluator,
    ActionSegmentation.evaluator, ActionRecogniser.evaluator, KeyboardMouse.evaluator,
    PointErrors.evaluator, IntervalScores.evaluator, EnsembleScores.evaluator,
    TimeWarping.evaluator, ValidPredictionTime.evaluator,
    PoseErrors.evaluator, Plausibility.evaluator, DepthErrors.evaluator,
    StateSpaceDivergence.evaluator, Spectrum.evaluator, ArrowOfTime.evaluator,
    CorrelationDimension.evaluator, LyapunovExponent.evaluator, LyapunovSpectrum.evaluator,
    Recurrence.evaluator, PhaseGeometry.evaluator, DistributionDistances.evaluator,
    PairedDifference.evaluator,
  ]
}

extension Evaluator {
  /// The names of its scores, or what they begin with where they end in `_` or `.`.
  public var scores: [String] { Self.scoreNames[name] ?? [] }

  /// Whether it has a score of that name, or scores whose names begin with it.
  public func makes(_ score: String) -> Bool {
    scores.contains { own in
      own == score || score.hasPrefix("\(own).")
        || (own.hasSuffix("_") || own.hasSuffix(".")) && score.hasPrefix(own)
    }
  }

  private static let scoreNames: [String: [String]] = [
    "camera.path": [
      "camera.ate", "camera.ate_rotation_degrees", "camera.rpe_translation",
      "camera.rpe_rotation_degrees",
    ],
    "camera.control": ["camera.rot_err", "camera.trans_err", "camera.cam_mc"],
    "camera.normalised": [
      "camera.nate_translation", "camera.nate_rotation", "camera.wbench_accuracy",
      "camera.worldscore",
    ],
    "keypoints.state_alignment": [
      "keypoints.state_alignment", "keypoints.state_alignment_truth",
      "keypoints.state_alignment_ratio",
    ],
    "keypoints.tap_vid": [
      "keypoints.occlusion_accuracy", "keypoints.within_", "keypoints.delta_average",
      "keypoints.jaccard_", "keypoints.average_jaccard", "keypoints.survival",
    ],
    "state.alignment": ["state.alignment"],
    "skeleton.pose": [
      "skeleton.mpjpe", "skeleton.pa_mpjpe", "skeleton.n_mpjpe", "skeleton.mpjve_per_",
      "skeleton.acceleration_error_per_", "skeleton.pck",
    ],
    "skeleton.plausibility": [
      "skeleton.bone_drift", "skeleton.foot_sliding_per_", "skeleton.ground_penetration",
    ],
    "depth.errors": ["depth."],
    "forecast.errors": [
      "forecast.mse", "forecast.mae", "forecast.rmse", "forecast.nrmse", "forecast.marre",
      "forecast.r2", "forecast.rmsle", "forecast.smape", "forecast.mape", "forecast.wape",
      "forecast.coefficient_of_variation", "forecast.spearman", "forecast.pearson",
      "forecast.kendall", "forecast.mutual_information", "forecast.kl_divergence",
      "forecast.hellinger", "forecast.mase", "forecast.ope",
    ],
    "forecast.intervals": ["forecast.msis", "forecast.coverage"],
    "forecast.ensemble": [
      "forecast.crps", "forecast.quantile_loss", "forecast.weighted_quantile_loss",
    ],
    "forecast.dtw": ["forecast.dtw"],
    "forecast.valid_time": ["forecast.vpt_"],
    "attractor.d_stsp": ["attractor.d_stsp"],
    "attractor.spectrum": [
      "attractor.d_h", "attractor.log_spectral_distance", "attractor.spectrum_correlation",
    ],
    "attractor.arrow_of_time": ["attractor.transition_divergence", "attractor.asymmetry_distance"],
    "attractor.correlation_dimension": [
      "attractor.correlation_dimension", "attractor.takens_dimension",
    ],
    "attractor.lyapunov": ["attractor.lyapunov"],
    "attractor.lyapunov_spectrum": ["attractor.lyapunov_", "attractor.kaplan_yorke"],
    "attractor.recurrence": [
      "attractor.recurrence_rate", "attractor.determinism", "attractor.mean_line",
      "attractor.longest_line", "attractor.line_entropy", "attractor.laminarity",
      "attractor.trapping_time",
    ],
    "attractor.geometry": [
      "attractor.hull_area", "attractor.path_length", "attractor.correlation",
      "attractor.revisit_rate", "attractor.exploration", "attractor.centroid_", "attractor.spread_",
    ],
    "generative.distances": ["generative."],
    "action.segments": ["action.segments"],
    "action.segmentation": ["action.frame_accuracy", "action.edit", "action.f1_"],
    "action.recogniser": ["action.frame_accuracy", "action.edit", "action.f1_"],
    "action.following": ["action.following"],
    "action.agreement": ["action.agreement", "action.kappa"],
    "action.keyboard_mouse": ["action.keyboard", "action.mouse"],
    "compare.paired": ["compare.difference"],
  ]
}
