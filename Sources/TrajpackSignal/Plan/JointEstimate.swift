import TrajpackFormat

/// Coordinates that PECUZAL or MDOP chose, and what they were chosen by.
package struct JointEstimate: Sendable {
  /// One of them.
  package struct Coordinate: Sendable {
    package let candidate: Int
    package let lag: Int
    /// PECUZAL: by how much L falls. MDOP: β of the lag, and the fraction of false neighbours of the
    /// coordinates before this one, which it parts. None for the first coordinate.
    package let figures: [Double]
  }

  package var coordinates: [Coordinate]
  /// The Theiler window.
  package var window: Int
}

extension EmbedStep {
  /// Chooses coordinates for rows of some candidates, pooled over runs that no vector joins.
  ///
  /// - Parameter pause: asked between units of work; what it throws ends the search.
  /// - Throws: `.usage` for too few rows, `.data` for vectors that repeat.
  package func choose(
    _ method: Joint, _ x: [Double], _ width: Int, _ runs: [Range<Int>],
    _ pause: () throws(TrajpackError) -> Void
  ) throws(TrajpackError) -> JointEstimate {
    let episodes = try Episodes(runs, rows: x.count / width)
    return try x.withUnsafeBufferPointer { (x) throws(TrajpackError) in
      let window: Int
      if let given = search.window {
        window = given
      } else {
        window = try decorrelated(x, width, runs, episodes)
      }
      let list: [ChosenCoordinate]
      let figures: [[Double]]
      switch method {
      case .pecuzal:
        var options = PECUZAL.Options()
        options.maxLag = search.maxLag
        options.window = window
        let found = try PECUZAL(
          x, components: width, options: options, episodes: episodes, pause: pause)
        list = found.coordinates
        figures = found.falls.map { [$0] }
      case .mdop:
        let found = try MDOP(
          x, components: width, maxLag: search.maxLag, window: window, episodes: episodes,
          pause: pause)
        list = found.coordinates
        figures = zip(found.beta, found.falseNeighbours).enumerated().map { i, pair in
          let lag = i + 1 < list.count ? list[i + 1].lag : 0
          return [pair.0[lag], pair.1]
        }
      }
      return JointEstimate(
        coordinates: list.enumerated().map { i, c in
          .init(
            candidate: c.channel, lag: c.lag,
            figures: i > 0 && i <= figures.count ? figures[i - 1] : [])
        }, window: window)
    }
  }

  /// The lag at which the autocorrelation of every candidate is below 1/e.
  private func decorrelated(
    _ x: UnsafeBufferPointer<Double>, _ width: Int, _ runs: [Range<Int>], _ episodes: Episodes
  ) throws(TrajpackError) -> Int {
    let longest = runs.map(\.count).max() ?? 0
    var window = 1
    for candidate in 0..<width where longest > 2 {
      let most = min(search.maxLag, longest - 2)
      let r = try Autocorrelation(
        x, components: width, channel: candidate, maxLag: most, episodes: episodes)
      window = max(window, r.firstBelowInverseE ?? most)
    }
    return window
  }

  /// The step with coordinates that were chosen. Backward, the vectors are the same and stand at
  /// their last row instead of their first.
  package func resolved(
    _ chosen: [(channel: String, element: Int, lag: Int)], name: String
  ) -> EmbedStep {
    let last = chosen.map(\.lag).max() ?? 0
    var step = self
    step.shape = .list(
      chosen.map {
        Coordinate(
          channel: $0.channel, element: $0.element,
          lag: direction == .forward ? $0.lag : last - $0.lag)
      }, name: name)
    return step
  }
}
