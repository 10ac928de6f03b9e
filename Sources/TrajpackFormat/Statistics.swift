/// What is known of one component of a channel: moments and extremes of what was observed, and
/// estimates of its quantiles. Two of them merge into that of both.
public struct ComponentStatistics: Sendable, Equatable {
  /// The probabilities of ``quantiles``.
  public static let probabilities: [Double] = [0.01, 0.05, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95, 0.99]

  /// Finite values.
  public var count = 0
  /// Values that were not observed.
  public var missing = 0
  /// Infinite values; they enter nothing else.
  public var infinite = 0
  /// The smallest finite value.
  public var minimum = Double.infinity
  /// The largest finite value.
  public var maximum = -Double.infinity
  /// The mean of the finite values.
  public var mean = 0.0
  /// The sum of their squared distances from the mean.
  public var m2 = 0.0
  /// Quantiles at ``probabilities``; empty where none were gathered. They are exact for up to 1,024
  /// rows a shard, and beyond come from a sample of 1,024 rows, so that a rank is off by some 1.5 %. Of a
  /// component of many elements (the joints of a skeleton) each row gives one. Where shards merge, the
  /// values between two known quantiles are taken as evenly spread.
  public var quantiles: [Double] = []

  /// Of no values.
  public init() {}

  /// The standard deviation (of the population); `nil` without values.
  public var deviation: Double? { count > 0 ? (m2 / Double(count)).squareRoot() : nil }

  /// Whether the values vary no more than the rounding of their mean explains.
  public var isConstant: Bool {
    count > 0
      && (minimum == maximum
        || Self.isConstant(count: Double(count), mean: mean, variance: m2 / Double(count)))
  }

  /// scikit-learn's rule (`sklearn/preprocessing/_data.py`, `_is_constant_feature`): the variance of n equal
  /// values, as it is computed, is at most `n eps variance + (n mean eps)^2`.
  public static func isConstant(count n: Double, mean: Double, variance: Double) -> Bool {
    let bound = n * mean * Double.ulpOfOne
    return variance <= n * Double.ulpOfOne * variance + bound * bound
  }

  /// What a value is multiplied by after `center` is taken off, so that `spread` becomes 1: 1 where the
  /// values are constant, or where `spread` is 0 or no number. Every normalisation goes by this.
  public func scale(of spread: Double) -> Double {
    guard !isConstant, spread > 0, (1 / spread).isFinite, spread.isFinite else { return 1 }
    return 1 / spread
  }

  /// What is taken off a value: `center`, or the one value itself where there is only one, whose mean is
  /// rounded. So a constant becomes 0.
  public func shift(to center: Double) -> Double {
    count > 0 && minimum == maximum ? minimum : center
  }

  /// The share of values that were not observed.
  public var missingShare: Double {
    let all = Double(count) + Double(missing) + Double(infinite)
    return all > 0 ? Double(missing) / all : 0
  }

  /// Adds what `other` has seen (Chan, Golub, LeVeque 1979, eq. 1.5).
  public mutating func merge(_ other: ComponentStatistics) {
    if other.count > 0 {
      quantiles = Self.mixed(self, other)
      let total = Double(count) + Double(other.count)
      let delta = other.mean - mean
      m2 += other.m2 + delta * delta * (Double(count) / total) * Double(other.count)
      mean += delta * (Double(other.count) / total)
      count = Self.sum(count, other.count)
      minimum = min(minimum, other.minimum)
      maximum = max(maximum, other.maximum)
    }
    missing = Self.sum(missing, other.missing)
    infinite = Self.sum(infinite, other.infinite)
  }

  /// A sum of counts that come from files: it stays at the largest number rather than trap.
  private static func sum(_ a: Int, _ b: Int) -> Int {
    let (sum, overflow) = a.addingReportingOverflow(b)
    return overflow ? .max : sum
  }

  /// The share of values at most `x`, by a straight line between the known quantiles.
  func share(below x: Double) -> Double {
    if x < minimum { return 0 }
    if x >= maximum { return 1 }
    // The known points are the minimum, the quantiles and the maximum. Of those at or below x the last one counts:
    // equal quantiles are a jump, whose top counts.
    let i = quantiles.lastIndex { $0 <= x }
    let (low, from) = i.map { (quantiles[$0], Self.probabilities[$0]) } ?? (minimum, 0)
    let next = i.map { $0 + 1 } ?? 0
    let (high, to) =
      next < quantiles.count ? (quantiles[next], Self.probabilities[next]) : (maximum, 1)
    let width = high - low
    return width > 0 ? from + (to - from) * ((x - low) / width) : from
  }

  /// The quantiles of the mixture of two, found by bisection of the mixture's distribution.
  private static func mixed(_ a: Self, _ b: Self) -> [Double] {
    if a.count == 0 { return b.quantiles }
    guard !a.quantiles.isEmpty, !b.quantiles.isEmpty else { return [] }
    let weight = Double(a.count) / (Double(a.count) + Double(b.count))
    return probabilities.map { p in
      var low = min(a.minimum, b.minimum)
      var high = max(a.maximum, b.maximum)
      for _ in 0..<60 where low < high {
        let middle = low + (high - low) / 2
        if weight * a.share(below: middle) + (1 - weight) * b.share(below: middle) < p {
          low = middle
        } else {
          high = middle
        }
      }
      return high
    }
  }
}

/// Which numbers of a channel are one component of its statistics.
public enum StatisticsComponents {
  /// The components of a channel: for each, the elements of a row that belong to it. Points and
  /// directions of many (a skeleton's joints) are gathered by axis; of all else each element is its own.
  /// Channels without numbers to average have none.
  public static func components(of channel: Channel) -> [[Int]] {
    guard channel.type != .bytes else { return [] }
    let elements = channel.elements
    switch channel.kind {
    case .image, .depth: return [Array(0..<elements)]
    case .position, .direction:
      guard channel.shape.count >= 2, let axes = channel.shape.last else { break }
      return (0..<axes).map { axis in Array(stride(from: axis, to: elements, by: axes)) }
    default: break
    }
    return (0..<elements).map { [$0] }
  }

  /// How many components a channel has.
  public static func count(of channel: Channel) -> Int {
    guard channel.type != .bytes else { return 0 }
    switch channel.kind {
    case .image, .depth: return 1
    case .position where channel.shape.count >= 2, .direction where channel.shape.count >= 2:
      return channel.shape.last ?? 1
    default: return channel.elements
    }
  }

  /// A name for a component: the axis of a point, the index of an element, or nothing for a scalar.
  public static func name(_ component: Int, of channel: Channel) -> String {
    let count = count(of: channel)
    guard count > 1, component < count else { return "" }
    switch channel.kind {
    case .position where count == 3, .direction where count == 3:
      return ["x", "y", "z"][component]
    case .quaternion where count == 4:
      let order = Array(channel.convention("order") ?? "")
      return order.count == 4 ? String(order[component]) : String(component)
    case .intrinsics where count == 4: return ["fx", "fy", "cx", "cy"][component]
    default: return String(component)
    }
  }
}
