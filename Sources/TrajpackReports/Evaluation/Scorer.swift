import TrajpackEvaluate
import TrajpackFormat

/// Runs an evaluator over clips: of one episode, or of all.
struct Scorer {
  let plan: MetricPlan
  var settings: [(name: String, value: String)]

  private var evaluator: Evaluator { plan.evaluator }

  /// The scores of clips together.
  ///
  /// - Throws: A usage error for arrays that do not fit together, or options out of their range.
  func scores(
    _ clips: [Clip], _ constants: [String: Numbers]
  ) throws(TrajpackError) -> [Score] {
    let isJoined = evaluator.inputs.contains { $0.name == "lengths" }
    if isJoined || plan.recipe.pooling == .joined {
      var arrays = constants
      for (name, parts) in columns(clips) {
        arrays[name] = .joined(parts, filledWith: padding(name))
      }
      if isJoined, clips.count > 1 {
        arrays["lengths"] = Numbers(shape: [clips.count], clips.map { Double($0.rows) })
      }
      return try call(arrays)
    }
    if plan.recipe.isBatched {
      var arrays = constants
      let isAlone = clips.count == 1 && plan.recipe.suite != "generative"
      for (name, parts) in columns(clips) {
        arrays[name] = isAlone ? parts[0] : .stacked(parts, filledWith: padding(name))
      }
      return try call(arrays)
    }
    var each: [[Score]] = []
    for clip in clips { each.append(try call(clip.arrays.merging(constants) { own, _ in own })) }
    return Self.means(each, of: "windows")
  }

  private func padding(_ input: String) -> Double {
    plan.recipe.inputs.first { $0.name == input }?.padding ?? .nan
  }

  /// The arrays of each name, clip by clip. An array that only some clips have cannot be joined.
  private func columns(_ clips: [Clip]) -> [(name: String, parts: [Numbers])] {
    let names = Set(clips.flatMap { $0.arrays.keys }).sorted()
    return names.compactMap { name in
      let parts = clips.compactMap { $0.arrays[name] }
      return parts.count == clips.count ? (name, parts) : nil
    }
  }

  private func call(_ arrays: [String: Numbers]) throws(TrajpackError) -> [Score] {
    var views: [ArrayView] = []
    for (name, numbers) in arrays.sorted(by: { $0.key < $1.key })
    where evaluator.inputs.contains(where: { $0.name == name }) {
      views.append(try numbers.view(name))
    }
    let scores = try evaluator.scores(of: views, settings)
    // The views borrow from the arrays.
    withExtendedLifetime(arrays) {}
    return scores
  }

  /// Figures as means over parts; a part without a figure does not count and is counted.
  static func means(_ parts: [[Score]], of what: String) -> [Score] {
    guard parts.count != 1 else { return parts[0] }
    var names: [String] = []
    for score in parts.flatMap({ $0 }) where !names.contains(score.name) {
      names.append(score.name)
    }
    return names.compactMap { name in
      let own = parts.compactMap { $0.first { $0.name == name } }
      let known = own.compactMap(\.value)
      let details = [
        Field("\(what)", .count(parts.count)),
        Field("\(what)_without_figure", .count(parts.count - known.count)),
        Field("nan_predictions", .count(own.reduce(0) { $0 + $1.notNumbers })),
      ]
      return Score(
        name: name, mean: known, count: own.filter { $0.value != nil }.reduce(0) { $0 + $1.count },
        reason: own.first { $0.reason != nil }?.reason ?? "there is nothing to average",
        options: own.first?.options ?? [], details: details)
    }
  }
}

extension Score {
  /// Predicted values that were not numbers, as far as the evaluator counts them.
  var notNumbers: Int {
    for field in details where field.name == "nan_predictions" {
      if case .count(let count) = field.value { return count }
    }
    return 0
  }
}
