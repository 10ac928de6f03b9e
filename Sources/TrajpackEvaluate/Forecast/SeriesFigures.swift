import TrajpackFormat

/// The figures of one series and its forecast that are asked for; nil where one is undefined.
struct SeriesFigures {
  private(set) var values: [String: Double?] = [:]
  /// Channels whose truth is constant, which relative figures leave out.
  private(set) var constant: [Int] = []
  /// True values of 0, which MAPE leaves out.
  private(set) var zeros = 0
  /// See ``PointSums/unlike``.
  private(set) var unlike = 0
  /// Whether constants and zeros are counted, and nothing is added below the line.
  private let dividesByZero: Bool

  init(
    _ pair: ForecastPair, _ wanted: [String], _ options: ForecastOptions, _ naive: Double?
  ) {
    dividesByZero = options.keepConstant && options.epsilon == 0
    if wanted.allSatisfy(["mse", "mae", "rmse"].contains) {
      let (square, absolute, count) = pair.errorSums
      let n = Double(count)
      let all = ["mse": square / n, "mae": absolute / n, "rmse": (square / n).squareRoot()]
      for name in wanted { values[name] = count > 0 ? all[name].flatMap(Self.finite) : .some(nil) }
      return
    }
    let sums = PointSums(pair, options)
    constant = options.keepConstant ? [] : sums.constant
    zeros = options.keepConstant ? 0 : sums.zeros
    unlike = sums.unlike
    for (name, value) in sums.figures(options) where wanted.contains(name) { values[name] = value }
    let columns = sums.columns.indices.filter { !sums.constant.contains($0) }
      .map { sums.columns[$0] }
    func average(_ figure: ([Double], [Double]) -> Double?) -> Double? {
      var known: [Double] = []
      for column in columns {
        guard !Interruption.isRequested, let value = figure(column.truth, column.prediction) else {
          return nil
        }
        known.append(value)
      }
      return known.isEmpty ? nil : Statistics.mean(known)
    }
    for name in wanted where !PointSums.names.contains(name) {
      switch name {
      case "spearman":
        values[name] = average {
          Statistics.pearson(Statistics.ranks($0), Statistics.ranks($1))
        }
      case "pearson": values[name] = average(Statistics.pearson)
      case "kendall": values[name] = average(Statistics.kendall)
      case "mutual_information":
        values[name] = average {
          mutualInformation($0, $1, neighbours: options.neighbours)
        }
      case "kl_divergence":
        values[name] = MixtureDivergence.forecast(pair, pair.completeSteps, options)
      case "hellinger":
        values[name] =
          pair.completeSteps.count == pair.steps
          ? average { Spectrum.hellingerOfFirstBins($0, $1, bins: options.spectrumBins) }
          : .some(nil)
      case "mase":
        values[name] =
          sums.count > 0 ? naive.map { sums.absolute / Double(sums.count) / $0 } : .some(nil)
      default: values[name] = sums.overDeviation
      }
    }
  }

  /// Why a figure is undefined.
  func reason(_ name: String) -> String {
    if dividesByZero,
      ["nrmse", "marre", "mape", "wape", "coefficient_of_variation"].contains(name)
    {
      return
        "keep_constant divides by 0 here: it needs an epsilon above 0 (dysts has 1e-10), or the "
        + "forecast is beyond what float64 can square"
    }
    switch name {
    case "mase":
      return
        "the naive forecast has no error: the training series, or the truth without one, never "
        + "changes at lag 'season', or is not longer than it"
    case "mape", "wape": return "every true value is 0"
    case "coefficient_of_variation": return "the mean of the truth is 0"
    case "marre", "r2", "ope": return "the truth is constant"
    case "nrmse": return "every channel of the truth is constant"
    case "spearman", "pearson", "kendall":
      return "every channel of the truth is constant, or one of the forecast is"
    case "hellinger":
      return
        "a value of the series is missing, or every channel of the truth is constant, or one of "
        + "the forecast is 0"
    case "kl_divergence": return "no sample has a density under both series"
    case "mutual_information": return "there are too few values, or every true channel is constant"
    case "rmsle": return "a logarithm does not exist"
    default: return "the values are too few, or beyond what float64 can square"
    }
  }

  private static func finite(_ value: Double) -> Double? { value.isFinite ? value : nil }
}

extension ForecastPair {
  /// Σe², Σ|e| and how many entries count, in one pass over the arrays as they lie.
  var errorSums: (square: Double, absolute: Double, count: Int) {
    let (a, b) = (truth.values, prediction.values)
    guard let counts else {
      var squares = SIMD8<Double>.zero
      var sizes = SIMD8<Double>.zero
      let whole = a.count / 8 * 8
      for start in stride(from: 0, to: whole, by: 8) {
        var lane = SIMD8<Double>()
        for at in 0..<8 { lane[at] = a[start + at] - b[start + at] }
        squares += lane * lane
        sizes += lane.replacing(with: -lane, where: lane .< 0)
      }
      var (square, absolute) = (squares.sum(), sizes.sum())
      for index in whole..<a.count {
        let error = a[index] - b[index]
        square += error * error
        absolute += abs(error)
      }
      return (square, absolute, a.count)
    }
    var (square, absolute, count) = (0.0, 0.0, 0)
    for index in a.indices where counts[index] {
      let error = a[index] - b[index]
      square += error * error
      absolute += abs(error)
      count += 1
    }
    return (square, absolute, count)
  }

  /// Whether no true value counts.
  var isEmpty: Bool { known.map { !$0.contains(true) } ?? truth.values.isEmpty }
}
