import TrajpackFormat

/// What the warping cost is divided by.
enum WarpingScale: String, CaseIterable, Sendable {
  case none
  /// N + M + 2 (dysts).
  case lengths
}

/// Options of `forecast.dtw`.
struct TimeWarpingOptions: PredictionOptions {
  var band = -1
  var scale = WarpingScale.lengths
  var failed = FailureRule.withhold

  static let table: [Option<Self>] = [
    .count("band", \.band, "steps the path may leave the diagonal; −1: any", -1...1_000_000),
    .choice("scale", \.scale, "what the cost is divided by"),
    failure(\.failed),
  ]
}

/// Dynamic time warping with the Euclidean distance: the least sum of distances over monotone
/// paths (Sakoe and Chiba 1978). Memory grows with one series, not with the product.
enum TimeWarping {
  static let evaluator = Evaluator(
    "forecast.dtw", makes: ["forecast.dtw"],
    "Dynamic time warping distance of two series, of any lengths; time grows with T × T', or with "
      + "T × band.",
    [
      .needed("truth", "T × D, or T", "true series"),
      .needed("prediction", "T' × D, or T'", "predicted series"),
      .optional("truth_mask", "T", "1 where the true row exists; others are cut out"),
    ],
    TimeWarpingOptions.self, scores)

  static func scores(
    _ arrays: Arrays, _ options: TimeWarpingOptions
  ) throws(TrajpackError) -> [Score] {
    let a = try arrays.tensor("truth", ranks: 1...2).series[0]
    let b = try arrays.tensor("prediction", ranks: 1...2).series[0]
    guard a.columns == b.columns else {
      throw TrajpackError(.usage, "the series have \(a.columns) and \(b.columns) dimensions")
    }
    let name = "forecast.dtw"
    let mask = try arrays.mask("truth_mask", count: a.rows)
    // What is missing is cut out of the truth.
    let rows = (0..<a.rows).filter { row in
      mask.map { $0[row] != 0 } ?? true && (0..<a.columns).allSatisfy { a[row, $0].isFinite }
    }
    var lost = Failures("rows", of: b.rows)
    var others: [Int] = []
    for row in 0..<b.rows {
      if (0..<b.columns).allSatisfy({ b[row, $0].isFinite }) {
        others.append(row)
      } else {
        lost.add(row, "row \(row) of the prediction is not finite")
      }
    }
    let details = [
      Field("missing_truth", .count(a.rows - rows.count)),
      Field("nan_predictions", .count(lost.count)),
    ]
    func score(_ score: Score) -> [Score] { [score.failing(lost)] }
    guard !rows.isEmpty, b.rows > 0 else {
      return score(Score(name, missing: "a series is empty", details: details))
    }
    guard lost.count == 0 || options.failed == .skip, !others.isEmpty else {
      return score(Score(name, missing: lost.sentence, details: details))
    }
    guard let cost = cost(a, rows, b, others, band: options.band) else {
      let reason =
        options.band < 0 || abs(rows.count - others.count) <= options.band
        ? "the distances are too large for float64"
        : "no path fits a band of \(options.band) between \(rows.count) and \(others.count) rows"
      return score(Score(name, missing: reason, details: details))
    }
    let divisor = options.scale == .lengths ? Double(rows.count + others.count + 2) : 1
    return score(
      Score(name, cost / divisor, count: rows.count + others.count, details: details))
  }

  private static func cost(
    _ a: Series, _ rows: [Int], _ b: Series, _ others: [Int], band: Int
  ) -> Double? {
    let count = others.count
    var previous = [Double](repeating: .infinity, count: count + 1)
    var current = previous
    previous[0] = 0
    for (i, row) in rows.enumerated() {
      if i % 16 == 0, Interruption.isRequested { return nil }
      for place in current.indices { current[place] = .infinity }
      let low = band < 0 ? 0 : max(0, i - band)
      let high = band < 0 ? count : min(count, i + band + 1)
      for j in low..<max(low, high) {
        var squared = 0.0
        for column in 0..<a.columns {
          let difference = a[row, column] - b[others[j], column]
          squared += difference * difference
        }
        current[j + 1] =
          squared.squareRoot() + min(previous[j], min(previous[j + 1], current[j]))
      }
      swap(&previous, &current)
    }
    return previous[count].isFinite ? previous[count] : nil
  }
}
