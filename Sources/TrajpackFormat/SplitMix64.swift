/// The random stream of a seed, SplitMix64 (Steele, Lea and Flood, OOPSLA 2014): 64 bits a step, the same on
/// every machine.
package struct SplitMix64: RandomNumberGenerator, Sendable {
  private var state: UInt64

  package init(seed: UInt64) { state = seed }

  /// The next 64 bits.
  package mutating func next() -> UInt64 {
    state &+= Self.increment
    return Self.mix(state)
  }

  /// What the state grows by in a step: 2⁶⁴ divided by the golden ratio, made odd.
  @inlinable
  package static var increment: UInt64 { 0x9E37_79B9_7F4A_7C15 }

  /// The output of a state: a permutation of the 64-bit numbers that makes near ones far apart.
  @inlinable @inline(__always)
  package static func mix(_ x: UInt64) -> UInt64 {
    var z = x
    z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
    z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
    return z ^ (z >> 31)
  }

  /// The first 64 bits of the stream that `seed` begins: a hash of a number.
  @inlinable @inline(__always)
  package static func first(ofSeed seed: UInt64) -> UInt64 { mix(seed &+ increment) }
}
