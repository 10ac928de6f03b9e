import Glibc
import TrajpackFormat

/// The L statistic of Uzal et al. (Phys. Rev. E 84, 016223, 2011): how much an embedding amplifies
/// noise, and how far it unfolds.
struct NoiseAmplification {
  private let vectors: [Double]
  private let dimension: Int
  private let points: [Range<Int>]
  private let k: Int
  private let near: [Int32]
  /// ε² of each neighbourhood: 2/(K(K+1)) Σ squared distances of its pairs (eq. 16).
  private var size: [Double]
  /// Sum over horizons of the conditional variance E² (eqs. 13, 14).
  private var variance: [Double]
  private var horizons = 0.0
  private let inverseSize: Double

  /// - Parameter points: the fiducial points, with all horizons after them in their run.
  init(
    _ vectors: [Double], _ dimension: Int, _ points: [Range<Int>], _ k: Int, _ window: Int,
    _ stamps: UnsafePointer<Int>
  ) {
    self.vectors = vectors
    self.dimension = dimension
    self.points = points
    self.k = k
    near =
      neighbours(vectors, dimension, points, k: k, window: window, stamps: stamps).indices
    size = [Double](repeating: 0, count: points.last?.upperBound ?? 0)
    variance = size
    var inverse = 0.0
    for i in points.joined() {
      var sum = 0.0
      for a in -1..<k {
        for b in a + 1..<k {
          let (p, q) = (a < 0 ? i : Int(near[i * k + a]), Int(near[i * k + b]))
          for d in 0..<dimension {
            let difference = vectors[p * dimension + d] - vectors[q * dimension + d]
            sum += difference * difference
          }
        }
      }
      size[i] = 2 / Double(k * (k + 1)) * sum
      inverse += 1 / size[i]
    }
    inverseSize = inverse / Double(points.rowCount)
  }

  /// Takes one more horizon into the mean of eq. 15.
  mutating func add(_ horizon: Int) {
    horizons += 1
    let (d, k, share) = (dimension, k, 1 / Double(k + 1))
    vectors.withUnsafeBufferPointer { x in
      near.withUnsafeBufferPointer { near in
        for i in points.joined() {
          var total = 0.0
          for c in 0..<d {
            let own = x[(i + horizon) * d + c]
            var sum = own
            for j in 0..<k { sum += x[(Int(near[i * k + j]) + horizon) * d + c] }
            let centre = sum * share
            total += (own - centre) * (own - centre)
            for j in 0..<k {
              let away = x[(Int(near[i * k + j]) + horizon) * d + c] - centre
              total += away * away
            }
          }
          variance[i] += total * share
        }
      }
    }
  }

  /// L = log₁₀(√⟨E²/ε²⟩ · √(1/⟨ε⁻²⟩)) (eqs. 17 to 21).
  var cost: Double {
    var sum = 0.0
    for i in points.joined() { sum += variance[i] / horizons / size[i] }
    return log10((sum / Double(points.rowCount)).squareRoot() * (1 / inverseSize).squareRoot())
  }
}

/// L of given vectors (`rows` times `dimension`), averaged over horizons 1 to `maxHorizon`, all
/// rows of an episode but its last `maxHorizon` being fiducial points.
///
/// - Throws: `.usage` for too few rows, `.data` where vectors repeat exactly.
public func noiseAmplification(
  _ vectors: UnsafeBufferPointer<Double>, dimension: Int, maxHorizon: Int, neighbours k: Int = 3,
  window: Int = 1, episodes: Episodes
) throws(TrajpackError) -> Double {
  let rows = dimension > 0 ? vectors.count / dimension : 0
  let x = try vectors.require(rows, dimension, "vectors")
  guard (episodes.runs.last?.upperBound ?? 0) <= rows else {
    throw TrajpackError(.usage, "an episode reaches beyond row \(rows)")
  }
  for c in 0..<dimension { try episodes.requireFinite(x, dimension, c) }
  guard 1..<1 << 32 ~= maxHorizon, 1...64 ~= k, 0..<1 << 32 ~= window,
    episodes.runs.shortened(by: maxHorizon).rowCount > 2 * window + k + 1
  else {
    throw TrajpackError(
      .usage, "\(rows) vectors are too few for \(k) neighbours and horizons to \(maxHorizon)")
  }
  let stamps = timeStamps(episodes.runs)
  var amplification = NoiseAmplification(
    Array(vectors), dimension, episodes.runs.shortened(by: maxHorizon), k, window, stamps.pointer)
  for horizon in 1...maxHorizon { amplification.add(horizon) }
  let cost = amplification.cost
  guard cost.isFinite else {
    throw TrajpackError(
      .data, "vectors repeat exactly: add noise below the resolution of the data and try again")
  }
  return cost
}
