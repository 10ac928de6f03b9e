import TrajpackFormat
import TrajpackSignal

/// Seeded numbers for laws.
struct Seeded: RandomNumberGenerator {
  private let random: CounterRandom
  private var place = 0

  init(_ seed: UInt64) { random = CounterRandom(seed: seed) }

  mutating func next() -> UInt64 {
    defer { place += 1 }
    return random.word(place)
  }

  mutating func values(_ count: Int) -> [Double] {
    (0..<count).map { _ in Double.random(in: -1...1, using: &self) }
  }
}

func rational(_ numerator: Int64, _ denominator: Int64 = 1) throws -> Rational {
  guard let value = Rational(numerator, denominator) else {
    throw TrajpackError(.usage, "not a fraction")
  }
  return value
}

func regular(_ rate: Rational, _ count: Int, start: Rational = .zero) throws -> Times {
  .regular(try RegularClock(start: start, rate: rate), count: count)
}

/// Resamples an array; NaN where missing.
func resampled(
  _ kind: Kind, _ values: [Double], components: Int = 1, from source: Times, to target: Times,
  method: ResampleMethod? = nil, antiAliasing: Bool = true
) throws -> (values: [Double], mask: [UInt8], report: FilterReport) {
  let resampler = try Resampler(
    kind, from: source, to: target, method: method, antiAliasing: antiAliasing)
  var out = [Double](repeating: 0, count: target.count * components)
  var mask = [UInt8](repeating: 9, count: out.count)
  try values.withUnsafeBufferPointer { values in
    try out.withUnsafeMutableBufferPointer { out in
      try mask.withUnsafeMutableBufferPointer { mask in
        try resampler.apply(values, components: components, into: out, mask: mask)
      }
    }
  }
  return (out, mask, resampler.report)
}
