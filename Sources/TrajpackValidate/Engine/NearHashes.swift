/// Hashes of windows of a few columns, rounded to about a hundredth of their range: rows that were rounded, stored in another type or have a little noise give
/// mostly the same hashes. Windows of 16 rows are taken whose middle row is an extreme of a column, wherever
/// they lie; of each the rows 0, 5, 10 and 15 are hashed, in steps of about a hundredth of the window's range.
struct NearHashes {
  private static let length = 16
  private static let hashed = [0, 5, 10, 15]
  private static let middle = 8
  /// Rows around the middle one that it is compared with.
  private static let around = [1, 2, 4, 6]

  private var smallest = SmallestHashes()
  /// Hashes that came twice: a signal that repeats itself looks alike in every recording.
  private var repeated: Set<UInt64> = []
  private let count: Int
  /// Of each column the last rows, twice one behind the other, so that they always lie side by side.
  private var rows: [Double]
  private var filled = 0

  init(columns count: Int) {
    self.count = count
    rows = Array(repeating: 0, count: count * 2 * Self.length)
  }

  /// Adds a row of each column.
  mutating func add(_ row: Int, of columns: [UnsafePointer<Double>]) {
    let at = filled % Self.length
    for (c, column) in columns.enumerated() {
      let first = c * 2 * Self.length
      rows[first + at] = column[row]
      rows[first + at + Self.length] = column[row]
    }
    filled += 1
    guard filled >= Self.length else { return }
    let hash = rows.withUnsafeBufferPointer { Self.hash($0, from: at + 1, columns: count) }
    guard let hash, !smallest.add(hash) else { return }
    if repeated.count == WindowHashes.most { repeated = repeated.filter(smallest.list.contains) }
    repeated.insert(hash)
  }

  /// The smallest hashes that came once, in order.
  var list: [UInt64] { smallest.list.filter { !repeated.contains($0) } }

  /// The hash of a window; `nil` where it is none that is taken.
  private static func hash(
    _ rows: UnsafeBufferPointer<Double>, from first: Int, columns count: Int
  ) -> UInt64? {
    let windows = (0..<count).lazy.map {
      UnsafeBufferPointer(
        rebasing: rows[$0 * 2 * length + first..<$0 * 2 * length + first + length])
    }
    guard windows.contains(where: { isExtreme($0) }) else { return nil }
    var hash: UInt64 = 0
    var moves = false
    for window in windows {
      var (low, high, sum) = (window[0], window[0], 0.0)
      for value in window { (low, high, sum) = (min(low, value), max(high, value), sum + value) }
      guard sum.isFinite else { return nil }
      let (range, size) = (high - low, max(high, -low))
      // A column that hardly moves is hashed by where it is. Counts look alike everywhere, and tell nothing.
      let isMoving = range > size * 0x1p-14
      moves = moves || isMoving && window.contains { $0 != $0.rounded(.towardZero) }
      let exponent = isMoving ? (1.37 * range).exponent - 7 : size > 0 ? size.exponent - 10 : 0
      guard (-1000...1000).contains(exponent) else { return nil }
      let scale = Double(sign: .plus, exponent: -exponent, significand: 1)
      mix(&hash, exponent)
      // The offset keeps short decimals away from the border between two steps.
      for row in hashed { mix(&hash, Int((window[row] * scale + 0.381_966).rounded(.down))) }
    }
    return moves ? WindowHashes.mixed(hash) : nil
  }

  private static func isExtreme(_ window: UnsafeBufferPointer<Double>) -> Bool {
    let value = window[middle]
    if value > window[middle - 1] {
      return around.allSatisfy { value > window[middle - $0] && value >= window[middle + $0] }
    }
    return value < window[middle - 1]
      && around.allSatisfy { value < window[middle - $0] && value <= window[middle + $0] }
  }

  private static func mix(_ hash: inout UInt64, _ value: Int) {
    hash = (hash ^ UInt64(bitPattern: Int64(value))) &* 0x9e37_79b9_7f4a_7c15
    hash ^= hash >> 29
  }
}
