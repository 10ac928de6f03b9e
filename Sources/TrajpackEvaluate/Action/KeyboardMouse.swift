import TrajpackFormat

/// Options of `action.keyboard_mouse`.
struct KeyboardMouseOptions: PredictionOptions {
  var deadZone = 0.01
  var failed = FailureRule.withhold

  static let table: [Option<Self>] = [
    .number("dead_zone", \.deadZone, "yaw and pitch within ± this are 0", lowest: 0),
    failure(\.failed),
  ]
}

/// Keyboard and mouse accuracy as GameWorld Score aggregates them (Matrix-Game): four keyboard
/// tasks (back/forward and left/right in three classes, attack, jump), accuracy pooled over all
/// frames of all clips, then the mean of the tasks; the mouse in nine classes of yaw and pitch
/// signs, accuracy by clip, then the mean of the clips. A frame whose truth is masked or not a
/// number does not count in the task that needs it.
enum KeyboardMouse {
  static let evaluator = Evaluator(
    "action.keyboard_mouse", makes: ["action.keyboard", "action.mouse"],
    "Keyboard and mouse accuracy as GameWorld Score aggregates them.",
    [
      .optional(
        "truth_keys", "F × 6", "forward, back, left, right, attack, jump: 1 when pressed"),
      .optional("predicted_keys", "F × 6", "the same, read off the generated video"),
      .optional("truth_mouse", "F × 2", "true yaw and pitch change"),
      .optional("predicted_mouse", "F × 2", "the same, read off the generated video"),
      .optional("truth_mask", "F", "1 where the frame counts"),
      .lengths,
    ],
    KeyboardMouseOptions.self, scores)

  /// What a task or a clip came to.
  private struct Tally {
    var frames = 0
    var correct = 0
    var share: Double? { frames > 0 ? Double(correct) / Double(frames) : nil }
  }

  /// True and predicted values, and which frames count.
  private struct Pair {
    let truth: Tensor
    let prediction: Tensor
    let mask: UnsafeBufferPointer<UInt8>?
    let rule: FailureRule
    /// Frames that are masked or have a true value that is not a number, and those with such a
    /// prediction.
    var missing: Set<Int> = []
    var notNumbers: Set<Int> = []

    /// Counts a frame whose class is decided by `columns`.
    mutating func count(
      _ frame: Int, _ columns: ClosedRange<Int>, in tally: inout Tally,
      _ label: (ArraySlice<Double>) -> Int
    ) {
      let start = frame * truth.shape[1]
      let range = start + columns.lowerBound..<start + columns.upperBound + 1
      let real = Array(truth.values[range])[...]
      let made = Array(prediction.values[range])[...]
      guard mask?[frame] != 0, real.allSatisfy(\.isFinite) else {
        missing.insert(frame)
        return
      }
      let broken = !made.allSatisfy(\.isFinite)
      if broken { notNumbers.insert(frame) }
      if broken, rule == .skip { return }
      tally.frames += 1
      if !broken, label(real) == label(made) { tally.correct += 1 }
    }

    func score(_ name: String, _ tallies: [Tally], _ fields: [Field]) -> Score {
      let details =
        fields + [
          Field("missing_truth", .count(missing.count)),
          Field("nan_predictions", .count(notNumbers.count)),
        ]
      let known = tallies.compactMap(\.share)
      var lost = Failures("frames", of: truth.shape[0] - missing.count)
      for frame in notNumbers.sorted() { lost.add(frame, "frame \(frame) is not finite") }
      guard !known.isEmpty else {
        return Score(name, missing: "there is no frame that counts", details: details)
          .failing(lost)
      }
      let count = tallies.map(\.frames).reduce(0, name == "action.keyboard" ? max : { $0 + $1 })
      return Score(name, Statistics.mean(known), count: count, details: details)
        .failing(lost, worst: .counted)
    }
  }

  static func scores(
    _ arrays: Arrays, _ options: KeyboardMouseOptions
  ) throws(TrajpackError) -> [Score] {
    let keys = try pair(arrays, "truth_keys", "predicted_keys", 6, options)
    let mouse = try pair(arrays, "truth_mouse", "predicted_mouse", 2, options)
    guard keys != nil || mouse != nil else {
      throw TrajpackError(.usage, "keys or mouse movements are needed, true and predicted")
    }
    var scores: [Score] = []
    if let keys { scores.append(keyboard(keys)) }
    if let mouse {
      let clips = try arrays.clips(rows: mouse.truth.shape[0])
      scores.append(Self.mouse(mouse, clips, options))
    }
    return scores
  }

  private static func pair(
    _ arrays: Arrays, _ truth: String, _ prediction: String, _ columns: Int,
    _ options: KeyboardMouseOptions
  ) throws(TrajpackError) -> Pair? {
    guard arrays.view(truth) != nil || arrays.view(prediction) != nil else { return nil }
    let a = try arrays.tensor(truth, ranks: 2...2, lastAxis: columns)
    let b = try arrays.tensor(prediction, ranks: 2...2, lastAxis: columns)
    try a.requireSameShape(b)
    let mask = try arrays.mask("truth_mask", count: a.shape[0])
    return Pair(truth: a, prediction: b, mask: mask, rule: options.failed)
  }

  private static func keyboard(_ pair: Pair) -> Score {
    /// 0 for neither or both, 1 and 2 for one of two opposite keys.
    func direction(_ keys: ArraySlice<Double>) -> Int {
      (keys[0] > 0.5) == (keys[1] > 0.5) ? 0 : keys[0] > 0.5 ? 1 : 2
    }
    func pressed(_ keys: ArraySlice<Double>) -> Int { keys[0] > 0.5 ? 1 : 0 }
    var pair = pair
    var tasks = [Tally](repeating: Tally(), count: 4)
    for frame in 0..<pair.truth.shape[0] {
      pair.count(frame, 0...1, in: &tasks[0], direction)
      pair.count(frame, 2...3, in: &tasks[1], direction)
      pair.count(frame, 4...4, in: &tasks[2], pressed)
      pair.count(frame, 5...5, in: &tasks[3], pressed)
    }
    let names = ["forward_back", "left_right", "attack", "jump"]
    let fields = zip(names, tasks).map { name, tally in
      Field(name, tally.share.map { .number($0) } ?? .none)
    }
    return pair.score("action.keyboard", tasks, fields)
  }

  private static func mouse(
    _ pair: Pair, _ clips: [Range<Int>], _ options: KeyboardMouseOptions
  ) -> Score {
    func sign(_ value: Double) -> Int {
      value > options.deadZone ? 1 : value < -options.deadZone ? -1 : 0
    }
    var pair = pair
    let tallies = clips.map { clip in
      var tally = Tally()
      for frame in clip {
        pair.count(frame, 0...1, in: &tally) { 3 * sign($0[0]) + sign($0[1]) }
      }
      return tally
    }
    return pair.score(
      "action.mouse", tallies, [Field("per_clip", .numbers(tallies.map(\.share)))])
  }
}
