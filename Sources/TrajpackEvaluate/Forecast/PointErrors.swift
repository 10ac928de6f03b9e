import Glibc
import TrajpackFormat

/// The point errors of Gilpin's benchmark (dysts 0.96, `compute_metrics`; formulas from there) and
/// MASE (Hyndman and Koehler 2006) and OPE, over the entries that count.
enum PointErrors {
  static let evaluator = Evaluator(
    "forecast.errors",
    "The 17 forecast figures of dysts (Gilpin), and MASE and OPE; the mean over series.",
    ForecastPair.inputs + [
      .optional("train", "T' × D, or T'", "training series, for MASE's naive error")
    ],
    ForecastOptions.self, scores)

  static func scores(
    _ arrays: Arrays, _ options: ForecastOptions
  ) throws(TrajpackError) -> [Score] {
    let (pairs, missing, notNumbers) = try ForecastPair.read(arrays)
    let details = [
      Field("series", .count(pairs.count)), Field("missing_truth", .count(missing)),
      Field("nan_predictions", .count(notNumbers)),
    ]
    let naive = try naiveError(arrays, pairs, options)
    let results = pairs.map { figures($0, options, naive) }
    guard let names = results.first?.map(\.name) else { return [] }
    let total = pairs.reduce(0) { $0 + $1.truth.values.count } - missing - notNumbers
    return names.indices.map { index in
      let name = "forecast.\(names[index])"
      if notNumbers > 0, options.nan != .skip {
        return Score(
          name,
          missing: "\(notNumbers) predicted values are not numbers; nan_predictions=skip leaves "
            + "them out", details: details)
      }
      let values = results.map { $0[index].value }
      let known = values.compactMap { $0 }
      guard !known.isEmpty else {
        let reason =
          total == 0
          ? "no value counts"
          : "undefined for these values (constant, too few, or beyond what float64 can square)"
        return Score(name, missing: reason, details: details)
      }
      var fields = details
      if values.count > 1 { fields.append(Field("per_series", .numbers(values))) }
      if known.count < values.count {
        fields.append(Field("series_undefined", .count(values.count - known.count)))
      }
      if let curve = horizons(names[index], pairs, options) { fields.append(curve) }
      return Score(name, Statistics.mean(known), count: total, details: fields)
    }
  }

  /// Each figure of one series, nil where it is undefined.
  private static func figures(
    _ pair: ForecastPair, _ options: ForecastOptions, _ naive: Double?
  ) -> [(name: String, value: Double?)] {
    let columns = (0..<pair.dimensions).map(pair.column)
    let sums = PointSums(columns, options.epsilon)
    func average(_ figure: ([Double], [Double]) -> Double?) -> Double? {
      let each = columns.map { figure($0.truth, $0.prediction) }
      let known = each.compactMap { $0 }
      return known.count == each.count && !known.isEmpty ? Statistics.mean(known) : nil
    }
    let complete = pair.completeSteps
    return sums.figures(options) + [
      ("spearman", average { Statistics.pearson(Statistics.ranks($0), Statistics.ranks($1)) }),
      ("pearson", average(Statistics.pearson)),
      ("kendall", average(Statistics.kendall)),
      (
        "mutual_information",
        average { MutualInformation.estimate($0, $1, neighbours: options.neighbours) }
      ),
      ("kl_divergence", MixtureDivergence.forecast(pair, complete, options)),
      (
        "hellinger",
        complete.count == pair.steps
          ? average { Spectrum.hellingerOfFirstBins($0, $1, bins: options.spectrumBins) } : nil
      ),
      ("mase", sums.count > 0 ? naive.map { sums.absolute / Double(sums.count) / $0 } : nil),
      ("ope", sums.overDeviation),
    ]
  }

  /// The mean |y_t − y_{t−m}| of the training series, or of the truth itself when there is none.
  private static func naiveError(
    _ arrays: Arrays, _ pairs: [ForecastPair], _ options: ForecastOptions
  ) throws(TrajpackError) -> Double? {
    var series = pairs.map { (values: $0.truth, known: $0.known) }
    if arrays.view("train") != nil {
      series = try arrays.tensor("train", ranks: 1...2).series.map { ($0, nil) }
    }
    var sum = 0.0
    var count = 0
    for (values, known) in series {
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
    return count > 0 && sum > 0 ? sum / Double(count) : nil
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
          counts: pair.counts.map { Array($0[0..<entries]) }, known: nil)
        let sums = PointSums((0..<short.dimensions).map(short.column), options.epsilon)
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
