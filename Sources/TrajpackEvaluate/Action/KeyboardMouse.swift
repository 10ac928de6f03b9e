import TrajpackFormat

/// Options of `action.keyboard_mouse`.
struct KeyboardMouseOptions: EvaluationOptions {
  var deadZone = 0.01

  static let table: [Option<Self>] = [
    .number("dead_zone", \.deadZone, "yaw and pitch within ± this are 0", lowest: 0)
  ]
}

/// Keyboard and mouse accuracy as GameWorld Score aggregates them (Matrix-Game): four keyboard
/// tasks (back/forward and left/right in three classes, attack, jump), accuracy pooled over all
/// frames of all clips, then the mean of the tasks; the mouse in nine classes of yaw and pitch
/// signs, accuracy by clip, then the mean of the clips.
enum KeyboardMouse {
  static let evaluator = Evaluator(
    "action.keyboard_mouse", "Keyboard and mouse accuracy as GameWorld Score aggregates them.",
    [
      .optional(
        "truth_keys", "F × 6", "forward, back, left, right, attack, jump: 1 when pressed"),
      .optional("predicted_keys", "F × 6", "the same, read off the generated video"),
      .optional("truth_mouse", "F × 2", "true yaw and pitch change"),
      .optional("predicted_mouse", "F × 2", "the same, read off the generated video"),
      .lengths,
    ],
    KeyboardMouseOptions.self, scores)

  static func scores(
    _ arrays: Arrays, _ options: KeyboardMouseOptions
  ) throws(TrajpackError) -> [Score] {
    let keys = try pair(arrays, "truth_keys", "predicted_keys", 6)
    let mouse = try pair(arrays, "truth_mouse", "predicted_mouse", 2)
    guard keys != nil || mouse != nil else {
      throw TrajpackError(.usage, "keys or mouse movements are needed, true and predicted")
    }
    var scores: [Score] = []
    if let keys { scores.append(keyboard(keys.0, keys.1)) }
    if let mouse {
      let clips = try arrays.clips(rows: mouse.0.shape[0])
      scores.append(Self.mouse(mouse.0, mouse.1, clips, options))
    }
    return scores
  }

  private static func pair(
    _ arrays: Arrays, _ truth: String, _ prediction: String, _ columns: Int
  ) throws(TrajpackError) -> (Tensor, Tensor)? {
    guard arrays.view(truth) != nil || arrays.view(prediction) != nil else { return nil }
    let a = try arrays.tensor(truth, ranks: 2...2, lastAxis: columns)
    let b = try arrays.tensor(prediction, ranks: 2...2, lastAxis: columns)
    try a.requireSameShape(b)
    return (a, b)
  }

  /// 0 for neither or both, 1 and 2 for one of two opposite keys.
  private static func direction(_ a: Double, _ b: Double) -> Int {
    (a > 0.5) == (b > 0.5) ? 0 : a > 0.5 ? 1 : 2
  }

  private static func keyboard(_ truth: Tensor, _ prediction: Tensor) -> Score {
    let frames = truth.shape[0]
    var correct = [0, 0, 0, 0]
    for frame in 0..<frames {
      let a = (0..<6).map { truth.values[6 * frame + $0] }
      let b = (0..<6).map { prediction.values[6 * frame + $0] }
      if direction(a[0], a[1]) == direction(b[0], b[1]) { correct[0] += 1 }
      if direction(a[2], a[3]) == direction(b[2], b[3]) { correct[1] += 1 }
      if (a[4] > 0.5) == (b[4] > 0.5) { correct[2] += 1 }
      if (a[5] > 0.5) == (b[5] > 0.5) { correct[3] += 1 }
    }
    guard frames > 0 else { return Score("action.keyboard", missing: "there is no frame") }
    let each = correct.map { Double($0) / Double(frames) }
    let names = ["forward_back", "left_right", "attack", "jump"]
    return Score(
      "action.keyboard", Statistics.mean(each), count: frames,
      details: zip(names, each).map { Field($0, .number($1)) })
  }

  private static func mouse(
    _ truth: Tensor, _ prediction: Tensor, _ clips: [Range<Int>], _ options: KeyboardMouseOptions
  ) -> Score {
    func sign(_ value: Double) -> Int {
      value > options.deadZone ? 1 : value < -options.deadZone ? -1 : 0
    }
    let each = clips.filter { !$0.isEmpty }.map { clip -> Double in
      let correct = clip.filter { frame in
        (0..<2).allSatisfy {
          let (a, b) = (truth.values[2 * frame + $0], prediction.values[2 * frame + $0])
          return !b.isNaN && sign(a) == sign(b)
        }
      }
      return Double(correct.count) / Double(clip.count)
    }
    guard !each.isEmpty else { return Score("action.mouse", missing: "there is no frame") }
    return Score(
      "action.mouse", Statistics.mean(each), count: truth.shape[0],
      details: [Field("per_clip", .numbers(each))])
  }
}
