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
    guard a.rows > 0, b.rows > 0 else { return [Score(name, missing: "a series is empty")] }
    guard a.values.allSatisfy(\.isFinite), b.values.allSatisfy(\.isFinite) else {
      return [Score(name, missing: "a series holds values that are not numbers")]
    }
    guard let cost = cost(a, b, band: options.band) else {
      return [Score(name, missing: "no path fits a band of \(options.band)")]
    }
    let divisor = options.scale == .lengths ? Double(a.rows + b.rows + 2) : 1
    return [Score(name, cost / divisor, count: a.rows + b.rows)]
  }

  private static func cost(_ a: Series, _ b: Series, band: Int) -> Double? {
    var previous = [Double](repeating: .infinity, count: b.rows + 1)
    var current = previous
    previous[0] = 0
    for i in 0..<a.rows {
      for place in current.indices { current[place] = .infinity }
      let low = band < 0 ? 0 : max(0, i - band)
      let high = band < 0 ? b.rows : min(b.rows, i + band + 1)
      for j in low..<max(low, high) {
        var squared = 0.0
        for column in 0..<a.columns {
          let difference = a[i, column] - b[j, column]
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
