import Glibc
import TrajpackFormat

/// Options of `generative.distances`.
struct DistributionOptions: PredictionOptions {
  var bins = 50
  var lags = 64
  var skipsFirst = true
  var failed = FailureRule.withhold

  static let table: [Option<Self>] = [
    .count("bins", \.bins, "bins of each marginal (MDD)", 1...100_000),
    .count("lags", \.lags, "lags of autocorrelation, from 0, at most (ACD)", 1...100_000),
    .flag("skip_first_step", \.skipsFirst, "MDD leaves out the first step, as TSGBench does"),
    failure(\.failed),
  ]
}

/// TSGBench's distances of two sets of series (Ang et al., VLDB 2023; after SigCWGAN).
///
/// - MDD: mean over steps, dimensions and bins of |density − density| on the real data's range; a
///   generated value counts in a bin when it is strictly nearer than half a bin to its centre
/// - ACD: mean over dimensions of ‖ACF − ACF‖₂, lag products divided by the pooled variance
/// - SD, KD: mean over dimensions of |difference| of skewness (σ with n − 1) and of excess kurtosis
///
/// Real values that are masked or not numbers do not count: the sums run over what is there.
enum DistributionDistances {
  static let evaluator = Evaluator(
    "generative.distances", makes: ["generative."],
    "MDD, ACD, SD and KD of generated series, as TSGBench.",
    [
      .needed("real", "N × T × D", "real series"),
      .needed("generated", "N' × T × D", "generated series"),
      .optional("truth_mask", "N × T × D", "1 where the real value exists"),
    ],
    DistributionOptions.self, partners: ["generated": "real"], generated: "generated", scores)

  static func scores(
    _ arrays: Arrays, _ options: DistributionOptions
  ) throws(TrajpackError) -> [Score] {
    let real = try arrays.tensor("real", ranks: 3...3)
    let made = try arrays.tensor("generated", ranks: 3...3)
    guard real.shape[1] == made.shape[1], real.shape[2] == made.shape[2] else {
      throw TrajpackError(
        .usage, "'real' \(real.shape) and 'generated' \(made.shape) must agree in T and D")
    }
    let names = ["mdd", "acd", "sd", "kd"].map { "generative.\($0)" }
    let own = Known(real, try arrays.mask("truth_mask", count: real.values.count))
    let other = Known(made, nil)
    let details = [
      Field("missing_truth", .count(own.missing)), Field("nan_predictions", .count(other.missing)),
    ]
    guard own.count > 1, other.count > 1 else {
      return names.map { Score($0, missing: "a set is empty", details: details) }
    }
    let values = [
      marginals(own, other, options), autocorrelation(own, other, options),
      moments(own, other, power: 3), moments(own, other, power: 4),
    ]
    return names.indices.map { index in
      values[index].map {
        Score(names[index], $0, count: own.count + other.count, details: details)
      }
        ?? Score(
          names[index], missing: "a dimension is constant, or the series are too short",
          details: details)
    }
  }

  /// A set of series, what is missing as NaN.
  private struct Known {
    let values: [Double]
    let series: Int
    let steps: Int
    let dimensions: Int
    let missing: Int
    var count: Int { values.count - missing }

    init(_ set: Tensor, _ mask: UnsafeBufferPointer<UInt8>?) {
      values = set.values.indices.map { index in
        mask?[index] == 0 || !set.values[index].isFinite ? .nan : set.values[index]
      }
      (series, steps, dimensions) = (set.shape[0], set.shape[1], set.shape[2])
      missing = values.reduce(0) { $0 + ($1.isNaN ? 1 : 0) }
    }

    /// What there is of a dimension.
    func column(_ dimension: Int) -> [Double] {
      stride(from: dimension, to: values.count, by: dimensions).map { values[$0] }
        .filter { !$0.isNaN }
    }

    /// What there is of a step of a dimension.
    func slice(_ step: Int, _ dimension: Int) -> [Double] {
      (0..<series).map { values[($0 * steps + step) * dimensions + dimension] }
        .filter { !$0.isNaN }
    }
  }

  private static func marginals(
    _ real: Known, _ made: Known, _ options: DistributionOptions
  ) -> Double? {
    let (steps, dimensions) = (real.steps, real.dimensions)
    var sum = 0.0
    var count = 0
    for dimension in 0..<dimensions where !Interruption.isRequested {
      for step in (options.skipsFirst ? 1 : 0)..<max(steps, options.skipsFirst ? 1 : 0) {
        let a = real.slice(step, dimension)
        let b = made.slice(step, dimension)
        guard let low = a.min(), var high = a.max(), !b.isEmpty else { continue }
        if high == low { high += 1e-5 }
        let width = (high - low) / Double(options.bins)
        guard width > 0, width.isFinite else { return nil }
        var p = [Double](repeating: 0, count: options.bins)
        var q = p
        for value in a { p[min(Int((value - low) / width), options.bins - 1)] += 1 }
        for value in b where value > low && value < high {
          let place = (value - low) / width
          if place != place.rounded(.down) { q[min(Int(place), options.bins - 1)] += 1 }
        }
        for bin in 0..<options.bins {
          sum += abs(p[bin] / Double(a.count) - q[bin] / Double(b.count)) / width
        }
        count += options.bins
      }
    }
    return count > 0 ? sum / Double(count) : nil
  }

  private static func autocorrelation(
    _ real: Known, _ made: Known, _ options: DistributionOptions
  ) -> Double? {
    let lags = min(options.lags, real.steps)
    var sum = 0.0
    for dimension in 0..<real.dimensions {
      guard let a = correlations(real, dimension, lags), let b = correlations(made, dimension, lags)
      else { return nil }
      sum += zip(a, b).reduce(0) { $0 + ($1.0 - $1.1) * ($1.0 - $1.1) }.squareRoot()
    }
    return real.dimensions > 0 ? sum / Double(real.dimensions) : nil
  }

  /// Nil for a constant dimension, or a lag at which no two values are there.
  private static func correlations(_ set: Known, _ dimension: Int, _ lags: Int) -> [Double]? {
    let known = set.column(dimension)
    let mean = Statistics.mean(known)
    let variance = pow(Statistics.deviation(known), 2)
    guard variance > 0 else { return nil }
    let values = stride(from: dimension, to: set.values.count, by: set.dimensions)
      .map { set.values[$0] - mean }
    var correlations: [Double] = []
    for lag in 0..<lags {
      if Interruption.isRequested { return nil }
      var sum = 0.0
      var count = 0
      for series in 0..<set.series {
        for step in lag..<set.steps {
          let now = series * set.steps + step
          let product = values[now] * values[now - lag]
          if product.isNaN { continue }
          sum += product
          count += 1
        }
      }
      guard count > 0 else { return nil }
      correlations.append(sum / Double(count) / variance)
    }
    return correlations
  }

  private static func moments(_ real: Known, _ made: Known, power: Int) -> Double? {
    var sum = 0.0
    for dimension in 0..<real.dimensions {
      let each = [real, made].map { set -> Double? in
        let values = set.column(dimension)
        let mean = Statistics.mean(values)
        let deviation = Statistics.deviation(values, correction: power == 3 ? 1 : 0)
        guard deviation > 0 else { return nil }
        let moment = values.reduce(0) { $0 + pow(($1 - mean) / deviation, Double(power)) }
        return moment / Double(values.count)
      }
      guard let a = each[0], let b = each[1] else { return nil }
      sum += abs(a - b)
    }
    return real.dimensions > 0 ? sum / Double(real.dimensions) : nil
  }
}
