/// Sums over the frames of one body.
struct PoseTally {
  private typealias Sum = (sum: Double, count: Int)
  private var position: Sum = (0, 0)
  private var procrustes: Sum = (0, 0)
  private var scaled: Sum = (0, 0)
  private var velocity: Sum = (0, 0)
  private var acceleration: Sum = (0, 0)
  private var correct: Sum = (0, 0)
  private var poses = 0
  private var unfitted = 0
  private var unscaled = 0
  private var collapsed: [String] = []
  private var flipped: [String] = []

  mutating func add(_ frame: PosePair.Frame, _ options: PoseOptions) {
    let (truth, prediction) = (frame.truth, frame.prediction)
    let isWorst = options.failed == .worst
    guard !truth.isEmpty || (isWorst && !frame.lost.isEmpty) else { return }
    poses += 1
    let distances = zip(truth, prediction).map { length($0 - $1) }
    position.sum += distances.reduce(0, +)
    position.count += distances.count
    fit(frame, isWorst)
    scale(frame, isWorst)
    guard let size = self.size(frame.pose, options) else {
      unscaled += 1
      return
    }
    let limit = options.alpha * size
    let within = distances.filter { options.strict ? $0 < limit : $0 <= limit }
    correct.sum += Double(within.count)
    correct.count += distances.count + (isWorst ? frame.lost.count : 0)
  }

  /// PA-MPJPE. A true pose on a line or in a point has no fit, and does not count; a prediction in
  /// a point has failed, and lies at scale 0 in the mean of the truth.
  private mutating func fit(_ frame: PosePair.Frame, _ isWorst: Bool) {
    let (truth, prediction) = (frame.truth, frame.prediction)
    let whole = truth + frame.lost
    let mean = whole.reduce(.zero, +) / Double(whole.count)
    func residual(_ points: [SIMD3<Double>]) {
      for point in points { procrustes.sum += length(point - mean) }
      procrustes.count += points.count
    }
    if isWorst { residual(frame.lost) }
    guard !truth.isEmpty else { return }
    let to = OutcomeSpread(truth)
    guard !to.isStill, frame.planar || !to.isStraight else {
      unfitted += 1
      return
    }
    switch frame.planar
      ? Similarity.outcomeInPlane(from: prediction, to: truth)
      : Similarity.outcome(
        from: prediction, to: truth, scaled: true, spreads: (OutcomeSpread(prediction), to))
    {
    case .fit(let fit, _):
      for (p, q) in zip(truth, prediction) { procrustes.sum += length(p - fit.apply(q)) }
      procrustes.count += truth.count
    case .stillTarget: unfitted += 1
    case .failed(let cause):
      collapsed.append(cause)
      if isWorst { residual(truth) }
    }
  }

  /// N-MPJPE.
  private mutating func scale(_ frame: PosePair.Frame, _ isWorst: Bool) {
    let (truth, prediction) = (frame.truth, frame.prediction)
    func add(_ scale: Double) {
      for (p, q) in zip(truth, prediction) { scaled.sum += length(p - scale * q) }
      scaled.count += truth.count
    }
    if isWorst {
      scaled.sum += frame.lost.reduce(0) { $0 + length($1) }
      scaled.count += frame.lost.count
    }
    guard !truth.isEmpty else { return }
    var product = 0.0
    var square = 0.0
    var size = 0.0
    for (p, q) in zip(truth, prediction) {
      product += dot(p, q)
      square += dot(q, q)
      size += dot(p, p)
    }
    if size == 0 { return add(1) }
    guard square > 0, product > 0, (product / square).isFinite else {
      flipped.append("the best scale of a pose is not above 0")
      if isWorst { add(0) }
      return
    }
    add(product / square)
  }

  /// The length that PCK's threshold is a share of.
  private func size(_ pose: [SIMD3<Double>?], _ options: PoseOptions) -> Double? {
    switch options.normaliser {
    case .none: return 1
    case .joints:
      let (a, b) = (options.normaliserJoints[0], options.normaliserJoints[1])
      guard let first = pose[a], let second = pose[b] else { return nil }
      let size = length(first - second)
      return size > 0 && size.isFinite ? size : nil
    case .boundingBox:
      let known = pose.compactMap { $0 }
      guard let first = known.first else { return nil }
      let low = known.reduce(first) { pointwiseMin($0, $1) }
      let high = known.reduce(first) { pointwiseMax($0, $1) }
      let size = (high - low).max()
      return size > 0 ? size : nil
    }
  }

  mutating func addMotion(_ poses: PosePair, _ body: [Int], _ clip: Range<Int>) {
    let joints = poses.joints
    for frame in clip.dropFirst() {
      for joint in body {
        let now = frame * joints + joint
        let before = now - joints
        guard poses.counts[now], poses.counts[before] else { continue }
        let error = poses.prediction[now] - poses.truth[now]
        let step = error - (poses.prediction[before] - poses.truth[before])
        velocity.sum += length(step)
        velocity.count += 1
        let earlier = before - joints
        guard frame - clip.lowerBound > 1, poses.counts[earlier] else { continue }
        let last = poses.prediction[before] - poses.truth[before]
        let change = error - 2 * last + (poses.prediction[earlier] - poses.truth[earlier])
        acceleration.sum += length(change)
        acceleration.count += 1
      }
    }
  }

  private static func merged(
    _ tallies: [PoseTally], _ part: (PoseTally) -> Sum
  ) -> Sum {
    tallies.map(part).reduce((0, 0)) { ($0.0 + $1.sum, $0.1 + $1.count) }
  }

  static func scores(
    _ poses: PosePair, _ tallies: [PoseTally], _ options: PoseOptions
  ) -> [Score] {
    let details = [
      Field("masked", .count(poses.masked)),
      Field("nan_predictions", .count(poses.lost.count)),
    ]
    let total = tallies.reduce(0) { $0 + $1.poses }
    func fits(_ causes: (PoseTally) -> [String]) -> Failures {
      var failures = Failures("poses", of: total)
      for (at, cause) in tallies.flatMap(causes).enumerated() { failures.add(at, cause) }
      return poses.lost.count > 0 ? poses.lost.including(failures) : failures
    }
    func score(
      _ name: String, _ part: (PoseTally) -> Sum, _ extra: [Field] = [],
      times factor: Double = 1, _ failures: Failures? = nil, worst: Failures.Worst = .none
    ) -> Score {
      let sum = merged(tallies, part)
      var fields = details + extra
      if tallies.count > 1 {
        fields.append(
          Field(
            "per_entity",
            .fields(
              zip(poses.entities, tallies).map { entity, tally in
                let own = part(tally)
                return Field(
                  "\(entity.number)",
                  own.count > 0 ? .number(factor * own.sum / Double(own.count)) : .none)
              })))
      }
      return Score.mean(
        "skeleton.\(name)", sum: factor * sum.sum, count: sum.count, of: "joint that counts",
        details: fields
      ).failing(failures ?? poses.lost, worst: worst)
    }
    var scores = [
      score("mpjpe", \.position),
      score(
        "pa_mpjpe", \.procrustes,
        [Field("poses_not_fitted", .count(tallies.reduce(0) { $0 + $1.unfitted }))],
        fits(\.collapsed), worst: .counted),
      score("n_mpjpe", \.scaled, [], fits(\.flipped), worst: .counted),
      score("mpjve_per_frame", \.velocity),
      score("acceleration_error_per_frame2", \.acceleration),
      score(
        "pck", \.correct,
        [Field("poses_without_length", .count(tallies.reduce(0) { $0 + $1.unscaled }))],
        worst: .counted),
    ]
    if let rate = options.rate {
      scores.append(score("mpjve_per_second", \.velocity, times: rate))
      scores.append(score("acceleration_error_per_second2", \.acceleration, times: rate * rate))
    }
    return scores
  }
}
