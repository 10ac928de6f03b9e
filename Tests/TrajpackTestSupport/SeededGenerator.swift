import TrajpackFormat

/// Random inputs that a seed brings back.
public struct SeededGenerator: RandomNumberGenerator {
  private var stream: SplitMix64

  /// A generator that always gives the same numbers for the same seed.
  public init(seed: UInt64) { stream = SplitMix64(seed: seed) }

  /// The next 64 random bits.
  public mutating func next() -> UInt64 { stream.next() }

  /// `count` random bytes; `alphabet` below 256 makes them compressible.
  public mutating func bytes(_ count: Int, alphabet: Int = 256) -> [UInt8] {
    (0..<count).map { _ in UInt8(Int.random(in: 0..<alphabet, using: &self)) }
  }
}
