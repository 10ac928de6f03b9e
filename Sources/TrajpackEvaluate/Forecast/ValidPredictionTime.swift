import TrajpackFormat

/// Options of `forecast.valid_time`.
struct ValidTimeOptions: PredictionOptions {
  var smapeThreshold = 30.0
  var errorThreshold = 0.4
  var timeStep = 1.0
  var exponent: Double?
  var firstSteps = 0
  var failed = FailureRule.withhold

  static let table: [Option<Self>] = [
    .number("smape_threshold", \.smapeThreshold, "sMAPE above which a forecast fails", above: 0),
    .number("error_threshold", \.errorThreshold, "normalised error above which it fails", above: 0),
    .number("time_step", \.timeStep, "time between steps", above: 0),
    .optionalNumber(
      "lyapunov_exponent", \.exponent, "largest exponent, for Lyapunov times", above: 0),
    .count(
      "first_steps", \.firstSteps,
      "steps that a forecast can be valid for; deviations are of the whole series; 0: all"),
    failure(\.failed),
  ]
}

/// Valid prediction time: the first step at which a forecast's error is above a threshold, under
/// every convention papers use without saying which. Steps count from 0; a forecast that never
/// fails is valid for all its steps. A predicted value that is not a number fails.
///
/// - `smape_cumulative_200`: mean over steps so far of sMAPE on 0…200 (Gilpin 2023, PhyxMamba)
/// - `smape_cumulative_100`: the same on 0…100 (dysts 0.96)
/// - `smape_instantaneous_200`: sMAPE of the step alone
/// - `nrmse`: √(mean_d e_d²/σ_d²) of the step, σ of the truth, over channels that change
/// - `relative`: ‖e‖ / √⟨‖y‖²⟩ (Pathak et al. 2018)
enum ValidPredictionTime {
  static let evaluator = Evaluator(
    "forecast.valid_time", makes: ["forecast.vpt_"],
    "Valid prediction time under each convention, in steps and Lyapunov times.",
    ForecastPair.inputs, ValidTimeOptions.self, scores)

  private static let names = [
    "smape_cumulative_200", "smape_cumulative_100", "smape_instantaneous_200", "nrmse", "relative",
  ]

  static func scores(
    _ arrays: Arrays, _ options: ValidTimeOptions
  ) throws(TrajpackError) -> [Score] {
    let (pairs, missing, lost) = try ForecastPair.read(arrays)
    var results: [[Int?]] = []
    for pair in pairs {
      let isOut = pair.isBroken && options.failed == .skip
      results.append(isOut ? names.map { _ in nil } : steps(pair, options))
    }
    let constant = Set(pairs.flatMap(constantChannels)).sorted()
    return names.indices.flatMap { index -> [Score] in
      let name = "forecast.vpt_\(names[index])"
      let values = results.map { $0[index] }
      let known = values.compactMap { $0 }
      let never = zip(values, pairs).count { value, pair in
        value.map { $0 >= Self.limit(pair, options) } ?? false
      }
      var details = [
        Field("series", .count(pairs.count)), Field("missing_truth", .count(missing)),
        Field("nan_predictions", .count(lost.count)), Field("never_failed", .count(never)),
      ]
      if pairs.count > 1 {
        details.append(Field("per_series", .numbers(values.map { $0.map(Double.init) })))
      }
      if names[index] == "nrmse", !constant.isEmpty {
        details.append(Field("constant_channels", .counts(constant)))
      }
      func failing(_ score: Score) -> Score { score.failing(lost, worst: .counted) }
      guard !known.isEmpty else {
        let reason =
          names[index] == "nrmse" && !constant.isEmpty
          ? "every channel of the truth is constant" : "no series has a true value that counts"
        return ["steps", "lyapunov_times"].map {
          failing(Score("\(name).\($0)", missing: reason, details: details))
        }
      }
      let mean = Statistics.mean(known.map { Double($0) })
      let count = zip(pairs, values).reduce(0) { $0 + ($1.1 == nil ? 0 : $1.0.knownSteps) }
      let times =
        options.exponent.map {
          failing(
            Score(
              "\(name).lyapunov_times", mean * options.timeStep * $0, count: count,
              details: details))
        }
        ?? Score("\(name).lyapunov_times", missing: "option lyapunov_exponent was not given")
      return [failing(Score("\(name).steps", mean, count: count, details: details)), times]
    }
  }

  private static func limit(_ pair: ForecastPair, _ options: ValidTimeOptions) -> Int {
    options.firstSteps > 0 ? min(options.firstSteps, pair.steps) : pair.steps
  }

  /// The channels whose truth never changes, by which no error can be divided.
  private static func constantChannels(_ pair: ForecastPair) -> [Int] {
    (0..<pair.dimensions).filter { dimension in
      Statistics.isConstant(
        (0..<pair.steps).map { $0 * pair.dimensions + dimension }
          .filter { pair.known?[$0] ?? true }.map { pair.truth.values[$0] })
    }
  }

  /// The first failing step under each convention; nil where no true value counts.
  private static func steps(_ pair: ForecastPair, _ options: ValidTimeOptions) -> [Int?] {
    let dimensions = pair.dimensions
    let known = (0..<pair.steps * dimensions).filter { pair.known?[$0] ?? true }
    guard !known.isEmpty else { return names.map { _ in nil } }
    let deviations = (0..<dimensions).map { dimension in
      Statistics.deviation(
        known.filter { $0 % dimensions == dimension }.map { pair.truth.values[$0] })
    }
    var energy = 0.0
    for index in known { energy += pair.truth.values[index] * pair.truth.values[index] }
    let size = (energy * Double(dimensions) / Double(known.count)).squareRoot()
    let constant = constantChannels(pair)
    let limit = Self.limit(pair, options)
    var failed = [Int](repeating: limit, count: names.count)
    var sum = 0.0
    var terms = 0
    for step in 0..<limit {
      let errors = StepErrors(pair, step, deviations, size, constant)
      guard errors.count > 0 else { continue }
      sum += errors.symmetric
      terms += errors.count
      let cumulative = 200 * sum / Double(terms)
      let instantaneous = 200 * errors.symmetric / Double(errors.count)
      let values = [cumulative, cumulative / 2, instantaneous, errors.scaled, errors.relative]
      for index in names.indices where failed[index] == limit {
        let threshold = index < 3 ? options.smapeThreshold : options.errorThreshold
        if !(values[index] <= threshold) { failed[index] = step }
      }
    }
    return names.indices.map { index in
      names[index] == "nrmse" && constant.count == dimensions ? nil : failed[index]
    }
  }

  /// The errors of one step over the dimensions whose truth counts.
  private struct StepErrors {
    var count = 0
    var symmetric = 0.0
    var scaled = 0.0
    var relative = 0.0

    init(
      _ pair: ForecastPair, _ step: Int, _ deviations: [Double], _ size: Double, _ constant: [Int]
    ) {
      var square = 0.0
      var changing = 0
      var normalised = 0.0
      for dimension in 0..<pair.dimensions {
        let y = pair.truth[step, dimension]
        let z = pair.prediction[step, dimension]
        // A missing truth does not count; a missing prediction does, as a failure.
        if let known = pair.known, !known[step * pair.dimensions + dimension] { continue }
        count += 1
        let error = y - z
        let total = abs(y) + abs(z)
        symmetric += total == 0 ? 0 : abs(error) / total
        square += error * error
        if constant.contains(dimension) { continue }
        let scaled = error / deviations[dimension]
        normalised += error == 0 ? 0 : scaled * scaled
        changing += 1
      }
      guard count > 0 else { return }
      scaled = changing > 0 ? (normalised / Double(changing)).squareRoot() : 0
      relative = square == 0 ? 0 : square.squareRoot() / size
      if symmetric.isNaN { symmetric = .infinity }
    }
  }
}
