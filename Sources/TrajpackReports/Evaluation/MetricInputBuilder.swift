import TrajpackFormat
import TrajpackLoader

/// One window of an episode, or the whole of it: the arrays of an evaluator, the first axis time.
struct MetricClip {
  var arrays: [String: Numbers]
  var rows: Int
  /// Options that its recording decides: a value of it, its rate.
  var settings: [(name: String, value: String)] = []
}

/// What an evaluator gets of one episode.
struct MetricInputs {
  var id: String
  var clips: [MetricClip]
  /// The same of the truth, for metrics that measure one series.
  var truthClips: [MetricClip] = []
  /// Arrays without time: bones, ranges.
  var constants: [String: Numbers] = [:]
  /// Frames without a prediction, which do not count.
  var cut = 0
  /// Predicted frames after the episode's last.
  var surplus = 0
  var frames: ReferenceFrames
  /// The first frame of each clip.
  var starts: [Int] = [0]
  /// Where each input came from.
  var sources: [(input: String, source: String)] = []
  /// Options that the truth's conventions and clock decide.
  var derived: [(name: String, value: String)] = []
  /// Units of the truth's channels, where all have the same.
  var units: String?
  /// Numbers of a row of the truth's channels, by path.
  var widths: [String: Int] = [:]
  /// Bones of each of the truth's channels of joints, by path.
  var bones: [String: [[Int]]] = [:]
  /// The entries of the truth, for figures.
  var entries: [String: [Entry]] = [:]
}

/// Reads what an evaluator takes from an episode of the truth and its predictions.
struct MetricInputBuilder {
  let plan: MetricPlan
  let truth: ArchiveEpisode
  let predictions: PredictedEpisode
  let request: EvaluationRequest
  let window: (ReferenceFrames) throws(TrajpackError) -> [Range<Int>]
  /// The number of a value of the recording, of a category or text its code, as option `option` needs it.
  let value: (_ name: String, _ option: String) throws(TrajpackError) -> Double

  /// An array of a prediction: by frame, or by window.
  enum Predicted {
    case frames(Numbers, covered: [Bool], surplus: Int = 0)
    case windows([Numbers])
  }

  enum Outcome {
    case gathered(MetricInputs)
    case lacking(String)
    /// The predictions lack what the truth has; and so many frames have none.
    case unpredicted(String, frames: Int)
  }

  func run() throws(TrajpackError) -> Outcome {
    var chosen: [String: [Entry]] = [:]
    var reasons: [String: String] = [:]
    for input in plan.binding.inputs
    where plan.maps[input.name].map({ !Self.isLiteral($0) && !Self.isValue($0) }) ?? true {
      guard input.side == .truth || input.mirrors == input.name || input.mirrors == "train_joints"
      else { continue }
      switch try entries(input) {
      case .entries(let found): chosen[input.name] = found
      case .none(let reason): reasons[input.name] = reason
      }
    }
    if plan.binding.evaluator == "action.recogniser" { chosen["joints"] = ofOneEntity(chosen) }
    // Keypoints that are given need no camera.
    if chosen["points"] != nil {
      for name in ["joints", "camera_rotation", "camera_position", "intrinsics"] {
        chosen[name] = nil
      }
    }
    for input in plan.binding.inputs where input.side == .prediction {
      guard let mirrored = input.mirrors, let own = chosen[mirrored] ?? chosen[input.name] else {
        continue
      }
      chosen[mirrored == input.name ? input.name : mirrored] = narrowed(own, input)
    }
    let streams = chosen.values.flatMap { $0 }.map(\.stream)
    let ordered = truth.schema.streams.map(\.name).filter { streams.contains($0) }
    let any = ordered.isEmpty ? truth.schema.streams.map(\.name) : ordered
    guard let frames = try truth.frames(any, reference: request.reference) else {
      return .lacking(
        request.reference.map { "the episode has no track of the stream '\($0)'" }
          ?? reasons.values.sorted().first ?? "the episode has no track of the channels")
    }
    let windows = try window(frames)
    guard !windows.isEmpty else { return .lacking("the episode is shorter than a window") }
    var gathered = MetricInputs(id: truth.id, clips: [], frames: frames)
    gathered.entries = chosen
    gathered.units = units(chosen)
    for entry in chosen.values.flatMap({ $0 }) {
      gathered.widths[entry.path] = truth.channel(entry)?.elements
      gathered.bones[entry.path] = truth.bones(entry)
    }
    gathered.derived = try derived(chosen, frames)
    var arrays: [String: Numbers] = [:]
    var own: [String: Numbers] = [:]
    var windowed: [String: [Numbers]] = [:]
    var usable = [Bool](repeating: true, count: frames.count)
    for input in plan.binding.inputs {
      guard let entries = chosen[input.name], !entries.isEmpty else { continue }
      let numbers = try combined(entries, input.content, frames).numbers
      if input.side == .truth {
        arrays[input.name] = numbers
        gathered.sources.append((input.name, describe(entries)))
      } else {
        own[input.name] = numbers
      }
    }
    for input in plan.binding.inputs where plan.maps[input.name].map(Self.isValue) == true {
      arrays[input.name] = try labels(input, frames)
      gathered.sources.append((input.name, plan.maps[input.name] ?? ""))
    }
    for input in plan.binding.inputs where input.side == .prediction {
      guard
        let (found, source) = try predicted(
          input, chosen, arrays.merging(own) { truth, _ in truth }, frames, windows)
      else {
        continue
      }
      gathered.sources.append((input.name, source))
      switch found {
      case .windows(let parts): windowed[input.name] = parts
      case .frames(let numbers, let covered, let surplus):
        gathered.surplus = max(gathered.surplus, surplus)
        arrays[input.name] = numbers
        for frame in usable.indices where !covered[frame] { usable[frame] = false }
      }
    }
    // A channel that only one side has cannot be compared.
    for input in plan.binding.inputs where input.side == .prediction {
      guard let mirrored = input.mirrors, mirrored != input.name else { continue }
      let isThere = arrays[input.name] != nil || windowed[input.name] != nil
      if isThere, arrays[mirrored] == nil, mirrored != "train_joints" {
        (arrays[input.name], windowed[input.name]) = (nil, nil)
        gathered.sources.removeAll { $0.input == input.name }
      }
      if !isThere, !isNeeded(mirrored) {
        arrays[mirrored] = nil
        gathered.sources.removeAll { $0.input == mirrored }
      }
    }
    let found = Set(arrays.keys).union(windowed.keys)
    for input in plan.binding.inputs where isNeeded(input.name) && !found.contains(input.name) {
      return lack(input.name, reasons)
    }
    guard !found.isEmpty else { return lack(plan.binding.inputs[0].name, reasons) }
    if plan.binding.evaluator == "keypoints.state_alignment",
      found.isDisjoint(with: ["joints", "points"])
    {
      return lack("joints", reasons)
    }
    gathered.cut = usable.count { !$0 }
    guard gathered.cut == 0 || request.isPartial else { throw uneven(usable) }
    literals(into: &gathered)
    if plan.binding.measuresOne {
      cutClips(&gathered, own, [:], windows, usable)
      gathered.truthClips = gathered.clips
      gathered.clips = []
    }
    cutClips(&gathered, arrays, windowed, windows, usable)
    guard !gathered.clips.isEmpty else {
      return .unpredicted("no frame, or no whole window, has a prediction", frames: gathered.cut)
    }
    return .gathered(gathered)
  }

  private func isNeeded(_ input: String) -> Bool {
    plan.binding.needs.contains(input)
      || plan.evaluator.inputs.contains { $0.name == input && $0.required }
  }

  private func uneven(_ usable: [Bool]) -> TrajpackError {
    let missing = usable.count { !$0 }
    let first = usable.firstIndex(of: false) ?? 0
    return TrajpackError(
      .usage,
      "\(plan.binding.evaluator): episode '\(truth.id)' has \(usable.count) frames, and \(missing) of them "
        + "have no prediction, the first of these frame \(first); predict all, or leave them out with --partial"
    )
  }

  private func lack(_ input: String, _ reasons: [String: String]) -> Outcome {
    if let reason = reasons[input] { return .lacking("input '\(input)': \(reason)") }
    guard let own = plan.binding.inputs.first(where: { $0.name == input }) else {
      return .lacking("input '\(input)' was not given")
    }
    if let mirrored = own.mirrors, let reason = reasons[mirrored] {
      return .lacking("input '\(mirrored)': \(reason)")
    }
    let near = Suggestion.text(for: input, among: predictions.names)
    let text =
      "the predictions have no '\(([input] + own.aliases).joined(separator: "' or '"))'"
      + (own.mirrors == nil ? "" : " and not the channels of the truth")
      + (near.contains("did you mean") ? near : "")
    return own.side == .prediction ? .unpredicted(text, frames: 0) : .lacking(text)
  }

  /// Windows or the whole, of frames that have predictions.
  private func cutClips(
    _ gathered: inout MetricInputs, _ arrays: [String: Numbers], _ windowed: [String: [Numbers]],
    _ windows: [Range<Int>], _ usable: [Bool]
  ) {
    let isWhole = gathered.cut == 0
    let first = usable.firstIndex(of: true) ?? 0
    let end = (usable.lastIndex(of: true) ?? -1) + 1
    let isRun = end > first && usable[first..<end].allSatisfy { $0 }
    var starts: [Int] = []
    for (number, window) in windows.enumerated() {
      var rows = window
      if !isWhole {
        if request.window != nil {
          guard usable[rows].allSatisfy({ $0 }) else { continue }
        } else {
          guard end > first else { continue }
          if isRun { rows = first..<end }
        }
      }
      var clip = MetricClip(arrays: [:], rows: rows.count)
      for (name, numbers) in arrays {
        let part =
          rows == 0..<numbers.rows && isWhole ? numbers.reshaped(numbers.shape) : numbers.rows(rows)
        // Frames in between that have no prediction have no truth either.
        if !isWhole, !isRun, request.window == nil, isTruth(name) {
          for (place, row) in rows.enumerated() where !usable[row] {
            for index in 0..<part.width { part.values[place * part.width + index] = .nan }
          }
        }
        clip.arrays[name] = part
      }
      for (name, parts) in windowed { clip.arrays[name] = parts[number] }
      gathered.clips.append(clip)
      starts.append(rows.lowerBound)
    }
    gathered.starts = starts
  }

  private func isTruth(_ name: String) -> Bool {
    plan.binding.inputs.contains { $0.name == name && $0.side == .truth }
  }
}
