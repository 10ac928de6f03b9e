import Glibc
import TrajpackFormat

/// A linear-phase FIR low-pass with a Kaiser window, split into the phases of a rate change.
///
/// The design is `scipy.signal.resample_poly`'s: half length 10·max(up, down), β = 5, the
/// windowed sinc of cut-off 1/max(up, down) scaled to unit gain at zero, times `up`.
public struct LowPass: Sendable {
  /// Interpolation factor, in lowest terms.
  public let up: Int
  /// Decimation factor, in lowest terms.
  public let down: Int
  /// Taps on either side of the middle, at the rate of `up` times the source's.
  public let halfLength: Int
  /// Shape of the Kaiser window.
  public let beta: Double
  /// Cut-off as a fraction of half the source's rate.
  public let cutoff: Double
  /// Taps a phase, a multiple of eight.
  let width: Int
  /// `up` phases of `width` taps, each reversed so that it runs along the source.
  let phases: [Double]

  /// The filter of a change of rate by `up / down`.
  ///
  /// - Throws: `.usage` for factors of zero or less, or beyond 100,000 in lowest terms.
  public init(up: Int, down: Int, beta: Double = 5) throws(TrajpackError) {
    guard up > 0, down > 0 else {
      throw TrajpackError(.usage, "a rate change of \(up)/\(down): give factors above 0")
    }
    let divisor = Int(greatestCommonDivisor(UInt(up), UInt(down)))
    let (u, d) = (up / divisor, down / divisor)
    guard max(u, d) <= 100_000 else {
      throw TrajpackError(
        .usage, "a rate change of \(u)/\(d) needs too long a filter: use simpler rates")
    }
    try self.init(up: u, down: d, halfLength: 10 * max(u, d), cutoff: 1 / Double(max(u, d)), beta)
  }

  /// A filter at the source's own rate, for outputs at arbitrary times.
  ///
  /// - Parameter cutoff: fraction of half the source's rate that passes, above 0 and at most 1.
  public init(cutoff: Double, beta: Double = 5) throws(TrajpackError) {
    guard cutoff > 1e-5, cutoff <= 1 else {
      throw TrajpackError(.usage, "a cut-off of \(cutoff): give a fraction from 0.00001 to 1")
    }
    let half = Int((10 / cutoff).rounded(.up))
    try self.init(up: 1, down: 1, halfLength: half, cutoff: cutoff, beta)
  }

  private init(
    up: Int, down: Int, halfLength: Int, cutoff: Double, _ beta: Double
  ) throws(TrajpackError) {
    guard beta >= 0, beta <= 100 else {
      throw TrajpackError(.usage, "a Kaiser window of beta \(beta): give 0 to 100")
    }
    self.up = up
    self.down = down
    self.halfLength = halfLength
    self.beta = beta
    self.cutoff = cutoff * Double(up)
    let count = 2 * halfLength + 1
    var taps = [Double](repeating: 0, count: count)
    var sum = 0.0
    for i in 0..<count {
      let place = Double(i - halfLength)
      let z = place / Double(halfLength)
      let window = besselI0(beta * max(1 - z * z, 0).squareRoot()) / besselI0(beta)
      let angle = Double.pi * cutoff * place
      taps[i] = cutoff * (place == 0 ? 1 : sin(angle) / angle) * window
      sum += taps[i]
    }
    // Padded to a multiple of eight with zero taps, which apply to the oldest samples.
    width = ((count + up - 1) / up + 7) / 8 * 8
    var phases = [Double](repeating: 0, count: up * width)
    for i in 0..<count {
      phases[(i % up) * width + (width - 1 - i / up)] = taps[i] / sum * Double(up)
    }
    self.phases = phases
  }

  /// Rows out of `rows` rows in: ⌈rows · up / down⌉.
  public func outputRows(_ rows: Int) -> Int { (rows * up + down - 1) / down }
}

/// Modified Bessel function of the first kind and order zero, by its power series.
func besselI0(_ x: Double) -> Double {
  let quarter = x * x / 4
  var term = 1.0
  var sum = 1.0
  var k = 1.0
  while term > sum * 1e-17 {
    term *= quarter / (k * k)
    sum += term
    k += 1
  }
  return sum
}
