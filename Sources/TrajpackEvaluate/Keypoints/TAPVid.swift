import TrajpackFormat

/// TAP-Vid's metrics (Doersch et al., NeurIPS 2022, as in `compute_tapvid_metrics`) and survival
/// (Zheng et al., PointOdyssey, ICCV 2023).
///
/// δ_τ = #(within τ, truly visible) / #(truly visible); Jaccard_τ = TP / (truly visible + FP) with
/// TP within τ and visible in both, FP predicted visible but hidden or not within τ; occlusion
/// accuracy = share of equal visibility. Survival = mean share of a track's frames before a visible
/// one in which it is more than `failure` pixels off.
enum TAPVid {
  static let evaluator = Evaluator(
    "keypoints.tap_vid",
    makes: [
      "keypoints.occlusion_accuracy", "keypoints.within_", "keypoints.delta_average",
      "keypoints.jaccard_", "keypoints.average_jaccard", "keypoints.survival",
    ],
    "TAP-Vid's δ_avg, occlusion accuracy and average Jaccard, and survival.",
    [
      .needed("truth", "F × K × 2", "true tracks, pixels"),
      .needed("tracks", "F × K × 2", "predicted tracks, pixels"),
      .optional("truth_visibles", "F × K", "1 where the point is truly visible; all when left out"),
      .optional("visibles", "F × K", "1 where the prediction says visible; all when left out"),
      .optional("mask", "F × K", "1 where the true track exists, seen or hidden"),
      .optional("queries", "clips × K", "query frame of each track, from its clip's start; 0"),
      .lengths,
    ],
    TAPVidOptions.self, scores)

  /// Counts of one clip.
  private struct Tally {
    var evaluated = 0
    var sameVisibility = 0
    var visible = 0
    var lost = Failures("points")
    var within: [Int]
    var truePositives: [Int]
    var falsePositives: [Int]
    var survived = 0.0
    var tracks = 0

    init(_ count: Int) {
      within = [Int](repeating: 0, count: count)
      truePositives = within
      falsePositives = within
    }
  }

  static func scores(
    _ arrays: Arrays, _ options: TAPVidOptions
  ) throws(TrajpackError) -> [Score] {
    let truth = try arrays.tensor("truth", ranks: 3...3, lastAxis: 2)
    let tracks = try arrays.tensor("tracks", ranks: 3...3, lastAxis: 2)
    try truth.requireSameShape(tracks)
    let (frames, points) = (truth.shape[0], truth.shape[1])
    let clips = try arrays.clips(rows: frames)
    let trueVisible = try arrays.mask("truth_visibles", count: frames * points)
    let visible = try arrays.mask("visibles", count: frames * points)
    let queries = try arrays.view("queries").map { view throws(TrajpackError) in
      try arrays.integers(view)
    }
    if let queries, queries.count != clips.count * points {
      throw TrajpackError(.usage, "'queries' must be clips × K = \(clips.count) × \(points)")
    }
    let mask = try arrays.mask("mask", count: frames * points)
    var tallies: [Tally] = []
    for (number, clip) in clips.enumerated() {
      var tally = Tally(options.thresholds.count)
      for point in 0..<points {
        let query = queries.map { Int($0[number * points + point]) } ?? 0
        guard query >= 0, query < max(clip.count, 1) else {
          throw TrajpackError(
            .data, "query frame \(query) of track \(point) lies outside clip \(number)")
        }
        track(
          truth.values, tracks.values, trueVisible, visible, mask, clip, query, point, points,
          options, &tally)
      }
      tallies.append(tally)
    }
    return report(tallies, options)
  }

  private static func track(
    _ truth: UnsafeBufferPointer<Double>, _ tracks: UnsafeBufferPointer<Double>,
    _ trueVisible: UnsafeBufferPointer<UInt8>?, _ visible: UnsafeBufferPointer<UInt8>?,
    _ mask: UnsafeBufferPointer<UInt8>?, _ clip: Range<Int>, _ query: Int, _ point: Int,
    _ points: Int, _ options: TAPVidOptions,
    _ tally: inout Tally
  ) {
    var alive = 0
    var frames = 0
    var lost = false
    for frame in clip {
      let place = frame - clip.lowerBound
      guard options.mode == .first ? place > query : place != query else { continue }
      let index = frame * points + point
      if let mask, mask[index] == 0 { continue }
      let seen = trueVisible.map { $0[index] != 0 } ?? true
      let said = visible.map { $0[index] != 0 } ?? true
      let dx = (tracks[2 * index] - truth[2 * index]) * options.scaleX
      let dy = (tracks[2 * index + 1] - truth[2 * index + 1]) * options.scaleY
      let squared = dx * dx + dy * dy
      // No true position here: only a hidden point may lack one.
      if seen, !truth[2 * index].isFinite || !truth[2 * index + 1].isFinite { continue }
      let broken = !tracks[2 * index].isFinite || !tracks[2 * index + 1].isFinite
      if broken {
        tally.lost.add(index, "point \(point) of frame \(frame) is not finite")
        if options.failed == .skip { continue }
      }
      tally.evaluated += 1
      if seen == said { tally.sameVisibility += 1 }
      if seen { tally.visible += 1 }
      for (place, threshold) in options.thresholds.enumerated() {
        let within = squared < threshold * threshold
        if within, seen { tally.within[place] += 1 }
        if within, seen, said { tally.truePositives[place] += 1 }
        if said, !seen || !within { tally.falsePositives[place] += 1 }
      }
      frames += 1
      if seen { lost = lost || broken || squared > options.failure * options.failure }
      if !lost { alive += 1 }
    }
    if frames > 0 {
      tally.tracks += 1
      tally.survived += Double(alive) / Double(frames)
    }
  }

  private static func report(_ tallies: [Tally], _ options: TAPVidOptions) -> [Score] {
    var lost = tallies.reduce(into: Failures("points")) { $0.merge($1.lost) }
    lost.total = tallies.reduce(options.failed == .skip ? lost.count : 0) { $0 + $1.evaluated }
    let details = [
      Field("clips", .count(tallies.count)), Field("nan_predictions", .count(lost.count)),
    ]
    var scores: [Score] = []
    func add(
      _ name: String, _ what: String, _ part: (Tally) -> (top: Double, bottom: Int)
    ) {
      let full = "keypoints.\(name)"
      let parts = tallies.map(part).filter { $0.bottom > 0 }
      let count = parts.reduce(0) { $0 + $1.bottom }
      guard count > 0 else {
        return scores.append(Score(full, missing: "there is no \(what)", details: details))
      }
      let value =
        options.reduction == .pooled
        ? parts.reduce(0) { $0 + $1.top } / Double(count)
        : Statistics.mean(parts.map { $0.top / Double($0.bottom) })
      scores.append(Score(full, value, count: count, details: details))
    }
    add("occlusion_accuracy", "evaluated frame") { (Double($0.sameVisibility), $0.evaluated) }
    let count = Double(options.thresholds.count)
    for (index, threshold) in options.thresholds.enumerated() {
      add("within_\(label(threshold))", "visible point") { (Double($0.within[index]), $0.visible) }
    }
    add("delta_average", "visible point") {
      (Double($0.within.reduce(0, +)) / count, $0.visible)
    }
    for (index, threshold) in options.thresholds.enumerated() {
      add("jaccard_\(label(threshold))", "point that is visible in truth or prediction") {
        (Double($0.truePositives[index]), $0.visible + $0.falsePositives[index])
      }
    }
    scores.append(averageJaccard(scores, options, tallies, details))
    add("survival", "visible track") { ($0.survived, $0.tracks) }
    return scores.map { $0.failing(lost, worst: .counted) }
  }

  /// The mean over thresholds of the Jaccard scores just made.
  private static func averageJaccard(
    _ scores: [Score], _ options: TAPVidOptions, _ tallies: [Tally], _ details: [Field]
  ) -> Score {
    let each = scores.filter { $0.name.hasPrefix("keypoints.jaccard_") }
    let values = each.compactMap(\.value)
    guard values.count == each.count, let first = each.first else {
      let reason = each.first { $0.reason != nil }?.reason ?? "no threshold was given"
      return Score("keypoints.average_jaccard", missing: reason, details: details)
    }
    return Score(
      "keypoints.average_jaccard", Statistics.mean(values), count: first.count, details: details)
  }

  private static func label(_ threshold: Double) -> String {
    threshold == threshold.rounded() && threshold < 1e9 ? "\(Int(threshold))" : "\(threshold)"
  }
}
