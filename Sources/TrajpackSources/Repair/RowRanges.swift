/// Ranges of rows, in order and apart.
struct RowRanges: Sendable, Equatable {
  private(set) var ranges: [Range<Int>] = []

  init(_ ranges: [Range<Int>] = []) {
    for range in ranges.sorted(by: { $0.lowerBound < $1.lowerBound }) where !range.isEmpty {
      if let last = self.ranges.last, last.upperBound >= range.lowerBound {
        self.ranges[self.ranges.count - 1] =
          last.lowerBound..<max(last.upperBound, range.upperBound)
      } else {
        self.ranges.append(range)
      }
    }
  }

  var isEmpty: Bool { ranges.isEmpty }
  var count: Int { ranges.reduce(0) { $0 + $1.count } }

  func union(_ other: RowRanges) -> RowRanges { RowRanges(ranges + other.ranges) }

  /// The parts of `rows` in turn: each with whether it lies in the ranges.
  func parts(of rows: Range<Int>) -> [(rows: Range<Int>, isInside: Bool)] {
    var out: [(Range<Int>, Bool)] = []
    var next = rows.lowerBound
    for range in ranges {
      let own = range.clamped(to: rows)
      guard !own.isEmpty else { continue }
      if next < own.lowerBound { out.append((next..<own.lowerBound, false)) }
      out.append((own, true))
      next = own.upperBound
    }
    if next < rows.upperBound { out.append((next..<rows.upperBound, false)) }
    return out
  }

  /// The rows of `rows` that lie in none of the ranges.
  func others(in rows: Range<Int>) -> [Int] {
    parts(of: rows).filter { !$0.isInside }.flatMap { Array($0.rows) }
  }
}
