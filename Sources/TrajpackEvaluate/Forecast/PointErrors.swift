import Glibc
import TrajpackFormat

/// The point errors of Gilpin's benchmark (dysts 0.96, `compute_metrics`; formulas from there) and
/// MASE (Hyndman and Koehler 2006) and OPE, over the entries that count.
enum PointErrors {
  static let evaluator = Evaluator(
    "forecast.errors",
    makes: [
      "forecast.mse", "forecast.mae", "forecast.rmse", "forecast.nrmse", "forecast.marre",
      "forecast.r2", "forecast.rmsle", "forecast.smape", "forecast.mape", "forecast.wape",
      "forecast.coefficient_of_variation", "forecast.spearman", "forecast.pearson",
      "forecast.kendall", "forecast.mutual_information", "forecast.kl_divergence",
      "forecast.hellinger", "forecast.mase", "forecast.ope",
    ],
    "The 17 forecast figures of dysts (Gilpin), and MASE and OPE; the mean over series.",
    ForecastPair.inputs + [
      .optional("train", "T' × D, or T'", "training series, for MASE's naive error")
    ],
    ForecastOptions.self, scores)

  /// The figures, in the order in which they are reported.
  static let names =
    PointSums.names + [
      "spearman", "pearson", "kendall", "mutual_information", "kl_divergence", "hellinger", "mase",
      "ope",
    ]

  /// The worst values of bounded figures, by series.
  private static let bounds = [
    "spearman": -1.0, "pearson": -1, "kendall": -1, "mutual_information": 0, "hellinger": 1,
  ]

  static func scores(
    _ arrays: Arrays, _ options: ForecastOptions
  ) throws(TrajpackError) -> [Score] {
    let wanted = names.filter { arrays.wanted("forecast.\($0)") }
    if wanted.allSatisfy(ErrorSums.names.contains), options.horizons.isEmpty,
      let sums = try ErrorSums.all(arrays)
    {
      return wanted.map { score($0, sums) }
    }
    let (pairs, missing, lost) = try ForecastPair.read(arrays)
    guard !pairs.isEmpty else { return [] }
    let details = [
      Field("series", .count(pairs.count)), Field("missing_truth", .count(missing)),
      Field("nan_predictions", .count(lost.count)),
    ]
    let (naive, still) =
      wanted.contains("mase") ? try naiveError(arrays, pairs, options) : (nil, [])
    var results: [SeriesFigures] = []
    for pair in pairs where !Interruption.isRequested {
      results.append(SeriesFigures(pair, wanted, options, naive))
    }
    guard results.count == pairs.count else { return [] }
    let total = lost.total - lost.count
    var scores: [Score] = []
    for name in wanted {
      var (failures, values) = (Failures("series", of: 0), [Double?]())
      for (index, result) in results.enumerated() {
        var value = result.values[name] ?? nil
        let bound = options.failed == .worst ? bounds[name] : nil
        if value == nil, !pairs[index].isEmpty {
          // Undefined for the truth itself: no failure of the forecast.
          let own = SeriesFigures(pairs[index].perfect, [name], options, naive)
          if own.values[name] ?? nil != nil {
            failures.add(index, result.reason(name))
            value = bound
          } else {
            failures.total -= 1
          }
        }
        if pairs[index].isBroken, let bound { value = bound }
        values.append(value)
      }
      failures.total += pairs.count { !$0.isEmpty }
      let all = lost.count > 0 ? lost.including(failures) : failures
      let worst: Failures.Worst = bounds[name] != nil || name == "smape" ? .counted : .none
      scores.append(
        score(
          name, values, results, pairs, total,
          name == "mase" && !still.isEmpty
            ? details + [Field("constant_channels", .counts(still))] : details, options
        ).failing(all, worst: worst))
    }
    return scores
  }

  /// The figure of series whose every value counts.
  private static func score(_ name: String, _ sums: [ErrorSums]) -> Score {
    let values = sums.map { $0.figure(name) }
    var fields = [
      Field("series", .count(sums.count)), Field("missing_truth", .count(0)),
      Field("nan_predictions", .count(0)),
    ]
    if values.count > 1 { fields.append(Field("per_series", .numbers(values))) }
    return Score(
      "forecast.\(name)", Statistics.mean(values), count: sums.reduce(0) { $0 + $1.count },
      details: fields)
  }

  private static func score(
    _ name: String, _ values: [Double?], _ results: [SeriesFigures], _ pairs: [ForecastPair],
    _ total: Int, _ details: [Field], _ options: ForecastOptions
  ) -> Score {
    var fields = details
    let relative = ["nrmse", "hellinger"] + bounds.keys
    if relative.contains(name) {
      let constant = Set(results.flatMap(\.constant)).sorted()
      if !constant.isEmpty { fields.append(Field("constant_channels", .counts(constant))) }
    }
    let together = ["marre", "r2", "wape", "coefficient_of_variation", "mase", "ope"]
    let unlike = results.map(\.unlike).max() ?? 0
    if together.contains(name), unlike > 0 {
      fields.append(Field("unlike_channels", .count(unlike)))
    }
    let zeros = results.reduce(0) { $0 + $1.zeros }
    if name == "mape", zeros > 0 { fields.append(Field("true_zeros", .count(zeros))) }
    let known = values.compactMap { $0 }
    guard !known.isEmpty else {
      let reason = total == 0 ? "no value counts" : results.first?.reason(name) ?? ""
      return Score("forecast.\(name)", missing: reason, details: fields)
    }
    if values.count > 1 { fields.append(Field("per_series", .numbers(values))) }
    if known.count < values.count {
      fields.append(Field("series_undefined", .count(values.count - known.count)))
    }
    if let curve = horizons(name, pairs, options) { fields.append(curve) }
    return Score(
      "forecast.\(name)", Statistics.mean(known), count: name == "mape" ? total - zeros : total,
      details: fields)
  }

  /// The mean |y_t − y_{t−m}| of the training series, or of the truth itself when there is none,
  /// over all channels; and those that are constant, which make it smaller.
  private static func naiveError(
    _ arrays: Arrays, _ pairs: [ForecastPair], _ options: ForecastOptions
  ) throws(TrajpackError) -> (Double?, [Int]) {
    var series = pairs.map { (values: $0.truth, known: $0.known) }
    if arrays.view("train") != nil {
      series = try arrays.tensor("train", ranks: 1...2).series.map { ($0, nil) }
    }
    var sum = 0.0
    var count = 0
    var constant: Set<Int> = []
    for (values, known) in series {
      for column in 0..<values.columns {
        var own: [Double] = []
        for row in 0..<values.rows where known?[row * values.columns + column] ?? true {
          let value = values[row, column]
          if value.isFinite { own.append(value) }
        }
        if !own.isEmpty, Statistics.isConstant(own) { constant.insert(column) }
      }
      let lag = options.season * values.columns
      for now in stride(from: lag, to: values.values.count, by: 1) {
        if let known, !known[now] || !known[now - lag] { continue }
        let change = abs(values.values[now] - values.values[now - lag])
        if change.isFinite {
          sum += change
          count += 1
        }
      }
    }
    return (count > 0 && sum > 0 ? sum / Double(count) : nil, constant.sorted())
  }

  /// The figure over the first h steps, for each h asked for; point errors only.
  private static func horizons(
    _ name: String, _ pairs: [ForecastPair], _ options: ForecastOptions
  ) -> Field? {
    guard !options.horizons.isEmpty, PointSums.names.contains(name) else { return nil }
    let curve = options.horizons.map { horizon -> Double? in
      let each = pairs.compactMap { pair -> Double? in
        guard horizon <= pair.steps else { return nil }
        let entries = horizon * pair.dimensions
        let short = ForecastPair(
          truth: pair.truth.first(horizon), prediction: pair.prediction.first(horizon),
          counts: pair.counts.map { Array($0[0..<entries]) },
          known: pair.known.map { Array($0[0..<entries]) })
        let sums = PointSums(short, options)
        return sums.figures(options).first { $0.name == name }?.value
      }
      return each.isEmpty ? nil : Statistics.mean(each)
    }
    return Field("cumulative_at_horizons", .numbers(curve))
  }
}

extension Series {
  /// The first rows.
  func first(_ count: Int) -> Series {
    Series(
      values: UnsafeBufferPointer(rebasing: values[0..<count * columns]), rows: count,
      columns: columns)
  }
}
