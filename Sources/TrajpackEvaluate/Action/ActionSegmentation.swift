import TrajpackFormat

/// Options of `action.segmentation`.
struct ActionSegmentationOptions: EvaluationOptions {
  var overlaps: [Double] = [0.1, 0.25, 0.5]
  var background: [Int] = []

  static let table: [Option<Self>] = [
    .numbers("overlaps", \.overlaps, "intersection over union of F1@k", above: 0),
    .counts("background", \.background, "labels left out of edit score and F1", lowest: -1),
  ]
}

/// Frame accuracy, edit score and F1@k as ms-tcn computes them (Farha and Gall, CVPR 2019; after
/// Lea et al., CVPR 2017): accuracy pooled over frames, background included; edit score the mean
/// over clips; F1 from true and false positives summed over all clips.
enum ActionSegmentation {
  static let evaluator = Evaluator(
    "action.segmentation", makes: ["action.frame_accuracy", "action.edit", "action.f1_"],
    "Judge-free action proxies: frame accuracy, edit score and F1@k, pooled as ms-tcn does.",
    [
      .needed("truth", "F", "true action label of each frame"),
      .needed("prediction", "F", "predicted label; −1 for none, which is wrong"),
      .optional("mask", "F", "1 where the frame counts; others are cut out"),
      .lengths,
    ],
    ActionSegmentationOptions.self, scores)

  static func scores(
    _ arrays: Arrays, _ options: ActionSegmentationOptions
  ) throws(TrajpackError) -> [Score] {
    let frames = try arrays.required("truth").shape.reduce(1, *)
    let predicted = try arrays.required("prediction").shape.reduce(1, *)
    guard frames == predicted else {
      throw TrajpackError(
        .usage, "'truth' has \(frames) frames and 'prediction' \(predicted)")
    }
    let mask = try arrays.mask("mask", count: frames)
    let truth = try arrays.integers(arrays.required("truth"), where: mask)
    let prediction = try arrays.integers(arrays.required("prediction"), where: mask)
    let clips = try arrays.clips(rows: truth.count)
    let background = Set(options.background.map { Int64($0) })
    var tally = SegmentTally(overlaps: options.overlaps)
    for clip in clips {
      let frames = mask.map { mask in clip.filter { mask[$0] != 0 } } ?? Array(clip)
      tally.add(frames.map { truth[$0] }, frames.map { prediction[$0] }, background)
    }
    return tally.scores()
  }
}

/// Counts over clips.
struct SegmentTally {
  let overlaps: [Double]
  private var frames = 0
  private var correct = 0
  private var edits: [Double] = []
  private var emptyClips = 0
  private var segments = 0
  private var truePositives: [Int]
  private var falsePositives: [Int]
  private var falseNegatives: [Int]

  init(overlaps: [Double]) {
    self.overlaps = overlaps
    truePositives = [Int](repeating: 0, count: overlaps.count)
    falsePositives = truePositives
    falseNegatives = truePositives
  }

  struct Run {
    let label: Int64
    let frames: Range<Int>
  }

  static func runs(_ labels: [Int64], _ background: Set<Int64>) -> [Run] {
    var runs: [Run] = []
    var start = 0
    while start < labels.count {
      var end = start + 1
      while end < labels.count, labels[end] == labels[start] { end += 1 }
      if !background.contains(labels[start]) {
        runs.append(Run(label: labels[start], frames: start..<end))
      }
      start = end
    }
    return runs
  }

  mutating func add(_ truth: [Int64], _ prediction: [Int64], _ background: Set<Int64>) {
    frames += truth.count
    for (a, b) in zip(truth, prediction) where a == b { correct += 1 }
    let real = Self.runs(truth, background)
    let found = Self.runs(prediction, background)
    let longer = max(real.count, found.count)
    segments += real.count
    if longer == 0 {
      emptyClips += 1
    } else {
      let distance = Self.editDistance(found.map(\.label), real.map(\.label))
      edits.append(100 * (1 - Double(distance) / Double(longer)))
    }
    for (place, overlap) in overlaps.enumerated() { match(found, real, overlap, place) }
  }

  /// Each predicted segment takes the true one of its label that it overlaps most.
  private mutating func match(_ found: [Run], _ real: [Run], _ overlap: Double, _ place: Int) {
    var hit = [Bool](repeating: false, count: real.count)
    for run in found {
      var best = (index: -1, share: -1.0)
      for (index, other) in real.enumerated() where other.label == run.label {
        let shared =
          min(run.frames.upperBound, other.frames.upperBound)
          - max(run.frames.lowerBound, other.frames.lowerBound)
        let hull =
          max(run.frames.upperBound, other.frames.upperBound)
          - min(run.frames.lowerBound, other.frames.lowerBound)
        let share = Double(shared) / Double(hull)
        if share > best.share { best = (index, share) }
      }
      if best.index >= 0, best.share >= overlap, !hit[best.index] {
        hit[best.index] = true
        truePositives[place] += 1
      } else {
        falsePositives[place] += 1
      }
    }
    falseNegatives[place] += hit.filter { !$0 }.count
  }

  /// Levenshtein's distance.
  static func editDistance(_ a: [Int64], _ b: [Int64]) -> Int {
    var row = Array(0...b.count)
    for i in a.indices {
      var diagonal = row[0]
      row[0] = i + 1
      for j in b.indices {
        let substitution = diagonal + (a[i] == b[j] ? 0 : 1)
        diagonal = row[j + 1]
        row[j + 1] = min(substitution, min(row[j], diagonal) + 1)
      }
    }
    return row[b.count]
  }

  func scores() -> [Score] {
    var scores = [
      Score.mean(
        "action.frame_accuracy", sum: 100 * Double(correct), count: frames, of: "frame"),
      Score.mean(
        "action.edit", sum: edits.reduce(0, +), count: edits.count,
        of: "clip with a segment",
        details: [
          Field("clips_without_segments", .count(emptyClips)),
          Field("per_clip", .numbers(edits)),
        ]),
    ]
    for (place, overlap) in overlaps.enumerated() {
      let (tp, fp, fn) = (truePositives[place], falsePositives[place], falseNegatives[place])
      let percent = 100 * overlap
      let whole = abs(percent - percent.rounded()) < 1e-9 && percent < 1e9
      let name = "action.f1_" + (whole ? "\(Int(percent.rounded()))" : "\(percent)")
      let details = [
        Field("true_positives", .count(tp)), Field("false_positives", .count(fp)),
        Field("false_negatives", .count(fn)),
      ]
      scores.append(
        tp + fp + fn == 0
          ? Score(name, missing: "there is no segment", details: details)
          : Score(
            name, 100 * Double(2 * tp) / Double(2 * tp + fp + fn), count: segments,
            details: details))
    }
    return scores
  }
}
