import TrajpackFormat

/// Options of `forecast.intervals`.
struct IntervalOptions: PredictionOptions {
  var level = 0.05
  var season = 1
  var failed = FailureRule.withhold

  static let table: [Option<Self>] = [
    .number("level", \.level, "share outside the interval, a of MSIS", above: 0, highest: 1),
    .count("season", \.season, "steps of the naive forecast below the line", 1...1_000_000),
    failure(\.failed),
  ]
}

/// MSIS: the mean interval score (u − l) + 2/a (l − y)⁺ + 2/a (y − u)⁺ over the naive error of the
/// training series (Gneiting and Raftery 2007; scaled as in M4), and coverage.
enum IntervalScores {
  static let evaluator = Evaluator(
    "forecast.intervals", makes: ["forecast.msis", "forecast.coverage"],
    "MSIS and coverage of prediction intervals.",
    [
      .needed("truth", "T × D, or T", "true series"),
      .needed("lower", "as truth", "lower end of the interval"),
      .needed("upper", "as truth", "upper end"),
      .needed("train", "T' × D, or T'", "training series"),
      .optional("truth_mask", "as truth", "1 where the true value exists"),
    ],
    IntervalOptions.self, scores)

  static func scores(
    _ arrays: Arrays, _ options: IntervalOptions
  ) throws(TrajpackError) -> [Score] {
    let truth = try arrays.tensor("truth", ranks: 1...2)
    let lower = try arrays.tensor("lower", ranks: 1...2)
    let upper = try arrays.tensor("upper", ranks: 1...2)
    try truth.requireSameShape(lower)
    try truth.requireSameShape(upper)
    let mask = try arrays.mask("truth_mask", count: truth.values.count)
    var sum = 0.0
    var inside = 0
    var count = 0
    var lost = Failures("values")
    for index in truth.values.indices {
      let (y, l, u) = (truth.values[index], lower.values[index], upper.values[index])
      if !y.isFinite || mask.map({ $0[index] == 0 }) ?? false { continue }
      lost.total += 1
      guard l.isFinite, u.isFinite else {
        lost.add(index, "the interval at index \(index) is not finite")
        continue
      }
      count += 1
      if y >= l, y <= u { inside += 1 }
      sum += u - l + 2 / options.level * (max(0, l - y) + max(0, y - u))
    }
    let details = [Field("nan_predictions", .count(lost.count))]
    let names = ["forecast.msis", "forecast.coverage"]
    guard count > 0 else {
      return names.map { Score($0, missing: "no value counts", details: details).failing(lost) }
    }
    let train = try arrays.tensor("train", ranks: 1...2).series[0]
    var naive = 0.0
    var steps = 0
    for step in stride(from: options.season, to: train.rows, by: 1) {
      for dimension in 0..<train.columns {
        let change = abs(train[step, dimension] - train[step - options.season, dimension])
        guard change.isFinite else { continue }
        naive += change
        steps += 1
      }
    }
    let msis =
      steps > 0 && naive > 0
      ? Score(
        names[0], sum / Double(count) / (naive / Double(steps)), count: count, details: details)
      : Score(names[0], missing: "the training series never changes, or is too short")
    return [
      msis.failing(lost),
      Score(names[1], Double(inside) / Double(count), count: count, details: details)
        .failing(lost),
    ]
  }
}

/// Which estimator of CRPS of an ensemble.
enum CRPSEstimator: String, CaseIterable, Sendable {
  /// mean|x − y| − ΣΣ|x_i − x_j| / 2M²: the empirical distribution's own.
  case nrg
  /// mean|x − y| − ΣΣ|x_i − x_j| / 2M(M−1): unbiased (Ferro 2014).
  case fair
}

/// Options of `forecast.ensemble`.
struct EnsembleOptions: PredictionOptions {
  var estimator = CRPSEstimator.nrg
  var quantiles: [Double] = [0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9]
  var failed = FailureRule.withhold

  static let table: [Option<Self>] = [
    .choice("crps", \.estimator, "estimator of CRPS"),
    .numbers("quantiles", \.quantiles, "levels of the quantile loss, between 0 and 1", above: 0),
    failure(\.failed),
  ]
}

/// CRPS of an ensemble (Gneiting and Raftery 2007), and the weighted quantile loss of its quantiles
/// (linear between members): Σ 2 ρ_q(y − ŷ_q) / Σ|y|, averaged over levels.
enum EnsembleScores {
  static let evaluator = Evaluator(
    "forecast.ensemble",
    makes: ["forecast.crps", "forecast.quantile_loss", "forecast.weighted_quantile_loss"],
    "CRPS and weighted quantile loss of ensemble forecasts.",
    [
      .needed("truth", "T [× D]", "true values"),
      .needed("ensemble", "T [× D] × M", "members of the forecast of each value"),
      .optional("truth_mask", "T [× D]", "1 where the true value exists"),
    ],
    EnsembleOptions.self, scores)

  static func scores(
    _ arrays: Arrays, _ options: EnsembleOptions
  ) throws(TrajpackError) -> [Score] {
    let given = try arrays.tensor("truth", ranks: 1...2)
    let truth = given.values
    let ensemble = try arrays.tensor("ensemble", ranks: 2...3)
    guard let members = ensemble.shape.last, Array(ensemble.shape.dropLast()) == given.shape,
      members > 0, options.quantiles.allSatisfy({ $0 < 1 })
    else {
      throw TrajpackError(
        .usage,
        "'ensemble' must be \(given.shape) and one axis of members more, not \(ensemble.shape), and "
          + "quantiles lie below 1")
    }
    let mask = try arrays.mask("truth_mask", count: truth.count)
    var crps = 0.0
    var losses = [Double](repeating: 0, count: options.quantiles.count)
    var size = 0.0
    var count = 0
    var lost = Failures("values")
    for (index, y) in truth.enumerated() {
      if !y.isFinite || mask.map({ $0[index] == 0 }) ?? false { continue }
      let sorted = ensemble.values[index * members..<(index + 1) * members].sorted()
      lost.total += 1
      guard sorted.allSatisfy(\.isFinite) else {
        lost.add(index, "a member of the ensemble at index \(index) is not finite")
        continue
      }
      count += 1
      size += abs(y)
      crps += one(sorted, y, options.estimator)
      for (place, level) in options.quantiles.enumerated() {
        let error = y - (Statistics.quantile(sorted, level) ?? .nan)
        losses[place] += 2 * max(level * error, (level - 1) * error)
      }
    }
    let names = ["forecast.crps", "forecast.quantile_loss", "forecast.weighted_quantile_loss"]
    let details = [Field("members", .count(members)), Field("nan_predictions", .count(lost.count))]
    guard count > 0, options.estimator == .nrg || members > 1 else {
      let reason = count == 0 ? "no value counts" : "the fair estimator needs two members"
      return names.map { Score($0, missing: reason, details: details).failing(lost) }
    }
    let levels = Field(
      "per_level",
      .fields(
        zip(options.quantiles, losses).map { Field("\($0)", .number($1 / Double(count))) }))
    let loss = Statistics.mean(losses)
    return [
      Score(names[0], crps / Double(count), count: count, details: details),
      Score(names[1], loss / Double(count), count: count, details: details + [levels]),
      size > 0
        ? Score(names[2], loss / size, count: count, details: details)
        : Score(names[2], missing: "every true value is 0", details: details),
    ].map { $0.failing(lost) }
  }

  /// CRPS of sorted members: ΣΣ|x_i − x_j| = 2 Σ (2i − M + 1) x_i.
  private static func one(_ sorted: [Double], _ y: Double, _ estimator: CRPSEstimator) -> Double {
    let m = Double(sorted.count)
    var distance = 0.0
    var spread = 0.0
    for (index, x) in sorted.enumerated() {
      distance += abs(x - y)
      spread += (2 * Double(index) - m + 1) * x
    }
    return distance / m - spread / (estimator == .nrg ? m * m : m * (m - 1))
  }
}
