import Glibc
import TrajpackFormat

/// How smoothing treats the ends of a spectrum.
enum SpectrumEdge: String, CaseIterable, Sendable {
  /// d c b a | a b c d | d c b a (scipy's 'reflect').
  case reflect
  /// d c b | a b c d | c b a (scipy's 'mirror', Julia's ImageFiltering 'reflect').
  case mirror
}

/// Options of `attractor.spectrum`.
struct SpectrumOptions: PredictionOptions {
  var sigma = 20.0
  var edge = SpectrumEdge.reflect
  var truncate = 4.0
  var failed = FailureRule.withhold

  static let table: [Option<Self>] = [
    .number(
      "sigma", \.sigma, "Gaussian smoothing of the spectrum, bins; 0 for none", lowest: 0,
      highest: 1e5),
    .choice("edge", \.edge, "how smoothing treats the ends"),
    .number("truncate", \.truncate, "σ at which the kernel ends", above: 0, highest: 20),
    failure(\.failed),
  ]
}

/// Distances of power spectra: |rfft|² of each z-scored dimension, smoothed, normalised to sum 1.
///
/// - `d_h`: Hellinger distance (1/√2)‖√p − √q‖, mean over dimensions (Mikhaeil et al., NeurIPS
///   2022; GTF)
/// - `log_spectral_distance`: RMS difference of 10 log₁₀ of the two, in dB
/// - `spectrum_correlation`: Pearson's correlation of the two (GTF's legacy measure)
enum Spectrum {
  static let evaluator = Evaluator(
    "attractor.spectrum",
    makes: ["attractor.d_h", "attractor.log_spectral_distance", "attractor.spectrum_correlation"],
    "Distances of power spectra: D_H (Hellinger), log-spectral distance, correlation.",
    [
      .needed("truth", "T × D, or T", "true trajectory"),
      .needed("generated", "as truth", "generated trajectory of the same length"),
    ],
    SpectrumOptions.self, partners: ["generated": "truth"], generated: "generated",
    bounds: ["attractor.d_h": 1, "attractor.spectrum_correlation": -1], scores)

  static func scores(
    _ arrays: Arrays, _ options: SpectrumOptions
  ) throws(TrajpackError) -> [Score] {
    let truth = try arrays.tensor("truth", ranks: 1...2)
    let generated = try arrays.tensor("generated", ranks: 1...2)
    try truth.requireSameShape(generated)
    let (a, b) = (truth.series[0], generated.series[0])
    let names = ["d_h", "log_spectral_distance", "spectrum_correlation"].map { "attractor.\($0)" }
    var each: [[Double?]] = [[], [], []]
    for dimension in 0..<a.columns where !Interruption.isRequested {
      guard let p = normalised(a.column(dimension), options),
        let q = normalised(b.column(dimension), options)
      else {
        for index in 0..<3 { each[index].append(nil) }
        continue
      }
      let distances = distances(p, q)
      for index in 0..<3 { each[index].append(distances[index]) }
    }
    return names.indices.map { index in
      let known = each[index].compactMap { $0 }
      let details = [
        Field("bins", .count(a.rows / 2 + 1)), Field("per_dimension", .numbers(each[index])),
      ]
      return known.count == each[index].count && !known.isEmpty
        ? Score(names[index], Statistics.mean(known), count: a.rows * a.columns, details: details)
        : Score(
          names[index],
          missing: "a dimension is constant, too short, or holds values that are not numbers",
          details: details)
    }
  }

  private static func distances(_ p: [Double], _ q: [Double]) -> [Double?] {
    var square = 0.0
    var logs = 0.0
    var bins = 0
    for (x, y) in zip(p, q) {
      let difference = x.squareRoot() - y.squareRoot()
      square += difference * difference
      if x > 0, y > 0 {
        let ratio = 10 * log10(x / y)
        logs += ratio * ratio
        bins += 1
      }
    }
    return [
      (square / 2).squareRoot(), bins > 0 ? (logs / Double(bins)).squareRoot() : nil,
      Statistics.pearson(p, q),
    ]
  }

  /// The smoothed spectrum, summing to 1; nil for a constant or broken series.
  private static func normalised(_ series: [Double], _ options: SpectrumOptions) -> [Double]? {
    let mean = Statistics.mean(series)
    let deviation = Statistics.deviation(series)
    guard series.count > 1, deviation > 0, deviation.isFinite else { return nil }
    var power = FourierTransform.power(series.map { ($0 - mean) / deviation })
    if options.sigma > 0 { power = smooth(power, options) }
    let total = power.reduce(0, +)
    return total > 0 && total.isFinite ? power.map { max($0, 0) / total } : nil
  }

  /// Gaussian smoothing with the kernel of scipy's `gaussian_filter1d`.
  static func smooth(_ values: [Double], _ options: SpectrumOptions) -> [Double] {
    let radius = Int(options.truncate * min(options.sigma, 1e7) + 0.5)
    var kernel = (-radius...radius).map { offset in
      exp(-0.5 * Double(offset * offset) / (options.sigma * options.sigma))
    }
    let total = kernel.reduce(0, +)
    kernel = kernel.map { $0 / total }
    let count = values.count
    func wrapped(_ place: Int) -> Int {
      if count == 1 { return 0 }
      let period = options.edge == .reflect ? 2 * count : 2 * count - 2
      let inside = ((place % period) + period) % period
      if inside < count { return inside }
      return options.edge == .reflect ? period - 1 - inside : period - inside
    }
    let padded = (-radius..<count + radius).map { values[wrapped($0)] }
    return padded.withUnsafeBufferPointer { padded in
      kernel.withUnsafeBufferPointer { kernel in
        (0..<count).map { place in
          if place % 1024 == 0, Interruption.isRequested { return 0 }
          var sum = 0.0
          for offset in 0..<kernel.count { sum += kernel[offset] * padded[place + offset] }
          return sum
        }
      }
    }
  }

  /// dysts' variant: the first bins of the whole spectrum, zero frequency included, no z-score, no
  /// smoothing; (1/√2)‖√p − √q‖ = √(1 − Σ√(pq)), of which the first is exactly 0 for equal series.
  static func hellingerOfFirstBins(_ a: [Double], _ b: [Double], bins: Int) -> Double? {
    guard a.count > 1, a.count == b.count else { return nil }
    let used = min(bins, a.count)
    func share(_ series: [Double]) -> [Double]? {
      let half = FourierTransform.power(series)
      // The spectrum of a real series is even, so bin k above the middle is bin N − k.
      let first = (0..<used).map { half[$0 < half.count ? $0 : series.count - $0] }
      let total = first.reduce(0, +)
      return total > 0 && total.isFinite ? first.map { $0 / total } : nil
    }
    guard let p = share(a), let q = share(b) else { return nil }
    let square = zip(p, q).reduce(0.0) { sum, pair in
      let difference = pair.0.squareRoot() - pair.1.squareRoot()
      return sum + difference * difference
    }
    return (square / 2).squareRoot()
  }
}
