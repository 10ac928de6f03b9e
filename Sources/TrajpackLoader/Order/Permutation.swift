import TrajpackFormat

/// A pseudo-random permutation of `0..<count` that needs no memory: place `i` is computed when asked.
///
/// A Feistel network of eight rounds (Luby, Rackoff 1988) over the smallest power of two that holds
/// `count`, with SplitMix64's finaliser as its round function; results outside are fed in again until
/// one is inside (cycle walking: Black, Rogaway 2002, section 3). Halves differ by a bit where the
/// number of bits is odd, so a place takes fewer than two walks on average.
public struct Permutation: Sendable {
  /// How many numbers it permutes.
  public let count: UInt64
  private let keys: SIMD8<UInt64>
  private let low: UInt64
  private let lowMask: UInt64
  private let highMask: UInt64

  /// The permutation of `0..<count` that `seed` stands for.
  public init(count: UInt64, seed: UInt64) {
    self.count = count
    let bits = UInt64(max(2, 64 - (max(count, 2) - 1).leadingZeroBitCount))
    low = bits - bits / 2
    lowMask = (1 << low) - 1
    highMask = (1 << (bits / 2)) - 1
    var keys = SIMD8<UInt64>()
    for i in 0..<8 { keys[i] = SplitMix64.mix(seed &+ UInt64(i + 1) &* SplitMix64.increment) }
    self.keys = keys
  }

  /// Which number lies at place `i`, below ``count``.
  public subscript(i: UInt64) -> UInt64 {
    if count < 2 { return i }
    var x = i
    repeat { x = forward(x) } while x >= count
    return x
  }

  /// The place at which number `x` lies.
  public func place(of x: UInt64) -> UInt64 {
    if count < 2 { return x }
    var i = x
    repeat { i = backward(i) } while i >= count
    return i
  }

  private func forward(_ x: UInt64) -> UInt64 {
    var (left, right) = (x >> low, x & lowMask)
    // The halves change places, and widths, in every round; after an even number they are back.
    for i in stride(from: 0, to: 8, by: 2) {
      left = (left ^ SplitMix64.mix(right ^ keys[i])) & highMask
      right = (right ^ SplitMix64.mix(left ^ keys[i + 1])) & lowMask
    }
    return left << low | right
  }

  private func backward(_ x: UInt64) -> UInt64 {
    var (left, right) = (x >> low, x & lowMask)
    for i in stride(from: 6, through: 0, by: -2) {
      right = (right ^ SplitMix64.mix(left ^ keys[i + 1])) & lowMask
      left = (left ^ SplitMix64.mix(right ^ keys[i])) & highMask
    }
    return left << low | right
  }
}

extension SplitMix64 {
  /// A seed for one purpose, made of others.
  static func seed(_ parts: UInt64...) -> UInt64 {
    parts.reduce(increment) { first(ofSeed: $0 ^ $1) }
  }
}
