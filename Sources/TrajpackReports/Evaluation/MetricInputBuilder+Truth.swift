import TrajpackFormat
import TrajpackLoader

extension MetricInputBuilder {
  /// Whether a map is numbers, for inputs that are no channel: `3,7`.
  static func isLiteral(_ text: String) -> Bool {
    !text.isEmpty && text.allSatisfy { $0.isNumber && $0.isASCII || $0 == "," }
  }

  /// Whether a map is a value of the recording: `@label`.
  static func isValue(_ text: String) -> Bool { text.hasPrefix("@") }

  /// A value of the recording in every frame, `[frames, 1]`.
  ///
  /// - Throws: A usage error where the recording has no such value, or the input is none that the truth has as labels.
  func labels(_ input: MetricBinding.Input, _ frames: ReferenceFrames) throws(TrajpackError)
    -> Numbers
  {
    let option = "--map \(input.name)=\(plan.maps[input.name] ?? "")"
    guard input.side == .truth, input.content == .actions else {
      throw TrajpackError(
        .usage,
        "\(option): \(plan.binding.evaluator) takes channels as '\(input.name)'; a value of the recording can stand "
          + "for the actions of the truth only")
    }
    let number = try value(String((plan.maps[input.name] ?? "").dropFirst()), option)
    return Numbers(
      shape: [frames.count, 1], [Double](repeating: number, count: frames.count))
  }

  /// The entries of the truth that an input is.
  func entries(_ input: MetricBinding.Input) throws(TrajpackError) -> ChannelChoice.Choice {
    // What a mirrored input is called in the truth is said of the truth's own.
    guard let text = plan.maps[input.name], input.side == .truth || input.mirrors == input.name
    else {
      return ChannelChoice.entries(input.content, of: truth)
    }
    // A video's name is its frames for depth, and never columns of packets.
    let all = truth.entries.filter { entry in
      input.content == .depth
        ? entry.isFrames || truth.channel(entry)?.kind == .depth : !entry.isFrames
    }
    var found: [Entry] = []
    var seen: Set<Entry> = []
    for part in text.split(separator: ",") {
      let pattern = Pattern(String(part))
      let matching = all.filter { $0.matches(pattern) }
      guard !matching.isEmpty else {
        return .none(
          "the episode has no channel '\(part)'"
            + Suggestion.text(for: String(part), among: all.map(\.path)))
      }
      for entry in matching where seen.insert(entry).inserted { found.append(entry) }
    }
    return .entries(found)
  }

  /// Those of the truth's entries that the predictions have too; all where that is not to be seen.
  func narrowed(_ entries: [Entry], _ input: MetricBinding.Input) -> [Entry] {
    guard [.values, .states, .joints].contains(input.content) else { return entries }
    if plan.maps[input.name] != nil, input.mirrors != input.name { return entries }
    let names = Set(predictions.names)
    guard !([input.name] + input.aliases).contains(where: names.contains) else { return entries }
    let shared = entries.filter { names.contains($0.path) }
    return shared.isEmpty ? entries : shared
  }

  /// How many more rows the predictions have outside the frames than the truth.
  ///
  /// - Throws: A usage error where there are any, unless they may be left out.
  func outside(
    _ recording: ArchiveEpisode, _ entry: Entry, _ frames: ReferenceFrames, than own: Entry
  ) throws(TrajpackError) -> Int {
    func count(_ runs: [[Int]]) -> Int { runs.reduce(0) { $0 + $1.count { $0 < 0 } } }
    let more = try count(recording.runs(entry, on: frames)) - count(truth.runs(own, on: frames))
    guard more <= 0 || request.isPartial else {
      throw TrajpackError(
        .usage,
        "the predictions of episode '\(truth.id)' have \(more) rows of '\(entry.path)' outside its "
          + "\(frames.count) frames; --partial leaves them out")
    }
    return max(more, 0)
  }

  func describe(_ entries: [Entry]) -> String { entries.map(\.path).joined(separator: ", ") }

  /// The joints of the entity whose actions are recognised; those of the first where it has none.
  func ofOneEntity(_ chosen: [String: [Entry]]) -> [Entry]? {
    guard let joints = chosen["joints"] else { return nil }
    let entity = chosen["truth"]?.first.flatMap { truth.entity($0.label) }
    let same = joints.filter { entity != nil && truth.entity($0.label) == entity }
    return Array((same.isEmpty ? joints : same).prefix(1))
  }

  /// The units that all truth channels share.
  func units(_ chosen: [String: [Entry]]) -> String? {
    let names = ["truth", "truth_position", "joints", "real", "series", "truth_joints"]
    let entries = names.flatMap { chosen[$0] ?? [] }
    let units = Set(entries.map { truth.channel($0)?.units })
    return units.count == 1 ? units.first ?? nil : nil
  }

  /// Entries as one array, a row a frame; and where all of them are covered by a track.
  func combined(
    _ entries: [Entry], _ content: MetricBinding.Content, _ frames: ReferenceFrames,
    from recording: ArchiveEpisode? = nil
  ) throws(TrajpackError) -> (numbers: Numbers, covered: [Bool]) {
    let source = recording ?? truth
    var parts: [Numbers] = []
    var covered = [Bool](repeating: true, count: frames.count)
    for (numbers, own) in try source.read(entries, on: frames) {
      parts.append(numbers)
      for frame in covered.indices where !own[frame] { covered[frame] = false }
    }
    return (Self.combined(parts, content), covered)
  }

  /// Arrays side by side: joints after joints, numbers after numbers; one alone keeps its shape.
  static func combined(_ parts: [Numbers], _ content: MetricBinding.Content) -> Numbers {
    let isFlat = [.values, .states, .actions].contains(content)
    guard let first = parts.first, parts.count > 1 || isFlat else {
      return parts.first ?? Numbers(shape: [0])
    }
    let width = parts.reduce(0) { $0 + $1.width }
    let tail = !isFlat && first.shape.count == 3 ? first.shape[2] : nil
    let shape = [first.rows] + (tail.map { [width / $0, $0] } ?? [width])
    if parts.count == 1 { return first.reshaped(shape) }
    let out = Numbers(shape: shape)
    // Some rows of all parts at a time, so that what is written stays near.
    let run = max((1 << 15) / max(width, 1), 1)
    for start in stride(from: 0, to: first.rows, by: run) {
      var at = start * width
      for part in parts {
        for row in 0..<min(run, first.rows - start) {
          out.values.copy(
            part.width, of: part.values, from: (start + row) * part.width, to: at + row * width)
        }
        at += part.width
      }
    }
    return out
  }

  /// Inputs without time: lists that `--map` gives as numbers.
  func literals(into gathered: inout MetricInputs) {
    for (name, text) in plan.maps where Self.isLiteral(text) {
      let numbers = text.split(separator: ",").compactMap { Double($0) }
      gathered.constants[name] = Numbers(shape: [numbers.count], numbers)
      gathered.sources.append((name, text))
    }
    if plan.evaluator.inputs.contains(where: { $0.name == "bones" }),
      gathered.bones.values.contains(where: { !$0.isEmpty })
    {
      gathered.sources.append(("bones", "the skeletons' graphs"))
    }
  }
}
