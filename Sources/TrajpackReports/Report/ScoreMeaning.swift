import TrajpackEvaluate
import TrajpackFormat

/// What a score's number means: its unit, and which way is better.
struct ScoreMeaning {
  var unit: String?
  var better: String?

  /// Names of scores, or what they begin with, by meaning; the longest that fits counts.
  private static let table: [(prefix: String, unit: String?, better: String?)] = [
    ("camera.ate", "length", "lower"), ("camera.ate_rotation_degrees", "°", "lower"),
    ("camera.rpe_translation", "length", "lower"), ("camera.rpe_rotation_degrees", "°", "lower"),
    ("camera.rot_err", "rad", "lower"), ("camera.trans_err", nil, "lower"),
    ("camera.cam_mc", nil, "lower"), ("camera.nate_", nil, "lower"),
    ("camera.wbench_accuracy", nil, "higher"), ("camera.worldscore", nil, "higher"),
    ("keypoints.state_alignment", "%", "higher"), ("keypoints.state_alignment_truth", "%", nil),
    ("keypoints.state_alignment_ratio", nil, "higher"), ("keypoints.", nil, "higher"),
    ("state.alignment", nil, "higher"),
    ("skeleton.mpjpe", "length", "lower"), ("skeleton.pa_mpjpe", "length", "lower"),
    ("skeleton.n_mpjpe", "length", "lower"), ("skeleton.mpjve_per_frame", "length/frame", "lower"),
    ("skeleton.mpjve_per_second", "length/s", "lower"),
    ("skeleton.acceleration_error_per_frame2", "length/frame²", "lower"),
    ("skeleton.acceleration_error_per_second2", "length/s²", "lower"),
    ("skeleton.pck", nil, "higher"), ("skeleton.bone_drift", nil, "lower"),
    ("skeleton.foot_sliding_per_frame", "length/frame", "lower"),
    ("skeleton.foot_sliding_per_second", "length/s", "lower"),
    ("skeleton.ground_penetration", "length", "lower"),
    ("depth.", nil, "lower"), ("depth.rmse", "depth", "lower"), ("depth.rmse_log", nil, "lower"),
    ("depth.delta_", nil, "higher"),
    ("forecast.", nil, "lower"), ("forecast.mae", "value", "lower"),
    ("forecast.rmse", "value", "lower"), ("forecast.mse", "value²", "lower"),
    ("forecast.smape", "%", "lower"), ("forecast.mape", "%", "lower"),
    ("forecast.wape", "%", "lower"), ("forecast.marre", "%", "lower"),
    ("forecast.r2", nil, "higher"), ("forecast.spearman", nil, "higher"),
    ("forecast.pearson", nil, "higher"), ("forecast.kendall", nil, "higher"),
    ("forecast.mutual_information", "nat", "higher"), ("forecast.kl_divergence", "nat", "lower"),
    ("forecast.coefficient_of_variation", "%", "lower"), ("forecast.coverage", nil, nil),
    ("forecast.vpt_", "steps", "higher"),
    ("attractor.", nil, nil), ("attractor.d_stsp", "nat", "lower"),
    ("attractor.d_h", nil, "lower"), ("attractor.log_spectral_distance", "dB", "lower"),
    ("attractor.spectrum_correlation", nil, "higher"),
    ("attractor.transition_divergence", "nat", "lower"),
    ("attractor.asymmetry_distance", nil, "lower"),
    ("action.segments", nil, nil), ("action.following", "%", "higher"),
    ("action.frame_accuracy", "%", "higher"), ("action.edit", "%", "higher"),
    ("action.f1_", "%", "higher"), ("action.", nil, "higher"), ("generative.", nil, "lower"),
  ]

  /// The meaning of a score, where `units` are those of the truth's channels.
  init(_ score: String, units: String?) {
    let row = Self.table.filter { score.hasPrefix($0.prefix) }
      .max { $0.prefix.utf8.count < $1.prefix.utf8.count }
    better = row?.better
    guard let unit = row?.unit else { return }
    if score.hasPrefix("forecast.vpt_"), score.hasSuffix("lyapunov_times") {
      self.unit = "Lyapunov times"
      return
    }
    for word in ["length", "value", "depth"] where unit.hasPrefix(word) {
      guard let units else { return }
      let rest = unit.dropFirst(word.count)
      self.unit = rest.isEmpty || !units.contains(" ") ? units + rest : "(\(units))\(rest)"
      return
    }
    self.unit = unit
  }
}

extension Value {
  /// The same as JSON.
  var json: JSONValue {
    switch self {
    case .none: return .null
    case .flag(let flag): return .bool(flag)
    case .count(let count): return .int(Int64(count))
    case .number(let number): return number.isFinite ? .double(number) : .null
    case .text(let text): return .string(text)
    case .list(let values): return .array(values.map(\.json))
    case .fields(let fields): return fields.json
    }
  }
}

extension [Field] {
  /// The same as a JSON object.
  var json: JSONValue { .object(map { .init($0.name, $0.value.json) }) }
}
