import TrajpackFormat

/// A path of camera-to-world poses.
struct CameraPath {
  var rotations: [Matrix3]
  var centres: [SIMD3<Double>]

  var count: Int { centres.count }

  /// The same path seen from its first pose.
  func relativeToFirst() -> CameraPath {
    guard let rotation = rotations.first?.transposed, let centre = centres.first else {
      return self
    }
    return CameraPath(
      rotations: rotations.map { rotation * $0 }, centres: centres.map { rotation * ($0 - centre) })
  }

  /// The path carried by a similarity: centres wholly, rotations by its rotation.
  func moved(by similarity: Similarity) -> CameraPath {
    CameraPath(
      rotations: rotations.map { similarity.rotation * $0 },
      centres: centres.map(similarity.apply))
  }
}

/// A true path and its estimate, with the frames that count.
struct PathPair {
  var truth: CameraPath
  var estimate: CameraPath
  /// The frame number of each pose kept.
  var frames: [Int]
  var masked: Int
  /// True poses whose estimate is not finite, with their frame numbers.
  var lost: [(frame: Int, rotation: Matrix3, centre: SIMD3<Double>)] = []
  /// The largest coordinate as it was given, by which rounding is judged.
  var magnitude = (truth: 0.0, estimate: 0.0)
  /// Relative error of the centres' arithmetic.
  var precision = 0x1p-52

  var notNumbers: Int { lost.count }
  /// Poses whose truth is known.
  var known: Int { frames.count + lost.count }

  /// Both paths, and the lost poses, seen from their first pose.
  func relativeToFirst() -> PathPair {
    var copy = self
    copy.truth = truth.relativeToFirst()
    copy.estimate = estimate.relativeToFirst()
    if let rotation = truth.rotations.first?.transposed, let centre = truth.centres.first {
      copy.lost = lost.map { ($0.frame, rotation * $0.rotation, rotation * ($0.centre - centre)) }
    }
    return copy
  }

  /// How far each path spreads.
  var spreads: (source: OutcomeSpread, target: OutcomeSpread) {
    (
      OutcomeSpread(estimate.centres, magnitude: magnitude.estimate, precision: precision),
      OutcomeSpread(truth.centres, magnitude: magnitude.truth, precision: precision)
    )
  }
}

/// What all camera evaluators read: `T × 3` centres and `T × 4` quaternions (or `T × 3 × 3`
/// matrices), or with a leading axis of paths.
struct CameraInputs {
  let positions: (truth: Tensor, estimate: Tensor)
  let rotations: (truth: Tensor, estimate: Tensor)?
  let mask: UnsafeBufferPointer<UInt8>?
  let paths: Int
  let frames: Int
  /// Whether an array of them is float32.
  let isSingle: Bool

  static let inputs: [Evaluator.Input] = [
    .needed("truth_position", "[N ×] T × 3", "true positions (or translations of the pose)"),
    .needed("estimate_position", "[N ×] T × 3", "estimated positions"),
    .optional("truth_rotation", "[N ×] T × 4 or [N ×] T × 3 × 3", "true rotations"),
    .optional("estimate_rotation", "[N ×] T × 4 or [N ×] T × 3 × 3", "estimated rotations"),
    .optional("truth_mask", "[N ×] T", "1 where the true pose exists"),
  ]

  init(_ arrays: Arrays) throws(TrajpackError) {
    let truth = try arrays.tensor("truth_position", ranks: 2...3, lastAxis: 3)
    let estimate = try arrays.tensor("estimate_position", ranks: 2...3, lastAxis: 3)
    try truth.requireSameShape(estimate)
    positions = (truth, estimate)
    paths = truth.shape.count == 3 ? truth.shape[0] : 1
    frames = truth.shape[truth.shape.count - 2]
    if arrays.view("truth_rotation") != nil || arrays.view("estimate_rotation") != nil {
      let first = try arrays.tensor("truth_rotation", ranks: 2...4)
      let second = try arrays.tensor("estimate_rotation", ranks: 2...4)
      for rotation in [first, second] {
        let lead = Array(truth.shape.dropLast())
        guard rotation.shape == lead + [4] || rotation.shape == lead + [3, 3] else {
          throw TrajpackError(
            .usage,
            "'\(rotation.name)' must be \(lead + [4]) or \(lead + [3, 3]), not \(rotation.shape)")
        }
      }
      rotations = (first, second)
    } else {
      rotations = nil
    }
    mask = try arrays.mask("truth_mask", count: paths * frames)
    isSingle = Self.inputs.contains { input in
      if case .float? = arrays.view(input.name)?.elements { return true }
      return false
    }
  }

  /// From OpenGL's axes of a camera to OpenCV's, and back: half a turn about x.
  private static let turn = Matrix3(SIMD3(1, 0, 0), SIMD3(0, -1, 0), SIMD3(0, 0, -1))

  /// One path with its estimate, frames that are masked or not numbers left out.
  ///
  /// - Parameter turns: Whether the estimate's cameras have the other axes.
  func pair(
    _ path: Int, order: QuaternionLayout, direction: PoseDirection, turns: Bool
  ) throws(TrajpackError) -> PathPair {
    let empty = CameraPath(rotations: [], centres: [])
    var pair = PathPair(truth: empty, estimate: empty, frames: [], masked: 0)
    // A centre that is computed from a float32 rotation is no better than that.
    if direction == .worldToCamera, isSingle { pair.precision = 0x1p-23 }
    pair.frames.reserveCapacity(frames)
    pair.truth.centres.reserveCapacity(frames)
    pair.estimate.centres.reserveCapacity(frames)
    for frame in 0..<frames {
      let index = path * frames + frame
      if let mask, mask[index] == 0 {
        pair.masked += 1
        continue
      }
      let truth = try pose(
        positions.truth, rotations?.truth, index, order, direction, isTruth: true)
      guard let truth else {
        pair.masked += 1
        continue
      }
      let estimate = try pose(
        positions.estimate, rotations?.estimate, index, order, direction, isTruth: false)
      guard let estimate else {
        pair.lost.append((frame, truth.rotation, truth.centre))
        continue
      }
      pair.magnitude.truth = max(pair.magnitude.truth, length(truth.centre))
      pair.magnitude.estimate = max(pair.magnitude.estimate, length(estimate.centre))
      pair.frames.append(frame)
      pair.truth.centres.append(truth.centre)
      pair.truth.rotations.append(truth.rotation)
      pair.estimate.centres.append(estimate.centre)
      let isTurned = turns && rotations != nil
      pair.estimate.rotations.append(
        isTurned ? estimate.rotation * Self.turn : estimate.rotation)
    }
    return pair
  }

  private func pose(
    _ position: Tensor, _ rotation: Tensor?, _ index: Int, _ order: QuaternionLayout,
    _ direction: PoseDirection, isTruth: Bool
  ) throws(TrajpackError) -> (centre: SIMD3<Double>, rotation: Matrix3)? {
    let p = position.values
    let centre = SIMD3(p[3 * index], p[3 * index + 1], p[3 * index + 2])
    guard centre.sum().isFinite else { return nil }
    guard let rotation else { return (centre, .identity) }
    let r = rotation.values
    let matrix: Matrix3
    if r.count == p.count / 3 * 4 {
      let q = SIMD4(r[4 * index], r[4 * index + 1], r[4 * index + 2], r[4 * index + 3])
      let xyzw = order == .xyzw ? q : SIMD4(q.y, q.z, q.w, q.x)
      guard q.sum().isFinite else { return nil }
      guard let parsed = Matrix3(quaternion: xyzw) else {
        // A model that predicts no rotation has predicted no number.
        guard isTruth else { return nil }
        throw TrajpackError(
          .data, "'\(rotation.name)' has a zero quaternion at pose \(index); mask that frame")
      }
      matrix = parsed
    } else {
      let m = 9 * index
      matrix = Matrix3(
        SIMD3(r[m], r[m + 1], r[m + 2]), SIMD3(r[m + 3], r[m + 4], r[m + 5]),
        SIMD3(r[m + 6], r[m + 7], r[m + 8]))
      guard matrix.isFinite else { return nil }
      guard abs(matrix.determinant - 1) < 1e-3 else {
        throw TrajpackError(
          .data, "'\(rotation.name)' has a matrix at pose \(index) that is not a rotation")
      }
    }
    guard direction == .worldToCamera else { return (centre, matrix) }
    let inverse = matrix.transposed
    return (-(inverse * centre), inverse)
  }
}
