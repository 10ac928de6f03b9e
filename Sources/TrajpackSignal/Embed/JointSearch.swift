import Glibc
import TrajpackFormat

/// One coordinate that a joint search chose.
public struct ChosenCoordinate: Sendable, Hashable {
  /// Which channel.
  public let channel: Int
  /// Its lag, in rows.
  public let lag: Int
}

/// What MDOP and PECUZAL work on: the channels of all episodes, each with mean 0 and (n − 1)
/// standard deviation 1 over all of them, and the delay vectors chosen so far. Vectors never join
/// rows of two episodes; neighbours may come from any.
struct JointSearch: ~Copyable {
  /// The episodes' rows, renumbered one after the other without the rows between.
  let runs: [Range<Int>]
  let rows: Int
  let channels: Int
  /// Place in time; runs are further apart than any window.
  let stamps: Scratch<Int>
  /// Channel after channel.
  private let z: Scratch<Double>
  /// `rows` times `chosen.count`; whole in the rows of ``points(_:)``.
  private(set) var vectors: [Double] = []
  private(set) var chosen: [ChosenCoordinate] = []

  /// - Throws: `.data` for missing values or a constant channel, `.usage` for sizes.
  init<S: SignalScalar>(
    _ values: UnsafeBufferPointer<S>, _ components: Int, _ episodes: Episodes
  ) throws(TrajpackError) {
    // All that may be refused comes first: a value that cannot be copied is made whole or not at all.
    let all = components > 0 ? values.count / components : 0
    let x = try values.require(all, components, "values")
    guard (episodes.runs.last?.upperBound ?? 0) <= all else {
      throw TrajpackError(.usage, "an episode reaches beyond row \(all)")
    }
    var scales: [(mean: Double, deviation: Double)] = []
    for c in 0..<components {
      try episodes.requireFinite(x, components, c)
      scales.append(try Self.scale(x, components, c, episodes))
    }
    var runs: [Range<Int>] = []
    for run in episodes.runs {
      let start = runs.last?.upperBound ?? 0
      runs.append(start..<start + run.count)
    }
    self.runs = runs
    let rows = runs.last?.upperBound ?? 0
    self.rows = rows
    channels = components
    stamps = timeStamps(runs)
    let z = Scratch<Double>(rows * components)
    var next = 0
    for (c, scale) in scales.enumerated() {
      for run in episodes.runs {
        for i in run {
          z[next] = (Double(x[i * components + c]) - scale.mean) / scale.deviation
          next += 1
        }
      }
    }
    self.z = z
  }

  private static func scale<S: SignalScalar>(
    _ x: UnsafePointer<S>, _ components: Int, _ c: Int, _ episodes: Episodes
  ) throws(TrajpackError) -> (mean: Double, deviation: Double) {
    let rows = episodes.runs.rowCount
    var sum = 0.0
    for i in episodes.runs.joined() { sum += Double(x[i * components + c]) }
    let mean = sum / Double(max(rows, 1))
    var squares = 0.0
    for i in episodes.runs.joined() {
      let value = Double(x[i * components + c]) - mean
      squares += value * value
    }
    let deviation = (squares / Double(max(rows - 1, 1))).squareRoot()
    let isConstant = ComponentStatistics.isConstant(
      count: Double(rows), mean: mean, variance: squares / Double(max(rows, 1)))
    guard !isConstant else {
      throw TrajpackError(.data, "channel \(c) is constant: leave it out of the search")
    }
    return (mean, deviation)
  }

  @inline(__always) func channel(_ c: Int) -> UnsafePointer<Double> {
    UnsafePointer(z.pointer + c * rows)
  }

  /// Starts with one channel at lag 0.
  mutating func start(_ channel: Int) {
    chosen = [ChosenCoordinate(channel: channel, lag: 0)]
    vectors = Array(UnsafeBufferPointer(start: self.channel(channel), count: rows))
  }

  /// The rows whose vector, with one more coordinate at most `reach` rows later, stays in its
  /// episode; or that have, beyond their vector, `beyond` rows more.
  func points(reach: Int = 0, beyond: Int = 0) -> [Range<Int>] {
    runs.shortened(by: max(chosen.map(\.lag).max() ?? 0, reach) + beyond)
  }

  /// The vectors with one more coordinate; 0 where that would leave the episode.
  func extended(_ channel: Int, _ lag: Int) -> [Double] {
    let d = chosen.count
    let x = self.channel(channel)
    var result = [Double](repeating: 0, count: rows * (d + 1))
    for run in runs {
      for i in run {
        for j in 0..<d { result[i * (d + 1) + j] = vectors[i * d + j] }
        if i + lag < run.upperBound { result[i * (d + 1) + d] = x[i + lag] }
      }
    }
    return result
  }

  mutating func append(_ channel: Int, _ lag: Int) {
    vectors = extended(channel, lag)
    chosen.append(ChosenCoordinate(channel: channel, lag: lag))
  }
}

extension [Range<Int>] {
  /// Each run without its last rows; runs that have no others are gone.
  func shortened(by rows: Int) -> [Range<Int>] {
    compactMap { $0.count > rows ? $0.lowerBound..<$0.upperBound - rows : nil }
  }

  /// Rows of all runs.
  var rowCount: Int { reduce(0) { $0 + $1.count } }
}

/// The place in time of every row: runs are further apart than any Theiler window.
func timeStamps(_ runs: [Range<Int>]) -> Scratch<Int> {
  let stamps = Scratch<Int>(runs.last?.upperBound ?? 0, filledWith: 0)
  for (number, run) in runs.enumerated() {
    for i in run { stamps[i] = i + number << 33 }
  }
  return stamps
}

/// Neighbours of some of the vectors among themselves, Euclidean.
func neighbours(
  _ vectors: [Double], _ dimension: Int, _ points: [Range<Int>], k: Int, window: Int,
  stamps: UnsafePointer<Int>
) -> Neighbours {
  vectors.withUnsafeBufferPointer { buffer in
    NeighbourTree(
      StridedPoints(
        base: buffer.base, row: dimension, column: 1, dimension: dimension, rows: points),
      metric: .euclidean, stamps: stamps
    ).allNearest(k, window: window)
  }
}
