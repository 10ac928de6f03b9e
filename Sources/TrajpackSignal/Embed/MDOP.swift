import Glibc
import TrajpackFormat

/// Maximal derivatives on a projected manifold (Nichkawde, Phys. Rev. E 87, 022905, 2013): each
/// coordinate is the one that parts the nearest neighbours most.
public struct MDOP: Sendable {
  /// The coordinates, the first at lag 0: as many as there were cycles.
  public let coordinates: [ChosenCoordinate]
  /// Fraction of false neighbours of the first 1, 2, … coordinates: pairs closer than `1 / ratio`
  /// (of a standard deviation) whose distance grows over `ratio` times with the next one (Hegger
  /// and Kantz, Phys. Rev. E 60, 1999). DelayEmbeddings.jl calls a fraction of 0 a fraction of 1.
  public let falseNeighbours: [Double]
  /// The β statistic of the first channel's cycles: for each cycle, each lag.
  public let beta: [[Double]]

  /// - Parameters:
  ///   - values: rows times components.
  ///   - maxLag: lags 0 to this one are tried.
  ///   - window: Theiler window.
  ///   - threshold: the search ends where the fraction of false neighbours is at most this, or rises.
  ///   - pause: asked between units of work; what it throws ends the search.
  @specialized(where S == Float)
  @specialized(where S == Double)
  public init<S: SignalScalar>(
    _ values: UnsafeBufferPointer<S>, components: Int = 1, maxLag: Int, window: Int = 1,
    ratio: Double = 2, threshold: Double = 0.05, maxCycles: Int = 50, episodes: Episodes,
    pause: () throws(TrajpackError) -> Void = {}
  ) throws(TrajpackError) {
    var search = try JointSearch(values, components, episodes)
    guard 0..<1 << 32 ~= maxLag, 0..<1 << 32 ~= window, maxCycles >= 1, components >= 1,
      search.points(reach: maxLag).rowCount > window + 2
    else {
      throw TrajpackError(
        .usage,
        "\(search.rows) rows are too few for lags to \(maxLag) with a Theiler window of \(window)")
    }
    var fractions: [Double] = []
    var betas: [[Double]] = []
    // The first cycle also chooses the channel to start from.
    var best: (value: Double, start: Int, channel: Int, lag: Int, beta: [Double])?
    for start in 0..<components {
      search.start(start)
      if let found = try Self.choose(search, maxLag, window, pause),
        found.value > best?.value ?? -.infinity
      {
        best = (found.value, start, found.channel, found.lag, found.beta)
      }
    }
    guard var next = best.map({ (channel: $0.channel, lag: $0.lag, beta: $0.beta) }),
      let first = best?.start
    else {
      throw TrajpackError(.data, "every vector repeats: the episode has no neighbours to part")
    }
    search.start(first)
    var before = Self.distances(search, window)
    while true {
      betas.append(next.beta)
      search.append(next.channel, next.lag)
      let points = search.points()
      guard points.rowCount > window + 2 else { break }
      let after = Self.distances(search, window)
      var (parted, near) = (0, 0)
      for run in points {
        for i in run where before[i] < 1 / ratio {
          near += 1
          if after[i] / before[i] > ratio { parted += 1 }
        }
      }
      fractions.append(Double(parted) / Double(max(near, 1)))
      before = after
      let n = fractions.count
      if fractions[n - 1] <= threshold || n == maxCycles { break }
      if n > 1, fractions[n - 1] > fractions[n - 2] { break }
      guard search.points(beyond: maxLag).rowCount > window + 2,
        let found = try Self.choose(search, maxLag, window, pause)
      else { break }
      next = (found.channel, found.lag, found.beta)
    }
    // The last coordinate only showed that those before it suffice.
    coordinates = Array(search.chosen.prefix(max(fractions.count, 1)))
    falseNeighbours = fractions
    beta = betas
  }

  /// How far each vector's nearest neighbour is.
  private static func distances(_ search: borrowing JointSearch, _ window: Int) -> [Double] {
    neighbours(
      search.vectors, search.chosen.count, search.points(), k: 1, window: window,
      stamps: search.stamps.pointer
    ).distances
  }

  /// The largest β over channels and lags; ties go to the first.
  private static func choose(
    _ search: borrowing JointSearch, _ maxLag: Int, _ window: Int,
    _ pause: () throws(TrajpackError) -> Void
  ) throws(TrajpackError) -> (value: Double, channel: Int, lag: Int, beta: [Double])? {
    let points = search.points(beyond: maxLag)
    let near = neighbours(
      search.vectors, search.chosen.count, points, k: 1, window: window,
      stamps: search.stamps.pointer)
    var best: (value: Double, channel: Int, lag: Int, beta: [Double])?
    for channel in 0..<search.channels {
      let beta = try statistic(search.channel(channel), near, points, maxLag, pause)
      for (lag, value) in beta.enumerated() where value > best?.value ?? -.infinity {
        best = (value, channel, lag, beta)
      }
    }
    return best
  }

  /// β(τ) = ⟨log₁₀ |s(i+τ) − s(j+τ)| / d_ij⟩ over nearest neighbours j. Pairs that coincide in
  /// either space have no logarithm and are left out.
  private static func statistic(
    _ x: UnsafePointer<Double>, _ near: Neighbours, _ points: [Range<Int>], _ maxLag: Int,
    _ pause: () throws(TrajpackError) -> Void
  ) throws(TrajpackError) -> [Double] {
    try (0...maxLag).map { (lag) throws(TrajpackError) in
      try pause()
      var sum = 0.0
      var count = 0
      for run in points {
        for i in run where near.indices[i] >= 0 {
          let slope = abs(x[i + lag] - x[Int(near.indices[i]) + lag]) / near.distances[i]
          if slope > 0, slope < .infinity {
            sum += log10(slope)
            count += 1
          }
        }
      }
      return count > 0 ? sum / Double(count) : -.infinity
    }
  }
}
