import Glibc

/// Sums, means and order statistics.
enum Statistics {
  /// The mean; 0 of nothing.
  static func mean(_ values: some Collection<Double>) -> Double {
    values.isEmpty ? 0 : values.reduce(0, +) / Double(values.count)
  }

  /// The standard deviation with `n − correction` below the line; 0 where that is not positive.
  static func deviation(_ values: some Collection<Double>, correction: Int = 0) -> Double {
    guard values.count > correction else { return 0 }
    let centre = mean(values)
    let sum = values.reduce(0) { $0 + ($1 - centre) * ($1 - centre) }
    if sum.isNormal { return (sum / Double(values.count - correction)).squareRoot() }
    // All the same, or so far or near apart that their squares do not fit a float64.
    let scale = values.reduce(0) { max($0, abs($1 - centre)) }
    guard scale > 0, scale.isFinite else { return sum }
    let small = values.reduce(0) { $0 + ($1 - centre) / scale * (($1 - centre) / scale) }
    return scale * (small / Double(values.count - correction)).squareRoot()
  }

  /// Whether values are all the same, but for the rounding of their last bits.
  static func isConstant(_ values: some Collection<Double>) -> Bool {
    var (low, high) = (Double.infinity, -Double.infinity)
    for value in values { (low, high) = (min(low, value), max(high, value)) }
    return !(high - low > 0x1p-50 * max(abs(low), abs(high)))
  }

  /// The median: the mean of the two middle values when there is an even number.
  static func median(_ values: [Double]) -> Double? { quantile(values.sorted(), 0.5) }

  /// A quantile of sorted values, linear between order statistics (Hyndman and Fan type 7).
  static func quantile(_ sorted: [Double], _ fraction: Double) -> Double? {
    guard let last = sorted.last else { return nil }
    let place = fraction * Double(sorted.count - 1)
    let below = Int(place)
    guard below + 1 < sorted.count else { return last }
    return sorted[below] + (sorted[below + 1] - sorted[below]) * (place - Double(below))
  }

  /// The slope of the least-squares line of `y` on `x`; nil with fewer than two distinct `x`.
  static func slope(_ x: [Double], _ y: [Double]) -> Double? {
    guard x.count == y.count, x.count > 1 else { return nil }
    let meanX = mean(x)
    let meanY = mean(y)
    var square = 0.0
    var product = 0.0
    for (a, b) in zip(x, y) {
      square += (a - meanX) * (a - meanX)
      product += (a - meanX) * (b - meanY)
    }
    return square > 0 ? product / square : nil
  }

  /// Pearson's correlation; nil when a side is constant, or too large for a mean.
  static func pearson(_ x: [Double], _ y: [Double]) -> Double? {
    pearson(x, y, scaled: (1, 1)) ?? pearson(x, y, scaled: (size(x), size(y)))
  }

  /// The largest distance from the mean, by which squares of anything fit a float64.
  private static func size(_ values: [Double]) -> Double {
    let centre = mean(values)
    return values.reduce(0) { max($0, abs($1 - centre)) }
  }

  private static func pearson(
    _ x: [Double], _ y: [Double], scaled: (x: Double, y: Double)
  ) -> Double? {
    let meanX = mean(x)
    let meanY = mean(y)
    var xx = 0.0
    var yy = 0.0
    var xy = 0.0
    for index in 0..<min(x.count, y.count) {
      let a = (x[index] - meanX) / scaled.x
      let b = (y[index] - meanY) / scaled.y
      xx += a * a
      yy += b * b
      xy += a * b
    }
    let scale = (xx * yy).squareRoot()
    guard scale.isNormal, xy.isFinite else { return nil }
    return max(-1, min(1, xy / scale))
  }

  /// Ranks from 1, ties sharing their mean rank.
  static func ranks(_ values: [Double]) -> [Double] {
    let order = sortedOrder(values)
    var ranks = [Double](repeating: 0, count: values.count)
    var start = 0
    while start < order.count {
      var end = start + 1
      while end < order.count, values[order[end]] == values[order[start]] { end += 1 }
      let rank = Double(start + end + 1) / 2
      for place in start..<end { ranks[order[place]] = rank }
      start = end
    }
    return ranks
  }

  /// The indices that sort `values`, equal ones in their order.
  static func sortedOrder(_ values: [Double]) -> [Int] {
    var pairs = values.enumerated().map { (value: $1, index: $0) }
    pairs.sort { $0.value < $1.value || ($0.value == $1.value && $0.index < $1.index) }
    return pairs.map(\.index)
  }

  /// Kendall's τ-b in O(n log n): Knight, JASA 61 (1966); nil when a side is constant.
  static func kendall(_ x: [Double], _ y: [Double]) -> Double? {
    let n = min(x.count, y.count)
    guard n > 1 else { return nil }
    var pairs = (0..<n).map { (x: x[$0], y: y[$0]) }
    pairs.sort { $0.x < $1.x || ($0.x == $1.x && $0.y < $1.y) }
    var tiesX = 0
    var tiesBoth = 0
    var start = 0
    while start < n {
      var end = start + 1
      var run = start
      while end < n, pairs[end].x == pairs[start].x {
        if pairs[end].y != pairs[run].y {
          tiesBoth += (end - run) * (end - run - 1) / 2
          run = end
        }
        end += 1
      }
      tiesBoth += (end - run) * (end - run - 1) / 2
      tiesX += (end - start) * (end - start - 1) / 2
      start = end
    }
    var sequence = pairs.map(\.y)
    let swaps = countSwaps(&sequence)
    var tiesY = 0
    start = 0
    while start < n {
      var end = start + 1
      while end < n, sequence[end] == sequence[start] { end += 1 }
      tiesY += (end - start) * (end - start - 1) / 2
      start = end
    }
    let total = n * (n - 1) / 2
    let scale = Double(total - tiesX).squareRoot() * Double(total - tiesY).squareRoot()
    guard scale > 0 else { return nil }
    let score = Double(total - tiesX - tiesY + tiesBoth - 2 * swaps) / scale
    return max(-1, min(1, score))
  }

  /// Sorts by merging and counts the exchanges a bubble sort would make.
  private static func countSwaps(_ values: inout [Double]) -> Int {
    var source = values
    var target = values
    var swaps = 0
    var width = 1
    let n = values.count
    while width < n {
      var start = 0
      while start < n {
        let middle = min(start + width, n)
        let end = min(start + 2 * width, n)
        var left = start
        var right = middle
        for place in start..<end {
          if left < middle, right >= end || source[left] <= source[right] {
            target[place] = source[left]
            left += 1
          } else {
            target[place] = source[right]
            right += 1
            swaps += middle - left
          }
        }
        start = end
      }
      swap(&source, &target)
      width *= 2
    }
    values = source
    return swaps
  }

  /// The digamma function: recurrence to x ≥ 10, then the asymptotic series
  /// (Abramowitz and Stegun 6.3.5, 6.3.18).
  static func digamma(_ value: Double) -> Double {
    var x = value
    var shift = 0.0
    while x < 10 {
      shift -= 1 / x
      x += 1
    }
    let t = 1 / (x * x)
    let series =
      t * (1.0 / 12 - t * (1.0 / 120 - t * (1.0 / 252 - t * (1.0 / 240 - t * (5.0 / 660)))))
    return shift + log(x) - 0.5 / x - series
  }
}
