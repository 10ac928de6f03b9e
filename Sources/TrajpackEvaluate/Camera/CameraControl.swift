import TrajpackFormat

/// RotErr, TransErr and CamMC of the CameraCtrl family, as CamI2V computes them: camera-to-world
/// poses relative to the first, summed over frames, averaged over clips.
///
/// RotErr = Σ arccos((tr(R̂ᵀR) − 1)/2) in radians; TransErr = Σ ‖t̂ − t‖;
/// CamMC = Σ ‖[R̂|t̂] − [R|t]‖_F.
enum CameraControl {
  static let evaluator = Evaluator(
    "camera.control", "RotErr, TransErr and CamMC of the CameraCtrl family (CamI2V).",
    CameraInputs.inputs, CameraControlOptions.self, scores)

  static func scores(
    _ arrays: Arrays, _ options: CameraControlOptions
  ) throws(TrajpackError) -> [Score] {
    let inputs = try CameraInputs(arrays)
    guard inputs.rotations != nil else {
      throw TrajpackError(.usage, "“truth_rotation” and “estimate_rotation” are needed")
    }
    let names = ["camera.rot_err", "camera.trans_err", "camera.cam_mc"]
    var each: [[Double]] = [[], [], []]
    var frames = 0
    var notNumbers = 0
    var masked = 0
    var failed: [Int] = []
    for path in 0..<inputs.paths {
      let pair = try inputs.pair(
        path, order: options.quaternionOrder, direction: options.direction)
      notNumbers += pair.notNumbers
      masked += pair.masked
      guard pair.frames.count > 0, let sums = errors(pair, options) else {
        failed.append(path)
        continue
      }
      let divisor = options.reduction == .sum ? 1 : Double(pair.frames.count)
      for index in 0..<3 { each[index].append(sums[index] / divisor) }
      frames += pair.frames.count
    }
    let details = [
      Field("paths", .count(inputs.paths)), Field("masked_frames", .count(masked)),
      Field("nan_predictions", .count(notNumbers)), Field("paths_not_scaled", .counts(failed)),
    ]
    return names.indices.map { index in
      if notNumbers > 0, options.nan != .skip {
        return Score(
          names[index], missing: "\(notNumbers) estimated poses are not numbers", details: details)
      }
      guard !each[index].isEmpty else {
        return Score(
          names[index], missing: "no path has a pose, or a path that moves, to scale by",
          details: details)
      }
      return Score(
        names[index], Statistics.mean(each[index]), count: frames,
        details: details + [Field("per_path", .numbers(each[index]))])
    }
  }

  private static func errors(_ pair: PathPair, _ options: CameraControlOptions) -> [Double]? {
    var truth = options.relative ? pair.truth.relativeToFirst() : pair.truth
    var estimate = options.relative ? pair.estimate.relativeToFirst() : pair.estimate
    if options.translationScale != .none {
      guard let scale = reach(truth) else { return nil }
      let own = options.translationScale == .own ? reach(estimate) : scale
      guard let own else { return nil }
      truth.centres = truth.centres.map { $0 / scale }
      estimate.centres = estimate.centres.map { $0 / own }
    }
    var sums = [0.0, 0.0, 0.0]
    for index in truth.centres.indices {
      let (r, s) = (truth.rotations[index], estimate.rotations[index])
      let step = estimate.centres[index] - truth.centres[index]
      let (a, b, c) = (
        s.rows.0 - r.rows.0, s.rows.1 - r.rows.1, s.rows.2 - r.rows.2
      )
      sums[0] += (r.transposed * s).angle
      sums[1] += length(step)
      sums[2] += (dot(a, a) + dot(b, b) + dot(c, c) + dot(step, step)).squareRoot()
    }
    return sums
  }

  /// The largest distance of a camera from the first; nil for a path that does not move.
  private static func reach(_ path: CameraPath) -> Double? {
    guard let first = path.centres.first else { return nil }
    let reach = path.centres.map { length($0 - first) }.max() ?? 0
    return reach > 0 ? reach : nil
  }
}
