import TrajpackFormat

/// Delay vectors of one channel in growing dimension, with the coordinate that comes next.
struct DelayPoints: ~Copyable {
  let count: Int
  let dimension: Int
  /// `count` times `dimension`.
  let points: Scratch<Double>
  /// Coordinate `dimension` of each vector.
  let following: Scratch<Double>
  /// Place in time; runs are further apart than the window.
  let stamps: Scratch<Int>

  /// Vectors whose next coordinate exists too. Runs that are too short have none.
  init(_ series: borrowing Series, _ dimension: Int, _ lag: Int, _ window: Int) {
    let span = dimension * lag
    var count = 0
    for run in series.runs { count += max(run.count - span, 0) }
    self.count = count
    self.dimension = dimension
    points = Scratch(count * dimension)
    following = Scratch(count)
    stamps = Scratch(count)
    var next = 0
    for (number, run) in series.runs.enumerated() where run.count > span {
      for i in run.lowerBound..<run.upperBound - span {
        for d in 0..<dimension { points[next * dimension + d] = series.x[i + d * lag] }
        following[next] = series.x[i + span]
        stamps[next] = i + number * (window + 1)
        next += 1
      }
    }
  }
}

/// Settings shared by the estimates of the embedding dimension.
public struct DimensionSearch: Sendable, Hashable {
  /// Lag between coordinates, in rows.
  public let lag: Int
  /// The largest dimension looked at.
  public let maxDimension: Int
  /// Theiler window: neighbours are more than this many rows away.
  public let window: Int

  /// Refuses a lag or dimension below 1 and a negative window.
  public init(lag: Int, maxDimension: Int, window: Int) throws(TrajpackError) {
    guard lag >= 1, maxDimension >= 1, maxDimension <= 64, window >= 0, lag < 1 << 32,
      window < 1 << 32
    else {
      throw TrajpackError(
        .usage,
        "lag \(lag), dimension \(maxDimension), Theiler window \(window): give a lag of at least "
          + "1, a dimension of 1 to 64 and a window of 0 or more")
    }
    self.lag = lag
    self.maxDimension = maxDimension
    self.window = window
  }

  /// Refuses episodes that leave no vector, or none outside its own window.
  func requireFits(_ longest: Int) throws(TrajpackError) {
    let rows = longest - maxDimension * lag
    guard rows > window + 1 else {
      throw TrajpackError(
        .usage,
        "lag \(lag) and dimension \(maxDimension) leave \(max(rows, 0)) vectors in the longest "
          + "episode, not more than the Theiler window \(window): use a smaller one")
    }
  }
}
