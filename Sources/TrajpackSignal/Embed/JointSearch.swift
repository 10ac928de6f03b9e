import Glibc
import TrajpackFormat

/// One coordinate that a joint search chose.
public struct ChosenCoordinate: Sendable, Hashable {
  /// Which channel.
  public let channel: Int
  /// Its lag, in rows.
  public let lag: Int
}

/// What MDOP and PECUZAL work on: one episode of channels, each with mean 0 and (n − 1) standard
/// deviation 1, and the delay vectors chosen so far.
struct JointSearch: ~Copyable {
  let rows: Int
  let channels: Int
  /// Channel after channel.
  private let z: Scratch<Double>
  /// Delay vectors so far, `count` times `chosen.count`.
  private(set) var vectors: [Double] = []
  private(set) var count = 0
  private(set) var chosen: [ChosenCoordinate] = []

  init<S: Sample>(
    _ values: UnsafeBufferPointer<S>, _ components: Int
  ) throws(TrajpackError) {
    rows = components > 0 ? values.count / components : 0
    channels = components
    z = Scratch(rows * max(components, 0))
    let x = try values.require(rows, components, "values")
    for c in 0..<components {
      try Episodes(whole: rows).requireFinite(x, components, c)
      var sum = 0.0
      for i in 0..<rows { sum += Double(x[i * components + c]) }
      let mean = sum / Double(max(rows, 1))
      var squares = 0.0
      for i in 0..<rows {
        let value = Double(x[i * components + c]) - mean
        z[c * rows + i] = value
        squares += value * value
      }
      let deviation = (squares / Double(max(rows - 1, 1))).squareRoot()
      guard deviation > 0 else {
        throw TrajpackError(.data, "channel \(c) is constant: leave it out of the search")
      }
      for i in 0..<rows { z[c * rows + i] /= deviation }
    }
  }

  @inline(__always) func channel(_ c: Int) -> UnsafePointer<Double> {
    UnsafePointer(z.pointer + c * rows)
  }

  /// Starts with one channel at lag 0.
  mutating func start(_ channel: Int) {
    chosen = [ChosenCoordinate(channel: channel, lag: 0)]
    count = rows
    vectors = Array(UnsafeBufferPointer(start: self.channel(channel), count: rows))
  }

  /// The vectors with one more coordinate; the rows that reach beyond the end are dropped.
  func extended(_ channel: Int, _ lag: Int) -> (vectors: [Double], count: Int) {
    let d = chosen.count
    let n = min(count, rows - lag)
    let x = self.channel(channel)
    var result = [Double](repeating: 0, count: n * (d + 1))
    for i in 0..<n {
      for j in 0..<d { result[i * (d + 1) + j] = vectors[i * d + j] }
      result[i * (d + 1) + d] = x[i + lag]
    }
    return (result, n)
  }

  mutating func append(_ channel: Int, _ lag: Int) {
    (vectors, count) = extended(channel, lag)
    chosen.append(ChosenCoordinate(channel: channel, lag: lag))
  }
}

/// Neighbours of the first `count` vectors among themselves, Euclidean.
func neighbours(
  _ vectors: [Double], _ dimension: Int, _ count: Int, k: Int, window: Int
) -> Neighbours {
  vectors.withUnsafeBufferPointer { points in
    NeighbourTree(
      StridedPoints(
        base: points.base, row: dimension, column: 1, dimension: dimension, rows: [0..<count]),
      metric: .euclidean
    ).allNearest(k, window: window)
  }
}
