import Glibc
import TrajpackFormat

/// Errors of 3-D poses (definitions as in VideoPose3D's losses).
///
/// MPJPE = mean ‖p̂ − p‖; PA-MPJPE after a similarity Procrustes fit of each frame, without
/// reflection (of poses in a plane, within the plane); N-MPJPE after the scale Σ⟨p, p̂⟩/Σ⟨p̂, p̂⟩ of
/// each frame, above 0; MPJVE and acceleration error: mean norm of the difference of first and
/// second differences; PCK: share of joints within α of a named length. A fit, a scale and a length
/// are of one entity.
enum PoseErrors {
  static let evaluator = Evaluator(
    "skeleton.pose",
    makes: [
      "skeleton.mpjpe", "skeleton.pa_mpjpe", "skeleton.n_mpjpe", "skeleton.mpjve_per_",
      "skeleton.acceleration_error_per_", "skeleton.pck",
    ],
    "Pose errors: MPJPE, PA-MPJPE, N-MPJPE, MPJVE, acceleration error, PCK.",
    [
      .needed("truth", "F × J × 3 (or 2)", "true joints"),
      .needed("prediction", "F × J × 3 (or 2)", "predicted joints"),
      .optional("truth_mask", "F × J", "1 where the true joint exists"),
      .optional("entities", "J", "which body each joint is of; one body when left out"),
      .lengths,
    ],
    PoseOptions.self, scores)

  static func scores(
    _ arrays: Arrays, _ options: PoseOptions
  ) throws(TrajpackError) -> [Score] {
    let poses = try PosePair(arrays, options)
    var tallies = poses.entities.map { _ in PoseTally() }
    for (number, entity) in poses.entities.enumerated() {
      for frame in 0..<poses.frames {
        tallies[number].add(poses.frame(frame, of: entity.joints), options)
      }
      for clip in poses.clips { tallies[number].addMotion(poses, entity.joints, clip) }
    }
    return PoseTally.scores(poses, tallies, options)
  }
}

/// True and predicted joints, root-aligned if asked for.
struct PosePair {
  let frames: Int
  let joints: Int
  let clips: [Range<Int>]
  /// The joints of each body, and its number in `entities`.
  let entities: [(number: Int, joints: [Int])]
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
  /// Joints whose truth counts, and those of them that were not predicted.
  private(set) var lost = Failures("joints")

  init(_ arrays: Arrays, _ options: PoseOptions) throws(TrajpackError) {
    let a = try arrays.tensor("truth", ranks: 3...3)
    let b = try arrays.tensor("prediction", ranks: 3...3)
    try a.requireSameShape(b)
    guard a.shape[2] == 2 || a.shape[2] == 3 else {
      throw TrajpackError(.usage, "joints must be F × J × 2 or 3; 'truth' is \(a.shape)")
    }
    entities = try Self.bodies(arrays, a.shape[1])
    let least = entities.map(\.joints.count).min() ?? 0
    guard options.root < least || options.root < 0 else {
      throw TrajpackError(
        .usage, "the root must be one of the \(least) joints of a body, not \(options.root)")
    }
    if options.normaliser == .joints {
      let joints = least
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
        counts[index] = false
      }
    }
    measured = truth
    if options.root >= 0 { align(options.root) }
    for index in known.indices where known[index] {
      lost.total += 1
      if !counts[index] {
        lost.add(index, "joint \(index % joints) of frame \(index / joints) is not finite")
      }
    }
  }

  /// The joints of each body.
  private static func bodies(
    _ arrays: Arrays, _ joints: Int
  ) throws(TrajpackError) -> [(number: Int, joints: [Int])] {
    guard let view = arrays.view("entities") else { return [(0, Array(0..<joints))] }
    let numbers = try arrays.integers(view)
    guard numbers.count == joints else {
      throw TrajpackError(.usage, "'entities' must be \(joints) numbers, one a joint")
    }
    var bodies: [(number: Int, joints: [Int])] = []
    for (joint, number) in numbers.enumerated() {
      if let at = bodies.firstIndex(where: { $0.number == Int(number) }) {
        bodies[at].joints.append(joint)
      } else {
        bodies.append((Int(number), [joint]))
      }
    }
    return bodies
  }

  private mutating func align(_ root: Int) {
    for frame in 0..<frames {
      for entity in entities {
        let origin = frame * joints + entity.joints[root]
        let (isKnown, isPredicted) = (known[origin], counts[origin])
        let (a, b) = (truth[origin], prediction[origin])
        for joint in entity.joints {
          let index = frame * joints + joint
          // Without a root there is nothing to measure from.
          if !isKnown, known[index] {
            counts[index] = false
            known[index] = false
            masked += 1
          } else if !isPredicted, counts[index] {
            counts[index] = false
          }
          truth[index] -= a
          prediction[index] -= b
        }
      }
    }
  }

  /// One body in one frame: the joints that count, those that were not predicted, and the true pose
  /// for lengths, nil where a joint is missing.
  struct Frame {
    var truth: [SIMD3<Double>]
    var prediction: [SIMD3<Double>]
    var lost: [SIMD3<Double>]
    var pose: [SIMD3<Double>?]
    var planar: Bool
  }

  func frame(_ frame: Int, of body: [Int]) -> Frame {
    let range = body.map { frame * joints + $0 }
    let kept = range.filter { counts[$0] }
    return Frame(
      truth: kept.map { truth[$0] }, prediction: kept.map { prediction[$0] },
      lost: range.filter { known[$0] && !counts[$0] }.map { truth[$0] },
      pose: range.map { known[$0] ? measured[$0] : nil }, planar: planar)
  }
}
