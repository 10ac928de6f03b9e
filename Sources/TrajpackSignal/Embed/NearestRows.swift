/// For each row of a table, row after row in `values`, the nearest other row under the Euclidean distance that is
/// more than `window` rows away (Theiler window) and at a positive distance; -1 where there is none. All values
/// must be finite.
package func nearestRows(
  _ values: UnsafeBufferPointer<Double>, rows: Int, columns: Int, window: Int
) -> [Int32] {
  guard let base = values.baseAddress, rows > 0, columns > 0 else {
    return [Int32](repeating: -1, count: rows)
  }
  let points = StridedPoints(
    base: base, row: columns, column: 1, dimension: columns, rows: [0..<rows])
  return NeighbourTree(points, metric: .euclidean)
    .allNearest(1, window: window, skipsZero: true).indices
}

/// Mutual information of two columns of pairs in nats: Kraskov, Stögbauer and Grassberger, Phys. Rev. E 69 (2004),
/// algorithm 1: ψ(k) + ψ(N) − ⟨ψ(n_x + 1) + ψ(n_y + 1)⟩, where n_x counts the points strictly closer than the
/// k-th joint neighbour (maximum norm). It can be a little below 0.
///
/// - Parameters:
///   - pairs: x and y of each point in turn, all finite.
///   - k: the neighbours, fewer than there are points.
package func kraskovInformation(_ pairs: UnsafeBufferPointer<Double>, neighbours k: Int) -> Double {
  let count = pairs.count / 2
  guard let base = pairs.baseAddress, count > k else { return 0 }
  let view = StridedPoints(base: base, row: 2, column: 1, dimension: 2, rows: [0..<count])
  let near = NeighbourTree(view, metric: .maximum).allNearest(k, window: 0)
  let xs = (0..<count).map { pairs[2 * $0] }.sorted()
  let ys = (0..<count).map { pairs[2 * $0 + 1] }.sorted()
  var digamma = [Double](repeating: -0.577215664901532860606512, count: count + 2)
  for i in 2..<count + 2 { digamma[i] = digamma[i - 1] + 1 / Double(i - 1) }
  var sum = 0.0
  for i in 0..<count {
    let reach = near.distances[i * k + k - 1]
    let nx = closer(xs, pairs[2 * i], reach)
    let ny = closer(ys, pairs[2 * i + 1], reach)
    sum += digamma[nx + 1] + digamma[ny + 1]
  }
  return digamma[k] + digamma[count] - sum / Double(count)
}

/// How many other values lie strictly within `reach` of one of them.
private func closer(_ sorted: [Double], _ value: Double, _ reach: Double) -> Int {
  sorted.withUnsafeBufferPointer { sorted in
    func first(_ holds: (Double) -> Bool) -> Int {
      var (low, high) = (0, sorted.count)
      while low < high {
        let middle = (low + high) / 2
        if holds(sorted[middle]) { high = middle } else { low = middle + 1 }
      }
      return low
    }
    let from = first { $0 > value || value - $0 < reach }
    let to = first { $0 > value && $0 - value >= reach }
    return max(to - from - 1, 0)
  }
}
