import TrajpackFormat

/// What the warping cost is divided by.
enum WarpingScale: String, CaseIterable, Sendable {
  case none
  /// N + M + 2 (dysts).
  case lengths
}

/// Options of `forecast.dtw`.
struct TimeWarpingOptions: EvaluationOptions {
  var band = -1
  var scale = WarpingScale.lengths

  static let table: [Option<Self>] = [
    .count("band", \.band, "steps the path may leave the diagonal; −1: any", -1...1_000_000),
    .choice("scale", \.scale, "what the cost is divided by"),
  ]
}

/// Dynamic time warping with the Euclidean distance: the least sum of distances over monotone
/// paths (Sakoe and Chiba 1978). Memory grows with one series, not with the product.
enum TimeWarping {
  static let evaluator = Evaluator(
    "forecast.dtw", "Dynamic time warping distance of two series, of any lengths.",
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
    let broken = (0..<b.rows).filter { row in
      !(0..<b.columns).allSatisfy { b[row, $0].isFinite }
    }.count
    let details = [
      Field("missing_truth", .count(a.rows - rows.count)), Field("nan_predictions", .count(broken)),
    ]
    guard !rows.isEmpty, b.rows > 0 else {
      return [Score(name, missing: "a series is empty", details: details)]
    }
    guard broken == 0 else {
      let reason = "\(broken) predicted rows hold values that are not numbers"
      return [Score(name, missing: reason, details: details)]
    }
    guard let cost = cost(a, rows, b, band: options.band) else {
      let reason = "no path fits a band of \(options.band)"
      return [Score(name, missing: reason, details: details)]
    }
    let divisor = options.scale == .lengths ? Double(rows.count + b.rows + 2) : 1
    return [Score(name, cost / divisor, count: rows.count + b.rows, details: details)]
  }

  private static func cost(_ a: Series, _ rows: [Int], _ b: Series, band: Int) -> Double? {
    var previous = [Double](repeating: .infinity, count: b.rows + 1)
    var current = previous
    previous[0] = 0
    for (i, row) in rows.enumerated() {
      for place in current.indices { current[place] = .infinity }
      let low = band < 0 ? 0 : max(0, i - band)
      let high = band < 0 ? b.rows : min(b.rows, i + band + 1)
      for j in low..<max(low, high) {
        var squared = 0.0
        for column in 0..<a.columns {
          let difference = a[row, column] - b[j, column]
          squared += difference * difference
        }
        current[j + 1] =
          squared.squareRoot() + min(previous[j], min(previous[j + 1], current[j]))
      }
      swap(&previous, &current)
    }
    return previous[b.rows].isFinite ? previous[b.rows] : nil
  }
}
