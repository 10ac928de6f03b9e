import TrajpackEvaluate
import TrajpackFormat

extension Evaluation {
  /// Evaluates one metric over all episodes. What a group of metrics holds need not fit every archive: such a
  /// metric has a reason in place of figures, and the others go on.
  func evaluate(_ plan: MetricPlan) throws(TrajpackError) {
    do throws(TrajpackError) { try evaluateAll(plan) } catch {
      // Some episodes need not have what all of them have; all are looked at in the end.
      if store?.isTask == true, error.fault == .usage { return }
      guard error.fault == .usage, !plan.isNamed, !plan.isSet else { throw error }
      return try refuse(plan, error.message)
    }
  }

  private func evaluateAll(_ plan: MetricPlan) throws(TrajpackError) {
    var gathered: [MetricInputs] = []
    var lacking: [(id: String, reason: String)] = []
    var unpredicted: (id: String, reason: String)?
    var codes = ActionCodes()
    for id in evaluated {
      guard !isInterrupted() else { return }
      willRead(id)
      let recording = try truth.recording(id)
      let gather = MetricInputBuilder(
        plan: plan, truth: recording,
        predictions: measuresTruth ? .recording(recording) : try predictions.episode(id),
        request: request,
        window: { [self] (frames) throws(TrajpackError) in try windows(of: recording, frames) },
        value: { [self] (name, option) throws(TrajpackError) in
          try number(name, of: id, option)
        })
      switch try gather.run() {
      case .gathered(var found):
        prepare(&found, plan, &codes)
        gathered.append(found)
        addCut(id, found.cut)
        addSurplus(id, found.surplus)
      case .lacking(let reason): lacking.append((id, reason))
      case .unpredicted(let reason, let frames):
        lacking.append((id, reason))
        unpredicted = unpredicted ?? (id, reason)
        addCut(id, frames)
      }
    }
    guard let first = gathered.first else {
      return try refuse(plan, lacking.first?.reason ?? "no episode was read")
    }
    if let unpredicted, !request.isPartial {
      return try refuse(
        plan,
        "episode '\(unpredicted.id)': \(unpredicted.reason); predict all episodes, or leave this one out "
          + "with --partial")
    }
    try Self.checkInputs(gathered, plan)
    if plan.binding.suite == "generative", request.window == nil,
      Set(gathered.flatMap { $0.clips.map(\.rows) }).count > 1
    {
      return try refuse(
        plan, "the episodes differ in length; cut windows of one length with --window")
    }
    var plan = plan
    let derived = try Self.derived(gathered, plan)
    try Self.requirePictures(gathered, plan)
    for (name, value) in derived { plan.set(name, value) }
    try takeValues(&plan, &gathered)
    if let input = plan.binding.sharedColumns { Self.spread(&gathered, by: input) }
    var constants = gathered.first?.constants ?? [:]
    if plan.binding.evaluator == "action.segments", let classes {
      let width = gathered[0].clips[0].arrays["actions"]?.width ?? 0
      try classes.arrays(keys: width).forEach { constants[$0.key] = $0.value }
    }
    if try train(plan, first.entries, &codes, &constants) == false { return }
    // Channels that only some episodes have are listed too, in the order of their columns.
    var sources = first.sources
    for episode in gathered.dropFirst() {
      for (input, source) in episode.sources {
        guard let at = sources.firstIndex(where: { $0.input == input }) else {
          sources.append((input, source))
          continue
        }
        guard source != sources[at].source else { continue }
        let known = Set(sources[at].source.split(separator: ", ").map(String.init))
        let more = source.split(separator: ", ").map(String.init).filter { !known.contains($0) }
        if !more.isEmpty { sources[at].source += ", " + more.joined(separator: ", ") }
      }
    }
    add(inputs: sources, of: plan.binding.evaluator)
    constants.merge(Self.entities(gathered, plan)) { own, _ in own }
    Self.mask(&gathered, plan)
    try score(plan, gathered, lacking, constants)
    if !plan.binding.inputs.isEmpty, store?.isTask != true { add(figures(plan, gathered)) }
  }

  /// Refuses episodes of which some have an array that others have not: their figures would mean different
  /// things.
  private static func checkInputs(
    _ gathered: [MetricInputs], _ plan: MetricPlan
  ) throws(TrajpackError) {
    func names(_ episode: MetricInputs) -> Set<String> {
      Set(episode.clips.first?.arrays.keys.map { $0 } ?? [])
    }
    guard let first = gathered.first else { return }
    for other in gathered {
      guard let odd = names(first).symmetricDifference(names(other)).sorted().first else {
        continue
      }
      let (has, lacks) = names(first).contains(odd) ? (first.id, other.id) : (other.id, first.id)
      throw TrajpackError(
        .usage,
        "\(plan.binding.evaluator): there is an input '\(odd)' for episode '\(has)' and none for '\(lacks)', so they "
          + "cannot be one figure; give it for all or for none")
    }
  }

  /// The options that the episodes' conventions, clocks and pictures decide.
  private static func derived(
    _ gathered: [MetricInputs], _ plan: MetricPlan
  ) throws(TrajpackError) -> [(name: String, value: String)] {
    var out: [(name: String, value: String)] = []
    var sources: [String: String] = [:]
    for episode in gathered {
      for (name, value) in episode.derived {
        guard let known = out.first(where: { $0.name == name }) else {
          out.append((name, value))
          sources[name] = episode.id
          continue
        }
        guard known.value != value, plan.evaluator.settings.contains(where: { $0.name == name }),
          plan.setting(name) == nil, !isOwn(name, plan)
        else { continue }
        let isConvention = [
          "quaternion_order", "pose", "camera_axes", "truth_axes", "estimate_axes",
        ].contains(name)
        throw TrajpackError(
          .usage,
          "\(plan.binding.evaluator): '\(name)' is \(known.value) in episode '\(sources[name] ?? "")' and "
            + "\(value) in '\(episode.id)', so they cannot be one figure; evaluate them apart with "
            + "--episodes\(isConvention ? "" : ", or say one with --set \(name)=…")")
      }
    }
    return out.filter { !isOwn($0.name, plan) }
  }

  /// Refuses keypoints that are projected into a picture of which nobody says how large it is. A recording without
  /// a video has the picture of one with a video where their cameras have the same principal points.
  private static func requirePictures(
    _ gathered: [MetricInputs], _ plan: MetricPlan
  ) throws(TrajpackError) {
    let names = ["true_width", "true_height"]
    guard plan.evaluator.settings.contains(where: { $0.name == names[0] }),
      names.contains(where: { plan.setting($0) == nil })
    else { return }
    func saysSize(_ episode: MetricInputs) -> Bool {
      episode.derived.contains { $0.name == names[0] }
    }
    let known = gathered.filter(saysSize).reduce(into: Set<[Double]>()) {
      $0.formUnion(principalPoints($1))
    }
    guard
      let unknown = gathered.first(where: {
        $0.entries["intrinsics"] != nil && !saysSize($0)
          && (known.isEmpty || !principalPoints($0).isSubset(of: known))
      })
    else { return }
    throw TrajpackError(
      .usage,
      "\(plan.binding.evaluator): "
        + (known.isEmpty
          ? "no episode has a video"
          : "episode '\(unknown.id)' has another camera than those with videos, and no video")
        + " that says how large the camera's picture is; it is not guessed: say it with --set true_width=… --set "
        + "true_height=… (and track_width, track_height, grid_width, grid_height where those differ)"
        + (known.isEmpty ? "" : ", or evaluate it apart with --episodes"))
  }

  /// The principal points of a recording's camera, `[c_x, c_y]` in pixels.
  private static func principalPoints(_ episode: MetricInputs) -> Set<[Double]> {
    var out: Set<[Double]> = []
    for clip in episode.clips {
      guard let numbers = clip.arrays["intrinsics"], numbers.width == 4 else { continue }
      for row in 0..<numbers.rows {
        let point = [numbers.values[row * 4 + 2], numbers.values[row * 4 + 3]]
        if point.allSatisfy(\.isFinite) { out.insert(point) }
      }
    }
    return out
  }

  /// A metric without inputs: an error where it was asked for by name, a figure with a reason otherwise.
  func refuse(_ plan: MetricPlan, _ reason: String) throws(TrajpackError) {
    guard store?.isTask != true else { return }
    guard !plan.isNamed else {
      throw TrajpackError(.usage, "\(plan.binding.evaluator): \(reason)")
    }
    add([absent(plan, plan.binding.evaluator, reason)])
  }

  /// A figure that there is not, and why.
  private func absent(_ plan: MetricPlan, _ name: String, _ reason: String) -> Report.Metric {
    Report.Metric(
      name: name, evaluator: plan.binding.evaluator, value: nil, count: 0, reason: reason,
      unit: nil, better: nil, truth: nil, pooling: plan.binding.pooling.rawValue,
      options: .object([]), details: .object([]), episodes: [], horizons: [])
  }

  /// Says of each score that was asked for by name and has not come that there is none: the evaluator makes none of that name,
  /// or none of these data.
  func addAbsent(_ plan: MetricPlan) {
    guard store?.isTask != true else { return }
    let evaluator = plan.binding.evaluator
    let own = reportMetrics.filter { $0.evaluator == evaluator }
    // A plan that was refused has said why, under the name of its evaluator.
    guard !own.contains(where: { $0.name == evaluator && $0.value == nil }) else { return }
    let made = own.map(\.name)
    for name in plan.wanted where !made.contains(where: { MetricPlan.isMeant($0, by: name) }) {
      let reason =
        "\(evaluator) has made no score of this name; 'trajpack evaluate --list' says what there is and what it needs"
      add([absent(plan, name, reason)])
    }
  }

  private func score(
    _ plan: MetricPlan, _ gathered: [MetricInputs], _ lacking: [(id: String, reason: String)],
    _ constants: [String: Numbers]
  ) throws(TrajpackError) {
    let scorer = Scorer(
      plan: plan, settings: plan.settings, isPartial: request.isPartial,
      isInterrupted: isInterrupted, store: store)
    let alone = Self.alone(scorer, gathered)
    let measuresBoth = plan.binding.measuresOne && !measuresTruth
    let truths = measuresBoth ? try truthParts(scorer, gathered, constants) : []
    var each: [[Score]] = []
    for episode in gathered {
      each.append(
        try within(episode: episode.id) { () throws(TrajpackError) in
          let scores = try alone.scores(episode.clips, constants)
          guard truths.indices.contains(each.count) else { return scores }
          // A figure that the truth alone has, and the prediction has not.
          let own = truths[each.count]
          return try scores.map { score throws(TrajpackError) in
            own.figure(score.name) == nil ? score : try score.failedAlone()
          }
        })
    }
    let all = try pooled(scorer, gathered, each, constants, \.clips)
    let own =
      measuresBoth
      ? try truthScores(scorer, gathered, each, truths, constants)
      : plan.binding.measuresOne ? all : []
    let horizons = try horizons(scorer, gathered, constants)
    add(
      all.filter { plan.keeps($0.name) }.map { score in
        let meaning = ScoreMeaning(score.name, units: gathered.first?.units)
        return Report.Metric(
          name: score.name, evaluator: plan.binding.evaluator, value: score.value,
          count: score.count, reason: score.reason, unit: meaning.unit, better: meaning.better,
          truth: own.figure(score.name),
          pooling: plan.binding.pooling.rawValue, options: plan.told(score.options.json),
          details: score.details.json,
          episodes: zip(gathered, each).map { episode, scores in
            let own = scores.first { $0.name == score.name }
            return Report.EpisodeFigure(
              episode: episode.id, value: own?.value, count: own?.count ?? 0, reason: own?.reason,
              failed: own?.failed?.count ?? 0)
          }
            + lacking.map { id, reason in
              Report.EpisodeFigure(episode: id, value: nil, count: 0, reason: reason)
            },
          horizons: horizons.map { horizon in
            let own = horizon.scores.first { $0.name == score.name }
            let known = horizon.each.count { $0.figure(score.name) != nil }
            return Report.HorizonFigure(
              rows: horizon.rows, value: own?.value, count: own?.count ?? 0,
              episodes: known < gathered.count + lacking.count ? known : nil,
              windows: horizon.windows)
          }, failed: Self.failed(score, zip(gathered.map(\.id), each).map { ($0, $1) }))
      })
  }

  /// The predictions that failed for a figure, with the ids of their episodes.
  static func failed(
    _ score: Score, _ episodes: [(id: String, scores: [Score])]
  ) -> Report.Failed? {
    guard let failed = score.failed else { return nil }
    let ids = episodes.filter { id, scores in
      (scores.first { $0.name == score.name }?.failed?.count ?? 0) > 0
    }
    return .init(
      count: failed.count, of: failed.of, unit: failed.unit, episodes: ids.map(\.id),
      cause: failed.cause, rule: failed.rule)
  }

  /// The truth's own scores of each episode. What is missing in it did not fail.
  private func truthParts(
    _ scorer: Scorer, _ gathered: [MetricInputs], _ constants: [String: Numbers]
  ) throws(TrajpackError) -> [[Score]] {
    var own = scorer
    own.settings.append(("failed", "skip"))
    var parts: [[Score]] = []
    for episode in gathered { parts.append(try own.truthScores(episode, constants)) }
    return parts
  }

  /// The truth's own scores, each figure over the episodes of whose predictions there is one too.
  private func truthScores(
    _ scorer: Scorer, _ gathered: [MetricInputs], _ each: [[Score]], _ parts: [[Score]],
    _ constants: [String: Numbers]
  ) throws(TrajpackError) -> [Score] {
    var scorer = scorer
    scorer.settings.append(("failed", "skip"))
    var out: [Score] = []
    for score in try pooled(scorer, gathered, parts, constants, \.truthClips) {
      let known = gathered.indices.filter { each[$0].figure(score.name) != nil }
      guard !known.isEmpty, known.count < gathered.count else {
        out.append(score)
        continue
      }
      out += try pooled(
        scorer, known.map { gathered[$0] }, known.map { parts[$0] }, constants, \.truthClips
      ).filter { $0.name == score.name }
    }
    return out
  }

  /// The figures of all episodes together, as the binding pools them.
  private func pooled(
    _ scorer: Scorer, _ gathered: [MetricInputs], _ each: [[Score]], _ constants: [String: Numbers],
    _ clips: (MetricInputs) -> [MetricClip]
  ) throws(TrajpackError) -> [Score] {
    if gathered.count == 1 || store?.isTask == true { return each[0] }
    guard scorer.plan.binding.pooling != .mean else { return scorer.means(each, of: "episodes") }
    return try scorer.scores(gathered.flatMap(clips), constants)
  }

  /// What is found of the first rows.
  private struct Horizon {
    var rows: Int
    /// Of all episodes together.
    var scores: [Score] = []
    /// Of each episode that has a clip with as many rows.
    var each: [[Score]] = []
    /// How many clips have as many rows, and of how many; nil where all have, or an episode is one.
    var windows: (count: Int, of: Int)?
  }

  /// The figures of the first rows of each clip that has as many.
  private func horizons(
    _ scorer: Scorer, _ gathered: [MetricInputs], _ constants: [String: Numbers]
  ) throws(TrajpackError) -> [Horizon] {
    var out: [Horizon] = []
    let clips = gathered.reduce(0) { $0 + $1.clips.count }
    for rows in request.horizons {
      // Deviations stay those of the whole where a metric can stop early by itself.
      let stops = scorer.plan.evaluator.settings.contains { $0.name == "first_steps" }
      var scorer = scorer
      if stops { scorer.settings.append(("first_steps", "\(rows)")) }
      let cut = gathered.map { episode in
        var copy = episode
        if stops {
          copy.clips = episode.clips.filter { $0.rows >= rows }
          return copy
        }
        copy.clips = episode.clips.filter { $0.rows >= rows }.map { clip in
          MetricClip(
            arrays: clip.arrays.mapValues { $0.rows(0..<rows) }, rows: rows,
            settings: clip.settings)
        }
        return copy
      }.filter { !$0.clips.isEmpty }
      var horizon = Horizon(rows: rows)
      let kept = cut.reduce(0) { $0 + $1.clips.count }
      if kept < clips, clips > gathered.count { horizon.windows = (kept, clips) }
      if !cut.isEmpty {
        for episode in cut { horizon.each.append(try scorer.scores(episode.clips, constants)) }
        horizon.scores = try pooled(scorer, cut, horizon.each, constants, \.clips)
      }
      out.append(horizon)
    }
    return out
  }
}
