import TrajpackFormat

/// Absolute trajectory error and relative pose error.
///
/// ATE: ‖t_i − t̂_i‖ after alignment (Sturm et al., IROS 2012), and the angle between rotations.
/// A path of fewer poses than the alignment needs has no ATE: the fit would reproduce any estimate.
/// RPE over Δ: E_i = (Q_i⁻¹ Q_{i+Δ})⁻¹ (P_i⁻¹ P_{i+Δ}); ‖trans E_i‖ and the angle of its rotation.
enum PathErrors {
  static let evaluator = Evaluator(
    "camera.path",
    makes: [
      "camera.ate", "camera.ate_rotation_degrees", "camera.rpe_translation",
      "camera.rpe_rotation_degrees",
    ],
    "Absolute trajectory error (ATE) and relative pose error (RPE) of camera paths, "
      + "WildBench-style.",
    CameraInputs.inputs, CameraPathOptions.self, scores)

  static func scores(
    _ arrays: Arrays, _ options: CameraPathOptions
  ) throws(TrajpackError) -> [Score] {
    let inputs = try CameraInputs(arrays)
    let rotated = inputs.rotations != nil
    var tally = Tallies()
    var failures = (place: PathFailures(inputs), step: PathFailures(inputs))
    var masked = 0
    var notNumbers = 0
    let least = options.alignment.leastPoses(firstPose: options.firstPose)
    var fits: [Value] = []
    for path in 0..<inputs.paths {
      var pair = try inputs.pair(
        path, order: options.quaternionOrder, direction: options.direction,
        turns: options.estimateAxes.differ(from: options.truthAxes))
      masked += pair.masked
      notNumbers += pair.notNumbers
      guard pair.known > 0 else { continue }
      if pair.known >= least { failures.place.add(path, pair) }
      failures.step.add(path, pair)
      if options.firstPose { pair = pair.relativeToFirst() }
      let aligned = options.alignment.fit(
        pair, least: least, rotated: rotated, anySign: options.anySign)
      let stepped = options.stepScale.fit(pair, aligned, options.alignment, rotated: rotated)
      if case .failed(let cause, _) = aligned, !pair.frames.isEmpty {
        failures.place.add(path, pair, fit: cause)
      }
      if case .failed(let cause, _) = stepped, !pair.frames.isEmpty {
        failures.step.add(path, pair, fit: cause)
      }
      fits.append(aligned.described)
      tally.add(pair, aligned, stepped, options, rotated: rotated)
    }
    var details = [
      Field("paths", .count(inputs.paths)),
      Field("masked_frames", .count(masked)),
      Field("nan_predictions", .count(notNumbers)),
    ]
    if inputs.paths == 1 { details.append(Field("alignment_fit", fits.first ?? .none)) }
    return tally.scores(options, details, failures, rotated: rotated)
  }

  /// The four kinds of error.
  private struct Tallies {
    var position = ErrorTally()
    var angle = ErrorTally()
    var step = ErrorTally()
    var turn = ErrorTally()
    var dropped = 0
    var unpaired = 0
    /// Paths that have fewer poses than the alignment needs.
    var tooShort = 0

    mutating func add(
      _ pair: PathPair, _ aligned: AlignedPath, _ stepped: AlignedPath,
      _ options: CameraPathOptions, rotated: Bool
    ) {
      let isWorst = options.failed == .worst
      if case .tooShort = aligned { tooShort += 1 }
      if let fit = aligned.similarity(isWorst) {
        let divisor = options.scaleTruth && fit.scale != 0 ? fit.scale : 1
        let (truth, estimate) = (pair.truth, pair.estimate.moved(by: fit))
        var places = truth.centres.indices.map {
          length(truth.centres[$0] - estimate.centres[$0]) / divisor
        }
        if isWorst {
          let origin = options.alignment.collapsed(pair).translation
          places += pair.lost.map { length($0.centre - origin) / divisor }
        }
        position.add(places)
        if rotated {
          var angles = truth.rotations.indices.map {
            degrees((truth.rotations[$0].transposed * estimate.rotations[$0]).angle)
          }
          if case .failed = aligned { angles = angles.map { _ in 180 } }
          if isWorst { angles += pair.lost.map { _ in 180 } }
          angle.add(angles)
        }
      }
      addRelative(pair, stepped, options, rotated: rotated)
    }

    /// Relative errors. They need no alignment but a scale; of positions alone, which have no axes
    /// of their own, the truth's are taken.
    private mutating func addRelative(
      _ original: PathPair, _ stepped: AlignedPath, _ options: CameraPathOptions, rotated: Bool
    ) {
      let isWorst = options.failed == .worst
      var pair = original
      let fit = stepped.similarity(isWorst)
      let scale = fit?.scale ?? 1
      let divisor = options.scaleTruth && scale != 0 ? scale : 1
      if rotated {
        pair.estimate.centres = pair.estimate.centres.map { scale * $0 }
      } else {
        pair.estimate = pair.estimate.moved(by: fit ?? Similarity())
        pair.estimate.rotations = pair.truth.rotations
      }
      var isLost = [Bool](repeating: false, count: pair.frames.count)
      if isWorst, !pair.lost.isEmpty {
        // Poses that failed are put where they belong, to be counted at their worst.
        let all =
          (pair.frames.indices.map { ($0, pair.frames[$0]) }
          + pair.lost.indices.map { (-1 - $0, pair.lost[$0].frame) }).sorted { $0.1 < $1.1 }
        var whole = pair
        whole.frames = all.map(\.1)
        isLost = all.map { $0.0 < 0 }
        whole.truth = CameraPath(
          rotations: all.map {
            $0.0 < 0 ? pair.lost[-1 - $0.0].rotation : pair.truth.rotations[$0.0]
          },
          centres: all.map { $0.0 < 0 ? pair.lost[-1 - $0.0].centre : pair.truth.centres[$0.0] })
        whole.estimate = CameraPath(
          rotations: all.map { $0.0 < 0 ? .identity : pair.estimate.rotations[$0.0] },
          centres: all.map { $0.0 < 0 ? .zero : pair.estimate.centres[$0.0] })
        pair = whole
      }
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
        var (step, turn) = relative(pair, i, j)
        if isLost[i] || isLost[j] {
          step = length(pair.truth.centres[j] - pair.truth.centres[i])
          turn = 180
        }
        step /= divisor
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
      if fit != nil { step.add(steps) }
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

    func scores(
      _ options: CameraPathOptions, _ details: [Field],
      _ failures: (place: PathFailures, step: PathFailures), rotated: Bool
    ) -> [Score] {
      let least = options.alignment.leastPoses(firstPose: options.firstPose)
      let short = "no path has the \(least) poses that the figure needs: fewer fit any estimate"
      let reason = tooShort > 0 ? short : "no path has a pose that counts"
      let leftOut = tooShort > 0 ? [Field("paths_too_short", .count(tooShort))] : []
      let pairless = "no path has \(options.minimumPairs) pairs of poses \(options.delta) apart"
      // Without a fit a distance has no worst value; an angle has half a turn.
      let place: Failures.Worst = options.alignment == .none ? .none : .counted
      let hasScale =
        options.stepScale == .umeyama
        || options.stepScale == .alignment && options.alignment != .none
          && options.alignment != .se3
      func add(
        _ name: String, _ tally: ErrorTally, _ why: String, _ fields: [Field], _ lost: Failures,
        _ worst: Failures.Worst
      ) -> [Score] {
        tally.scores("camera.\(name)", options.reduction, reason: why, details: fields)
          .map { $0.failing(lost, worst: worst) }
      }
      let all = failures.place.failures(fits: true)
      var scores = add("ate", position, reason, details + leftOut, all, place)
      let more =
        details + [
          Field("pairs_dropped", .count(dropped)), Field("poses_without_partner", .count(unpaired)),
        ]
      if rotated {
        scores += add("ate_rotation_degrees", angle, reason, details + leftOut, all, .counted)
      }
      let isUnfitted = tooShort > 0 && step.paths.count < turn.paths.count
      scores += add(
        "rpe_translation", step, isUnfitted ? short : pairless,
        more + (isUnfitted ? leftOut : []),
        failures.step.failures(fits: true), hasScale ? .counted : .none)
      if rotated {
        scores += add(
          "rpe_rotation_degrees", turn, pairless, more, failures.step.failures(fits: false),
          .counted)
      }
      return scores
    }
  }
}

extension StepScale {
  /// The scale of the steps of an estimate.
  func fit(
    _ pair: PathPair, _ aligned: AlignedPath, _ alignment: PathAlignment, rotated: Bool
  ) -> AlignedPath {
    switch self {
    case .alignment:
      // Poses know their own axes, so steps need no more than a scale.
      return rotated && [.none, .se3].contains(alignment) ? .fit(Similarity(), note: nil) : aligned
    case .none: return .fit(Similarity(), note: nil)
    case .umeyama:
      return PathAlignment.scaleUmeyama.fit(pair, rotated: rotated, anySign: false)
    }
  }
}

extension AlignedPath {
  /// The similarity; where the fit failed, the one at scale 0 if that is to count.
  func similarity(_ isWorst: Bool) -> Similarity? {
    switch self {
    case .fit(let fit, _): return fit
    case .failed(_, let collapsed): return isWorst ? collapsed : nil
    case .tooShort: return nil
    }
  }

  /// The fit as a detail of a report.
  var described: Value {
    switch self {
    case .fit(let fit, let note):
      guard let note, case .fields(let fields) = fit.described else { return fit.described }
      return .fields(fields + [Field("note", .text(note))])
    case .failed, .tooShort: return .none
    }
  }
}

/// Degrees of radians.
@inline(__always) func degrees(_ radians: Double) -> Double { radians * (180 / .pi) }
