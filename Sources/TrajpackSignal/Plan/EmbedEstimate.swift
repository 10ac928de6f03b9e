import TrajpackFormat

/// A lag and a dimension for one series, and what they were chosen by.
package struct EmbedEstimate: Sendable, Equatable {
  package var lag: Int?
  package var dimension: Int?
  /// What was unusual, in words.
  package var remarks: [String] = []
  /// Average mutual information or autocorrelation by lag, from 0 on.
  package var byLag: [Double] = []
  /// E1 of Cao, or the fraction of false neighbours, by dimension, from 1 on.
  package var byDimension: [Double] = []
  /// E2 of Cao, by dimension.
  package var e2: [Double] = []

  package init(lag: Int? = nil, dimension: Int? = nil) {
    self.lag = lag
    self.dimension = dimension
  }
}

/// What an estimate of the mutual information gives for rows that tell nothing of each other: the
/// same values, shuffled.
private struct ShuffledInformation {
  /// Over a few lags.
  let mean: Double
  /// Three standard deviations above that.
  let most: Double

  init(
    _ x: UnsafeBufferPointer<Double>, maxLag: Int, _ estimator: MutualInformation.Estimator,
    _ episodes: Episodes, _ pause: () throws(TrajpackError) -> Void
  ) throws(TrajpackError) {
    let rows = episodes.runs.flatMap { Array($0) }
    var shuffled = Array(x)
    for (to, from) in zip(rows, CounterRandom(seed: 0).permutation(rows.count)) {
      shuffled[to] = x[rows[from]]
    }
    let values = try shuffled.withUnsafeBufferPointer { (s) throws(TrajpackError) in
      try MutualInformation(
        s, maxLag: min(maxLag, 20), estimator: estimator, episodes: episodes, pause: pause
      ).values.dropFirst()
    }
    let mean = values.reduce(0, +) / Double(values.count)
    let squares = values.reduce(0) { $0 + ($1 - mean) * ($1 - mean) }
    self.mean = mean
    most = mean + 3 * (squares / Double(values.count)).squareRoot()
  }
}

extension EmbedStep {
  /// Chooses what is `auto` for one series, pooled over runs that no pair joins.
  ///
  /// - Parameters:
  ///   - lag: the lag, where it is given.
  ///   - dimension: the dimension, where it is given.
  ///   - pause: asked between units of work; what it throws ends the search.
  /// - Throws: `.data` for a constant or missing series, `.usage` where runs are too short.
  package func estimate(
    _ x: [Double], runs: [Range<Int>], lag: Int?, dimension: Int?, threads: Int,
    pause: () throws(TrajpackError) -> Void
  ) throws(TrajpackError) -> EmbedEstimate {
    var estimate = EmbedEstimate(lag: lag, dimension: dimension)
    let longest = runs.map(\.count).max() ?? 0
    guard longest >= 3 else {
      throw TrajpackError(
        .usage, "the longest run has \(longest) rows: nothing can be chosen from it")
    }
    let episodes = try Episodes(runs, rows: x.count)
    try x.withUnsafeBufferPointer { (x) throws(TrajpackError) in
      if lag == nil {
        try chooseLag(x, episodes, maxLag: min(search.maxLag, longest - 2), pause, &estimate)
      }
      if dimension == nil, let lag = estimate.lag {
        try chooseDimension(x, episodes, longest, lag, threads, pause, &estimate)
      }
      estimate.remarks += ValueRemarks.remarks(
        x, episodes, lag: estimate.lag ?? 1, dimension: estimate.dimension ?? 2)
    }
    return estimate
  }

  private func chooseLag(
    _ x: UnsafeBufferPointer<Double>, _ episodes: Episodes, maxLag: Int,
    _ pause: () throws(TrajpackError) -> Void, _ estimate: inout EmbedEstimate
  ) throws(TrajpackError) {
    let estimator: MutualInformation.Estimator
    switch search.lagBy {
    case .mutualInformation: estimator = .equalBins(search.bins)
    case .bisection: estimator = .bisection
    case .neighbours: estimator = .nearestNeighbours(3)
    case .zero, .inverseE:
      let r = try Autocorrelation(x, maxLag: maxLag, episodes: episodes)
      estimate.byLag = r.values
      estimate.lag = search.lagBy == .zero ? r.firstZero : r.firstBelowInverseE
      if estimate.lag == nil {
        estimate.remarks.append("the autocorrelation stays high up to lag \(maxLag)")
      }
      return
    }
    let information = try MutualInformation(
      x, maxLag: maxLag, estimator: estimator, episodes: episodes, pause: pause)
    estimate.byLag = information.values
    let r = try Autocorrelation(x, maxLag: maxLag, episodes: episodes)
    if r.firstBelowInverseE == 1 {
      // A delay is to part coordinates that are nearly equal (Kantz and Schreiber, Nonlinear Time
      // Series Analysis, 2nd ed. 2004, section 3.3); here neighbouring rows are apart already, and
      // where the mutual information falls steadily, its first minimum is a ripple.
      estimate.lag = 1
      estimate.remarks.append(
        "the autocorrelation is \(short(r.values[1])) after one row, below 1/e, as that of a map: tau 1"
      )
      return
    }
    if let minimum = information.firstMinimum {
      let noise = try ShuffledInformation(x, maxLag: maxLag, estimator, episodes, pause)
      let depth = information.values[minimum]
      let rise = (information.values[minimum...].prefix { $0 >= depth }.max() ?? depth) - depth
      let isShallow = rise < noise.most - noise.mean
      if depth > noise.most || !isShallow {
        estimate.lag = minimum
        if isShallow {
          estimate.remarks.append(
            "a shallow minimum: the mutual information rises by \(short(rise)) bits after it, no more "
              + "than it differs between shuffles of the rows")
        }
        return
      }
      estimate.remarks.append(
        "the first minimum of the mutual information, at lag \(minimum), is a ripple of what shuffled "
          + "rows give (\(short(depth)) of \(short(noise.most)) bits)")
    } else {
      estimate.remarks.append("no minimum of the mutual information up to lag \(maxLag)")
    }
    if let fall = r.firstBelowInverseE {
      estimate.lag = max(fall, 1)
      estimate.remarks.append("so where the autocorrelation falls below 1/e")
    }
  }

  /// Three digits after the point.
  private func short(_ value: Double) -> String {
    let thousandths = (value * 1000).rounded()
    guard thousandths.magnitude < 1e9 else { return "\(value)" }
    return "\(thousandths / 1000)"
  }

  private func chooseDimension(
    _ x: UnsafeBufferPointer<Double>, _ episodes: Episodes, _ longest: Int, _ lag: Int,
    _ threads: Int, _ pause: () throws(TrajpackError) -> Void, _ estimate: inout EmbedEstimate
  ) throws(TrajpackError) {
    let window = search.window ?? lag
    // The largest dimension that leaves more vectors than the window.
    let room = (longest - window - 2) / lag - 1
    let most = min(search.maxDimension, room)
    guard most >= 2 else {
      throw TrajpackError(
        .usage,
        "\(longest) rows in the longest run are too few for dimensions at lag \(lag) with a Theiler window "
          + "of \(window): give a smaller tau or theiler")
    }
    let settings = try DimensionSearch(
      lag: lag, maxDimension: most, window: window, threads: threads)
    switch search.dimensionBy {
    case .cao:
      let cao = try Cao(x, search: settings, episodes: episodes, pause: pause)
      (estimate.byDimension, estimate.e2) = (cao.e1, cao.e2)
      estimate.dimension = cao.dimension()
      if cao.isStochastic { estimate.remarks.append("E2 stays near 1, as it does for noise") }
    case .fnn:
      let near = try FalseNeighbours(x, search: settings, episodes: episodes, pause: pause)
      estimate.byDimension = near.byEither
      estimate.dimension = near.dimension()
    }
    if estimate.dimension == nil {
      estimate.remarks.append("not settled up to dimension \(most)")
    }
  }

  /// The step with a lag and a dimension for each of some channels and no others.
  package func resolved(
    _ chosen: [(channel: String, lag: Int, dimension: Int)]
  ) -> EmbedStep {
    func rules(_ numbers: [Int]) -> PlanRules<PlanChoice> {
      guard let last = numbers.last else { return PlanRules(.fixed(1)) }
      var rules = PlanRules(PlanChoice.fixed(last))
      if Set(numbers).count > 1 {
        for (choice, number) in zip(chosen, numbers).dropLast() {
          rules.rules.append(
            .init(selector: .pattern(Pattern(choice.channel)), value: .fixed(number)))
        }
      }
      return rules
    }
    var step = self
    step.shape = .uniform(
      ChannelSelection(chosen.map { .pattern(Pattern($0.channel)) }),
      lag: rules(chosen.map(\.lag)), dimension: rules(chosen.map(\.dimension)))
    return step
  }
}
