import Glibc
import TrajpackFormat

/// KL divergence of two mixtures of equal Gaussians, one on each point of a series, by Monte Carlo
/// (Hershey and Olsen 2007; GTF's `state_space_divergence`): mean of log p − log q over samples of
/// p.
struct MixtureDivergence {
  var variance: Double
  var samples: Int

  /// The estimate, and how many samples had no density under one of the two. Sums of densities are
  /// taken relative to the largest, so that far points do not vanish; a sample is dropped only
  /// where even that overflows.
  func estimate(
    _ own: [Double], _ other: [Double], columns: Int, seed: Int
  ) -> (value: Double?, dropped: Int) {
    let rows = own.count / max(columns, 1)
    guard rows > 0, !other.isEmpty else { return (nil, samples) }
    var random = Random(seed: seed)
    let deviation = variance.squareRoot()
    var sum = 0.0
    var used = 0
    var point = [Double](repeating: 0, count: columns)
    for _ in 0..<samples where !Interruption.isRequested {
      let row = random.below(rows)
      for column in 0..<columns {
        point[column] = own[row * columns + column] + deviation * random.normal()
      }
      let difference = logDensity(point, own, columns) - logDensity(point, other, columns)
      if difference.isFinite {
        sum += difference
        used += 1
      }
    }
    return (used > 0 ? sum / Double(used) : nil, samples - used)
  }

  /// log of the mean of exp(−‖x − μ‖²/2σ²) over the points μ; the constant factor cancels.
  private func logDensity(_ x: [Double], _ points: [Double], _ columns: Int) -> Double {
    let rows = points.count / columns
    let scale = -0.5 / variance
    var largest = -Double.infinity
    var sum = 0.0
    points.withUnsafeBufferPointer { points in
      x.withUnsafeBufferPointer { x in
        for row in 0..<rows {
          var squared = 0.0
          for column in 0..<columns {
            let difference = points[row * columns + column] - x[column]
            squared += difference * difference
          }
          let exponent = squared * scale
          if exponent > largest {
            sum = sum * exp(largest - exponent) + 1
            largest = exponent
          } else if exponent > largest - 40 {
            sum += exp(exponent - largest)
          }
        }
      }
    }
    return largest + log(sum / Double(rows))
  }

  /// dysts' `kl_divergence` of a forecast: over the steps that count in every dimension.
  static func forecast(
    _ pair: ForecastPair, _ steps: [Int], _ options: ForecastOptions
  ) -> Double? {
    let used = steps.prefix(options.klPoints)
    guard used.count > 1 else { return nil }
    func flat(_ series: Series) -> [Double] {
      used.flatMap { step in (0..<series.columns).map { series[step, $0] } }
    }
    return MixtureDivergence(variance: options.klVariance, samples: options.klSamples)
      .estimate(
        flat(pair.truth), flat(pair.prediction), columns: pair.dimensions, seed: options.seed
      ).value
  }
}
