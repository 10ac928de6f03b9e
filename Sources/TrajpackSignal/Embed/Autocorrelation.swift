import Glibc
import TrajpackFormat

/// The autocorrelation function r(τ) = Σ(x_i − x̄)(x_{i+τ} − x̄) / Σ(x_i − x̄)² (biased), pooled over
/// episodes: pairs never join two of them.
public struct Autocorrelation: Sendable {
  /// r(0) = 1, r(1), …
  public let values: [Double]

  /// - Throws: `.data` for missing values or a constant channel, `.usage` for a lag that no
  ///   episode reaches.
  @specialized(where S == Float)
  @specialized(where S == Double)
  public init<S: SignalScalar>(
    _ values: UnsafeBufferPointer<S>, components: Int = 1, channel: Int = 0, maxLag: Int,
    episodes: Episodes
  ) throws(TrajpackError) {
    let series = try ChannelSeries(values, components, channel, episodes)
    try series.requireLag(maxLag)
    var sum = 0.0
    for i in 0..<series.count { sum += series.x[i] }
    let mean = sum / Double(max(series.count, 1))
    for i in 0..<series.count { series.x[i] -= mean }
    var result: [Double] = []
    for lag in 0...maxLag {
      var total = 0.0
      for run in series.runs where run.count > lag {
        total += Self.products(series.x.pointer + run.lowerBound, lag, run.count - lag)
      }
      result.append(total)
    }
    guard let power = result.first, power > 0 else {
      throw TrajpackError(.data, "channel \(channel) is constant: it has no autocorrelation")
    }
    self.values = result.map { $0 / power }
  }

  private static func products(_ x: UnsafePointer<Double>, _ lag: Int, _ count: Int) -> Double {
    var sum0 = SIMD8<Double>.zero
    var sum1 = SIMD8<Double>.zero
    let a = UnsafeRawPointer(x)
    let b = UnsafeRawPointer(x + lag)
    var i = 0
    while i + 16 <= count {
      sum0 +=
        a.loadUnaligned(fromByteOffset: i * 8, as: SIMD8<Double>.self)
        * b.loadUnaligned(fromByteOffset: i * 8, as: SIMD8<Double>.self)
      sum1 +=
        a.loadUnaligned(fromByteOffset: i * 8 + 64, as: SIMD8<Double>.self)
        * b.loadUnaligned(fromByteOffset: i * 8 + 64, as: SIMD8<Double>.self)
      i += 16
    }
    var total = (sum0 + sum1).sum()
    while i < count {
      total += x[i] * x[i + lag]
      i += 1
    }
    return total
  }

  /// The first lag at which r ≤ 0.
  public var firstZero: Int? { values.firstIndex { $0 <= 0 } }
  /// The first lag at which r < 1/e.
  public var firstBelowInverseE: Int? { values.firstIndex { $0 < exp(-1) } }
  /// The first lag at which r < 1 − 1/e (Rosenstein et al. 1993).
  public var firstBelowRosenstein: Int? { values.firstIndex { $0 < 1 - exp(-1) } }
}

/// One channel of the episodes as doubles, run after run without the rows between.
struct ChannelSeries: ~Copyable {
  let x: Scratch<Double>
  /// The runs, renumbered.
  let runs: [Range<Int>]

  var count: Int { x.count }

  init<S: SignalScalar>(
    _ values: UnsafeBufferPointer<S>, _ components: Int, _ channel: Int, _ episodes: Episodes
  ) throws(TrajpackError) {
    let rows = components > 0 ? values.count / components : 0
    let from = try values.require(rows, components, "values")
    guard channel >= 0, channel < components, (episodes.runs.last?.upperBound ?? 0) <= rows else {
      throw TrajpackError(
        .usage, "channel \(channel) of \(components), or an episode beyond row \(rows)")
    }
    try episodes.requireFinite(from, components, channel)
    x = Scratch(episodes.runs.reduce(0) { $0 + $1.count })
    var runs: [Range<Int>] = []
    var next = 0
    for run in episodes.runs {
      let start = next
      for row in run {
        x[next] = Double(from[row * components + channel])
        next += 1
      }
      runs.append(start..<next)
    }
    self.runs = runs
  }

  /// Refuses a lag that no episode reaches.
  func requireLag(_ lag: Int) throws(TrajpackError) {
    let longest = runs.map(\.count).max() ?? 0
    guard lag >= 0, lag < longest else {
      throw TrajpackError(
        .usage, "lag \(lag) is too large: the longest episode has \(longest) rows")
    }
  }
}
