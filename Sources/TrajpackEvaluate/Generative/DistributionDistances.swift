import Glibc
import TrajpackFormat

/// Options of `generative.distances`.
struct DistributionOptions: EvaluationOptions {
  var bins = 50
  var lags = 64
  var skipsFirst = true

  static let table: [Option<Self>] = [
    .count("bins", \.bins, "bins of each marginal (MDD)", 1...100_000),
    .count("lags", \.lags, "lags of autocorrelation, from 0, at most (ACD)", 1...100_000),
    .flag("skip_first_step", \.skipsFirst, "MDD leaves out the first step, as TSGBench does"),
  ]
}

/// TSGBench's distances of two sets of series (Ang et al., VLDB 2023; after SigCWGAN).
///
/// - MDD: mean over steps, dimensions and bins of |density − density| on the real data's range; a
///   generated value counts in a bin when it is strictly nearer than half a bin to its centre
/// - ACD: mean over dimensions of ‖ACF − ACF‖₂, lag products divided by the pooled variance
/// - SD, KD: mean over dimensions of |difference| of skewness (σ with n − 1) and of excess kurtosis
enum DistributionDistances {
  static let evaluator = Evaluator(
    "generative.distances", "MDD, ACD, SD and KD of generated series, as TSGBench.",
    [
      .needed("real", "N × T × D", "real series"),
      .needed("generated", "N' × T × D", "generated series"),
    ],
    DistributionOptions.self, scores)

  static func scores(
    _ arrays: Arrays, _ options: DistributionOptions
  ) throws(TrajpackError) -> [Score] {
    let real = try arrays.tensor("real", ranks: 3...3)
    let made = try arrays.tensor("generated", ranks: 3...3)
    guard real.shape[1] == made.shape[1], real.shape[2] == made.shape[2] else {
      throw TrajpackError(
        .usage, "“real” \(real.shape) and “generated” \(made.shape) must agree in T and D")
    }
    let names = ["mdd", "acd", "sd", "kd"].map { "generative.\($0)" }
    guard real.values.allSatisfy(\.isFinite), made.values.allSatisfy(\.isFinite) else {
      let broken = made.values.filter { !$0.isFinite }.count
      return names.map {
        Score(
          $0, missing: "values are not numbers",
          details: [Field("nan_predictions", .count(broken))])
      }
    }
    guard real.values.count > 1, made.values.count > 1 else {
      return names.map { Score($0, missing: "a set is empty") }
    }
    let values = [
      marginals(real, made, options), autocorrelation(real, made, options),
      moments(real, made, power: 3), moments(real, made, power: 4),
    ]
    return names.indices.map { index in
      values[index].map { Score(names[index], $0, count: made.values.count) }
        ?? Score(names[index], missing: "a dimension is constant, or the series are too short")
    }
  }

  private static func marginals(
    _ real: Tensor, _ made: Tensor, _ options: DistributionOptions
  ) -> Double? {
    let (steps, dimensions) = (real.shape[1], real.shape[2])
    var sum = 0.0
    var count = 0
    for dimension in 0..<dimensions {
      for step in (options.skipsFirst ? 1 : 0)..<max(steps, options.skipsFirst ? 1 : 0) {
        let a = slice(real, step, dimension)
        let b = slice(made, step, dimension)
        let low = a.min() ?? 0
        var high = a.max() ?? 0
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

  private static func slice(_ set: Tensor, _ step: Int, _ dimension: Int) -> [Double] {
    let (steps, dimensions) = (set.shape[1], set.shape[2])
    return (0..<set.shape[0]).map { set.values[($0 * steps + step) * dimensions + dimension] }
  }

  private static func autocorrelation(
    _ real: Tensor, _ made: Tensor, _ options: DistributionOptions
  ) -> Double? {
    let lags = min(options.lags, real.shape[1])
    var sum = 0.0
    for dimension in 0..<real.shape[2] {
      guard let a = correlations(real, dimension, lags), let b = correlations(made, dimension, lags)
      else { return nil }
      sum += zip(a, b).reduce(0) { $0 + ($1.0 - $1.1) * ($1.0 - $1.1) }.squareRoot()
    }
    return real.shape[2] > 0 ? sum / Double(real.shape[2]) : nil
  }

  private static func correlations(_ set: Tensor, _ dimension: Int, _ lags: Int) -> [Double]? {
    let (count, steps, dimensions) = (set.shape[0], set.shape[1], set.shape[2])
    let values = stride(from: dimension, to: set.values.count, by: dimensions)
      .map { set.values[$0] }
    let mean = Statistics.mean(values)
    let variance = pow(Statistics.deviation(values), 2)
    guard variance > 0 else { return nil }
    return (0..<lags).map { lag in
      var sum = 0.0
      for series in 0..<count {
        for step in lag..<steps {
          let now = series * steps + step
          sum += (values[now] - mean) * (values[now - lag] - mean)
        }
      }
      return sum / Double(count * (steps - lag)) / variance
    }
  }

  private static func moments(_ real: Tensor, _ made: Tensor, power: Int) -> Double? {
    var sum = 0.0
    for dimension in 0..<real.shape[2] {
      let each = [real, made].map { set -> Double? in
        let values = stride(from: dimension, to: set.values.count, by: set.shape[2])
          .map { set.values[$0] }
        let mean = Statistics.mean(values)
        let deviation = Statistics.deviation(values, correction: power == 3 ? 1 : 0)
        guard deviation > 0 else { return nil }
        let moment = values.reduce(0) { $0 + pow($1 - mean, Double(power)) }
        return moment / Double(values.count) / pow(deviation, Double(power))
      }
      guard let a = each[0], let b = each[1] else { return nil }
      sum += abs(a - b)
    }
    return real.shape[2] > 0 ? sum / Double(real.shape[2]) : nil
  }
}
