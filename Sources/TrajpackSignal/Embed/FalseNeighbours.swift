import TrajpackFormat

/// The fraction of false nearest neighbours (Kennel, Brown, Abarbanel, Phys. Rev. A 45, 1992).
public struct FalseNeighbours: Sendable {
  /// Fractions for dimension 1, 2, …: by the first test (the new coordinate parts the pair by
  /// over `ratio` times its distance), by the second (the new distance is over `size` standard
  /// deviations of the series), and by either.
  public let byDistance: [Double]
  /// By the second test.
  public let bySize: [Double]
  /// By either test.
  public let byEither: [Double]

  /// - Parameters:
  ///   - ratio: Kennel's R_tol, 10.
  ///   - size: Kennel's A_tol, 2.
  ///   - pause: asked between units of work; what it throws ends the search.
  @specialized(where S == Float)
  @specialized(where S == Double)
  public init<S: SignalScalar>(
    _ values: UnsafeBufferPointer<S>, components: Int = 1, channel: Int = 0,
    search: DimensionSearch, ratio: Double = 10, size: Double = 2, episodes: Episodes,
    pause: () throws(TrajpackError) -> Void = {}
  ) throws(TrajpackError) {
    let series = try ChannelSeries(values, components, channel, episodes)
    try search.requireFits(
      series.runs.map(\.count).max() ?? 0, dimension: search.maxDimension)
    let deviation = series.deviation
    var vectors = DelayPoints(series, search, .euclidean)
    var fractions: (distance: [Double], size: [Double], either: [Double]) = ([], [], [])
    for dimension in 1...search.maxDimension {
      try pause()
      var (far, large, either, total) = (0, 0, 0, 0)
      vectors.each(series, dimension) { distance, gap in
        let first = gap / distance > ratio
        let second = (distance * distance + gap * gap).squareRoot() / deviation > size
        far += first ? 1 : 0
        large += second ? 1 : 0
        either += first || second ? 1 : 0
        total += 1
      }
      guard total > 0 else {
        throw TrajpackError(
          .data, "no two different vectors in dimension \(dimension): the channel repeats itself")
      }
      fractions.distance.append(Double(far) / Double(total))
      fractions.size.append(Double(large) / Double(total))
      fractions.either.append(Double(either) / Double(total))
    }
    (byDistance, bySize, byEither) = (fractions.distance, fractions.size, fractions.either)
  }

  /// The first dimension whose fraction is at most `fraction` and changes by no more than
  /// `change` to the next one.
  public func dimension(fraction: Double = 0.05, change: Double = 0.05) -> Int? {
    for (i, value) in byEither.enumerated() where value <= fraction {
      if i + 1 == byEither.count || abs(byEither[i + 1] - value) <= change { return i + 1 }
    }
    return nil
  }
}

/// Averaged false neighbours (Cao, Physica D 110, 1997), without a threshold to choose.
public struct Cao: Sendable {
  /// E1(d) = E(d+1)/E(d) for d = 1, 2, …: stops changing at the embedding dimension.
  public let e1: [Double]
  /// E2(d) = E*(d+1)/E*(d): 1 for all d where the series is noise.
  public let e2: [Double]

  /// - Parameters:
  ///   - metric: Cao's maximum norm, or Euclidean as DelayEmbeddings.jl's default.
  ///   - pause: asked between units of work; what it throws ends the search.
  @specialized(where S == Float)
  @specialized(where S == Double)
  public init<S: SignalScalar>(
    _ values: UnsafeBufferPointer<S>, components: Int = 1, channel: Int = 0,
    search: DimensionSearch, metric: Metric = .maximum, episodes: Episodes,
    pause: () throws(TrajpackError) -> Void = {}
  ) throws(TrajpackError) {
    let series = try ChannelSeries(values, components, channel, episodes)
    let last = search.maxDimension + 1
    try search.requireFits(series.runs.map(\.count).max() ?? 0, dimension: last)
    var vectors = DelayPoints(series, search, metric)
    var growth: [Double] = []
    var step: [Double] = []
    for dimension in 1...last {
      try pause()
      var (sum, gaps, total) = (0.0, 0.0, 0.0)
      vectors.each(series, dimension) { distance, gap in
        let grown =
          metric == .maximum
          ? max(distance, gap) : (distance * distance + gap * gap).squareRoot()
        sum += grown / distance
        gaps += gap
        total += 1
      }
      guard total > 0, gaps > 0 else {
        throw TrajpackError(
          .data, "no two different vectors in dimension \(dimension): the channel repeats itself")
      }
      growth.append(sum / total)
      step.append(gaps / total)
    }
    e1 = zip(growth.dropFirst(), growth).map { $0 / $1 }
    e2 = zip(step.dropFirst(), step).map { $0 / $1 }
  }

  /// The first dimension with E1 > 0.5 that changes by at most `change` to the next one.
  public func dimension(change: Double = 0.05) -> Int? {
    for (i, pair) in zip(e1, e1.dropFirst()).enumerated()
    where pair.0 > 0.5 && abs(pair.1 - pair.0) <= change {
      return i + 1
    }
    return nil
  }

  /// Whether E2 says noise: above 0.9 already in dimension 1.
  public var isStochastic: Bool { (e2.first ?? 0) > 0.9 }
}

extension ChannelSeries {
  /// Population standard deviation of all runs.
  var deviation: Double {
    var sum = 0.0
    for i in 0..<count { sum += x[i] }
    let mean = sum / Double(max(count, 1))
    var squares = 0.0
    for i in 0..<count { squares += (x[i] - mean) * (x[i] - mean) }
    return (squares / Double(max(count, 1))).squareRoot()
  }
}
