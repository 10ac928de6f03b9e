import TrajpackEvaluate
import TrajpackFormat
import TrajpackLoader

/// One evaluator of a request: which of its scores are wanted, its settings and its maps.
struct MetricPlan {
  var binding: MetricBinding
  var evaluator: Evaluator
  /// Names of scores, or what they begin with; all where empty.
  var wanted: [String] = []
  /// Whether it was asked for by name, so that what it lacks is an error.
  var isNamed: Bool
  var settings: [(name: String, value: String)] = []
  /// Whether options of its own were set.
  var isSet = false
  /// Options that are a value of each recording: `@lambda`.
  var named: [String: String] = [:]
  /// What is said of inputs with `--map`.
  var maps: [String: String] = [:]

  func keeps(_ score: String) -> Bool {
    wanted.isEmpty || wanted.contains { Self.isMeant(score, by: $0) }
  }

  /// Whether a score is meant by its name, or by what its name begins with: `forecast.vpt_` as `--list` prints it, too.
  static func isMeant(_ score: String, by name: String) -> Bool {
    let isBeginning = name.hasSuffix("_") || name.hasSuffix(".")
    return score == name || score.hasPrefix("\(name).") || score.hasPrefix("\(name)_")
      || isBeginning && score.hasPrefix(name)
  }

  func setting(_ name: String) -> String? { settings.last { $0.name == name }?.value }

  /// Sets an option that has not been set and that the evaluator has.
  mutating func set(_ name: String, _ value: String) {
    if setting(name) == nil, evaluator.settings.contains(where: { $0.name == name }) {
      settings.append((name, value))
    }
  }

  /// The evaluators of a request, in the order of the catalogue.
  ///
  /// - Throws: A usage error that suggests what was meant.
  static func all(_ request: EvaluationRequest) throws(TrajpackError) -> [MetricPlan] {
    var plans: [MetricPlan] = []
    func plan(_ binding: MetricBinding, named: Bool) throws(TrajpackError) -> Int {
      if let at = plans.firstIndex(where: { $0.binding.evaluator == binding.evaluator }) {
        plans[at].isNamed = plans[at].isNamed || named
        return at
      }
      plans.append(
        MetricPlan(binding: binding, evaluator: try .named(binding.evaluator), isNamed: named))
      return plans.count - 1
    }
    let preset = try request.preset.map { (name) throws(TrajpackError) in try Preset.named(name) }
    let isOpen = request.metrics.isEmpty && request.suites.isEmpty
    for suite in request.suites {
      guard MetricBinding.suites.contains(suite) else {
        throw TrajpackError(
          .usage,
          "there is no suite '\(suite)'\(Suggestion.text(for: suite, among: MetricBinding.suites))"
        )
      }
      for binding in MetricBinding.all where binding.suite == suite {
        _ = try plan(binding, named: false)
      }
    }
    for name in isOpen ? preset?.metrics ?? [] : request.metrics {
      let (binding, score) = try find(name)
      let isWhole = plans.contains {
        $0.binding.evaluator == binding.evaluator && $0.wanted.isEmpty
      }
      let at = try plan(binding, named: !(isOpen && preset != nil))
      if let score {
        if !isWhole { plans[at].wanted.append(score) }
      } else {
        plans[at].wanted = []
      }
    }
    try apply(request, &plans)
    if let preset { try apply(preset, &plans) }
    let order = Evaluator.all.map(\.name)
    func place(_ plan: MetricPlan) -> Int {
      order.firstIndex(of: plan.binding.evaluator) ?? order.count
    }
    return plans.sorted { place($0) < place($1) }
  }

  /// The binding that a name of an evaluator or of a score means, and the score.
  static func find(_ name: String) throws(TrajpackError) -> (binding: MetricBinding, score: String?)
  {
    if let binding = MetricBinding.all.first(where: { $0.evaluator == name }) {
      return (binding, nil)
    }
    if let binding = MetricBinding.all.first(where: {
      (try? Evaluator.named($0.evaluator))?.makes(name) == true
    }) {
      return (binding, name)
    }
    let names = MetricBinding.all.flatMap {
      [$0.evaluator] + $0.scores.filter { !$0.hasSuffix(".") }
    }
    throw TrajpackError(
      .usage,
      "there is no metric '\(name)' ('trajpack evaluate --list' shows all)"
        + Suggestion.text(for: name, among: names))
  }

  /// Sets the options of a preset, which --set must not contradict.
  private static func apply(
    _ preset: Preset, _ plans: inout [MetricPlan]
  ) throws(TrajpackError) {
    for text in preset.settings {
      let (left, value) = try split(text, "--preset", "metric.option=value")
      for at in plans.indices {
        let prefix = "\(plans[at].binding.evaluator)."
        guard left.hasPrefix(prefix) else { continue }
        let option = String(left.dropFirst(prefix.count))
        if let own = plans[at].setting(option), own != value {
          throw TrajpackError(
            .usage,
            "--set \(left)=\(own): the preset '\(preset.name)' has \(value) there; leave one of the two out"
          )
        }
        plans[at].settings.append((option, value))
      }
    }
    guard
      plans.contains(where: { plan in
        preset.settings.contains { $0.hasPrefix("\(plan.binding.evaluator).") }
      })
    else {
      throw TrajpackError(
        .usage,
        "--preset \(preset.name): has conventions for \(preset.metrics.joined(separator: ", ")), and none of them "
          + "is asked for; leave --metric and --suite out to compute them")
    }
  }

  private static func apply(
    _ request: EvaluationRequest, _ plans: inout [MetricPlan]
  ) throws(TrajpackError) {
    for text in request.settings {
      let (left, value) = try split(text, "--set", "option=value or metric.option=value")
      var used = false
      for at in plans.indices {
        let plan = plans[at]
        let prefix = "\(plan.binding.evaluator)."
        let option = left.hasPrefix(prefix) ? String(left.dropFirst(prefix.count)) : left
        guard plan.evaluator.settings.contains(where: { $0.name == option }) else { continue }
        plans[at].settings.append((option, value))
        plans[at].isSet = true
        used = true
      }
      guard used else {
        let known = plans.flatMap { plan in
          plan.evaluator.settings.map { "\(plan.binding.evaluator).\($0.name)" }
            + plan.evaluator.settings.map(\.name)
        }
        throw TrajpackError(
          .usage,
          "--set: no metric that is asked for has the option '\(left)'"
            + Suggestion.text(for: left, among: known))
      }
    }
    for text in request.maps {
      let (left, pattern) = try split(text, "--map", "input=stream/channel or metric:input=…")
      let parts = left.split(separator: ":", maxSplits: 1).map(String.init)
      var used = false
      for at in plans.indices {
        let plan = plans[at]
        if parts.count == 2, parts[0] != plan.binding.evaluator { continue }
        guard let input = parts.last,
          plan.evaluator.inputs.contains(where: { $0.name == input })
        else { continue }
        // Given again, it adds to what was said before.
        plans[at].maps[input] = plans[at].maps[input].map { "\($0),\(pattern)" } ?? pattern
        used = true
      }
      guard used else {
        let known = plans.flatMap { $0.evaluator.inputs.map(\.name) }
        throw TrajpackError(
          .usage,
          "--map: no metric that is asked for has the input '\(left)'"
            + Suggestion.text(for: left, among: Array(Set(known)).sorted()))
      }
    }
    for at in plans.indices {
      if let seed = request.seed { plans[at].set("seed", "\(seed)") }
      if let failed = request.failed { plans[at].set("failed", failed) }
    }
  }

  private static func split(
    _ text: String, _ option: String, _ form: String
  ) throws(TrajpackError) -> (String, String) {
    guard let equals = text.firstIndex(of: "="), equals > text.startIndex else {
      throw TrajpackError(.usage, "\(option) takes \(form), not '\(text)'")
    }
    return (String(text[..<equals]), String(text[text.index(after: equals)...]))
  }
}
