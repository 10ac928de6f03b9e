import TrajpackFormat

/// State alignment of keypoints, WildBench-style: SA = 100 · (1/|P|) Σ_τ Σ_{k,t}
/// 1[‖p̂_{k,t} − p_{k,t}‖ ≤ τ], with p the true joints projected by the true camera and p̂ the
/// same points tracked through the generated video. (WildWorld, arXiv 2603.23497; no code is
/// released, and every choice the paper leaves open is an option here.)
enum StateAlignment {
  static let evaluator = Evaluator(
    "keypoints.state_alignment",
    makes: [
      "keypoints.state_alignment", "keypoints.state_alignment_truth",
      "keypoints.state_alignment_ratio",
    ],
    "State alignment of keypoints, WildBench-style: share of tracked keypoints within pixel "
      + "thresholds of the projected true joints.",
    [
      .needed("tracks", "F × K × 2", "tracked keypoints of the generated video, pixels (x, y)"),
      .optional("visibles", "F × K", "1 where the tracker calls the point visible"),
      .optional("truth_tracks", "F × K × 2", "the same tracker on the true video: the ceiling"),
      .optional("truth_visibles", "F × K", "visibility of truth_tracks"),
      .optional("joints", "F × K × 3", "true joints in the world; or give points"),
      .optional("camera_rotation", "F × 4", "true camera quaternions"),
      .optional("camera_position", "F × 3", "true camera positions"),
      .optional("intrinsics", "F × 4", "f_x, f_y, c_x, c_y in true pixels"),
      .optional("points", "F × K × 2", "true keypoints already projected, true pixels"),
      .optional("mask", "F × K", "1 where the true keypoint exists"),
      .optional("occlusion", "F × K", "1 where the true keypoint is hidden"),
      .optional("depth", "F × H × W", "true depth images, decide occlusion"),
      .lengths,
    ],
    StateAlignmentOptions.self, scores)

  static func scores(
    _ arrays: Arrays, _ options: StateAlignmentOptions
  ) throws(TrajpackError) -> [Score] {
    let input = try KeypointInputs(arrays, options)
    let generated = try input.tracks(arrays, "tracks", "visibles")
    var scores = [report("keypoints.state_alignment", input.tally(generated), options)]
    guard arrays.view("truth_tracks") != nil else { return scores }
    let ceiling = try input.tracks(arrays, "truth_tracks", "truth_visibles")
    scores.append(report("keypoints.state_alignment_truth", input.tally(ceiling), options))
    let ratio = "keypoints.state_alignment_ratio"
    let lost = scores[0].failures ?? scores[1].failures ?? Failures("keypoints")
    if let own = scores[0].value, let best = scores[1].value, best > 0 {
      scores.append(
        Score(ratio, own / best, count: scores[0].count).failing(lost, worst: .counted))
    } else {
      scores.append(
        Score(ratio, missing: "the score or its ceiling is missing or zero").failing(lost))
    }
    return scores
  }

  private static func report(
    _ name: String, _ clips: [KeypointTally], _ options: StateAlignmentOptions
  ) -> Score {
    let total = clips.reduce(into: KeypointTally(options.thresholds.count)) { $0.add($1) }
    var details = [Field("clips", .count(clips.count))] + total.described
    details.append(
      Field(
        "within",
        .fields(
          options.thresholds.enumerated().map { index, threshold in
            let share = total.counted > 0 ? Double(total.hits[index]) / Double(total.counted) : nil
            return Field("\(threshold)", share.map { .number($0) } ?? .none)
          })))
    let each = clips.map { $0.score }
    if clips.count > 1 { details.append(Field("per_clip", .numbers(each))) }
    var lost = total.lost
    lost.total = total.counted + (options.failed == .skip ? lost.count : 0)
    guard let pooled = total.score else {
      return Score(name, missing: "no keypoint counts under these options", details: details)
        .failing(lost)
    }
    let known = each.compactMap { $0 }
    return Score(
      name, options.reduction == .pooled ? pooled : Statistics.mean(known), count: total.counted,
      details: details
    ).failing(lost, worst: .counted)
  }
}

/// What one clip's keypoints came to.
struct KeypointTally {
  var hits: [Int]
  var counted = 0
  var masked = 0
  var behind = 0
  var offScreen = 0
  var occluded = 0
  var invisible = 0
  var lost = Failures("keypoints")
  var cameraless = 0

  init(_ thresholds: Int) { hits = [Int](repeating: 0, count: thresholds) }

  /// The score in percent, nil when nothing counts.
  var score: Double? {
    guard counted > 0, !hits.isEmpty else { return nil }
    return 100 * Double(hits.reduce(0, +)) / Double(counted * hits.count)
  }

  mutating func add(_ other: KeypointTally) {
    for index in hits.indices { hits[index] += other.hits[index] }
    counted += other.counted
    masked += other.masked
    behind += other.behind
    offScreen += other.offScreen
    occluded += other.occluded
    invisible += other.invisible
    lost.merge(other.lost)
    cameraless += other.cameraless
  }

  var described: [Field] {
    [
      Field("masked", .count(masked)), Field("behind_camera", .count(behind)),
      Field("off_screen", .count(offScreen)), Field("occluded", .count(occluded)),
      Field("tracker_invisible", .count(invisible)), Field("nan_predictions", .count(lost.count)),
      Field("frames_without_camera", .count(cameraless)),
    ]
  }
}
