import Glibc
import TrajpackFormat

/// The random numbers of bootstrap and Monte Carlo figures. The stream depends on the seed alone, so a figure
/// can be computed again.
struct Random {
  private var stream: SplitMix64

  init(seed: Int) { stream = SplitMix64(seed: UInt64(bitPattern: Int64(seed))) }

  /// The next 64 bits.
  mutating func next() -> UInt64 { stream.next() }

  /// A whole number from 0 up to `bound`, which must be positive; without bias (Lemire 2019).
  mutating func below(_ bound: Int) -> Int {
    let limit = UInt64(bound)
    while true {
      let (high, low) = next().multipliedFullWidth(by: limit)
      if low >= limit || low >= (0 &- limit) % limit { return Int(high) }
    }
  }

  /// A real number in [0, 1): 53 bits.
  mutating func unit() -> Double { Double(next() >> 11) * 0x1p-53 }

  /// A standard normal number: Box and Muller 1958, the cosine branch.
  mutating func normal() -> Double {
    let radius = (-2 * log(1 - unit())).squareRoot()
    return radius * cos(2 * .pi * unit())
  }
}
