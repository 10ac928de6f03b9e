/// Hashes of windows of a few columns, rounded to about a hundredth of their range: rows that were rounded, stored in another type or have a little noise give
/// mostly the same hashes. Windows of 16 rows are taken whose middle row is an extreme of a column that moves, wherever
/// they lie; of each eight rows are hashed, in steps of about a hundredth of the window's range.
struct NearHashes {
  private static let length = 16
  /// Rows at unequal distances: a signal whose period is a few rows shows all of its phases.
  private static let hashed = [0, 1, 3, 4, 7, 10, 12, 15]
  private static let middle = 8
  /// Rows around the middle one that it is compared with.
  private static let around = [1, 2, 4, 6]
  /// A column rests in a window where it moves by less than its range in the track by this power of two: what moves there is noise, and a
  /// copy has another.
  private static let rest = 9

  /// The largest value that came, and the largest ``length`` rows or more away from it: a single wrong row has none beside it.
  private struct Extreme {
    private var most = -Double.infinity
    private var row = 0
    private(set) var next = -Double.infinity

    /// Adds the value of a row; whether ``next`` has changed.
    mutating func add(_ value: Double, row: Int) -> Bool {
      guard value > next else { return false }
      let isApart = row - self.row >= NearHashes.length
      if value > most {
        if isApart { next = most }
        (most, self.row) = (value, row)
      } else if isApart {
        next = value
      }
      return isApart
    }
  }
  /// The exponent of a column that rests.
  private static let resting = Int.max

  private var smallest = SmallestHashes()
  /// What is known of a window beside its hash.
  private struct Window {
    /// Of its columns.
    var exponents: [Int]
    /// The last one.
    var row = 0
    /// The first that has an extreme.
    var column: Int
    /// Values of its columns at some times from that extreme, which lies between rows.
    var shape: [Double]
    var peak: Double { shape[column * NearHashes.times.count + 2] }

    /// Whether it has the shape of another one, to a thirtieth or so of the range: rows may lie otherwise in it.
    func isLike(_ other: Window) -> Bool {
      guard column == other.column else { return false }
      for (c, exponent) in exponents.enumerated() where exponent != NearHashes.resting {
        let least = Double(sign: .plus, exponent: exponent - 5, significand: 1)
        for at in c * NearHashes.times.count..<(c + 1) * NearHashes.times.count
        where !((shape[at] - other.shape[at]).magnitude <= least) {
          return false
        }
      }
      return true
    }
  }
  /// Of each hash in ``smallest``.
  private var windows: [UInt64: Window] = [:]
  /// Their extremes, and how far from these others are the same.
  private var peaks: [(hash: UInt64, value: Double, around: Double)] = []
  /// Where a shape is taken, in rows from the extreme.
  private static let times = [-6.0, -3, 0, 3, 5]
  /// Hashes that came twice: a signal that repeats itself looks alike in every recording.
  private var repeated: Set<UInt64> = []
  private let count: Int
  /// Of each column the last rows, twice one behind the other, so that they always lie side by side.
  private var rows: [Double]
  private var filled = 0
  /// Of each column its ends, that of the negative values first, and the least exponent of a window in which it does not rest.
  private var ends: [(low: Extreme, high: Extreme)]
  private var least: [Int]

  init(columns count: Int) {
    self.count = count
    rows = Array(repeating: 0, count: count * 2 * Self.length)
    ends = Array(repeating: (Extreme(), Extreme()), count: count)
    least = Array(repeating: Int.min, count: count)
  }

  /// Adds a row of each column.
  mutating func add(_ row: Int, of columns: [UnsafePointer<Double>]) {
    let at = filled % Self.length
    for (c, column) in columns.enumerated() {
      let first = c * 2 * Self.length
      let value = column[row]
      rows[first + at] = value
      rows[first + at + Self.length] = value
      let isLower = ends[c].low.add(-value, row: filled)
      if ends[c].high.add(value, row: filled) || isLower { widen(c) }
    }
    filled += 1
    guard filled >= Self.length else { return }
    let found = rows.withUnsafeBufferPointer { hash($0, from: at + 1) }
    guard let (hash, window) = found else { return }
    for known in peaks where (known.value - window.peak).magnitude <= known.around {
      guard let other = windows[known.hash], other.row <= filled - Self.length,
        other.isLike(window)
      else { continue }
      repeats(known.hash)
      repeats(hash)
    }
    guard smallest.add(hash) else {
      repeats(hash)
      return
    }
    guard smallest.list.last.map({ hash <= $0 }) ?? false else { return }
    if windows.count == 2 * WindowHashes.most {
      let list = smallest.list
      windows = windows.filter { list.contains($0.key) }
    }
    windows[hash] = window
    windows[hash]?.row = filled
    notePeaks()
  }

  private mutating func notePeaks() {
    peaks = windows.map { hash, window in
      (
        hash, window.peak,
        Double(sign: .plus, exponent: window.exponents[window.column] - 5, significand: 1)
      )
    }
  }

  /// Notes that a window comes again.
  private mutating func repeats(_ hash: UInt64) {
    if repeated.count >= 2 * WindowHashes.most {
      repeated = repeated.filter(smallest.list.contains)
    }
    repeated.insert(hash)
  }

  /// Takes new ends of a column. Windows of noise from before the column moved are forgotten.
  private mutating func widen(_ column: Int) {
    let range = ends[column].high.next + ends[column].low.next
    guard range > 0, (1.37 * range).isFinite, Self.exponent(range) - Self.rest > least[column]
    else { return }
    least[column] = Self.exponent(range) - Self.rest
    for (hash, window) in windows where window.exponents[column] < least[column] {
      windows[hash] = nil
      smallest.remove(hash)
      repeated.remove(hash)
    }
    notePeaks()
  }

  /// The smallest hashes that came once, in order.
  var list: [UInt64] { smallest.list.filter { !repeated.contains($0) } }
  /// The last rows of the windows of ``list``.
  var lastRows: [Int] { list.map { windows[$0]?.row ?? 0 } }

  /// The hash of a window, and what is to be known of it; `nil` where it is none that is taken.
  private func hash(
    _ rows: UnsafeBufferPointer<Double>, from first: Int
  ) -> (hash: UInt64, window: Window)? {
    let windows = (0..<count).lazy.map {
      UnsafeBufferPointer(
        rebasing: rows[$0 * 2 * Self.length + first..<$0 * 2 * Self.length + first + Self.length])
    }
    guard windows.contains(where: { Self.isExtreme($0) }) else { return nil }
    var hash: UInt64 = 0
    var moves = false
    var first: Int?
    var exponents: [Int] = []
    for (c, window) in windows.enumerated() {
      var (low, high, sum) = (window[0], window[0], 0.0)
      for value in window { (low, high, sum) = (min(low, value), max(high, value), sum + value) }
      guard sum.isFinite else { return nil }
      let (range, size) = (high - low, max(high, -low))
      let exponent = range > size * 0x1p-14 ? Self.exponent(range) : Self.resting
      guard exponent != Self.resting, exponent >= least[c] else {
        exponents.append(Self.resting)
        Self.mix(&hash, Self.resting)
        continue
      }
      guard (-1000...1000).contains(exponent) else { return nil }
      exponents.append(exponent)
      if first == nil, Self.isExtreme(window) { first = c }
      // Counts look alike everywhere, and tell nothing.
      moves = moves || window.contains { $0 != $0.rounded(.towardZero) }
      let scale = Double(sign: .plus, exponent: 7 - exponent, significand: 1)
      Self.mix(&hash, exponent)
      // The offset keeps short decimals away from the border between two steps.
      for row in Self.hashed {
        Self.mix(&hash, Int((window[row] * scale + 0.381_966).rounded(.down)))
      }
    }
    guard moves, let first else { return nil }
    return (
      WindowHashes.mixed(hash),
      Window(exponents: exponents, column: first, shape: Self.shape(Array(windows), at: first))
    )
  }

  /// Values of columns at ``times`` from the extreme of one of them.
  private static func shape(_ windows: [UnsafeBufferPointer<Double>], at first: Int) -> [Double] {
    let (a, b, c) = (
      windows[first][middle - 1], windows[first][middle], windows[first][middle + 1]
    )
    let peak = Double(middle) + (a - c) / (2 * (a - 2 * b + c))
    var shape: [Double] = []
    shape.reserveCapacity(windows.count * times.count)
    for window in windows {
      for time in times {
        let at = min(max(Int(peak + time), 1), length - 3)
        let t = peak + time - Double(at)
        let (p, q, r, s) = (window[at - 1], window[at], window[at + 1], window[at + 2])
        // The cubic through four rows.
        let inner = (q * (1 - t) + r * t) * (1 + t) * (2 - t) / 2
        shape.append(inner - (p * (2 - t) + s * (1 + t)) * t * (1 - t) / 6)
      }
    }
    return shape
  }

  private static func exponent(_ range: Double) -> Int { Int((1.37 * range).exponent) }

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
