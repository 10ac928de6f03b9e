import TrajpackFormat

/// The scale of sMAPE, on which implementations silently differ.
enum SMAPEScale: String, CaseIterable, Sendable {
  /// 100 · mean |e| / (|y| + |ŷ|): dysts 0.96.
  case hundred = "0_100"
  /// 200 · mean |e| / (|y| + |ŷ|): dysts up to 2024, PhyxMamba, M4.
  case twoHundred = "0_200"
}

/// Options of `forecast.errors`.
struct ForecastOptions: PredictionOptions {
  var smapeScale = SMAPEScale.twoHundred
  /// Added to variances, ranges and sizes below the line; 0, since what it adds depends on the unit.
  var epsilon = 0.0
  var neighbours = 3
  var klVariance = 1.0
  var klSamples = 1000
  var klPoints = 10_000
  var spectrumBins = 100
  var season = 1
  var horizons: [Int] = []
  var seed = 0
  var keepConstant = false
  var failed = FailureRule.withhold

  static let table: [Option<Self>] = [
    .choice("smape_scale", \.smapeScale, "the scale of sMAPE"),
    .number("epsilon", \.epsilon, "added below the line; dysts adds 1e-10", lowest: 0),
    .count("mi_neighbours", \.neighbours, "neighbours of mutual information (KSG)", 1...100),
    .number("kl_variance", \.klVariance, "variance of each Gaussian of KL", above: 0),
    .count("kl_samples", \.klSamples, "Monte Carlo samples of KL", 1...10_000_000),
    .count("kl_points", \.klPoints, "points of a series that KL uses at most", 1...10_000_000),
    .count(
      "spectrum_bins", \.spectrumBins, "first bins of the spectrum of Hellinger", 1...1_000_000),
    .count("season", \.season, "steps of MASE's naive forecast", 1...1_000_000),
    .counts("horizons", \.horizons, "cumulative errors of the first h steps", lowest: 1),
    .count("seed", \.seed, "seed of the Monte Carlo samples (SplitMix64)"),
    .flag(
      "keep_constant", \.keepConstant,
      "count constant channels and true zeros in relative figures, over epsilon, as dysts does"),
    failure(\.failed),
  ]
}

/// One series and its forecast, with what counts.
struct ForecastPair {
  let truth: Series
  let prediction: Series
  /// Whether each entry counts; nil when all do.
  let counts: [Bool]?
  /// Whether the truth of each entry counts, whatever the forecast; nil when all do.
  let known: [Bool]?

  var steps: Int { truth.rows }
  var dimensions: Int { truth.columns }

  /// The entries that count of one dimension.
  func column(_ dimension: Int) -> (truth: [Double], prediction: [Double]) {
    guard let counts else { return (truth.column(dimension), prediction.column(dimension)) }
    var a: [Double] = []
    var b: [Double] = []
    for step in 0..<steps where counts[step * dimensions + dimension] {
      a.append(truth[step, dimension])
      b.append(prediction[step, dimension])
    }
    return (a, b)
  }

  /// How many steps have a true value.
  var knownSteps: Int {
    guard let known else { return steps }
    return (0..<steps).filter { step in
      (0..<dimensions).contains { known[step * dimensions + $0] }
    }.count
  }

  /// The steps at which every dimension counts.
  var completeSteps: [Int] {
    guard let counts else { return Array(0..<steps) }
    return (0..<steps).filter { step in
      (0..<dimensions).allSatisfy { counts[step * dimensions + $0] }
    }
  }

  /// Pairs from a call's arrays, with how many true values are missing and which predicted values
  /// are not finite. What counts is listed only where that is not all.
  static func read(
    _ arrays: Arrays
  ) throws(TrajpackError) -> (pairs: [ForecastPair], missing: Int, lost: Failures) {
    let truth = try arrays.tensor("truth", ranks: 1...3)
    let prediction = try arrays.tensor("prediction", ranks: 1...3)
    try truth.requireSameShape(prediction)
    let mask = try arrays.mask("truth_mask", count: truth.values.count)
    var missing = 0
    var lost = Failures("values")
    var start = 0
    let predictions = prediction.series
    let pairs = truth.series.enumerated().map { index, series -> ForecastPair in
      let other = predictions[index]
      defer { start += series.values.count }
      if mask == nil, allFinite(series.values), allFinite(other.values) {
        return ForecastPair(truth: series, prediction: other, counts: nil, known: nil)
      }
      var counts = [Bool](repeating: true, count: series.values.count)
      var known = counts
      for entry in series.values.indices {
        if !series.values[entry].isFinite || mask.map({ $0[start + entry] == 0 }) ?? false {
          missing += 1
          known[entry] = false
          counts[entry] = false
        } else if !other.values[entry].isFinite {
          let step = entry / max(series.columns, 1)
          lost.add(start + entry, "the value at step \(step) of series \(index) is not finite")
          counts[entry] = false
        }
      }
      return ForecastPair(truth: series, prediction: other, counts: counts, known: known)
    }
    lost.total = truth.values.count - missing
    return (pairs, missing, lost)
  }

  /// Whether all values are finite: x · 0 is 0 for what is, and NaN for what is not.
  private static func allFinite(_ values: UnsafeBufferPointer<Double>) -> Bool {
    var sums = SIMD8<Double>.zero
    let whole = values.count / 8 * 8
    for start in stride(from: 0, to: whole, by: 8) {
      var lane = SIMD8<Double>()
      for at in 0..<8 { lane[at] = values[start + at] }
      sums += lane * 0
    }
    var rest = sums.sum()
    for index in whole..<values.count { rest += values[index] * 0 }
    return rest == 0
  }

  /// The truth in place of the forecast.
  var perfect: ForecastPair {
    ForecastPair(truth: truth, prediction: truth, counts: known, known: known)
  }

  /// Whether a predicted value is not finite where the truth is known.
  var isBroken: Bool { counts != known }

  static let inputs: [Evaluator.Input] = [
    .needed("truth", "[N ×] T × D, or T", "true series; N series, T steps, D dimensions"),
    .needed("prediction", "as truth", "forecast"),
    .optional("truth_mask", "as truth", "1 where the true value exists"),
  ]
}
