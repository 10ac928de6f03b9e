import Glibc
import TrajpackFormat

/// The L statistic of Uzal et al. (Phys. Rev. E 84, 016223, 2011): how much an embedding amplifies
/// noise, and how far it unfolds.
struct NoiseAmplification {
  private let vectors: [Double]
  private let dimension: Int
  private let count: Int
  private let k: Int
  private let near: [Int32]
  /// ε² of each neighbourhood: 2/(K(K+1)) Σ squared distances of its pairs (eq. 16).
  private var size: [Double]
  /// Sum over horizons of the conditional variance E² (eqs. 13, 14).
  private var variance: [Double]
  private var horizons = 0.0
  private let inverseSize: Double

  /// - Parameter count: the fiducial points, the first of the vectors, with all horizons after them.
  init(_ vectors: [Double], _ dimension: Int, _ count: Int, _ k: Int, _ window: Int) {
    self.vectors = vectors
    self.dimension = dimension
    self.count = count
    self.k = k
    near = neighbours(vectors, dimension, count, k: k, window: window).indices
    size = [Double](repeating: 0, count: count)
    variance = size
    var inverse = 0.0
    for i in 0..<count {
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
    inverseSize = inverse / Double(count)
  }

  /// Takes one more horizon into the mean of eq. 15.
  mutating func add(_ horizon: Int) {
    horizons += 1
    let (d, k, share) = (dimension, k, 1 / Double(k + 1))
    vectors.withUnsafeBufferPointer { x in
      near.withUnsafeBufferPointer { near in
        for i in 0..<count {
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
    for i in 0..<count { sum += variance[i] / horizons / size[i] }
    return log10((sum / Double(count)).squareRoot() * (1 / inverseSize).squareRoot())
  }
}

/// L of given vectors (`rows` times `dimension`), averaged over horizons 1 to `maxHorizon`, all
/// rows but the last `maxHorizon` being fiducial points.
///
/// - Throws: `.usage` for too few rows, `.data` where vectors repeat exactly.
public func noiseAmplification(
  _ vectors: UnsafeBufferPointer<Double>, dimension: Int, maxHorizon: Int, neighbours k: Int = 3,
  window: Int = 1
) throws(TrajpackError) -> Double {
  let rows = dimension > 0 ? vectors.count / dimension : 0
  let x = try vectors.require(rows, dimension, "vectors")
  for c in 0..<dimension { try Episodes(whole: rows).requireFinite(x, dimension, c) }
  guard maxHorizon >= 1, 1...64 ~= k, 0..<1 << 32 ~= window, rows - maxHorizon > 2 * window + k + 1
  else {
    throw TrajpackError(
      .usage, "\(rows) vectors are too few for \(k) neighbours and horizons to \(maxHorizon)")
  }
  var amplification = NoiseAmplification(Array(vectors), dimension, rows - maxHorizon, k, window)
  for horizon in 1...maxHorizon { amplification.add(horizon) }
  let cost = amplification.cost
  guard cost.isFinite else {
    throw TrajpackError(
      .data, "vectors repeat exactly: add noise below the resolution of the data and try again")
  }
  return cost
}
