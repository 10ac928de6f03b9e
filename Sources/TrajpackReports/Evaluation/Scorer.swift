import TrajpackEvaluate
import TrajpackFormat

/// Runs an evaluator over clips: of one episode, or of all.
struct Scorer {
  let plan: MetricPlan
  var settings: [(name: String, value: String)]
  /// Whether parts without a figure may be left out of a mean.
  var isPartial: Bool
  /// Asked during long computations.
  var isInterrupted: () -> Bool = { false }
  /// What was computed before; nothing where nil.
  var store: ScoreStore?

  private var evaluator: Evaluator { plan.evaluator }

  /// The scores of clips together.
  ///
  /// - Throws: A usage error for arrays that do not fit together, or options out of their range.
  func scores(
    _ clips: [MetricClip], _ constants: [String: Numbers]
  ) throws(TrajpackError) -> [Score] {
    var scorer = self
    scorer.settings = try settings(of: clips)
    return try scorer.scoresOfAll(clips, constants)
  }

  /// The settings, and those of the clips' recordings.
  ///
  /// - Throws: A usage error where recordings differ in what is one for all clips of a figure.
  private func settings(
    of clips: [MetricClip]
  ) throws(TrajpackError) -> [(name: String, value: String)] {
    guard let first = clips.first else { return settings }
    for clip in clips.dropFirst() {
      for (name, value) in first.settings {
        let other = clip.settings.first { $0.name == name }?.value
        guard other != value else { continue }
        throw TrajpackError(
          .usage,
          "\(plan.binding.evaluator): '\(name)' is \(value) in one recording and \(other ?? "unknown") in another, "
            + "so they cannot be one figure; evaluate them apart with --episodes")
      }
    }
    let own = Set(first.settings.map(\.name))
    return settings.filter { !own.contains($0.name) } + first.settings
  }

  private func scoresOfAll(
    _ clips: [MetricClip], _ constants: [String: Numbers]
  ) throws(TrajpackError) -> [Score] {
    let isJoined = evaluator.inputs.contains { $0.name == "lengths" }
    if isJoined || plan.binding.pooling == .joined {
      var arrays = constants
      for (name, parts) in columns(clips) {
        arrays[name] = .joined(parts, filledWith: padding(name))
      }
      if isJoined, clips.count > 1 {
        arrays["lengths"] = Numbers(shape: [clips.count], clips.map { Double($0.rows) })
      }
      return try call(arrays)
    }
    if plan.binding.isBatched {
      var arrays = constants
      let isAlone = clips.count == 1 && plan.binding.suite != "generative"
      for (name, parts) in columns(clips) {
        arrays[name] = isAlone ? parts[0] : .stacked(parts, filledWith: padding(name))
      }
      return try call(arrays)
    }
    return means(try scoresOfEach(clips, constants), of: "windows")
  }

  private func scoresOfEach(
    _ clips: [MetricClip], _ constants: [String: Numbers]
  ) throws(TrajpackError) -> [[Score]] {
    var each: [[Score]] = []
    for clip in clips {
      var scorer = self
      scorer.settings = try settings(of: [clip])
      each.append(try scorer.call(clip.arrays.merging(constants) { own, _ in own }))
    }
    return each
  }

  /// The scores of the truth's clips, each figure over those of whose predictions there is one too.
  func truthScores(
    _ episode: MetricInputs, _ constants: [String: Numbers]
  ) throws(TrajpackError) -> [Score] {
    let isOne = plan.binding.pooling == .mean && !plan.binding.isBatched
    guard isOne, episode.clips.count > 1, episode.clips.count == episode.truthClips.count else {
      return try scores(episode.truthClips, constants)
    }
    let predicted = try scoresOfEach(episode.clips, constants)
    let own = try scoresOfEach(episode.truthClips, constants)
    return means(own, of: "windows").map { score in
      let known = own.indices.filter { predicted[$0].figure(score.name) != nil }
      guard !known.isEmpty else { return score }
      return means(known.map { own[$0] }, of: "windows").first { $0.name == score.name } ?? score
    }
  }

  private func padding(_ input: String) -> Double {
    plan.binding.inputs.first { $0.name == input }?.padding ?? .nan
  }

  /// The arrays of each name, clip by clip. An array that only some clips have cannot be joined.
  private func columns(_ clips: [MetricClip]) -> [(name: String, parts: [Numbers])] {
    let names = Set(clips.flatMap { $0.arrays.keys }).sorted()
    return names.compactMap { name in
      let parts = clips.compactMap { $0.arrays[name] }
      return parts.count == clips.count ? (name, parts) : nil
    }
  }

  private func call(_ arrays: [String: Numbers]) throws(TrajpackError) -> [Score] {
    let own = arrays.sorted { $0.key < $1.key }.filter { name, _ in
      evaluator.inputs.contains { $0.name == name }
    }.map { (name: $0.key, numbers: $0.value) }
    guard let store else { return try compute(own) }
    return try store.scores(plan, settings, own) { () throws(TrajpackError) in try compute(own) }
  }

  private func compute(
    _ arrays: [(name: String, numbers: Numbers)]
  ) throws(TrajpackError) -> [Score] {
    var views: [ArrayView] = []
    for (name, numbers) in arrays { views.append(try numbers.view(name)) }
    let scores = try evaluator.scores(
      of: views, settings, wanted: plan.keeps, isInterrupted: isInterrupted)
    // The views borrow from the arrays.
    withExtendedLifetime(arrays) {}
    return scores
  }

  /// Figures as means over parts. Parts that failed are counted; a part without a figure is left out where the
  /// request or the rule for failed predictions says so. Otherwise there is no mean, since a model would gain by
  /// failing.
  func means(_ parts: [[Score]], of what: String) -> [Score] {
    guard parts.count != 1 else { return parts[0] }
    var names: [String] = []
    for score in parts.flatMap({ $0 }) where !names.contains(score.name) {
      names.append(score.name)
    }
    return names.compactMap { name in
      let own = parts.compactMap { $0.first { $0.name == name } }
      let known = own.compactMap(\.value)
      let lacking = parts.count - known.count
      var details = [
        Field("\(what)", .count(parts.count)), Field("\(what)_without_figure", .count(lacking)),
      ]
      for inner in ["windows", "windows_without_figure"] where what != "windows" {
        let counts = own.compactMap { $0.count(inner) }
        if !counts.isEmpty { details.append(Field(inner, .count(counts.reduce(0, +)))) }
      }
      if let unlike = own.compactMap({ $0.count("unlike_channels") }).max() {
        details.append(Field("unlike_channels", .count(unlike)))
      }
      details.append(
        Field("nan_predictions", .count(own.reduce(0) { $0 + ($1.count("nan_predictions") ?? 0) })))
      let lost = parts.indices.filter { index in
        (parts[index].first { $0.name == name }?.failed?.count ?? 0) > 0
      }
      let first = own.lazy.compactMap(\.failed).first
      if let first, !lost.isEmpty {
        details.append(
          first.described(count: lost.count, of: parts.count, unit: what, parts: lost))
      }
      let skips = own.contains { $0.skipsFailed }
      let isWhole = lacking == 0 || skips || isPartial && (lost.isEmpty || first?.rule == "worst")
      var reason = own.first { $0.reason != nil }?.reason ?? "there is nothing to average"
      if !known.isEmpty, !isWhole {
        reason =
          lost.isEmpty
          ? "\(lacking) of \(parts.count) \(what) \(lacking == 1 ? "has" : "have") no figure: \(reason)"
          : "\(lost.count) of \(parts.count) \(what) failed: \(reason)"
      }
      return Score(
        name: name, mean: isWhole ? known : [],
        count: own.filter { $0.value != nil }.reduce(0) { $0 + $1.count }, reason: reason,
        options: own.first?.options ?? [], details: details)
    }
  }
}

extension Score {
  /// A detail that is a whole number.
  func count(_ name: String) -> Int? {
    for field in details where field.name == name {
      if case .count(let count) = field.value { return count }
    }
    return nil
  }

  /// Whether failed predictions were to be left out.
  var skipsFailed: Bool {
    options.contains { $0.name == "failed" && $0.value == .text("skip") }
  }
}

extension [Score] {
  /// The figure of that name; nil where there is none.
  func figure(_ name: String) -> Double? { first { $0.name == name }?.value }
}
