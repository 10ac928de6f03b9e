import Glibc

/// The random numbers of bootstrap and Monte Carlo figures: SplitMix64 (Steele, Lea and Flood,
/// OOPSLA 2014). The stream depends on the seed alone, so a figure can be computed again.
struct Random {
  private var state: UInt64

  init(seed: Int) { state = UInt64(bitPattern: Int64(seed)) }

  /// The next 64 bits.
  mutating func next() -> UInt64 {
    state &+= 0x9E37_79B9_7F4A_7C15
    var z = state
    z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
    z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
    return z ^ (z >> 31)
  }

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
