/// What is odd about the values that a lag and a dimension were chosen from.
enum ValueRemarks {
  /// Remarks on few distinct values, whose neighbours coincide and are passed over, and on values far
  /// outside the others, as codes for missing ones are.
  static func remarks(
    _ x: UnsafeBufferPointer<Double>, _ episodes: Episodes, lag: Int, dimension: Int
  ) -> [String] {
    let rows = episodes.runs.flatMap { Array($0) }
    guard rows.count > 20 else { return [] }
    let sorted = rows.map { x[$0] }.sorted()
    var remarks: [String] = []
    let distinct = 1 + zip(sorted, sorted.dropFirst()).count { $0 != $1 }
    if 2 * distinct < sorted.count {
      let share = coincidences(x, episodes, lag: lag, dimension: max(dimension, 2))
      remarks.append(
        "\(distinct) distinct values in \(sorted.count) rows: of vectors of \(max(dimension, 2)) coordinates "
          + "\(Int((100 * share).rounded())) % coincide with another and are passed over, so the dimension may "
          + "come out too low; take values that are not rounded, or give the dimension")
    }
    let (low, high) = (sorted[sorted.count / 100], sorted[sorted.count - 1 - sorted.count / 100])
    let most = 20 * (high - low)
    let far = sorted.count { $0 < low - most || $0 > high + most }
    if far > 0, high > low {
      let odd =
        low - sorted[0] > sorted[sorted.count - 1] - high ? sorted[0] : sorted[sorted.count - 1]
      remarks.append(
        "\(far) of \(sorted.count) values lie far outside the others, as \(odd): if that is a code for a "
          + "missing value, say so when converting")
    }
    return remarks
  }

  /// The share of delay vectors that are equal to another one.
  private static func coincidences(
    _ x: UnsafeBufferPointer<Double>, _ episodes: Episodes, lag: Int, dimension: Int
  ) -> Double {
    var seen: [[Double]: Int] = [:]
    var total = 0
    for run in episodes.runs {
      let end = run.upperBound - (dimension - 1) * lag
      for row in run.lowerBound..<max(end, run.lowerBound) {
        seen[(0..<dimension).map { x[row + $0 * lag] }, default: 0] += 1
        total += 1
      }
    }
    let repeated = seen.values.filter { $0 > 1 }.reduce(0, +)
    return total > 0 ? Double(repeated) / Double(total) : 0
  }
}
