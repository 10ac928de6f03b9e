import TrajpackFormat

/// Percentile bootstrap (Efron 1979): the middle `confidence` of the figures of `repeats` samples
/// drawn with replacement.
struct Bootstrap {
  var repeats: Int
  var confidence: Double
  var seed: Int

  /// The interval of `figure` over samples of `units` units; nil when there is no unit, or a
  /// figure of no sample.
  func interval(units: Int, _ figure: ([Int]) -> Double?) -> (low: Double, high: Double)? {
    guard units > 0, repeats > 0 else { return nil }
    var random = Random(seed: seed)
    var figures: [Double] = []
    var sample = [Int](repeating: 0, count: units)
    for _ in 0..<repeats where !Interruption.isRequested {
      for index in 0..<units { sample[index] = random.below(units) }
      if let value = figure(sample) { figures.append(value) }
    }
    figures.sort()
    let tail = (1 - confidence) / 2
    guard let low = Statistics.quantile(figures, tail),
      let high = Statistics.quantile(figures, 1 - tail)
    else { return nil }
    return (low, high)
  }
}
