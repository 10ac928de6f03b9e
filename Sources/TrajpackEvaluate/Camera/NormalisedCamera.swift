import TrajpackFormat

/// Camera scores between 0 and 1.
///
/// WBench: nATE_t = min(ATE_t / max(path length, 0.5), 1), nATE_r = min(ATE_r / max(total turn,
/// 10°), 1), accuracy = 1 − (nATE_t + nATE_r)/2, with both paths sampled at 20 poses and lengths of
/// the estimate (`samples`, `measure`); its references made from actions are the caller's. WorldScore: each mean error e becomes
/// 1 − clip(e / e_max, 0, 1) with e_max 15° and 0.5; the score is the geometric mean of the two.
enum NormalisedCamera {
  static let evaluator = Evaluator(
    "camera.normalised",
    makes: [
      "camera.nate_translation", "camera.nate_rotation", "camera.wbench_accuracy",
      "camera.worldscore",
    ],
    "Camera errors mapped to 0…1: WBench's normalised ATE and WorldScore's camera score.",
    CameraInputs.inputs, NormalisedCameraOptions.self, scores)

  private static let names = [
    "camera.nate_translation", "camera.nate_rotation", "camera.wbench_accuracy",
    "camera.worldscore",
  ]

  static func scores(
    _ arrays: Arrays, _ options: NormalisedCameraOptions
  ) throws(TrajpackError) -> [Score] {
    let inputs = try CameraInputs(arrays)
    guard inputs.rotations != nil else {
      throw TrajpackError(.usage, "'truth_rotation' and 'estimate_rotation' are needed")
    }
    var each: [[Double]] = [[], [], [], []]
    var frames = 0
    var notNumbers = 0
    var masked = 0
    var tallies = PathFailures(inputs)
    let least = options.alignment.leastPoses(firstPose: options.firstPose)
    var tooShort = 0
    for path in 0..<inputs.paths {
      var pair = try inputs.pair(
        path, order: options.quaternionOrder, direction: options.direction,
        turns: options.estimateAxes.differ(from: options.truthAxes))
      notNumbers += pair.notNumbers
      masked += pair.masked
      guard pair.known > 0 else { continue }
      // Any estimate of so few poses would have no error; see ``PathAlignment/leastPoses``.
      guard pair.known >= least else {
        tooShort += 1
        continue
      }
      tallies.add(path, pair)
      if options.firstPose { pair = pair.relativeToFirst() }
      frames += pair.frames.count
      let isWhole = pair.lost.isEmpty || options.failed != .worst
      var values = [1.0, 1, 0, 0]
      if pair.frames.count > 0 {
        switch options.alignment.fit(
          pair, least: least, rotated: true, anySign: options.anySign)
        {
        case .fit(let fit, _):
          pair.estimate = pair.estimate.moved(by: fit)
          if isWhole { values = figures(pair, options) }
        case .failed(let cause, _):
          tallies.add(path, pair, fit: cause)
          if options.failed != .worst { continue }
        case .tooShort: continue
        }
      } else if options.failed != .worst {
        continue
      }
      for index in values.indices { each[index].append(values[index]) }
    }
    var details = [
      Field("paths", .count(inputs.paths)), Field("masked_frames", .count(masked)),
      Field("nan_predictions", .count(notNumbers)),
    ]
    if tooShort > 0 { details.append(Field("paths_too_short", .count(tooShort))) }
    let failures = tallies.failures(fits: true)
    return names.indices.map { index in
      guard !each[index].isEmpty else {
        return Score(
          names[index],
          missing: tooShort > 0
            ? "no path has the \(least) poses that the figure needs: fewer fit any estimate"
            : "no path has a pose", details: details
        )
        .failing(failures, worst: .counted)
      }
      return Score(
        names[index], Statistics.mean(each[index]), count: frames,
        details: details + [Field("per_path", .numbers(each[index]))]
      ).failing(failures, worst: .counted)
    }
  }

  private static func figures(_ pair: PathPair, _ options: NormalisedCameraOptions) -> [Double] {
    var (truth, estimate) = (pair.truth, pair.estimate)
    let measured = options.measure == .truth ? truth : estimate
    var travelled = 0.0
    var turned = 0.0
    for (a, b) in zip(measured.centres, measured.centres.dropFirst()) { travelled += length(b - a) }
    for (a, b) in zip(measured.rotations, measured.rotations.dropFirst()) {
      turned += degrees((a.transposed * b).angle)
    }
    if options.samples > 0 {
      truth = truth.resampled(options.samples)
      estimate = estimate.resampled(options.samples)
    }
    // A path whose length is not finite stays as it is, and fits no other.
    guard truth.count == estimate.count else { return [.nan, .nan, .nan, .nan] }
    var distance = 0.0
    var angle = 0.0
    for index in truth.centres.indices {
      distance += length(truth.centres[index] - estimate.centres[index])
      angle += degrees((truth.rotations[index].transposed * estimate.rotations[index]).angle)
    }
    distance /= Double(truth.count)
    angle /= Double(truth.count)
    let translation = min(distance / max(travelled, options.shortestPath), 1)
    let rotation = min(angle / max(turned, options.smallestTurn), 1)
    let angleScore = 1 - min(angle / options.worstAngle, 1)
    let distanceScore = 1 - min(distance / options.worstDistance, 1)
    return [
      translation, rotation, 1 - (translation + rotation) / 2,
      (angleScore * distanceScore).squareRoot(),
    ]
  }
}
