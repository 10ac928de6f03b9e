import TrajpackFormat

/// Draws of windows with replacement, each with the chance of its weight.
///
/// A draw is a pure function of one 64-bit number: a bisection of sums over every 64 windows, then a look at
/// 64 weights. Weights are kept as whole parts of the largest one, 2³¹ of them, so that sums are exact and
/// the same on every machine. Memory: 4.125 bytes a window.
struct WeightTable: Sendable {
  private let parts: [UInt32]
  /// The sum of the parts before each 64 windows.
  private let before: [UInt64]
  private let total: UInt64
  /// A number that another table hardly has.
  let digest: UInt64

  /// The table of some weights; the first that is below 0 or no number is an error.
  init(_ weights: UnsafeBufferPointer<Float>) throws(TrajpackError) {
    var largest: Float = 0
    for (window, weight) in weights.enumerated() {
      guard weight >= 0, weight.isFinite else {
        throw TrajpackError(
          .usage,
          "the weight of window \(window) is \(weight); weights are finite numbers from 0 up")
      }
      largest = max(largest, weight)
    }
    guard largest > 0, weights.count <= 1 << 31 else {
      throw TrajpackError(
        .usage,
        largest > 0
          ? "there are \(weights.count) windows, more than 'window_weights' can tell apart (2^31)"
          : "no window has a weight above 0, so that none can be drawn")
    }
    var parts: [UInt32] = []
    var before: [UInt64] = []
    parts.reserveCapacity(weights.count)
    var (total, digest): (UInt64, UInt64) = (0, SplitMix64.increment)
    for (window, weight) in weights.enumerated() {
      if window % 64 == 0 { before.append(total) }
      // A window that has a weight can be drawn, however small it is.
      let part = (Double(weight) / Double(largest) * 2_147_483_648).rounded()
      parts.append(weight > 0 ? UInt32(max(part, 1)) : 0)
      total += UInt64(parts[window])
      digest = SplitMix64.mix(digest ^ UInt64(parts[window]))
    }
    (self.parts, self.before, self.total, self.digest) = (parts, before, total, digest)
  }

  /// A number that the tables of other weights hardly have; 0 where there are none.
  static func digest(_ tables: [WeightTable?]) -> UInt64 {
    guard tables.contains(where: { $0 != nil }) else { return 0 }
    let mixed = tables.reduce(SplitMix64.increment) { SplitMix64.mix($0 ^ ($1?.digest ?? 0)) }
    return max(mixed, 1)
  }

  /// The window that a random number draws.
  func draw(_ random: UInt64) -> UInt64 {
    let place = random.multipliedFullWidth(by: total).high
    var (low, high) = (0, before.count)
    while high - low > 1 {
      let middle = (low + high) / 2
      if before[middle] <= place { low = middle } else { high = middle }
    }
    var left = place - before[low]
    var window = low * 64
    while left >= UInt64(parts[window]) {
      left -= UInt64(parts[window])
      window += 1
    }
    return UInt64(window)
  }
}
