import CPlatform
import TrajpackFormat

/// Quantiles of a sequence of finite values: exact up to ``exactCount`` of them; beyond, from some of the values
/// that stand for their neighbours, with a rank that is off by less than 0.1 % in the worst case.
///
/// Values are sorted in buffers of k = ``width``. Of two buffers in which each value stands for w, every second
/// value of both together is kept and stands for 2w (Munro and Paterson 1980; Manku, Rajagopalan and Lindsay 1998:
/// MRL). That moves a rank by at most w, and of n values it happens at most n / (2 k w) times for each w, so by
/// n / (2 k) a level: of fewer than 2^46 values, which make at most 32 levels, by less than n / 1000. Which half is
/// kept changes from turn to turn, so that most of the errors cancel out. Nothing is drawn at random.
package struct QuantileSketch: Sendable {
  /// Values of a buffer.
  package static let width = 16_384
  /// Values up to which nothing is left out.
  package static let exactCount = 100_000

  /// Values that fill no buffer, in their order.
  private var rest: [Double] = []
  /// For each level h, sorted buffers in which each value stands for 2^h.
  private var levels: [[[Double]]] = []
  /// For each level, whether the values at odd places are kept next.
  private var keepsOdd: [Bool] = []
  /// Buffers that were filled and not sorted yet, in their order.
  private var unsorted: [[Double]] = []

  /// The values.
  package private(set) var count = 0

  /// Of no values.
  package init() {}

  /// Whether quantiles are those of all values.
  package var isExact: Bool { levels.count <= 1 }

  /// Adds finite values. Buffers that become full are left unsorted, until ``settle(_:)``.
  package mutating func append(_ values: UnsafeBufferPointer<Double>) {
    count += values.count
    var at = 0
    while at < values.count {
      let part = min(values.count - at, Self.width - rest.count)
      rest.append(contentsOf: values[at..<at + part])
      at += part
      if rest.count == Self.width {
        unsorted.append(rest)
        rest.removeAll(keepingCapacity: true)
      }
    }
  }

  /// The full buffers that are not sorted yet; whoever takes them gives them back, sorted, to ``settle(_:)``.
  package mutating func takeUnsorted() -> [[Double]] {
    defer { unsorted = [] }
    return unsorted
  }

  /// Takes sorted buffers, in their order, and leaves out what has become too many.
  package mutating func settle(_ sorted: [[Double]]) {
    for buffer in sorted { add(buffer, level: 0) }
    settle()
  }

  /// Adds what another sketch has kept.
  package mutating func merge(_ other: Self) {
    var other = other
    other.settle(other.takeUnsorted().map(Self.sorted))
    settle(takeUnsorted().map(Self.sorted))
    for (level, buffers) in other.levels.enumerated() {
      for buffer in buffers { add(buffer, level: level) }
    }
    count += other.count - other.rest.count
    other.rest.withUnsafeBufferPointer { append($0) }
    settle(takeUnsorted().map(Self.sorted))
  }

  /// A buffer, sorted.
  package static func sorted(_ buffer: [Double]) -> [Double] {
    var buffer = buffer
    let count = buffer.count
    withUnsafeTemporaryAllocation(of: Double.self, capacity: count) { room in
      buffer.withUnsafeMutableBufferPointer {
        tp_sort_doubles($0.baseAddress, room.baseAddress, count)
      }
    }
    return buffer
  }

  private mutating func add(_ buffer: [Double], level: Int) {
    while levels.count <= level {
      levels.append([])
      keepsOdd.append(false)
    }
    levels[level].append(buffer)
  }

  /// Halves buffers, two by two, from the lowest level up; not while all values are few.
  private mutating func settle() {
    guard count > Self.exactCount || levels.count > 1 else { return }
    var level = 0
    while level < levels.count {
      while levels[level].count >= 2 {
        let (a, b) = (levels[level][0], levels[level][1])
        levels[level].removeFirst(2)
        let isOdd = keepsOdd[level]
        keepsOdd[level].toggle()
        add(
          [Double](unsafeUninitializedCapacity: Self.width) { out, used in
            tp_halve_sorted(a, b, Self.width, isOdd ? 1 : 0, out.baseAddress)
            used = Self.width
          }, level: level + 1)
      }
      level += 1
    }
  }

  /// The quantiles at probabilities from 0 to 1: linear between neighbours in order, as numpy's default. Where
  /// values stand for others, each counts as so many equal ones. Empty without values.
  package func quantiles(_ probabilities: [Double]) -> [Double] {
    guard count > 0 else { return [] }
    var buffers = (unsorted + [rest]).map { (values: Self.sorted($0), weight: 1) }
    for (level, sorted) in levels.enumerated() {
      buffers += sorted.map { ($0, 1 << level) }
    }
    buffers.removeAll { $0.values.isEmpty }
    let low = buffers.map { $0.values[0] }.min() ?? 0
    let high = buffers.map { $0.values[$0.values.count - 1] }.max() ?? 0
    return probabilities.map { p in
      let place = p * Double(count - 1)
      let first = min(Int(place), count - 1)
      let a = Self.value(at: first, of: buffers, from: low, to: high)
      let b = Self.value(at: min(first + 1, count - 1), of: buffers, from: a, to: high)
      let share = place - Double(first)
      // numpy's rule (`_lerp`): from the nearer end, so that equal neighbours give themselves.
      let width = b - a
      guard width.isFinite else { return a * (1 - share) + b * share }
      return share < 0.5 ? a + width * share : b - width * (1 - share)
    }
  }

  /// The value at a place in the order of all, counted from 0: the least of which so many are at most as large,
  /// found by halving the numbers between two.
  private static func value(
    at place: Int, of buffers: [(values: [Double], weight: Int)], from low: Double,
    to high: Double
  ) -> Double {
    var (low, high) = (key(low), key(high))
    while low < high {
      let middle = low + (high - low) / 2
      let value = number(middle)
      var count = 0
      for buffer in buffers { count += buffer.weight * buffer.values.count(upTo: value) }
      if count > place { high = middle } else { low = middle + 1 }
    }
    // Not a negative zero.
    return number(low) + 0
  }

  /// Numbers as integers in the same order, and back.
  private static func key(_ value: Double) -> UInt64 {
    let bits = value.bitPattern
    return bits >> 63 == 1 ? ~bits : bits | 1 << 63
  }

  private static func number(_ key: UInt64) -> Double {
    Double(bitPattern: key >> 63 == 1 ? key & ~(1 << 63) : ~key)
  }
}

extension [Double] {
  /// How many of sorted numbers are at most `value`.
  fileprivate func count(upTo value: Double) -> Int {
    var (low, high) = (0, count)
    while low < high {
      let middle = (low + high) / 2
      if self[middle] <= value { low = middle + 1 } else { high = middle }
    }
    return low
  }
}
