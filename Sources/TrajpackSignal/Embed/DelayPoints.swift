import TrajpackFormat

/// Delay vectors of one channel in growing dimension: a view of the series, whose tree shapes are
/// used again for the next dimensions.
struct DelayPoints: ~Copyable {
  private let lag: Int
  private let window: Int
  private let threads: Int
  private let metric: Metric
  /// Place in time; runs are further apart than the window.
  private let stamps: Scratch<Int>
  private var shape: TreeShape?
  private var nextShape = 1
  private var guesses: [Int32]?

  init(_ series: borrowing ChannelSeries, _ search: DimensionSearch, _ metric: Metric) {
    lag = search.lag
    window = search.window
    threads = search.threads
    self.metric = metric
    stamps = timeStamps(series.runs)
  }

  /// The nearest neighbour of every vector that has a next coordinate, in dimension 1, 2, … (ask
  /// for them in order): `body` gets its distance and the difference of the next coordinates.
  mutating func each(
    _ series: borrowing ChannelSeries, _ dimension: Int,
    _ body: (_ distance: Double, _ gap: Double) -> Void
  ) {
    let span = dimension * lag
    let rows = series.runs.shortened(by: span)
    let points = StridedPoints(
      base: UnsafePointer(series.x.pointer), row: 1, column: lag, dimension: dimension, rows: rows)
    // Shapes of 1, 2, 4, 12, 36 dimensions: making one costs more than it saves in the next two.
    if dimension == nextShape {
      shape = TreeShape(points, threads: threads)
      nextShape = dimension < 4 ? 2 * dimension : 3 * dimension
    }
    let tree = NeighbourTree(
      points, metric: metric, stamps: stamps.pointer, shape: shape, threads: threads)
    let near = tree.allNearest(
      1, window: window, skipsZero: true, guesses: guesses, threads: threads)
    for run in rows {
      for i in run where near.indices[i] >= 0 {
        body(
          near.distances[i], abs(series.x[i + span] - series.x[Int(near.indices[i]) + span]))
      }
    }
    guesses = near.indices
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
  /// Threads that search side by side; results do not depend on it.
  public let threads: Int

  /// Refuses a lag or dimension below 1, a negative window, and other than 1 to 256 threads.
  public init(
    lag: Int, maxDimension: Int, window: Int, threads: Int = 1
  ) throws(TrajpackError) {
    guard lag >= 1, maxDimension >= 1, maxDimension <= 64, window >= 0, lag < 1 << 32,
      window < 1 << 32, 1...256 ~= threads
    else {
      throw TrajpackError(
        .usage,
        "lag \(lag), dimension \(maxDimension), Theiler window \(window), \(threads) threads: give "
          + "a lag of at least 1, a dimension of 1 to 64, a window of 0 or more, 1 to 256 threads")
    }
    self.lag = lag
    self.maxDimension = maxDimension
    self.window = window
    self.threads = threads
  }

  /// Refuses episodes that leave no vector, or none outside its own window.
  func requireFits(_ longest: Int, dimension: Int) throws(TrajpackError) {
    let rows = longest - dimension * lag
    guard rows > window + 1 else {
      throw TrajpackError(
        .usage,
        "lag \(lag) and dimension \(dimension) leave \(max(rows, 0)) vectors in the longest "
          + "episode, not more than the Theiler window \(window): use a smaller one")
    }
  }
}
