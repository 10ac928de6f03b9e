import CTrajpack
import TrajpackFormat
import TrajpackSignal

extension tp_signal_series {
  fileprivate var buffer: UnsafeBufferPointer<Double> {
    // Empty where the product overflows, which no shape agrees with.
    let (product, overflow) = rows.multipliedReportingOverflow(by: components)
    return UnsafeBufferPointer(start: values, count: overflow ? 0 : max(Int(product), 0))
  }

  fileprivate func runs() throws(TrajpackError) -> Episodes {
    guard rows >= 0, components >= 1 else {
      throw TrajpackError(.usage, "\(rows) rows of \(components) components: give at least 0 and 1")
    }
    guard let episodes else { return Episodes(whole: Int(rows)) }
    var runs: [Range<Int>] = []
    for i in 0..<Int(episode_count) {
      let (first, end) = (Int(episodes[2 * i]), Int(episodes[2 * i + 1]))
      guard first <= end else {
        throw TrajpackError(.usage, "episode \(i) ends at \(end), before its first row \(first)")
      }
      runs.append(first..<end)
    }
    return try Episodes(runs, rows: Int(rows))
  }
}

/// See `tp_signal_autocorrelation` in trajpack_signal.h.
@c(tp_signal_autocorrelation) @implementation
public func tp_signal_autocorrelation(
  _ series: UnsafePointer<tp_signal_series>, _ maxLag: Int64,
  _ values: UnsafeMutablePointer<Double>, _ lags: UnsafeMutablePointer<Int64>,
  _ error: UnsafeMutablePointer<tp_signal_error>?
) -> Int32 {
  withCError(error) { () throws(TrajpackError) in
    let s = series.pointee
    let result = try Autocorrelation(
      s.buffer, components: Int(s.components), channel: Int(s.channel), maxLag: Int(maxLag),
      episodes: s.runs())
    let rules = [result.firstZero, result.firstBelowInverseE, result.firstBelowRosenstein]
    for (i, lag) in rules.enumerated() { lags[i] = Int64(lag ?? -1) }
    for (i, value) in result.values.enumerated() { values[i] = value }
  }
}

/// See `tp_signal_mutual_information` in trajpack_signal.h.
@c(tp_signal_mutual_information) @implementation
public func tp_signal_mutual_information(
  _ series: UnsafePointer<tp_signal_series>, _ maxLag: Int64, _ estimator: Int32,
  _ parameter: Int64,
  _ values: UnsafeMutablePointer<Double>, _ bins: UnsafeMutablePointer<Int64>,
  _ minimum: UnsafeMutablePointer<Int64>,
  _ error: UnsafeMutablePointer<tp_signal_error>?
) -> Int32 {
  withCError(error) { () throws(TrajpackError) in
    let s = series.pointee
    let how: MutualInformation.Estimator = try choose(
      estimator, "estimator",
      [0: .equalBins(Int(parameter)), 1: .bisection, 2: .nearestNeighbours(Int(parameter))])
    let result = try MutualInformation(
      s.buffer, components: Int(s.components), channel: Int(s.channel), maxLag: Int(maxLag),
      estimator: how, episodes: s.runs())
    bins.pointee = Int64(result.bins)
    minimum.pointee = Int64(result.firstMinimum ?? -1)
    for (i, value) in result.values.enumerated() { values[i] = value }
  }
}

/// See `tp_signal_false_neighbours` in trajpack_signal.h.
@c(tp_signal_false_neighbours) @implementation
public func tp_signal_false_neighbours(
  _ series: UnsafePointer<tp_signal_series>, _ lag: Int64, _ maxDimension: Int64, _ window: Int64,
  _ threads: Int32, _ ratio: Double, _ size: Double, _ values: UnsafeMutablePointer<Double>,
  _ dimension: UnsafeMutablePointer<Int64>,
  _ error: UnsafeMutablePointer<tp_signal_error>?
) -> Int32 {
  withCError(error) { () throws(TrajpackError) in
    let s = series.pointee
    let search = try DimensionSearch(
      lag: Int(lag), maxDimension: Int(maxDimension), window: Int(window), threads: Int(threads))
    let result = try FalseNeighbours(
      s.buffer, components: Int(s.components), channel: Int(s.channel), search: search,
      ratio: ratio, size: size, episodes: s.runs())
    dimension.pointee = Int64(result.dimension() ?? -1)
    let all = result.byDistance + result.bySize + result.byEither
    for (i, value) in all.enumerated() { values[i] = value }
  }
}

/// See `tp_signal_cao` in trajpack_signal.h.
@c(tp_signal_cao) @implementation
public func tp_signal_cao(
  _ series: UnsafePointer<tp_signal_series>, _ lag: Int64, _ maxDimension: Int64, _ window: Int64,
  _ threads: Int32, _ metric: Int32, _ values: UnsafeMutablePointer<Double>,
  _ dimension: UnsafeMutablePointer<Int64>, _ isStochastic: UnsafeMutablePointer<Int32>,
  _ error: UnsafeMutablePointer<tp_signal_error>?
) -> Int32 {
  withCError(error) { () throws(TrajpackError) in
    let s = series.pointee
    let search = try DimensionSearch(
      lag: Int(lag), maxDimension: Int(maxDimension), window: Int(window), threads: Int(threads))
    let result = try Cao(
      s.buffer, components: Int(s.components), channel: Int(s.channel), search: search,
      metric: choose(metric, "metric", [0: .maximum, 1: .euclidean]), episodes: s.runs())
    dimension.pointee = Int64(result.dimension() ?? -1)
    isStochastic.pointee = result.isStochastic ? 1 : 0
    for (i, value) in (result.e1 + result.e2).enumerated() { values[i] = value }
  }
}

private func report(
  _ chosen: [ChosenCoordinate], _ figures: [Double], _ coordinates: UnsafeMutablePointer<Int64>,
  _ statistics: UnsafeMutablePointer<Double>, _ capacity: Int64,
  _ count: UnsafeMutablePointer<Int64>
) throws(TrajpackError) {
  guard chosen.count <= capacity else {
    throw TrajpackError(.usage, "\(chosen.count) coordinates do not fit into \(capacity)")
  }
  for (i, coordinate) in chosen.enumerated() {
    coordinates[2 * i] = Int64(coordinate.channel)
    coordinates[2 * i + 1] = Int64(coordinate.lag)
  }
  for (i, value) in figures.enumerated() where i < capacity { statistics[i] = value }
  count.pointee = Int64(chosen.count)
}

/// See `tp_signal_mdop` in trajpack_signal.h.
@c(tp_signal_mdop) @implementation
public func tp_signal_mdop(
  _ series: UnsafePointer<tp_signal_series>, _ maxLag: Int64, _ window: Int64, _ ratio: Double,
  _ threshold: Double, _ maxCycles: Int64, _ coordinates: UnsafeMutablePointer<Int64>,
  _ statistics: UnsafeMutablePointer<Double>, _ capacity: Int64,
  _ count: UnsafeMutablePointer<Int64>, _ error: UnsafeMutablePointer<tp_signal_error>?
) -> Int32 {
  withCError(error) { () throws(TrajpackError) in
    let s = series.pointee
    let result = try MDOP(
      s.buffer, components: Int(s.components), maxLag: Int(maxLag), window: Int(window),
      ratio: ratio, threshold: threshold, maxCycles: Int(maxCycles), episodes: s.runs())
    try report(
      result.coordinates, result.falseNeighbours, coordinates, statistics, capacity, count)
  }
}

/// See `tp_signal_pecuzal` in trajpack_signal.h.
@c(tp_signal_pecuzal) @implementation
public func tp_signal_pecuzal(
  _ series: UnsafePointer<tp_signal_series>, _ maxLag: Int64, _ window: Int64, _ threshold: Double,
  _ economic: Int32, _ coordinates: UnsafeMutablePointer<Int64>,
  _ statistics: UnsafeMutablePointer<Double>, _ capacity: Int64,
  _ count: UnsafeMutablePointer<Int64>, _ error: UnsafeMutablePointer<tp_signal_error>?
) -> Int32 {
  withCError(error) { () throws(TrajpackError) in
    let s = series.pointee
    var options = PECUZAL.Options()
    options.maxLag = Int(maxLag)
    options.window = Int(window)
    options.threshold = threshold
    options.isEconomic = economic != 0
    let result = try PECUZAL(
      s.buffer, components: Int(s.components), options: options, episodes: s.runs())
    try report(result.coordinates, result.falls, coordinates, statistics, capacity, count)
  }
}

/// See `tp_signal_noise_amplification` in trajpack_signal.h.
@c(tp_signal_noise_amplification) @implementation
public func tp_signal_noise_amplification(
  _ series: UnsafePointer<tp_signal_series>, _ maxHorizon: Int64, _ k: Int64, _ window: Int64,
  _ value: UnsafeMutablePointer<Double>, _ error: UnsafeMutablePointer<tp_signal_error>?
) -> Int32 {
  withCError(error) { () throws(TrajpackError) in
    let s = series.pointee
    value.pointee = try noiseAmplification(
      s.buffer, dimension: Int(s.components), maxHorizon: Int(maxHorizon), neighbours: Int(k),
      window: Int(window), episodes: s.runs())
  }
}

/// See `tp_signal_augmented_covariance` in trajpack_signal.h.
@c(tp_signal_augmented_covariance) @implementation
public func tp_signal_augmented_covariance(
  _ series: UnsafePointer<tp_signal_series>, _ order: Int64, _ lag: Int64, _ estimator: Int32,
  _ matrix: UnsafeMutablePointer<Double>, _ error: UnsafeMutablePointer<tp_signal_error>?
) -> Int32 {
  withCError(error) { () throws(TrajpackError) in
    let s = series.pointee
    let covariance = try AugmentedCovariance(order: Int(order), lag: Int(lag))
    let (size, overflow) = Int(order).multipliedReportingOverflow(by: Int(s.components))
    guard s.components >= 1, !overflow, size < 1 << 31 else {
      throw TrajpackError(.usage, "\(order) copies of \(s.components) channels: use fewer")
    }
    try covariance.matrix(
      s.buffer, rows: Int(s.rows), components: Int(s.components),
      estimator: choose(estimator, "estimator", [0: .aboutZero, 1: .aboutMean]),
      into: UnsafeMutableBufferPointer(start: matrix, count: size * size))
  }
}

/// See `tp_signal_embed` in trajpack_signal.h.
@c(tp_signal_embed) @implementation
public func tp_signal_embed(
  _ series: UnsafePointer<tp_signal_series>, _ coordinates: UnsafePointer<Int64>,
  _ dimension: Int64,
  _ backward: Int32, _ skipsShort: Int32, _ output: UnsafeMutablePointer<Double>?,
  _ count: UnsafeMutablePointer<Int64>, _ error: UnsafeMutablePointer<tp_signal_error>?
) -> Int32 {
  withCError(error) { () throws(TrajpackError) in
    let s = series.pointee
    let pairs = (0..<Int(dimension)).map {
      DelayCoordinate(channel: Int(coordinates[2 * $0]), lag: Int(coordinates[2 * $0 + 1]))
    }
    let embedding = try DelayEmbedding(pairs, direction: backward != 0 ? .backward : .forward)
    let view = try DelayView(
      embedding, s.buffer, components: Int(s.components), episodes: s.runs(),
      skipsShort: skipsShort != 0)
    count.pointee = Int64(view.count)
    if let output {
      try view.copy(
        into: UnsafeMutableBufferPointer(start: output, count: view.count * view.dimension))
    }
  }
}
