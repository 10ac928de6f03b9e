import Glibc
import TrajpackFormat

/// The PECUZAL embedding (Kraemer et al., New J. Phys. 23, 033017, 2021): lags at peaks of the
/// continuity statistic of Pecora et al. (Chaos 17, 2007), chosen by the noise amplification of
/// Uzal et al. (Phys. Rev. E 84, 2011). All vectors are fiducial points; Euclidean.
public struct PECUZAL: Sendable {
  /// Settings with the defaults of the paper.
  public struct Options: Sendable, Hashable {
    /// Lags 0 to this one are tried.
    public var maxLag = 50
    /// Theiler window.
    public var window = 0
    /// Neighbours of the continuity statistic, at least 8.
    public var continuityNeighbours = 13
    /// Neighbours of the noise amplification.
    public var neighbours = 3
    /// The search ends where L falls by less than this.
    public var threshold = 0.0
    /// Significance of the continuity test.
    public var significance = 0.05
    /// Chance of the binomial null hypothesis.
    public var chance = 0.5
    /// Most cycles.
    public var maxCycles = 50
    /// Whether only every second horizon is looked at.
    public var isEconomic = false

    /// The defaults.
    public init() {}
  }

  /// The coordinates, the first at lag 0; only that one where no lag lowers L.
  public let coordinates: [ChosenCoordinate]
  /// The fall of L by each coordinate after the first.
  public let falls: [Double]

  /// - Parameters:
  ///   - values: rows times components.
  ///   - pause: asked between units of work; what it throws ends the search.
  /// - Throws: `.usage` for too few rows; `.data` where vectors repeat exactly.
  @specialized(where S == Float)
  @specialized(where S == Double)
  public init<S: SignalScalar>(
    _ values: UnsafeBufferPointer<S>, components: Int = 1, options: Options,
    episodes: Episodes, pause: () throws(TrajpackError) -> Void = {}
  ) throws(TrajpackError) {
    var search = try JointSearch(values, components, episodes)
    guard 2..<1 << 32 ~= options.maxLag, 0..<1 << 32 ~= options.window,
      options.continuityNeighbours >= 8,
      options.continuityNeighbours <= 64, options.neighbours >= 1, options.neighbours <= 64,
      options.threshold >= 0, options.maxCycles >= 1, 0 < options.chance, options.chance < 1,
      0 < options.significance, options.significance < 1
    else {
      throw TrajpackError(.usage, "an option of PECUZAL is out of its range: see its documentation")
    }
    let table = Self.required(options)
    var falls: [Double] = []
    var first: (fall: Double, start: Int, channel: Int, lag: Int)?
    for start in 0..<components {
      search.start(start)
      let found = try Self.cycle(search, options, table, pause)
      if first.map({ found.fall < $0.fall }) ?? true {
        first = (found.fall, start, found.channel, found.lag)
      }
    }
    guard let first else {
      throw TrajpackError(.usage, "no channel to embed")
    }
    search.start(first.start)
    var next = (fall: first.fall, channel: first.channel, lag: first.lag)
    while next.fall <= -options.threshold, falls.count < options.maxCycles - 1 {
      falls.append(next.fall)
      search.append(next.channel, next.lag)
      next = try Self.cycle(search, options, table, pause)
    }
    coordinates = search.chosen
    self.falls = falls
  }

  /// The best peak of all channels after the vectors so far.
  private static func cycle(
    _ search: borrowing JointSearch, _ options: Options, _ table: [Int],
    _ pause: () throws(TrajpackError) -> Void
  ) throws(TrajpackError) -> (fall: Double, channel: Int, lag: Int) {
    let points = search.points(beyond: options.maxLag)
    guard points.rowCount > 2 * options.window + options.continuityNeighbours + 1 else {
      throw TrajpackError(
        .usage,
        "\(search.rows) rows are too few for lags to \(options.maxLag) and a Theiler window of "
          + "\(options.window) in dimension \(search.chosen.count + 1)")
    }
    let near = neighbours(
      search.vectors, search.chosen.count, points, k: options.continuityNeighbours,
      window: options.window, stamps: search.stamps.pointer)
    var best: (fall: Double, channel: Int, lag: Int)?
    for channel in 0..<search.channels {
      var continuity: [Double] = []
      for lag in 0...options.maxLag {
        try pause()
        continuity.append(
          mean(search.channel(channel), near, points, lag, options.continuityNeighbours, table))
      }
      for lag in peaks(continuity) {
        let fall = try noiseFall(search, channel, lag, options, pause)
        if best.map({ fall < $0.fall }) ?? true { best = (fall, channel, lag) }
      }
    }
    guard let best else { throw TrajpackError(.usage, "no channel to embed") }
    return best
  }

  /// For each neighbourhood of k points from 8 on, how many must map close by to reject chance:
  /// the 1 − α quantile of the binomial distribution.
  private static func required(_ options: Options) -> [Int] {
    (8...options.continuityNeighbours).map { k in
      var probability = pow(1 - options.chance, Double(k))
      var sum = probability
      var count = 0
      while sum < 1 - options.significance, count < k {
        probability *= Double(k - count) / Double(count + 1) * options.chance / (1 - options.chance)
        sum += probability
        count += 1
      }
      return count
    }
  }

  /// ⟨ε*⟩: the smallest reach in the new coordinate that holds enough of the neighbours.
  private static func mean(
    _ x: UnsafePointer<Double>, _ near: Neighbours, _ points: [Range<Int>], _ lag: Int,
    _ k: Int, _ table: [Int]
  ) -> Double {
    var sum = 0.0
    let sorted = Scratch<Double>(k)
    for run in points {
      for i in run {
        let centre = x[i + lag]
        var smallest = Double.infinity
        for j in 0..<k {
          // Insert, so that the first j + 1 distances are in order.
          let distance = abs(centre - x[Int(max(near.indices[i * k + j], 0)) + lag])
          var place = j
          while place > 0, sorted[place - 1] > distance {
            sorted[place] = sorted[place - 1]
            place -= 1
          }
          sorted[place] = distance
          if j >= 7 { smallest = min(smallest, sorted[table[j - 7] - 1]) }
        }
        sum += smallest
      }
    }
    return sum / Double(points.rowCount)
  }

  /// Lags of the local maxima, with a 0 put before the first lag so that it can be one; the
  /// beginning of a plateau counts; the largest where there is none.
  private static func peaks(_ continuity: [Double]) -> [Int] {
    let s = [0] + continuity
    var result: [Int] = []
    var plateau: Int?
    for i in 1..<s.count - 1 {
      if s[i - 1] < s[i], s[i + 1] < s[i] {
        plateau = nil
        result.append(i)
      }
      if let start = plateau {
        if s[i + 1] < s[start] {
          plateau = nil
          result.append(start)
        } else if s[i + 1] > s[start] {
          plateau = nil
        }
      }
      if s[i - 1] < s[i], s[i + 1] == s[i] { plateau = i }
    }
    if result.isEmpty {
      var largest = 1
      for i in 1..<s.count where s[i] > s[largest] { largest = i }
      result = [largest]
    }
    return result.map { $0 - 1 }
  }

  /// The first local minimum, over growing horizons, of L(with the coordinate) − L(without).
  private static func noiseFall(
    _ search: borrowing JointSearch, _ channel: Int, _ lag: Int, _ options: Options,
    _ pause: () throws(TrajpackError) -> Void
  ) throws(TrajpackError) -> Double {
    let trial = search.extended(channel, lag)
    let step = options.isEconomic ? 2 : 1
    let horizons = Array(stride(from: 2, through: options.maxLag, by: step))
    let points = search.points(reach: lag, beyond: horizons.last ?? 2)
    guard points.rowCount > 2 * options.window + options.neighbours + 1 else {
      throw TrajpackError(
        .usage, "\(search.rows) rows are too few for horizons to \(options.maxLag)")
    }
    let d = search.chosen.count
    let stamps = search.stamps.pointer
    var old = NoiseAmplification(
      search.vectors, d, points, options.neighbours, options.window, stamps)
    var new = NoiseAmplification(trial, d + 1, points, options.neighbours, options.window, stamps)
    var former = Double.infinity
    for horizon in horizons {
      try pause()
      old.add(horizon)
      new.add(horizon)
      let fall = new.cost - old.cost
      guard fall.isFinite else {
        throw TrajpackError(
          .data, "vectors repeat exactly: add noise below the resolution of the data and try again")
      }
      if fall > former, former < 0 { break }
      former = fall
    }
    return former
  }
}
