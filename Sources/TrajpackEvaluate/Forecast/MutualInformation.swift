import Glibc
import TrajpackFormat

/// Mutual information of two series in nats: Kraskov, Stögbauer and Grassberger, PRE 69 (2004),
/// estimator 1 with the maximum norm, on series scaled to unit standard deviation; not below 0.
/// (What scikit-learn's `mutual_info_regression` computes, without its random jitter.)
enum MutualInformation {
  /// Nil with too few points or a constant side.
  static func estimate(_ first: [Double], _ second: [Double], neighbours: Int) -> Double? {
    let count = first.count
    let (sx, sy) = (Statistics.deviation(first), Statistics.deviation(second))
    guard count > neighbours, sx > 0, sy > 0, sx.isFinite, sy.isFinite else { return nil }
    // In the order of x, neighbours in the plane are found by walking outwards.
    let order = Statistics.sortedOrder(first)
    let x = order.map { first[$0] / sx }
    let y = order.map { second[$0] / sy }
    let sortedY = y.sorted()
    var sum = 0.0
    x.withUnsafeBufferPointer { x in
      y.withUnsafeBufferPointer { y in
        sortedY.withUnsafeBufferPointer { sortedY in
          var nearest = [Double](repeating: .infinity, count: neighbours)
          nearest.withUnsafeMutableBufferPointer { nearest in
            for index in 0..<count {
              if index % 256 == 0, Interruption.isRequested { return }
              // Strictly nearer than the k-th neighbour; the point itself is among them.
              let radius = kthDistance(x, y, index, nearest).nextDown
              sum += Statistics.digamma(Double(within(x, x[index], radius)))
              sum += Statistics.digamma(Double(within(sortedY, y[index], radius)))
            }
          }
        }
      }
    }
    let n = Double(count)
    return max(0, Statistics.digamma(n) + Statistics.digamma(Double(neighbours)) - sum / n)
  }

  /// The distance of a point's k-th neighbour, k being the room in `nearest`: a walk along rising
  /// `x` to the right and then to the left, until that step alone is too long.
  private static func kthDistance(
    _ x: UnsafeBufferPointer<Double>, _ y: UnsafeBufferPointer<Double>, _ index: Int,
    _ nearest: UnsafeMutableBufferPointer<Double>
  ) -> Double {
    let last = nearest.count - 1
    nearest.update(repeating: .infinity)
    let (ownX, ownY) = (x[index], y[index])
    func take(_ distance: Double) {
      var place = last
      while place > 0, nearest[place - 1] > distance {
        nearest[place] = nearest[place - 1]
        place -= 1
      }
      nearest[place] = distance
    }
    var other = index + 1
    while other < x.count, x[other] - ownX < nearest[last] {
      let distance = max(x[other] - ownX, abs(y[other] - ownY))
      if distance < nearest[last] { take(distance) }
      other += 1
    }
    other = index - 1
    while other >= 0, ownX - x[other] < nearest[last] {
      let distance = max(ownX - x[other], abs(y[other] - ownY))
      if distance < nearest[last] { take(distance) }
      other -= 1
    }
    return nearest[last]
  }

  /// How many of the sorted values lie within `radius` of `centre`.
  private static func within(
    _ sorted: UnsafeBufferPointer<Double>, _ centre: Double, _ radius: Double
  ) -> Int {
    let first = bound(sorted) { centre - $0 <= radius }
    return max(1, bound(sorted) { $0 - centre > radius } - first)
  }

  /// The first place where a condition that stays true becomes true.
  private static func bound(
    _ sorted: UnsafeBufferPointer<Double>, _ holds: (Double) -> Bool
  ) -> Int {
    var low = 0
    var high = sorted.count
    while low < high {
      let middle = (low + high) / 2
      if holds(sorted[middle]) { high = middle } else { low = middle + 1 }
    }
    return low
  }
}
