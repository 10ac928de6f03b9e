import Glibc
import TrajpackFormat

/// A partition of the line into parts that look uniform inside.
struct Bisection: ~Copyable {
  /// Rows in each part.
  private(set) var sizes: [Int] = []
  /// Upper end of each part.
  private var ends: [Double] = []
  private let rows: Scratch<UInt16>
  private let columns: Scratch<UInt16>
  private let pairs: [(from: Int, to: Int, count: Int)]
  private let counts: JointCounts

  /// - Throws: `.usage` where no row has every lag or more than 256 parts appear.
  init(_ series: borrowing Series, _ maxLag: Int) throws(TrajpackError) {
    // Heads: the rows of each run that have every lag after them, numbered from 0.
    var heads: [Int32] = []
    var pairs: [(from: Int, to: Int, count: Int)] = []
    for run in series.runs where run.count > maxLag {
      pairs.append((heads.count, run.lowerBound, run.count - maxLag))
      for i in run.lowerBound..<run.upperBound - maxLag { heads.append(Int32(i)) }
    }
    self.pairs = pairs
    let x = series.x.pointer
    let order = (0..<heads.count).sorted { a, b in
      let (p, q) = (x[Int(heads[a])], x[Int(heads[b])])
      return p != q ? p < q : a < b
    }
    let sorted = order.map { x[Int(heads[$0])] }
    var sizes: [Int] = []
    var ends: [Double] = []
    Self.halve(sorted[...], &sizes, &ends)
    guard sizes.count <= 256 else {
      throw TrajpackError(
        .usage, "the series falls into \(sizes.count) parts, over 256: use equal bins")
    }
    (self.sizes, self.ends) = (sizes, ends)
    counts = JointCounts(sizes.count)
    rows = Scratch(heads.count)
    columns = Scratch(series.count)
    var (part, left) = (0, sizes.first ?? 0)
    for i in order {
      while left == 0 {
        part += 1
        left = sizes[part]
      }
      rows[i] = UInt16(part * sizes.count)
      left -= 1
    }
    // A value on an end belongs below it; the last part takes all the rest.
    for i in 0..<series.count {
      var (low, high) = (0, sizes.count - 1)
      while low < high {
        let middle = (low + high) / 2
        if x[i] > ends[middle] { low = middle + 1 } else { high = middle }
      }
      columns[i] = UInt16(low)
    }
  }

  private static func halve(_ x: ArraySlice<Double>, _ sizes: inout [Int], _ ends: inout [Double]) {
    if isUniform(x) {
      sizes.append(x.count)
      ends.append(x.last ?? 0)
    } else {
      let half = x.startIndex + x.count / 2
      halve(x[..<half], &sizes, &ends)
      halve(x[half...], &sizes, &ends)
    }
  }

  /// χ² over four parts (two below 20 values) at p = 0.1; fewer than 10 values are uniform.
  private static func isUniform(_ x: ArraySlice<Double>) -> Bool {
    let n = x.count
    guard n >= 10, let low = x.first, let high = x.last else { return true }
    let (parts, critical) = n < 20 ? (2, 2.706) : (4, 6.251)
    let width = (high - low) / Double(parts)
    let expected = (Double(n) / Double(parts)).rounded(.toNearestOrEven)
    var first = x.startIndex
    var statistic = 0.0
    for i in 1...parts {
      let edge = low + Double(i) * width
      var (a, b) = (first, x.endIndex)
      while a < b {
        let middle = (a + b) / 2
        if x[middle] <= edge { a = middle + 1 } else { b = middle }
      }
      let difference = Double(a - first) - expected
      statistic += difference * difference / expected
      if a == x.endIndex { break }
      first = a
    }
    return statistic < critical
  }

  func information(_ maxLag: Int) -> [Double] {
    (0...maxLag).map { lag in
      counts.clear()
      for pair in pairs {
        counts.add(rows.pointer + pair.from, columns.pointer + pair.to + lag, pair.count)
      }
      return counts.information(marginals: sizes)
    }
  }
}

/// ``kraskovInformation(_:neighbours:)`` of a series and itself at each lag, in bits.
func kraskov(
  _ series: borrowing Series, _ maxLag: Int, _ k: Int,
  _ pause: () throws(TrajpackError) -> Void
) throws(TrajpackError) -> [Double] {
  guard k >= 1, k < 64 else {
    throw TrajpackError(.usage, "\(k) neighbours: give 1 to 63")
  }
  var result: [Double] = []
  for lag in 0...maxLag {
    try pause()
    let count = series.runs.reduce(0) { $0 + max($1.count - lag, 0) }
    guard count > k else {
      throw TrajpackError(.usage, "lag \(lag) leaves \(count) pairs for \(k) neighbours")
    }
    let points = Scratch<Double>(2 * count)
    var next = 0
    for run in series.runs where run.count > lag {
      for i in run.lowerBound..<run.upperBound - lag {
        points[2 * next] = series.x[i]
        points[2 * next + 1] = series.x[i + lag]
        next += 1
      }
    }
    let pairs = UnsafeBufferPointer(start: points.pointer, count: 2 * count)
    result.append(kraskovInformation(pairs, neighbours: k) / log(2))
  }
  return result
}
