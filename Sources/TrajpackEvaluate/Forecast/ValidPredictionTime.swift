import TrajpackFormat

/// Options of `forecast.valid_time`.
struct ValidTimeOptions: EvaluationOptions {
  var smapeThreshold = 30.0
  var errorThreshold = 0.4
  var timeStep = 1.0
  var exponent: Double?

  static let table: [Option<Self>] = [
    .number("smape_threshold", \.smapeThreshold, "sMAPE above which a forecast fails", above: 0),
    .number("error_threshold", \.errorThreshold, "normalised error above which it fails", above: 0),
    .number("time_step", \.timeStep, "time between steps", above: 0),
    .optionalNumber(
      "lyapunov_exponent", \.exponent, "largest exponent, for Lyapunov times", above: 0),
  ]
}

/// Valid prediction time: the first step at which a forecast's error is above a threshold, under
/// every convention papers use without saying which. Steps count from 0; a forecast that never
/// fails is valid for all its steps. A predicted value that is not a number fails.
///
/// - `smape_cumulative_200`: mean over steps so far of sMAPE on 0…200 (Gilpin 2023, PhyxMamba)
/// - `smape_cumulative_100`: the same on 0…100 (dysts 0.96)
/// - `smape_instantaneous_200`: sMAPE of the step alone
/// - `nrmse`: √(mean_d e_d²/σ_d²) of the step, σ of the truth
/// - `relative`: ‖e‖ / √⟨‖y‖²⟩ (Pathak et al. 2018)
enum ValidPredictionTime {
  static let evaluator = Evaluator(
    "forecast.valid_time",
    "Valid prediction time under each convention, in steps and Lyapunov times.",
    ForecastPair.inputs, ValidTimeOptions.self, scores)

  private static let names = [
    "smape_cumulative_200", "smape_cumulative_100", "smape_instantaneous_200", "nrmse", "relative",
  ]

  static func scores(
    _ arrays: Arrays, _ options: ValidTimeOptions
  ) throws(TrajpackError) -> [Score] {
    let (pairs, missing, notNumbers) = try ForecastPair.read(arrays)
    let results = pairs.map { steps($0, options) }
    return names.indices.flatMap { index -> [Score] in
      let name = "forecast.vpt_\(names[index])"
      let known = results.compactMap { $0?[index] }
      let valid = zip(results, pairs).filter { $0.0 != nil }.map(\.1)
      var details = [
        Field("series", .count(pairs.count)), Field("missing_truth", .count(missing)),
        Field("nan_predictions", .count(notNumbers)),
        Field(
          "never_failed", .count(zip(known, valid).filter { $0.0 >= $0.1.steps }.count)),
      ]
      if pairs.count > 1 {
        details.append(Field("per_series", .numbers(results.map { $0.map { Double($0[index]) } })))
      }
      guard !known.isEmpty else {
        let reason = "no series has a true value that counts"
        return [
          Score("\(name).steps", missing: reason), Score("\(name).lyapunov_times", missing: reason),
        ]
      }
      let mean = Statistics.mean(known.map { Double($0) })
      let count = pairs.reduce(0) { $0 + $1.knownSteps }
      let times =
        options.exponent.map {
          Score(
            "\(name).lyapunov_times", mean * options.timeStep * $0, count: count, details: details)
        }
        ?? Score("\(name).lyapunov_times", missing: "option lyapunov_exponent was not given")
      return [Score("\(name).steps", mean, count: count, details: details), times]
    }
  }

  /// The first failing step under each convention; nil when no true value counts.
  private static func steps(_ pair: ForecastPair, _ options: ValidTimeOptions) -> [Int]? {
    let dimensions = pair.dimensions
    let known = (0..<pair.steps * dimensions).filter { pair.known?[$0] ?? true }
    guard !known.isEmpty else { return nil }
    let deviations = (0..<dimensions).map { dimension in
      Statistics.deviation(
        known.filter { $0 % dimensions == dimension }.map { pair.truth.values[$0] })
    }
    var energy = 0.0
    for index in known { energy += pair.truth.values[index] * pair.truth.values[index] }
    let size = (energy * Double(dimensions) / Double(known.count)).squareRoot()
    var failed = [Int](repeating: pair.steps, count: names.count)
    var sum = 0.0
    var terms = 0
    for step in 0..<pair.steps {
      let errors = StepErrors(pair, step, deviations, size)
      guard errors.count > 0 else { continue }
      sum += errors.symmetric
      terms += errors.count
      let cumulative = 200 * sum / Double(terms)
      let instantaneous = 200 * errors.symmetric / Double(errors.count)
      let values = [cumulative, cumulative / 2, instantaneous, errors.scaled, errors.relative]
      for index in names.indices where failed[index] == pair.steps {
        let limit = index < 3 ? options.smapeThreshold : options.errorThreshold
        if !(values[index] <= limit) { failed[index] = step }
      }
    }
    return failed
  }

  /// The errors of one step over the dimensions whose truth counts.
  private struct StepErrors {
    var count = 0
    var symmetric = 0.0
    var scaled = 0.0
    var relative = 0.0

    init(_ pair: ForecastPair, _ step: Int, _ deviations: [Double], _ size: Double) {
      var square = 0.0
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
        let scaled = error / deviations[dimension]
        normalised += error == 0 ? 0 : scaled * scaled
      }
      guard count > 0 else { return }
      scaled = (normalised / Double(count)).squareRoot()
      relative = square == 0 ? 0 : square.squareRoot() / size
      if symmetric.isNaN { symmetric = .infinity }
    }
  }
}
