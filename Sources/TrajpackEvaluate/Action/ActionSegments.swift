import TrajpackFormat

/// A run of frames of one clip with one action.
struct ActionSegment: Equatable {
  var clip: Int
  /// Frame numbers over all clips.
  var frames: Range<Int>
  /// The action: an index into the distinct ids, in order of their first appearance.
  var action: Int
}

/// Actions of frames: the id of a frame is a tuple of channels, for WildWorld the triplet
/// (weapon_id, motion_bank_id, motion_id).
struct ActionTrack {
  /// The distinct ids.
  private(set) var ids: [[Int64]] = []
  /// The index of each frame's id, −1 where there is none.
  private(set) var actions: [Int] = []

  /// Reads `rows × channels` ids; a frame whose mask is 0 has none.
  init(
    _ values: UnsafeBufferPointer<Int64>, channels: Int, mask: UnsafeBufferPointer<UInt8>?
  ) {
    var known: [[Int64]: Int] = [:]
    actions.reserveCapacity(channels > 0 ? values.count / channels : 0)
    for row in 0..<(channels > 0 ? values.count / channels : 0) {
      if let mask, mask[row] == 0 {
        actions.append(-1)
        continue
      }
      let id = Array(values[row * channels..<(row + 1) * channels])
      if let index = known[id] {
        actions.append(index)
      } else {
        known[id] = ids.count
        actions.append(ids.count)
        ids.append(id)
      }
    }
  }

  /// The runs of equal actions within clips, and how many were shorter than `minimum` and left
  /// out. Frames without an action end a run and belong to none.
  func segments(_ clips: [Range<Int>], minimum: Int) -> (kept: [ActionSegment], short: Int) {
    var kept: [ActionSegment] = []
    var short = 0
    for (number, clip) in clips.enumerated() {
      var start = clip.lowerBound
      while start < clip.upperBound {
        var end = start + 1
        while end < clip.upperBound, actions[end] == actions[start] { end += 1 }
        if actions[start] >= 0 {
          if end - start >= minimum {
            kept.append(ActionSegment(clip: number, frames: start..<end, action: actions[start]))
          } else {
            short += 1
          }
        }
        start = end
      }
    }
    return (kept, short)
  }
}

/// Which class (movement, fast displacement, attack, …) an action id belongs to: the first row of
/// a table that fits, where −1 fits anything.
struct ActionClassMap {
  private let keys: [[Int64]]
  private let classes: [Int64]

  init(_ keys: [[Int64]], _ classes: [Int64]) {
    self.keys = keys
    self.classes = classes
  }

  /// The class of an id, nil when no row fits.
  func callAsFunction(_ id: [Int64]) -> Int64? {
    for (key, label) in zip(keys, classes) {
      if zip(key, id).allSatisfy({ $0 == -1 || $0 == $1 }) { return label }
    }
    return nil
  }
}

/// Options of `action.segments`.
struct ActionSegmentOptions: EvaluationOptions {
  var minimumLength = 1

  static let table: [Option<Self>] = [
    .count("minimum_length", \.minimumLength, "frames a segment must have", 1...1_000_000)
  ]
}

/// Cuts clips into the segments that a judge is shown.
enum ActionSegments {
  static let evaluator = Evaluator(
    "action.segments", makes: ["action.segments"],
    "Segments of clips, cut where the action id changes, with their classes: what a judge is "
      + "shown.",
    [
      .needed("actions", "F × C", "action id channels (WildWorld: weapon, motion bank, motion)"),
      .optional("mask", "F", "1 where the frame has an action"),
      .optional("class_keys", "R × C", "class table: ids, −1 fits anything; first row that fits"),
      .optional("class_labels", "R", "class table: the class of each row"),
      .lengths,
    ],
    ActionSegmentOptions.self, scores)

  static func scores(
    _ arrays: Arrays, _ options: ActionSegmentOptions
  ) throws(TrajpackError) -> [Score] {
    let view = try arrays.required("actions")
    guard (1...2).contains(view.shape.count) else {
      throw TrajpackError(.usage, "'actions' must be F or F × C, not \(view.shape)")
    }
    let frames = view.shape[0]
    let channels = view.shape.count == 2 ? view.shape[1] : 1
    guard channels > 0 else { throw TrajpackError(.usage, "'actions' has no channel") }
    let mask = try arrays.mask("mask", count: frames)
    let track = ActionTrack(
      try arrays.integers(view, where: mask), channels: channels, mask: mask)
    let map = try classMap(arrays, channels)
    let clips = try arrays.clips(rows: frames)
    let (segments, short) = track.segments(clips, minimum: options.minimumLength)
    let classes = track.ids.map { map?($0) }
    let rows = segments.map { segment -> Value in
      .fields([
        Field("clip", .count(segment.clip)),
        Field("first", .count(segment.frames.lowerBound)),
        Field("frames", .count(segment.frames.count)),
        Field("id", .counts(track.ids[segment.action].map { Int($0) })),
        Field("class", classes[segment.action].map { .count(Int($0)) } ?? .none),
      ])
    }
    let unclassed = segments.filter { classes[$0.action] == nil }.count
    let details = [
      Field("dropped_short", .count(short)),
      Field("without_class", map == nil ? .none : .count(unclassed)),
      Field("frames_without_action", .count(track.actions.filter { $0 < 0 }.count)),
      Field("distinct_actions", .count(track.ids.count)), Field("segments", .list(rows)),
    ]
    return [
      Score("action.segments", Double(segments.count), count: segments.count, details: details)
    ]
  }

  private static func classMap(
    _ arrays: Arrays, _ channels: Int
  ) throws(TrajpackError) -> ActionClassMap? {
    guard let keys = arrays.view("class_keys") else { return nil }
    let labels = try arrays.required("class_labels")
    guard keys.shape.count == 2, keys.shape[1] == channels, labels.shape == [keys.shape[0]] else {
      throw TrajpackError(
        .usage, "'class_keys' must be R × \(channels) and 'class_labels' R long")
    }
    let values = try arrays.integers(keys)
    let rows = (0..<keys.shape[0]).map { Array(values[$0 * channels..<($0 + 1) * channels]) }
    return ActionClassMap(rows, Array(try arrays.integers(labels)))
  }
}
