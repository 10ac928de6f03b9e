import TrajpackFormat

/// Whether a motion could be one, without a truth to compare with.
///
/// - `bone_drift`: mean over bones and frames of |L_t − L̄| / L̄, L̄ the bone's mean length in its
///   clip
/// - `foot_sliding`: mean horizontal step of a foot between two frames in which it touches
/// - `ground_penetration`: mean depth below the ground over all joints; share and deepest in the
///   details
enum Plausibility {
  static let evaluator = Evaluator(
    "skeleton.plausibility",
    makes: ["skeleton.bone_drift", "skeleton.foot_sliding_per_", "skeleton.ground_penetration"],
    "Bone-length drift, foot sliding, ground penetration.",
    [
      .needed("joints", "F × J × 3", "a motion"),
      .optional("bones", "B × 2", "pairs of joints whose distance should not change"),
      .optional("feet", "N", "joints that touch the ground"),
      .optional("mask", "F × J", "1 where the joint exists"),
      .lengths,
    ],
    PlausibilityOptions.self, scores)

  static func scores(
    _ arrays: Arrays, _ options: PlausibilityOptions
  ) throws(TrajpackError) -> [Score] {
    let motion = try arrays.tensor("joints", ranks: 3...3, lastAxis: 3)
    let joints = motion.shape[1]
    let mask = try arrays.mask("mask", count: motion.shape[0] * joints)
    let clips = try arrays.clips(rows: motion.shape[0])
    func point(_ frame: Int, _ joint: Int) -> SIMD3<Double>? {
      let index = frame * joints + joint
      if let mask, mask[index] == 0 { return nil }
      let v = motion.values
      let point = SIMD3(v[3 * index], v[3 * index + 1], v[3 * index + 2])
      return point.sum().isFinite ? point : nil
    }
    let bones = try indices(arrays, "bones", joints, pairs: true)
    let feet = try indices(arrays, "feet", joints, pairs: false)
    var scores: [Score] = []
    if !bones.isEmpty { scores.append(drift(clips, bones, point)) }
    if let up = options.up.index {
      if !feet.isEmpty { scores += sliding(clips, feet, up, options, point) }
      scores.append(penetration(motion.shape[0], joints, up, options, point))
    } else {
      let reason = "which axis points up is not known; say it with up=0, 1 or 2"
      let feet = feet.isEmpty ? [] : ["foot_sliding_per_frame"]
      scores += (feet + ["ground_penetration"]).map { Score("skeleton.\($0)", missing: reason) }
    }
    return counted(scores, motion, mask)
  }

  /// The scores with how many joints are masked and how many failed.
  private static func counted(
    _ scores: [Score], _ motion: Tensor, _ mask: UnsafeBufferPointer<UInt8>?
  ) -> [Score] {
    var masked = 0
    var broken = Failures("joints")
    for index in 0..<motion.shape[0] * motion.shape[1] {
      if let mask, mask[index] == 0 {
        masked += 1
        continue
      }
      broken.total += 1
      if !motion.values[3 * index..<3 * index + 3].allSatisfy(\.isFinite) {
        broken.add(
          index,
          "joint \(index % motion.shape[1]) of frame \(index / motion.shape[1]) is not finite")
      }
    }
    let details = [Field("masked", .count(masked)), Field("nan_predictions", .count(broken.count))]
    return scores.map { score in
      var score = score
      score.details += details
      return score.failing(broken)
    }
  }

  private static func indices(
    _ arrays: Arrays, _ name: String, _ joints: Int, pairs: Bool
  ) throws(TrajpackError) -> [Int] {
    guard let view = arrays.view(name) else { return [] }
    guard !pairs || (view.shape.count == 2 && view.shape[1] == 2) else {
      throw TrajpackError(.usage, "'bones' must be B × 2, not \(view.shape)")
    }
    let values = try arrays.integers(view)
    guard values.allSatisfy({ $0 >= 0 && $0 < joints }) else {
      throw TrajpackError(.data, "'\(name)' names a joint that is not among \(joints)")
    }
    return values.map { Int($0) }
  }

  private static func drift(
    _ clips: [Range<Int>], _ bones: [Int], _ point: (Int, Int) -> SIMD3<Double>?
  ) -> Score {
    var sum = 0.0
    var count = 0
    var each: [Double?] = []
    for bone in stride(from: 0, to: bones.count, by: 2) {
      var boneSum = 0.0
      var boneCount = 0
      for clip in clips {
        let lengths = clip.compactMap { frame -> Double? in
          guard let a = point(frame, bones[bone]), let b = point(frame, bones[bone + 1]) else {
            return nil
          }
          return length(a - b)
        }
        let mean = Statistics.mean(lengths)
        guard mean > 0 else { continue }
        for value in lengths { boneSum += abs(value - mean) / mean }
        boneCount += lengths.count
      }
      each.append(boneCount > 0 ? boneSum / Double(boneCount) : nil)
      sum += boneSum
      count += boneCount
    }
    return .mean(
      "skeleton.bone_drift", sum: sum, count: count, of: "bone with a length",
      details: [Field("per_bone", .numbers(each))])
  }

  private static func sliding(
    _ clips: [Range<Int>], _ feet: [Int], _ up: Int, _ options: PlausibilityOptions,
    _ point: (Int, Int) -> SIMD3<Double>?
  ) -> [Score] {
    var sum = 0.0
    var count = 0
    for clip in clips {
      for frame in clip.dropFirst() {
        for foot in feet {
          guard let now = point(frame, foot), let before = point(frame - 1, foot),
            now[up] - options.ground < options.contactHeight,
            before[up] - options.ground < options.contactHeight
          else { continue }
          var step = now - before
          step[up] = 0
          sum += length(step)
          count += 1
        }
      }
    }
    let what = "step of a touching foot"
    let score = Score.mean("skeleton.foot_sliding_per_frame", sum: sum, count: count, of: what)
    guard let rate = options.rate else { return [score] }
    return [
      score,
      .mean("skeleton.foot_sliding_per_second", sum: sum * rate, count: count, of: what),
    ]
  }

  private static func penetration(
    _ frames: Int, _ joints: Int, _ up: Int, _ options: PlausibilityOptions,
    _ point: (Int, Int) -> SIMD3<Double>?
  ) -> Score {
    var sum = 0.0
    var count = 0
    var below = 0
    var deepest = 0.0
    for frame in 0..<frames {
      for joint in 0..<joints {
        guard let place = point(frame, joint) else { continue }
        count += 1
        let depth = options.ground - place[up]
        guard depth > options.penetrationTolerance else { continue }
        below += 1
        sum += depth
        deepest = max(deepest, depth)
      }
    }
    return .mean(
      "skeleton.ground_penetration", sum: sum, count: count, of: "joint",
      details: [
        Field("share_below", count > 0 ? .number(Double(below) / Double(count)) : .none),
        Field("deepest", .number(deepest)),
      ])
  }
}
