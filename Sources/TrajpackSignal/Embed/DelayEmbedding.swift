import TrajpackFormat

/// One coordinate of a delay vector.
public struct DelayCoordinate: Sendable, Hashable {
  /// Which channel.
  public let channel: Int
  /// How many rows after the vector's own row (before it in a backward embedding).
  public let lag: Int

  /// A coordinate.
  public init(channel: Int, lag: Int) {
    self.channel = channel
    self.lag = lag
  }
}

/// A delay embedding (Takens 1981), multivariate and non-uniform: row `i` becomes
/// `(x[i + lag₀, channel₀], x[i + lag₁, channel₁], …)`.
public struct DelayEmbedding: Sendable, Hashable {
  /// Whether the lags reach forward or backward in time.
  public enum Direction: Sendable, Hashable {
    /// `x[i + lag]`: the convention of DelayEmbeddings.jl, nolitsa, nolds.
    case forward
    /// `x[i - lag]`: causal.
    case backward
  }

  /// The coordinates; duplicates are allowed.
  public let coordinates: [DelayCoordinate]
  /// Where the lags reach.
  public let direction: Direction
  /// Rows read before the vector's own row.
  let reachBefore: Int
  /// Rows read after it.
  let reachAfter: Int

  /// Refuses an empty list, negative channels, and lags beyond 2^40.
  public init(
    _ coordinates: [DelayCoordinate], direction: Direction = .forward
  ) throws(TrajpackError) {
    guard !coordinates.isEmpty,
      coordinates.allSatisfy({ $0.channel >= 0 && $0.lag.magnitude < 1 << 40 })
    else {
      throw TrajpackError(
        .usage, "\(coordinates.count) coordinates, or a negative channel: give (channel, lag) pairs"
      )
    }
    self.coordinates = coordinates
    self.direction = direction
    let steps = coordinates.map { direction == .forward ? $0.lag : -$0.lag }
    reachBefore = max(0, -(steps.min() ?? 0))
    reachAfter = max(0, steps.max() ?? 0)
  }

  /// The uniform embedding of one channel: `dimension` lags, `lag` rows apart.
  public init(
    channel: Int = 0, dimension: Int, lag: Int, direction: Direction = .forward
  ) throws(TrajpackError) {
    guard dimension >= 1, dimension <= 1 << 20, lag >= 1, lag < 1 << 20 else {
      throw TrajpackError(
        .usage, "dimension \(dimension), lag \(lag): give at least 1 and less than 2^20")
    }
    try self.init(
      (0..<dimension).map { DelayCoordinate(channel: channel, lag: $0 * lag) },
      direction: direction)
  }

  /// The rows that have a whole vector, episode by episode; none reaches over a boundary.
  ///
  /// - Throws: `.usage` naming an episode that is too short, unless short ones may be skipped.
  public func rows(
    of episodes: Episodes, skipsShort: Bool = false
  ) throws(TrajpackError) -> [Range<Int>] {
    var result: [Range<Int>] = []
    for (i, run) in episodes.runs.enumerated() {
      let first = run.lowerBound + reachBefore
      let last = run.upperBound - reachAfter
      if first < last {
        result.append(first..<last)
      } else if !skipsShort {
        throw TrajpackError(
          .usage,
          "episode \(i) has \(run.count) rows and a vector spans \(reachBefore + reachAfter + 1): "
            + "use a smaller lag or dimension, or skip short episodes")
      }
    }
    return result
  }

  /// Entries between a vector's row and each coordinate, in a buffer of `components` channels.
  public func offsets(components: Int) throws(TrajpackError) -> [Int] {
    guard components < 1 << 22 else {
      throw TrajpackError(.usage, "\(components) channels in one stream: give less than 2^22")
    }
    var result: [Int] = []
    for coordinate in coordinates {
      guard coordinate.channel < components else {
        throw TrajpackError(
          .usage, "channel \(coordinate.channel) of a stream of \(components): give 0 to its last")
      }
      let step = direction == .forward ? coordinate.lag : -coordinate.lag
      result.append(step * components + coordinate.channel)
    }
    return result
  }
}

/// The delay vectors of a buffer without a copy of it. A uniform embedding, and so a Hankel
/// matrix, is a strided view: `rowStride` and `lagStride` entries, ready for any array library.
public struct DelayView<S: SignalScalar> {
  private let base: UnsafePointer<S>
  private let components: Int
  private let offsets: [Int]
  /// The rows that have a whole vector.
  public let rows: [Range<Int>]

  /// A view of `values` (rows times components), which it borrows.
  public init(
    _ embedding: DelayEmbedding, _ values: UnsafeBufferPointer<S>, components: Int,
    episodes: Episodes, skipsShort: Bool = false
  ) throws(TrajpackError) {
    let rowCount = components > 0 ? values.count / components : 0
    base = try values.require(rowCount, components, "values")
    guard (episodes.runs.last?.upperBound ?? 0) <= rowCount else {
      throw TrajpackError(.usage, "an episode ends after row \(rowCount), the last of the buffer")
    }
    self.components = components
    offsets = try embedding.offsets(components: components)
    rows = try embedding.rows(of: episodes, skipsShort: skipsShort)
  }

  /// Vectors in all episodes.
  public var count: Int { rows.reduce(0) { $0 + $1.count } }
  /// Coordinates of a vector.
  public var dimension: Int { offsets.count }
  /// Entries from a vector to the next one.
  public var rowStride: Int { components }
  /// Entries from a coordinate to the next one, where that is the same for all; else `nil`.
  public var lagStride: Int? {
    guard let second = offsets.dropFirst().first else { return 0 }
    let step = second - offsets[0]
    return zip(offsets, offsets.dropFirst()).allSatisfy { $1 - $0 == step } ? step : nil
  }

  /// One coordinate of the vector at `row`, which must be one of ``rows``.
  @inline(__always) public subscript(row: Int, coordinate: Int) -> S {
    base[row * components + offsets[coordinate]]
  }

  /// Writes all vectors, `count` times `dimension`, for those who need a copy.
  public func copy(into output: UnsafeMutableBufferPointer<S>) throws(TrajpackError) {
    var to = try output.require(count, dimension, "output")
    offsets.withUnsafeBufferPointer { offsets in
      for run in rows {
        for row in run {
          let from = base + row * components
          for d in 0..<offsets.count { to[d] = from[offsets[d]] }
          to += offsets.count
        }
      }
    }
  }
}
