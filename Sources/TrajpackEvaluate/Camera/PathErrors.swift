import TrajpackFormat

/// Absolute trajectory error and relative pose error.
///
/// ATE: ‖t_i − t̂_i‖ after alignment (Sturm et al., IROS 2012), and the angle between rotations.
/// RPE over Δ: E_i = (Q_i⁻¹ Q_{i+Δ})⁻¹ (P_i⁻¹ P_{i+Δ}); ‖trans E_i‖ and the angle of its rotation.
enum PathErrors {
  static let evaluator = Evaluator(
    "camera.path",
    "Absolute trajectory error (ATE) and relative pose error (RPE) of camera paths, "
      + "WildBench-style.",
    CameraInputs.inputs, CameraPathOptions.self, scores)

  static func scores(
    _ arrays: Arrays, _ options: CameraPathOptions
  ) throws(TrajpackError) -> [Score] {
    let inputs = try CameraInputs(arrays)
    var tally = Tallies()
    var masked = 0
    var notNumbers = 0
    var failed: [Int] = []
    var fits: [Value] = []
    for path in 0..<inputs.paths {
      var pair = try inputs.pair(
        path, order: options.quaternionOrder, direction: options.direction)
      masked += pair.masked
      notNumbers += pair.notNumbers
      if options.firstPose {
        pair.truth = pair.truth.relativeToFirst()
        pair.estimate = pair.estimate.relativeToFirst()
      }
      guard pair.frames.count > 0, let fit = options.alignment.fit(pair) else {
        failed.append(path)
        continue
      }
      fits.append(fit.described)
      pair.estimate = pair.estimate.moved(by: fit)
      // Positions alone have no axes of their own: relative errors are taken in the truth's.
      if inputs.rotations == nil { pair.estimate.rotations = pair.truth.rotations }
      if options.scaleTruth, fit.scale != 0 {
        pair.truth.centres = pair.truth.centres.map { $0 / fit.scale }
        pair.estimate.centres = pair.estimate.centres.map { $0 / fit.scale }
      }
      tally.add(pair, options, rotated: inputs.rotations != nil)
    }
    var details = [
      Field("paths", .count(inputs.paths)),
      Field("masked_frames", .count(masked)),
      Field("nan_predictions", .count(notNumbers)),
      Field("paths_not_aligned", .counts(failed)),
    ]
    if inputs.paths == 1 { details.append(Field("alignment_fit", fits.first ?? .none)) }
    if notNumbers > 0, options.nan != .skip {
      return tally.refused(
        "\(notNumbers) estimated poses are not numbers; "
          + "nan_predictions=skip leaves them out", details, rotated: inputs.rotations != nil)
    }
    return tally.scores(options, details, rotated: inputs.rotations != nil)
  }

  /// The four kinds of error.
  private struct Tallies {
    var position = ErrorTally()
    var angle = ErrorTally()
    var step = ErrorTally()
    var turn = ErrorTally()
    var dropped = 0
    var unpaired = 0

    mutating func add(_ pair: PathPair, _ options: CameraPathOptions, rotated: Bool) {
      let (truth, estimate) = (pair.truth, pair.estimate)
      position.add(truth.centres.indices.map { length(truth.centres[$0] - estimate.centres[$0]) })
      if rotated {
        angle.add(
          truth.rotations.indices.map {
            degrees((truth.rotations[$0].transposed * estimate.rotations[$0]).angle)
          })
      }
      addRelative(pair, options)
    }

    private mutating func addRelative(_ pair: PathPair, _ options: CameraPathOptions) {
      var steps: [Double] = []
      var turns: [Double] = []
      let places = pair.frames
      // With frames left out, a pair must still be Δ frames apart.
      let whole = places.last.map { $0 - places[0] + 1 == places.count } ?? false
      let lookup = whole ? [:] : Dictionary(uniqueKeysWithValues: zip(places, places.indices))
      for i in places.indices {
        if options.pairs == .consecutive, places[i] % options.delta != 0 { continue }
        let j: Int
        if whole {
          j = i + options.delta
          guard j < places.count else { break }
        } else {
          guard let found = lookup[places[i] + options.delta] else {
            unpaired += 1
            continue
          }
          j = found
        }
        let (step, turn) = relative(pair, i, j)
        if let limit = options.dropTranslationAbove, step > limit {
          dropped += 1
        } else if let limit = options.dropRotationAbove, turn > limit {
          dropped += 1
        } else {
          steps.append(step)
          turns.append(turn)
        }
      }
      guard steps.count >= options.minimumPairs else { return }
      step.add(steps)
      turn.add(turns)
    }

    private func relative(_ pair: PathPair, _ i: Int, _ j: Int) -> (Double, Double) {
      let (q, p) = (pair.truth, pair.estimate)
      let qi = q.rotations[i].transposed
      let pi = p.rotations[i].transposed
      let qRotation = qi * q.rotations[j]
      let move = pi * (p.centres[j] - p.centres[i]) - qi * (q.centres[j] - q.centres[i])
      return (length(move), degrees((qRotation.transposed * (pi * p.rotations[j])).angle))
    }

    func scores(_ options: CameraPathOptions, _ details: [Field], rotated: Bool) -> [Score] {
      let reason = "no path could be compared: too few poses, or none that fit the alignment"
      let pairless = "no path has \(options.minimumPairs) pairs of poses \(options.delta) apart"
      var scores = position.scores(
        "camera.ate", options.reduction, reason: reason, details: details)
      let more =
        details + [
          Field("pairs_dropped", .count(dropped)), Field("poses_without_partner", .count(unpaired)),
        ]
      if rotated {
        scores += angle.scores(
          "camera.ate_rotation_degrees", options.reduction, reason: reason, details: details)
      }
      scores += step.scores(
        "camera.rpe_translation", options.reduction, reason: pairless, details: more)
      if rotated {
        scores += turn.scores(
          "camera.rpe_rotation_degrees", options.reduction, reason: pairless, details: more)
      }
      return scores
    }

    func refused(_ reason: String, _ details: [Field], rotated: Bool) -> [Score] {
      let names =
        rotated
        ? ["ate", "ate_rotation_degrees", "rpe_translation", "rpe_rotation_degrees"]
        : ["ate", "rpe_translation"]
      return names.flatMap { name in
        ErrorTally.figures.map {
          Score("camera.\(name).\($0)", missing: reason, details: details)
        }
      }
    }
  }
}

/// Degrees of radians.
@inline(__always) func degrees(_ radians: Double) -> Double { radians * (180 / .pi) }
