import Glibc
import TrajpackFormat

/// Options of `action.recogniser`.
struct ActionRecogniserOptions: EvaluationOptions {
  var root = 0
  var up = UpAxis.unknown
  var heading = -1
  var radius = 2
  var spacing = 2
  var neighbours = 1
  var overlaps: [Double] = [0.1, 0.25, 0.5]

  static let table: [Option<Self>] = [
    .count("root", \.root, "joint that is moved to the origin", 0...100_000),
    .choice("up", \.up, "axis that points up, for heading"),
    .count(
      "heading", \.heading,
      "joint whose direction from the root, seen from above, is turned to one side; −1 for none",
      -1...100_000),
    .count("radius", \.radius, "poses on each side of a frame", 0...100),
    .count("spacing", \.spacing, "frames between those poses", 1...1000),
    .count("neighbours", \.neighbours, "nearest frames that vote", 1...1000),
    .numbers("overlaps", \.overlaps, "intersection over union of F1@k", above: 0),
  ]
}

/// A nearest-neighbour action recogniser over root-aligned skeleton motion: each frame is a window
/// of poses, root moved to the origin and optionally turned to one heading; it gets the label most
/// of its nearest training frames have (a tie: the nearest's). Then the figures of
/// `action.segmentation` of the recognised labels.
enum ActionRecogniser {
  static let evaluator = Evaluator(
    "action.recogniser", makes: ["action.frame_accuracy", "action.edit", "action.f1_"],
    "Judge-free action proxy from motion: a nearest-neighbour recogniser fitted on training "
      + "motion, then frame accuracy, edit score and F1@k.",
    [
      .needed("train_joints", "A × J × 3", "training motion"),
      .needed("train_labels", "A", "its action labels"),
      .optional("train_lengths", "clips", "rows of each training clip"),
      .optional("train_mask", "A", "1 where the training frame has a label"),
      .needed("joints", "F × J × 3", "motion to be recognised"),
      .needed("truth", "F", "the actions it should show"),
      .optional("mask", "F", "1 where the frame has an action; others are cut out"),
      .lengths,
    ],
    ActionRecogniserOptions.self, scores)

  static func scores(
    _ arrays: Arrays, _ options: ActionRecogniserOptions
  ) throws(TrajpackError) -> [Score] {
    let train = try arrays.tensor("train_joints", ranks: 3...3, lastAxis: 3)
    let motion = try arrays.tensor("joints", ranks: 3...3, lastAxis: 3)
    guard train.shape[1] == motion.shape[1], options.root < train.shape[1],
      options.heading < train.shape[1]
    else {
      throw TrajpackError(
        .usage, "both motions need the same joints, the root and heading joints among them")
    }
    guard options.heading < 0 || options.up != .unknown else {
      throw TrajpackError(
        .usage, "a heading needs the axis that points up; say it with up=0, 1 or 2")
    }
    let trainMask = try arrays.mask("train_mask", count: train.shape[0])
    let mask = try arrays.mask("mask", count: motion.shape[0])
    let labels = try arrays.integers(arrays.required("train_labels"), where: trainMask)
    let truth = try arrays.integers(arrays.required("truth"), where: mask)
    guard labels.count == train.shape[0], truth.count == motion.shape[0] else {
      throw TrajpackError(.usage, "labels and joints must have the same number of frames")
    }
    let trainClips = try trainingClips(arrays, rows: train.shape[0])
    let known = Windows(train, trainClips, trainMask, options)
    let clips = try arrays.clips(rows: motion.shape[0])
    let seen = Windows(motion, clips, mask, options)
    var prediction = [Int64](repeating: -1, count: truth.count)
    for (place, frame) in seen.frames.enumerated() {
      prediction[frame] = known.vote(for: seen, place, labels, options.neighbours)
    }
    var tally = SegmentTally(overlaps: options.overlaps)
    var counted = 0
    for clip in clips {
      let frames = clip.filter { mask?[$0] != 0 }
      counted += frames.count
      tally.add(frames.map { truth[$0] }, frames.map { prediction[$0] }, [])
    }
    let details = [
      Field("training_frames", .count(known.frames.count)),
      Field("frames_not_recognised", .count(counted - seen.frames.count)),
    ]
    return tally.scores().map { score in
      var score = score
      score.details += details
      return score
    }
  }

  private static func trainingClips(
    _ arrays: Arrays, rows: Int
  ) throws(TrajpackError) -> [Range<Int>] {
    guard let view = arrays.view("train_lengths") else { return [0..<rows] }
    let renamed = try ArrayView(name: "lengths", shape: view.shape, elements: view.elements)
    return try Arrays([renamed]).clips(rows: rows)
  }

  /// The windows of poses of all frames, in float32.
  private struct Windows {
    var frames: [Int] = []
    var features: [Float] = []
    var width = 0

    init(
      _ motion: Tensor, _ clips: [Range<Int>], _ mask: UnsafeBufferPointer<UInt8>?,
      _ options: ActionRecogniserOptions
    ) {
      let joints = motion.shape[1]
      width = (2 * options.radius + 1) * joints * 3
      for clip in clips {
        for frame in clip where mask?[frame] != 0 {
          let start = features.count
          let poses = (-options.radius...options.radius).map { step in
            min(max(frame + step * options.spacing, clip.lowerBound), clip.upperBound - 1)
          }
          let turn = Self.turn(motion, frame, options)
          let origin = Self.joint(motion, frame, options.root)
          for pose in poses {
            for joint in 0..<joints {
              let point = turn(Self.joint(motion, pose, joint) - origin)
              features.append(Float(point.x))
              features.append(Float(point.y))
              features.append(Float(point.z))
            }
          }
          if features[start...].allSatisfy(\.isFinite) {
            frames.append(frame)
          } else {
            features.removeSubrange(start...)
          }
        }
      }
    }

    private static func joint(_ motion: Tensor, _ frame: Int, _ joint: Int) -> SIMD3<Double> {
      let index = 3 * (frame * motion.shape[1] + joint)
      return SIMD3(motion.values[index], motion.values[index + 1], motion.values[index + 2])
    }

    /// The turn about the up axis that brings the heading joint to a fixed side.
    private static func turn(
      _ motion: Tensor, _ frame: Int, _ options: ActionRecogniserOptions
    ) -> (SIMD3<Double>) -> SIMD3<Double> {
      guard options.heading >= 0 else { return { $0 } }
      let up = options.up.index ?? 0
      let (a, b) = ((up + 1) % 3, (up + 2) % 3)
      let along = joint(motion, frame, options.heading) - joint(motion, frame, options.root)
      let size = (along[a] * along[a] + along[b] * along[b]).squareRoot()
      guard size > 1e-9 else { return { $0 } }
      let (c, s) = (along[a] / size, along[b] / size)
      return { point in
        var turned = point
        turned[a] = c * point[a] + s * point[b]
        turned[b] = c * point[b] - s * point[a]
        return turned
      }
    }

    /// The label of the nearest windows.
    func vote(
      for other: Windows, _ place: Int, _ labels: UnsafeBufferPointer<Int64>, _ count: Int
    ) -> Int64 {
      if Interruption.isRequested { return -1 }
      var nearest: [(squared: Float, label: Int64)] = []
      features.withUnsafeBufferPointer { own in
        other.features.withUnsafeBufferPointer { query in
          for candidate in frames.indices {
            let limit = nearest.count < count ? Float.infinity : nearest[count - 1].squared
            var squared: Float = 0
            var column = 0
            // Whole skeletons at a time, leaving off as soon as it cannot be near.
            while column < width, squared <= limit {
              let end = min(column + 48, width)
              for index in column..<end {
                let d = own[candidate * width + index] - query[place * width + index]
                squared += d * d
              }
              column = end
            }
            guard squared < limit else { continue }
            let spot = nearest.firstIndex { $0.squared > squared } ?? nearest.count
            nearest.insert((squared, labels[frames[candidate]]), at: spot)
            if nearest.count > count { nearest.removeLast() }
          }
        }
      }
      var votes: [Int64: Int] = [:]
      for item in nearest { votes[item.label, default: 0] += 1 }
      let most = votes.values.max() ?? 0
      return nearest.first { votes[$0.label] == most }?.label ?? -1
    }
  }
}
