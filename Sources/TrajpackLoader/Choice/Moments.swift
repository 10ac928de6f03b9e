import Glibc

/// Count, sum, ends and spread of numbers, which join to those of all of them.
struct Moments: Sendable {
  var count = 0.0
  var sum = 0.0
  var low = Double.infinity
  var high = -Double.infinity
  /// The sum of squared distances from the mean.
  var spread = 0.0

  var mean: Double { sum / count }
  /// The standard deviation of the numbers as a whole (division by their count).
  var deviation: Double { (spread / count).squareRoot() }

  mutating func add(_ x: Double) { add(Moments(count: 1, sum: x, low: x, high: x)) }

  /// Joins others (Chan, Golub, LeVeque 1983).
  @inline(__always)
  mutating func add(_ other: Moments) {
    guard other.count > 0 else { return }
    if count > 0 {
      let way = other.sum / other.count - sum / count
      spread += other.spread + way * way * count * other.count / (count + other.count)
    } else {
      spread = other.spread
    }
    count += other.count
    sum += other.sum
    low = min(low, other.low)
    high = max(high, other.high)
  }
}

/// Moments of rows, such that those of any run of rows are found in few steps.
struct MomentTable {
  private var rows: [Moments] = []
  private var blocks: [Moments] = []
  private static let block = 64

  init(capacity: Int) {
    rows.reserveCapacity(capacity)
    blocks.reserveCapacity(capacity / Self.block + 1)
  }

  mutating func append(_ moments: Moments) {
    if rows.count % Self.block == 0 { blocks.append(Moments()) }
    rows.append(moments)
    blocks[blocks.count - 1].add(moments)
  }

  /// Adds those of rows `range` to `out`.
  func add(_ range: Range<Int>, to out: inout Moments) {
    var row = range.lowerBound
    while row < range.upperBound {
      if row % Self.block == 0, row + Self.block <= range.upperBound {
        out.add(blocks[row / Self.block])
        row += Self.block
      } else {
        out.add(rows[row])
        row += 1
      }
    }
  }
}
