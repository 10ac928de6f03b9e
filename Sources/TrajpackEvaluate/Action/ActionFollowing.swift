import TrajpackFormat

/// What the bootstrap draws.
enum ResampleUnit: String, CaseIterable, Sendable {
  case segment
  case clip
}

/// Options of `action.following`.
struct ActionFollowingOptions: EvaluationOptions {
  var resample = ResampleUnit.clip
  var repeats = 2000
  var confidence = 0.95
  var seed = 0

  static let table: [Option<Self>] = [
    .choice("resample", \.resample, "what the bootstrap draws"),
    .count("bootstrap", \.repeats, "bootstrap samples; 0 for no interval", 0...1_000_000),
    .number("confidence", \.confidence, "coverage of the interval", above: 0, highest: 0.9999),
    .count("seed", \.seed, "seed of the bootstrap (SplitMix64)"),
  ]
}

/// Action following, WildBench-style: 100 · the mean of a judge's verdicts over segments.
///
/// Means are weighted by segment (the paper's), by clip, by frame and by group (the halves of
/// WildBench: cooperative and solo), because the paper does not say how they are weighted.
enum ActionFollowing {
  static let evaluator = Evaluator(
    "action.following",
    makes: [
      "action.following", "action.following_by_clip", "action.following_by_frame",
      "action.following_by_group", "action.following_class_",
    ],
    "Action following, WildBench-style: a judge's verdicts over segments, with confidence "
      + "intervals.",
    [
      .needed("verdicts", "S", "1 follows, 0 does not, NaN no verdict"),
      .needed("clips", "S", "the clip of each segment"),
      .optional("classes", "S", "the class of each segment"),
      .optional("frames", "S", "the frames of each segment"),
      .optional("groups", "S", "the group (half) of each segment"),
    ],
    ActionFollowingOptions.self, scores)

  private struct Segments {
    var verdicts: [Double] = []
    var clips: [Int] = []
    var frames: [Double] = []
    var groups: [Int64] = []
    var classes: [Int64] = []
    var clipCount = 0

    /// The segments of each clip.
    var byClip: [[Int]] {
      var members = [[Int]](repeating: [], count: clipCount)
      for (index, clip) in clips.enumerated() { members[clip].append(index) }
      return members
    }

    func interval(
      _ options: ActionFollowingOptions, _ figure: (Draw) -> Double?
    ) -> (low: Double, high: Double)? {
      let bootstrap = Bootstrap(
        repeats: options.repeats, confidence: options.confidence, seed: options.seed)
      if options.resample == .clip {
        let members = byClip
        return bootstrap.interval(units: members.count) { sample in
          figure(Draw(sample.map { members[$0] }))
        }
      }
      return bootstrap.interval(units: verdicts.count) { sample in
        var members = [[Int]](repeating: [], count: clipCount)
        for index in sample { members[clips[index]].append(index) }
        return figure(Draw(members))
      }
    }
  }

  static func scores(
    _ arrays: Arrays, _ options: ActionFollowingOptions
  ) throws(TrajpackError) -> [Score] {
    let given = try arrays.tensor("verdicts", ranks: 1...1).values
    let (segments, absent) = try read(arrays, given)
    let shared = [
      Field("without_verdict", .count(absent)), Field("clips", .count(segments.clipCount)),
    ]
    var scores: [Score] = []
    func add(_ name: String, of count: Int? = nil, _ figure: (Draw) -> Double?) {
      guard let value = figure(Draw(segments.byClip)) else {
        return scores.append(Score(name, missing: "no segment has a verdict", details: shared))
      }
      let interval = segments.interval(options, figure)
      let bounds = [
        Field("low", interval.map { .number($0.low) } ?? .none),
        Field("high", interval.map { .number($0.high) } ?? .none),
      ]
      scores.append(
        Score(
          name, value, count: count ?? segments.verdicts.count, details: bounds + shared))
    }
    let verdicts = segments.verdicts
    func mean(_ sample: [Int]) -> Double? {
      sample.isEmpty
        ? nil : 100 * sample.reduce(0) { $0 + verdicts[$1] } / Double(sample.count)
    }
    add("action.following") { mean($0.segments) }
    add("action.following_by_clip") { draw in
      let each = draw.clips.compactMap(mean)
      return each.isEmpty ? nil : Statistics.mean(each)
    }
    if arrays.view("frames") != nil {
      add("action.following_by_frame") { draw in
        var weight = 0.0
        var sum = 0.0
        for index in draw.segments {
          weight += segments.frames[index]
          sum += segments.frames[index] * verdicts[index]
        }
        return weight > 0 ? 100 * sum / weight : nil
      }
    }
    if arrays.view("groups") != nil {
      let labels = Set(segments.groups).sorted()
      add("action.following_by_group") { draw in
        let each = labels.compactMap { label in
          mean(draw.segments.filter { segments.groups[$0] == label })
        }
        return each.isEmpty ? nil : Statistics.mean(each)
      }
    }
    for label in Set(segments.classes).sorted() {
      let own = segments.classes.count { $0 == label }
      add("action.following_class_\(label)", of: own) { draw in
        mean(draw.segments.filter { segments.classes[$0] == label })
      }
    }
    return scores
  }

  /// A sample of segments, clip by clip; a clip drawn twice is there twice.
  private struct Draw {
    let clips: [[Int]]

    init(_ clips: [[Int]]) { self.clips = clips }

    var segments: [Int] { Array(clips.joined()) }
  }

  private static func read(
    _ arrays: Arrays, _ given: UnsafeBufferPointer<Double>
  ) throws(TrajpackError) -> (Segments, Int) {
    func column(_ name: String) throws(TrajpackError) -> UnsafeBufferPointer<Int64>? {
      guard let view = arrays.view(name) else { return nil }
      let values = try arrays.integers(view)
      guard values.count == given.count else {
        throw TrajpackError(.usage, "'\(name)' must have \(given.count) elements, one a segment")
      }
      return values
    }
    let clips = try column("clips")
    let classes = try column("classes")
    let frames = try column("frames")
    let groups = try column("groups")
    var segments = Segments()
    var numbers: [Int64: Int] = [:]
    var absent = 0
    for (index, verdict) in given.enumerated() {
      guard !verdict.isNaN else {
        absent += 1
        continue
      }
      guard (0...1).contains(verdict) else {
        throw TrajpackError(
          .data, "verdict \(verdict) of segment \(index) is not between 0 and 1")
      }
      let clip = clips?[index] ?? 0
      let number = numbers[clip] ?? numbers.count
      numbers[clip] = number
      segments.verdicts.append(verdict)
      segments.clips.append(number)
      if let classes { segments.classes.append(classes[index]) }
      if let groups { segments.groups.append(groups[index]) }
      if let frames {
        guard frames[index] > 0 else {
          throw TrajpackError(.data, "segment \(index) has \(frames[index]) frames")
        }
        segments.frames.append(Double(frames[index]))
      }
    }
    segments.clipCount = numbers.count
    return (segments, absent)
  }
}
