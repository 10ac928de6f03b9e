import TrajpackFormat

/// The scale of sMAPE, on which implementations silently differ.
enum SMAPEScale: String, CaseIterable, Sendable {
  /// 100 · mean |e| / (|y| + |ŷ|): dysts 0.96.
  case hundred = "0_100"
  /// 200 · mean |e| / (|y| + |ŷ|): dysts up to 2024, PhyxMamba, M4.
  case twoHundred = "0_200"
}

/// Options of `forecast.errors`.
struct ForecastOptions: EvaluationOptions {
  var smapeScale = SMAPEScale.twoHundred
  var epsilon = 1e-10
  var neighbours = 3
  var klVariance = 1.0
  var klSamples = 1000
  var klPoints = 10_000
  var spectrumBins = 100
  var season = 1
  var horizons: [Int] = []
  var seed = 0
  var nan = NaNRule.error

  static let table: [Option<Self>] = [
    .choice("smape_scale", \.smapeScale, "the scale of sMAPE"),
    .number("epsilon", \.epsilon, "added below the line, as dysts does", lowest: 0),
    .count("mi_neighbours", \.neighbours, "neighbours of mutual information (KSG)", 1...100),
    .number("kl_variance", \.klVariance, "variance of each Gaussian of KL", above: 0),
    .count("kl_samples", \.klSamples, "Monte Carlo samples of KL", 1...10_000_000),
    .count("kl_points", \.klPoints, "points of a series that KL uses at most", 1...10_000_000),
    .count(
      "spectrum_bins", \.spectrumBins, "first bins of the spectrum of Hellinger", 1...1_000_000),
    .count("season", \.season, "steps of MASE's naive forecast", 1...1_000_000),
    .counts("horizons", \.horizons, "cumulative errors of the first h steps", lowest: 1),
    .count("seed", \.seed, "seed of the Monte Carlo samples (SplitMix64)"),
    .choice("nan_predictions", \.nan, "what a NaN in a forecast does (worst: not available)"),
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

  /// Pairs from a call's arrays, with how many true values are missing and how many predicted
  /// values are not numbers.
  static func read(
    _ arrays: Arrays
  ) throws(TrajpackError) -> (pairs: [ForecastPair], missing: Int, notNumbers: Int) {
    let truth = try arrays.tensor("truth", ranks: 1...3)
    let prediction = try arrays.tensor("prediction", ranks: 1...3)
    try truth.requireSameShape(prediction)
    let mask = try arrays.mask("truth_mask", count: truth.values.count)
    var missing = 0
    var notNumbers = 0
    var start = 0
    let predictions = prediction.series
    let pairs = truth.series.enumerated().map { index, series -> ForecastPair in
      let other = predictions[index]
      var counts = [Bool](repeating: true, count: series.values.count)
      var known = counts
      var complete = true
      for entry in series.values.indices {
        if !series.values[entry].isFinite || mask.map({ $0[start + entry] == 0 }) ?? false {
          missing += 1
          known[entry] = false
        } else if !other.values[entry].isFinite {
          notNumbers += 1
        } else {
          continue
        }
        counts[entry] = false
        complete = false
      }
      start += series.values.count
      return ForecastPair(
        truth: series, prediction: other, counts: complete ? nil : counts,
        known: complete ? nil : known)
    }
    return (pairs, missing, notNumbers)
  }

  static let inputs: [Evaluator.Input] = [
    .needed("truth", "[N ×] T × D, or T", "true series; N series, T steps, D dimensions"),
    .needed("prediction", "as truth", "forecast"),
    .optional("truth_mask", "as truth", "1 where the true value exists"),
  ]
}
