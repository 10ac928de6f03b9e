import TrajpackFormat

/// Random numbers as a function of their place: word `i` of a stream needs no word before it, so a
/// recipe gives the same mask on any number of threads and in any order.
///
/// Philox-4×64 with ten rounds (Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", SC
/// 2011), key `(seed, stream)`, four words a counter, the first counter being 1: word for word
/// `numpy.random.Philox(key=[seed, stream]).random_raw(n)`.
public struct CounterRandom: Sendable, Hashable {
  /// The recipe's seed.
  public let seed: UInt64
  /// Which of its streams, usually the episode's number.
  public let stream: UInt64

  /// The stream of a seed.
  public init(seed: UInt64, stream: UInt64 = 0) {
    self.seed = seed
    self.stream = stream
  }

  /// Four words at once: words `4·block` to `4·block + 3`.
  @inline(__always)
  public func block(_ block: UInt64) -> SIMD4<UInt64> {
    var c = SIMD4<UInt64>(block &+ 1, block == .max ? 1 : 0, 0, 0)
    var (k0, k1) = (seed, stream)
    var round = 0
    while round < 10 {
      let a = c.x.multipliedFullWidth(by: 0xD2E7_470E_E14C_6C93)
      let b = c.z.multipliedFullWidth(by: 0xCA5A_8263_9512_1157)
      c = SIMD4(b.high ^ c.y ^ k0, b.low, a.high ^ c.w ^ k1, a.low)
      k0 &+= 0x9E37_79B9_7F4A_7C15
      k1 &+= 0xBB67_AE85_84CA_A73B
      round += 1
    }
    return c
  }

  /// Word `index` of the stream.
  public func word(_ index: Int) -> UInt64 { block(UInt64(index / 4))[index % 4] }

  /// A number from 0 to below 1 with 53 random bits, as numpy's `random()`.
  public func uniform(_ index: Int) -> Double { Self.uniform(word(index)) }

  @inline(__always) static func uniform(_ word: UInt64) -> Double {
    Double(word >> 11) * 0x1p-53
  }

  /// Uniforms 0 to `count - 1`.
  func fill(_ out: UnsafeMutablePointer<Double>, _ count: Int) {
    var i = 0
    while i < count {
      let words = block(UInt64(i / 4))
      for lane in 0..<min(4, count - i) { out[i + lane] = Self.uniform(words[lane]) }
      i += 4
    }
  }

  /// The numbers 0 to `count - 1` in the order of their words, equal words in their own order:
  /// `numpy.argsort(random_raw(count), kind="stable")`. Its prefixes are nested random subsets.
  public func permutation(_ count: Int) -> [Int] {
    var keys: [(UInt64, Int)] = []
    keys.reserveCapacity(count)
    for i in 0..<count { keys.append((word(i), i)) }
    keys.sort { $0.0 != $1.0 ? $0.0 < $1.0 : $0.1 < $1.1 }
    return keys.map(\.1)
  }

  /// A number from 0 to `bound - 1`: the high half of word times bound.
  func integer(_ index: Int, below bound: Int) -> Int {
    Int(word(index).multipliedFullWidth(by: UInt64(bound)).high)
  }
}

/// e to the power of `x` by additions and multiplications only, so that masks do not depend on the
/// C library's version: x = k·ln 2 + r, Taylor to degree 13; within two units in the last place.
func portableExp(_ x: Double) -> Double {
  if x.isNaN { return x }
  if x > 709 { return .infinity }
  if x < -708 { return 0 }
  let k = (x * 1.4426950408889634).rounded(.toNearestOrEven)
  let r = (x - k * 0.6931471803691238) - k * 1.9082149292705877e-10
  var sum = 1.0
  var n = 13.0
  while n >= 1 {
    sum = 1 + r / n * sum
    n -= 1
  }
  return sum * Double(sign: .plus, exponent: Int(k), significand: 1)
}

/// The sine of up to 2·10⁶ by additions and multiplications only: x = k·π + r with π in three parts
/// of which the first two have products with k that are exact, Taylor to degree 21.
func portableSine(_ x: Double) -> Double {
  let k = (x / Double.pi).rounded(.toNearestOrEven)
  let r =
    ((x - k * 3.1415926218032837) - k * 3.178650942459171e-08) - k * 1.2246467864107189e-16
  let square = r * r
  var sum = 1.0
  var n = 20.0
  while n >= 2 {
    sum = 1 - square / (n * (n + 1)) * sum
    n -= 2
  }
  return k.truncatingRemainder(dividingBy: 2) == 0 ? r * sum : -r * sum
}
