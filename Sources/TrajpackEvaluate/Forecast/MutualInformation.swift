import Glibc

/// Mutual information of two series in nats: Kraskov, Stögbauer and Grassberger, PRE 69 (2004),
/// estimator 1 with the maximum norm, on series scaled to unit standard deviation; not below 0.
/// (What scikit-learn's `mutual_info_regression` computes, without its random jitter.)
enum MutualInformation {
  /// Nil with too few points or a constant side.
  static func estimate(_ first: [Double], _ second: [Double], neighbours: Int) -> Double? {
    let count = first.count
    let (sx, sy) = (Statistics.deviation(first), Statistics.deviation(second))
    guard count > neighbours, sx > 0, sy > 0 else { return nil }
    // In the order of x, neighbours in the plane are found by walking outwards.
    let order = Statistics.sortedOrder(first)
    let x = order.map { first[$0] / sx }
    let y = order.map { second[$0] / sy }
    let sortedY = y.sorted()
    var sum = 0.0
    var nearest = [Double](repeating: .infinity, count: neighbours)
    for index in 0..<count {
      for place in nearest.indices { nearest[place] = .infinity }
      var left = index - 1
      var right = index + 1
      while true {
        let toLeft = left >= 0 ? x[index] - x[left] : .infinity
        let toRight = right < count ? x[right] - x[index] : .infinity
        let along = min(toLeft, toRight)
        guard along < nearest[neighbours - 1] else { break }
        let other = toLeft <= toRight ? left : right
        if toLeft <= toRight { left -= 1 } else { right += 1 }
        let distance = max(along, abs(y[other] - y[index]))
        guard distance < nearest[neighbours - 1] else { continue }
        var place = neighbours - 1
        while place > 0, nearest[place - 1] > distance {
          nearest[place] = nearest[place - 1]
          place -= 1
        }
        nearest[place] = distance
      }
      // Strictly nearer than the k-th neighbour; the point itself is among them.
      let radius = nearest[neighbours - 1].nextDown
      sum += Statistics.digamma(Double(within(x, x[index], radius)))
      sum += Statistics.digamma(Double(within(sortedY, y[index], radius)))
    }
    let n = Double(count)
    return max(0, Statistics.digamma(n) + Statistics.digamma(Double(neighbours)) - sum / n)
  }

  /// How many of the sorted values lie within `radius` of `centre`.
  private static func within(_ sorted: [Double], _ centre: Double, _ radius: Double) -> Int {
    max(1, bound(sorted) { $0 - centre > radius } - bound(sorted) { centre - $0 <= radius })
  }

  /// The first place where a condition that stays true becomes true.
  private static func bound(_ sorted: [Double], _ holds: (Double) -> Bool) -> Int {
    var low = 0
    var high = sorted.count
    while low < high {
      let middle = (low + high) / 2
      if holds(sorted[middle]) { high = middle } else { low = middle + 1 }
    }
    return low
  }
}
