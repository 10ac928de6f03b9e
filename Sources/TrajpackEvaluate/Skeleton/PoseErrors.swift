import Glibc
import TrajpackFormat

/// Errors of 3-D poses (definitions as in VideoPose3D's losses).
///
/// MPJPE = mean ‖p̂ − p‖; PA-MPJPE after a similarity Procrustes fit of each frame, without
/// reflection (of poses in a plane, within the plane); N-MPJPE after the scale Σ⟨p, p̂⟩/Σ⟨p̂, p̂⟩ of each frame; MPJVE and acceleration
/// error: mean norm of the difference of first and second differences; PCK: share of joints within
/// α of a named length.
enum PoseErrors {
  static let evaluator = Evaluator(
    "skeleton.pose",
    "Pose errors: MPJPE, PA-MPJPE, N-MPJPE, MPJVE, acceleration error, PCK.",
    [
      .needed("truth", "F × J × 3 (or 2)", "true joints"),
      .needed("prediction", "F × J × 3 (or 2)", "predicted joints"),
      .optional("truth_mask", "F × J", "1 where the true joint exists"),
      .lengths,
    ],
    PoseOptions.self, scores)

  static func scores(
    _ arrays: Arrays, _ options: PoseOptions
  ) throws(TrajpackError) -> [Score] {
    let poses = try PosePair(arrays, options)
    var tally = PoseTally()
    for frame in 0..<poses.frames { tally.add(poses.frame(frame), options) }
    for clip in poses.clips { tally.addMotion(poses, clip) }
    return tally.scores(poses, options)
  }
}

/// True and predicted joints, root-aligned if asked for.
struct PosePair {
  let frames: Int
  let joints: Int
  let clips: [Range<Int>]
  /// Whether the joints lie in a plane.
  let planar: Bool
  /// What counts: masked and broken joints do not.
  private(set) var counts: [Bool]
  /// Which true joints exist, whatever was predicted.
  private(set) var known: [Bool]
  private(set) var truth: [SIMD3<Double>]
  private(set) var prediction: [SIMD3<Double>]
  /// The true joints before they were moved to the root.
  private let measured: [SIMD3<Double>]
  private(set) var masked = 0
  private(set) var notNumbers = 0

  init(_ arrays: Arrays, _ options: PoseOptions) throws(TrajpackError) {
    let a = try arrays.tensor("truth", ranks: 3...3)
    let b = try arrays.tensor("prediction", ranks: 3...3)
    try a.requireSameShape(b)
    guard a.shape[2] == 2 || a.shape[2] == 3, options.root < a.shape[1] else {
      throw TrajpackError(
        .usage, "joints must be F × J × 2 or 3, and the root one of them; “truth” is \(a.shape)")
    }
    if options.normaliser == .joints {
      let joints = a.shape[1]
      guard options.normaliserJoints.count == 2,
        options.normaliserJoints.allSatisfy({ $0 < joints })
      else {
        throw TrajpackError(.usage, "option normaliser_joints takes two joints below \(joints)")
      }
    }
    (frames, joints) = (a.shape[0], a.shape[1])
    clips = try arrays.clips(rows: frames)
    let mask = try arrays.mask("truth_mask", count: frames * joints)
    let width = a.shape[2]
    planar = width == 2
    func point(_ t: Tensor, _ index: Int) -> SIMD3<Double> {
      let start = width * index
      return SIMD3(t.values[start], t.values[start + 1], width == 3 ? t.values[start + 2] : 0)
    }
    truth = (0..<frames * joints).map { point(a, $0) }
    prediction = (0..<frames * joints).map { point(b, $0) }
    counts = [Bool](repeating: true, count: frames * joints)
    known = counts
    for index in counts.indices {
      if !truth[index].sum().isFinite || mask.map({ $0[index] == 0 }) ?? false {
        masked += 1
        counts[index] = false
        known[index] = false
      } else if !prediction[index].sum().isFinite {
        notNumbers += 1
        counts[index] = false
      }
    }
    measured = truth
    if options.root >= 0 { align(options.root) }
  }

  private mutating func align(_ root: Int) {
    for frame in 0..<frames {
      let start = frame * joints
      let known = counts[start + root]
      let (a, b) = (truth[start + root], prediction[start + root])
      for index in start..<start + joints {
        // Without a root there is nothing to measure from.
        if !known, counts[index] {
          counts[index] = false
          masked += 1
        }
        truth[index] -= a
        prediction[index] -= b
      }
    }
  }

  /// One frame: the joints that count, and the true pose for lengths, nil where a joint is missing.
  struct Frame {
    var truth: [SIMD3<Double>]
    var prediction: [SIMD3<Double>]
    var pose: [SIMD3<Double>?]
    var planar: Bool
  }

  func frame(_ frame: Int) -> Frame {
    let range = frame * joints..<(frame + 1) * joints
    let kept = range.filter { counts[$0] }
    return Frame(
      truth: kept.map { truth[$0] }, prediction: kept.map { prediction[$0] },
      pose: range.map { known[$0] ? measured[$0] : nil }, planar: planar)
  }
}

/// Sums over frames.
struct PoseTally {
  private var position = (sum: 0.0, count: 0)
  private var procrustes = (sum: 0.0, count: 0)
  private var scaled = (sum: 0.0, count: 0)
  private var velocity = (sum: 0.0, count: 0)
  private var acceleration = (sum: 0.0, count: 0)
  private var correct = (sum: 0.0, count: 0)
  private var unfitted = 0
  private var unscaled = 0

  mutating func add(_ frame: PosePair.Frame, _ options: PoseOptions) {
    let (truth, prediction) = (frame.truth, frame.prediction)
    guard !truth.isEmpty else { return }
    let distances = zip(truth, prediction).map { length($0 - $1) }
    position.sum += distances.reduce(0, +)
    position.count += distances.count
    let fit =
      frame.planar
      ? Similarity.fitInPlane(from: prediction, to: truth)
      : Similarity.fit(from: prediction, to: truth, scaled: true)
    if let fit {
      for (p, q) in zip(truth, prediction) { procrustes.sum += length(p - fit.apply(q)) }
      procrustes.count += truth.count
    } else {
      unfitted += 1
    }
    var product = 0.0
    var square = 0.0
    for (p, q) in zip(truth, prediction) {
      product += dot(p, q)
      square += dot(q, q)
    }
    let scale = square > 0 ? product / square : 0
    for (p, q) in zip(truth, prediction) { scaled.sum += length(p - scale * q) }
    scaled.count += truth.count
    guard let size = self.size(frame.pose, options) else {
      unscaled += 1
      return
    }
    let limit = options.alpha * size
    let within = distances.filter { options.strict ? $0 < limit : $0 <= limit }
    correct.sum += Double(within.count)
    correct.count += distances.count
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

  mutating func addMotion(_ poses: PosePair, _ clip: Range<Int>) {
    let joints = poses.joints
    for frame in clip.dropFirst() {
      for joint in 0..<joints {
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

  func scores(_ poses: PosePair, _ options: PoseOptions) -> [Score] {
    let details = [
      Field("masked", .count(poses.masked)), Field("nan_predictions", .count(poses.notNumbers)),
    ]
    let refused = poses.notNumbers > 0 && options.nan != .skip
    func score(_ name: String, _ part: (sum: Double, count: Int), _ extra: [Field] = []) -> Score {
      refused
        ? Score(
          "skeleton.\(name)",
          missing: "\(poses.notNumbers) predicted joints are not numbers; nan_predictions=skip "
            + "leaves them out", details: details)
        : .mean(
          "skeleton.\(name)", sum: part.sum, count: part.count, of: "joint that counts",
          details: details + extra)
    }
    var scores = [
      score("mpjpe", position),
      score("pa_mpjpe", procrustes, [Field("frames_not_fitted", .count(unfitted))]),
      score("n_mpjpe", scaled), score("mpjve_per_frame", velocity),
      score("acceleration_error_per_frame2", acceleration),
      score("pck", correct, [Field("frames_without_length", .count(unscaled))]),
    ]
    if let rate = options.rate {
      scores.append(score("mpjve_per_second", (velocity.sum * rate, velocity.count)))
      scores.append(
        score(
          "acceleration_error_per_second2", (acceleration.sum * rate * rate, acceleration.count)))
    }
    return scores
  }
}
