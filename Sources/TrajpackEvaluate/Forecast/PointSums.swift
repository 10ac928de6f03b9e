import Glibc

/// One pass over a series' entries for the figures that are sums.
struct PointSums {
  static let names = [
    "mse", "mae", "rmse", "nrmse", "marre", "r2", "rmsle", "smape", "mape", "wape",
    "coefficient_of_variation",
  ]

  private(set) var count = 0
  private(set) var absolute = 0.0
  private var square = 0.0
  private var signed = 0.0
  private var scaled = 0.0
  private var logs = 0.0
  private var symmetric = 0.0
  private var relative = 0.0
  private var truthSum = 0.0
  private var truthAbsolute = 0.0
  private var truthSquare = 0.0
  private var low = Double.infinity
  private var high = -Double.infinity
  private var errorDeviation = 0.0
  private var truthDeviation = 0.0

  /// The entries that count, by channel.
  let columns: [(truth: [Double], prediction: [Double])]
  /// Channels whose truth is constant.
  let constant: [Int]
  /// How many channels there are, where their sizes are so unlike that a figure of all of them
  /// together is that of a few: a deviation is more than 3 times another, or two means lie more
  /// than 3 of the largest deviation apart. 0 otherwise.
  let unlike: Int
  /// True values of 0.
  private(set) var zeros = 0
  /// Predicted values that are not finite, where they count as the worst.
  private let lost: Int
  private var scaledCount = 0
  private var relativeCount = 0

  init(_ pair: ForecastPair, _ options: ForecastOptions) {
    let columns = (0..<pair.dimensions).map(pair.column)
    self.columns = columns
    let constant = columns.indices.filter { Statistics.isConstant(columns[$0].truth) }
    self.constant = constant
    let deviations = columns.map { Statistics.deviation($0.truth) }
    unlike = Self.isUnlike(columns.map(\.truth), deviations, constant) ? columns.count : 0
    lost =
      options.failed == .worst
      ? zip(pair.known ?? [], pair.counts ?? []).count { $0 && !$1 } : 0
    let epsilon = options.epsilon
    for (number, (truth, prediction)) in columns.enumerated() {
      let isScaled = options.keepConstant || !constant.contains(number)
      let deviation = deviations[number]
      let divisor = epsilon > 0 ? (deviation * deviation + epsilon).squareRoot() : deviation
      let lowTruth = truth.min() ?? 0
      let lowPrediction = prediction.min() ?? 0
      for index in truth.indices {
        let (y, z) = (truth[index], prediction[index])
        let error = y - z
        count += 1
        absolute += abs(error)
        square += error * error
        signed += error
        if isScaled {
          scaled += error / divisor * (error / divisor)
          scaledCount += 1
        }
        let ratio = log((z - lowPrediction + epsilon + 1) / (y - lowTruth + epsilon + 1))
        logs += ratio * ratio
        let size = abs(y) + abs(z) + epsilon
        symmetric += size > 0 ? abs(error) / size : 0
        if y == 0 { zeros += 1 }
        if y != 0 || options.keepConstant {
          relative += abs(error / (y + epsilon))
          relativeCount += 1
        }
        truthSum += y
        truthAbsolute += abs(y)
        low = min(low, y)
        high = max(high, y)
      }
    }
    guard count > 0 else { return }
    let mean = truthSum / Double(count)
    let meanError = signed / Double(count)
    for (truth, prediction) in columns {
      for index in truth.indices {
        let error = truth[index] - prediction[index] - meanError
        errorDeviation += error * error
        truthSquare += (truth[index] - mean) * (truth[index] - mean)
        truthDeviation += abs(truth[index] - mean)
      }
    }
  }

  private static func isUnlike(
    _ columns: [[Double]], _ deviations: [Double], _ constant: [Int]
  ) -> Bool {
    let full = columns.indices.filter { !columns[$0].isEmpty }
    let moving = full.filter { !constant.contains($0) }.map { deviations[$0] }
    guard let least = moving.min(), let largest = moving.max() else { return false }
    let means = full.map { Statistics.mean(columns[$0]) }
    return largest > 3 * least || (means.max() ?? 0) - (means.min() ?? 0) > 3 * largest
  }

  /// Σ|e| / Σ|y − ȳ|.
  var overDeviation: Double? { truthDeviation > 0 ? absolute / truthDeviation : nil }

  /// The figures in the order of ``names``, nil where nothing counts.
  func figures(_ options: ForecastOptions) -> [(name: String, value: Double?)] {
    guard count + lost > 0 else { return Self.names.map { ($0, nil) } }
    let n = Double(count)
    let e = options.epsilon
    let keeps = options.keepConstant
    let isFlat = constant.count == columns.count && high <= low
    // A value that was not predicted is as far off as sMAPE can say.
    let smape =
      (options.smapeScale == .hundred ? 100 : 200) * (symmetric + Double(lost)) / (n + Double(lost))
    let values: [Double?] = [
      square / n, absolute / n, (square / n).squareRoot(),
      scaledCount > 0 ? (scaled / Double(scaledCount)).squareRoot() : nil,
      isFlat && !keeps ? nil : 100 * absolute / n / (high - low + e),
      truthSquare > 0 ? 1 - square / truthSquare : nil,
      (logs / n).squareRoot(), smape,
      relativeCount > 0 ? 100 * relative / Double(relativeCount) : nil,
      truthAbsolute > 0 || keeps ? 100 * absolute / (truthAbsolute + e) : nil,
      truthSum != 0 || keeps
        ? 100 * (errorDeviation / n).squareRoot() / (abs(truthSum / n) + e) : nil,
    ]
    return zip(Self.names, values).map { name, value in
      (name, value.flatMap { $0.isFinite ? $0 : nil })
    }
  }
}
