import TrajpackEvaluate
import TrajpackFormat

/// What comes from somewhere else than the episodes: training data and verdicts.
extension Evaluation {
  /// Adds the arrays of the training split; false where the metric was refused for want of one.
  func train(
    _ plan: MetricPlan, _ entries: [String: [Entry]], _ codes: inout ActionCodes,
    _ constants: inout [String: Numbers]
  ) throws(TrajpackError) -> Bool {
    let inputs = plan.evaluator.inputs.map(\.name)
    let needsSeries = inputs.contains("train")
    let needsMotion = inputs.contains("train_joints")
    guard needsSeries || needsMotion else { return true }
    guard let split = request.trainSplit else {
      let isRequired = plan.evaluator.inputs.contains {
        $0.required && ["train", "train_joints"].contains($0.name)
      }
      guard isRequired else { return true }
      try refuse(plan, "it needs training data; name the split of the truth with --train-split")
      return false
    }
    let chosen = try Self.selection(truth, request, splits: [split])
    let ids = try Self.ids(truth, .object([.init("split", .array([.string(split)]))]), chosen)
    // The very channels that are evaluated, of the truth alone.
    var own = plan
    own.binding.inputs.removeAll { $0.side == .prediction && $0.mirrors != "train_joints" }
    for input in own.binding.inputs {
      if own.maps[input.name].map(MetricInputBuilder.isValue) == true { continue }
      own.maps[input.name] = entries[input.name]?.map(\.path).joined(separator: ",")
    }
    var parts: [MetricClip] = []
    for id in ids {
      let recording = try truth.recording(id)
      let gather = MetricInputBuilder(
        plan: own, truth: recording, predictions: .recording(recording), request: whole,
        window: { [truth] (frames) throws(TrajpackError) in
          try Self.spans(of: recording, frames, in: truth, chosen)
        },
        value: { [self] (name, option) throws(TrajpackError) in
          try number(name, of: id, option)
        })
      guard case .gathered(var found) = try gather.run() else { continue }
      prepare(&found, plan, &codes)
      parts += found.clips
    }
    guard !parts.isEmpty else {
      try refuse(plan, "no episode of the split '\(split)' has the channels")
      return false
    }
    let truths = parts.compactMap { $0.arrays["truth"] }
    if needsSeries {
      // A row that is no number keeps episodes apart.
      let gap = Numbers(shape: [1] + truths[0].shape.dropFirst())
      constants["train"] = .joined(truths.flatMap { [$0, gap] })
    } else {
      constants["train_joints"] = .joined(parts.compactMap { $0.arrays["joints"] })
      constants["train_labels"] = .joined(truths)
      constants["train_lengths"] = Numbers(shape: [parts.count], parts.map { Double($0.rows) })
    }
    add(inputs: [("train", "split \(split): \(ids.count) episodes")], of: plan.binding.evaluator)
    return true
  }

  private var whole: EvaluationRequest {
    var copy = request
    copy.window = nil
    return copy
  }

  /// Scores a judge's verdicts.
  func judge(_ plan: MetricPlan) throws(TrajpackError) {
    guard let verdicts else {
      return try refuse(plan, "it reads verdicts; name their file with --verdicts")
    }
    let ids = Set(evaluated)
    try requireRows(of: verdicts)
    let segments = verdicts.segments.filter { ids.contains($0.episode) }
    guard !segments.isEmpty else {
      return try refuse(plan, "no verdict is of an episode that is evaluated")
    }
    if plan.binding.evaluator == "action.agreement" { return try agree(plan, segments) }
    let (arrays, names) = Verdicts.arrays(segments)
    let scorer = Scorer(
      plan: plan, settings: plan.settings, isPartial: request.isPartial)
    func scores(_ arrays: [String: Numbers]) throws(TrajpackError) -> [Score] {
      try scorer.scores([MetricClip(arrays: arrays, rows: segments.count)], [:])
    }
    let all = try scores(arrays)
    let coverage = try self.coverage(of: segments)
    var each: [(id: String, scores: [Score])] = []
    for id in evaluated {
      let own = segments.filter { $0.episode == id }
      each.append((id, own.isEmpty ? [] : try scores(Verdicts.arrays(own).arrays)))
    }
    add(
      all.compactMap { score in
        var name = score.name
        let prefix = "action.following_class_"
        if name.hasPrefix(prefix), let number = Int(name.dropFirst(prefix.count)),
          names.indices.contains(number)
        {
          name = prefix + (names[number].isEmpty ? "none" : names[number])
        }
        guard plan.keeps(name) else { return nil }
        return metric(score, plan, named: name, coverage) { id in
          // Classes are numbered by episode, so only what all have is told of each.
          name == score.name ? each.first { $0.id == id }?.scores.first { $0.name == name } : nil
        }
      })
    add(inputs: [("verdicts", request.verdicts ?? "")], of: plan.binding.evaluator)
  }

  /// How many segments the evaluated episodes have, and on how many of them there is a verdict: a segment of the
  /// truth counts as judged where a verdict's rows begin with it or lie in it. Without actions in the truth the
  /// segments are those of the file.
  private func coverage(of verdicts: [Verdicts.Segment]) throws(TrajpackError) -> [Field] {
    let known = verdicts.count { !$0.verdict.isNaN }
    func fields(_ segments: Int, _ judged: Int) -> [Field] {
      [
        Field("segments", .count(segments)), Field("segments_with_verdict", .count(judged)),
        Field(
          "episodes_without_verdict", .count(evaluated.count - Set(verdicts.map(\.episode)).count)),
      ]
    }
    guard let binding = MetricBinding.all.first(where: { $0.evaluator == "action.segments" }),
      let evaluator = try? Evaluator.named(binding.evaluator)
    else { return fields(verdicts.count, known) }
    let plan = MetricPlan(binding: binding, evaluator: evaluator, isNamed: false)
    var (segments, judged) = (0, 0)
    var codes = ActionCodes()
    for id in evaluated {
      let recording = try truth.recording(id)
      let gather = MetricInputBuilder(
        plan: plan, truth: recording, predictions: .recording(recording), request: whole,
        window: { (frames) throws(TrajpackError) in frames.count > 0 ? [0..<frames.count] : [] },
        value: { [self] (name, option) throws(TrajpackError) in
          try number(name, of: id, option)
        })
      guard case .gathered(var found)? = try? gather.run() else {
        return fields(verdicts.count, known)
      }
      prepare(&found, plan, &codes)
      let scores = try Scorer(plan: plan, settings: [], isPartial: true)
        .scores(found.clips, [:])
      let list = scores.first?.details.json["segments"]?.array ?? []
      let own = verdicts.filter { $0.episode == id && !$0.verdict.isNaN }
      segments += list.count
      for item in list {
        let (first, rows) = (item["first"]?.int ?? 0, item["frames"]?.int ?? 0)
        if own.contains(where: { first <= $0.first && $0.first < first + rows }) { judged += 1 }
      }
    }
    // A file that is cut otherwise has segments of its own.
    guard judged > 0 else { return fields(verdicts.count, known) }
    return fields(max(segments, judged), judged)
  }

  /// Refuses verdicts on rows that are not there: they are of another dataset.
  private func requireRows(of verdicts: Verdicts) throws(TrajpackError) {
    var ends: [String: Int] = [:]
    for segment in verdicts.segments {
      guard truth.holds(segment.episode) else {
        throw TrajpackError(
          .data,
          "\(request.verdicts ?? ""): segment '\(segment.id)' is of episode '\(segment.episode)', which is not "
            + "in the truth\(Suggestion.text(for: segment.episode, among: truth.ids))")
      }
      var end = ends[segment.episode] ?? -1
      if end < 0 {
        end = try truth.rows(of: segment.episode)
        ends[segment.episode] = end
      }
      guard segment.last < end else {
        throw TrajpackError(
          .data,
          "\(request.verdicts ?? ""): segment '\(segment.id)' goes to row \(segment.last), but episode "
            + "'\(segment.episode)' has \(end) rows; judge the truth's own segments")
      }
    }
  }

  private func agree(
    _ plan: MetricPlan, _ segments: [Verdicts.Segment]
  ) throws(TrajpackError) {
    guard let path = request.labels else {
      return try refuse(
        plan, "it compares verdicts with people's; name the file of labels with --labels")
    }
    let labels = try Verdicts.labels(path)
    let people = labels.values.map(\.count).max() ?? 0
    guard people > 0 else { return try refuse(plan, "\(path) holds no label") }
    let humans = Numbers(shape: [segments.count, people])
    for (row, segment) in segments.enumerated() {
      for (place, label) in (labels[segment.id] ?? []).enumerated() {
        humans.values[row * people + place] = label
      }
    }
    let judge = Numbers(shape: [segments.count], segments.map(\.verdict))
    let scores = try Scorer(
      plan: plan, settings: plan.settings, isPartial: request.isPartial
    )
    .scores([MetricClip(arrays: ["judge": judge, "humans": humans], rows: segments.count)], [:])
    add(scores.filter { plan.keeps($0.name) }.map { metric($0, plan, named: $0.name) { _ in nil } })
    add(inputs: [("judge", request.verdicts ?? ""), ("humans", path)], of: plan.binding.evaluator)
  }

  private func metric(
    _ score: Score, _ plan: MetricPlan, named name: String, _ more: [Field] = [],
    _ own: (String) -> Score?
  ) -> Report.Metric {
    let meaning = ScoreMeaning(name, units: nil)
    return Report.Metric(
      name: name, evaluator: plan.binding.evaluator, value: score.value, count: score.count,
      reason: score.reason, unit: meaning.unit, better: meaning.better, truth: nil,
      pooling: "all segments together", options: score.options.json,
      details: (score.details + more).json,
      episodes: evaluated.compactMap { id in
        own(id).map {
          Report.EpisodeFigure(episode: id, value: $0.value, count: $0.count, reason: $0.reason)
        }
      }, horizons: [])
  }
}
