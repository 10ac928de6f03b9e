import TrajpackFormat

/// RotErr, TransErr and CamMC of the CameraCtrl family, as CamI2V computes them: camera-to-world
/// poses relative to the first, summed over frames, averaged over clips.
///
/// RotErr = Σ arccos((tr(R̂ᵀR) − 1)/2) in radians; TransErr = Σ ‖t̂ − t‖;
/// CamMC = Σ ‖[R̂|t̂] − [R|t]‖_F.
enum CameraControl {
  static let evaluator = Evaluator(
    "camera.control", makes: ["camera.rot_err", "camera.trans_err", "camera.cam_mc"],
    "RotErr, TransErr and CamMC of the CameraCtrl family (CamI2V).",
    CameraInputs.inputs, CameraControlOptions.self, scores)

  static func scores(
    _ arrays: Arrays, _ options: CameraControlOptions
  ) throws(TrajpackError) -> [Score] {
    let inputs = try CameraInputs(arrays)
    guard inputs.rotations != nil else {
      throw TrajpackError(.usage, "'truth_rotation' and 'estimate_rotation' are needed")
    }
    let names = ["camera.rot_err", "camera.trans_err", "camera.cam_mc"]
    var each: [[Double]] = [[], [], []]
    var frames = [0, 0, 0]
    var notNumbers = 0
    var masked = 0
    var tallies = PathFailures(inputs)
    for path in 0..<inputs.paths {
      let pair = try inputs.pair(
        path, order: options.quaternionOrder, direction: options.direction,
        turns: options.estimateAxes.differ(from: options.truthAxes))
      notNumbers += pair.notNumbers
      masked += pair.masked
      guard pair.known > 0 else { continue }
      tallies.add(path, pair)
      let (sums, isStill) = errors(pair, options)
      if isStill { tallies.add(path, pair, fit: "the estimate does not move, and the truth does") }
      for index in 0..<3 {
        // Rotations need no scale.
        let isLost = index > 0 && isStill && options.failed != .worst
        let count = options.failed == .worst ? pair.known : pair.frames.count
        guard !isLost, count > 0 else { continue }
        each[index].append(options.reduction == .sum ? sums[index] : sums[index] / Double(count))
        frames[index] += count
      }
    }
    let details = [
      Field("paths", .count(inputs.paths)), Field("masked_frames", .count(masked)),
      Field("nan_predictions", .count(notNumbers)),
    ]
    return names.indices.map { index in
      let failures = tallies.failures(fits: index > 0)
      let worst: Failures.Worst =
        index == 0 || options.translationScale != .none ? .counted : .none
      guard !each[index].isEmpty else {
        return Score(names[index], missing: "no path has a pose", details: details)
          .failing(failures, worst: worst)
      }
      return Score(
        names[index], Statistics.mean(each[index]), count: frames[index],
        details: details + [Field("per_path", .numbers(each[index]))]
      ).failing(failures, worst: worst)
    }
  }

  /// The sums over frames, and whether the estimate has no size to be scaled by. Where failed poses
  /// count, they are half a turn off and lie at the origin, as at scale 0.
  private static func errors(
    _ pair: PathPair, _ options: CameraControlOptions
  ) -> (sums: [Double], isStill: Bool) {
    let moved = options.relative ? pair.relativeToFirst() : pair
    var (truth, estimate) = (moved.truth, moved.estimate)
    let spreads = moved.spreads
    var isStill = false
    // A truth that stands still has no size either: both are left as they are.
    let scale = reach(truth, above: spreads.target.floor) ?? 1
    if options.translationScale != .none, reach(truth, above: spreads.target.floor) != nil {
      truth.centres = truth.centres.map { $0 / scale }
      let own =
        options.translationScale == .own ? reach(estimate, above: spreads.source.floor) : scale
      isStill = own == nil
      estimate.centres = estimate.centres.map { centre in own.map { centre / $0 } ?? .zero }
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
    if options.failed == .worst {
      for pose in moved.lost {
        let away = length(pose.centre) / (options.translationScale == .none ? 1 : scale)
        sums[0] += .pi
        sums[1] += away
        // ‖R̂ − R‖ is at most 2√2.
        sums[2] += (8 + away * away).squareRoot()
      }
    }
    return (sums, isStill)
  }

  /// The largest distance of a camera from the first; nil for a path that does not move.
  private static func reach(_ path: CameraPath, above floor: Double) -> Double? {
    guard let first = path.centres.first else { return nil }
    let reach = path.centres.map { length($0 - first) }.max() ?? 0
    return reach > floor ? reach : nil
  }
}
