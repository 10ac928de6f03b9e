import TrajpackFormat

/// Which data set each draw of a mixture comes from, at any place, without history.
///
/// The sequence is Tijdeman's (1980, "The chairman assignment problem"): at every prefix each data set is
/// less than one draw from its share. It repeats after as many draws as the shares have parts, so one
/// period is kept, with running counts at every 256th place.
public struct Mixture: Sendable {
  /// Parts of the whole that each data set has.
  public let shares: [UInt64]
  /// The sum of the parts: draws of a period.
  public let period: UInt64
  private let sequence: [UInt16]
  private let counts: [UInt32]
  private static let step = 256

  /// A mixture of data sets with weights, each positive.
  ///
  /// Weights that are fractions with a common denominator up to 4,096 are kept exactly, others in steps of
  /// 1/65,536.
  public init(weights: [Double]) {
    // Divided by the largest first, so that no sum is infinite.
    let largest = weights.max() ?? 1
    let sum = weights.reduce(0) { $0 + $1 / largest }
    let wanted = weights.map { $0 / largest / sum }
    shares = Self.shares(of: wanted)
    period = shares.reduce(0, +)
    let k = shares.count
    guard k > 1 else {
      sequence = []
      counts = []
      return
    }
    // Everything times 2(k - 1) · period, so that the comparisons are of whole numbers.
    let scale = Int64(2 * (k - 1))
    let whole = Int64(period)
    var given = [Int64](repeating: 0, count: k)
    var sequence: [UInt16] = []
    var counts: [UInt32] = []
    sequence.reserveCapacity(Int(period))
    for n in 0..<Int64(period) {
      if n % Int64(Self.step) == 0 { counts += given.map { UInt32($0) } }
      var best = -1
      var deadline = (Int64(0), Int64(1))
      for d in 0..<k {
        let due = scale * (Int64(shares[d]) * (n + 1) - given[d] * whole)
        guard due >= whole else { continue }
        let slack = (scale * whole - whole - due, Int64(shares[d]))
        if best < 0 || slack.0 * deadline.1 < deadline.0 * slack.1 { (best, deadline) = (d, slack) }
      }
      given[max(best, 0)] += 1
      sequence.append(UInt16(max(best, 0)))
    }
    self.sequence = sequence
    self.counts = counts
  }

  private static func shares(of weights: [Double]) -> [UInt64] {
    for parts in 1...4096 {
      let whole = weights.map { ($0 * Double(parts)).rounded() }
      let fits = zip(weights, whole).allSatisfy { abs($0 * Double(parts) - $1) < 1e-9 && $1 >= 1 }
      if fits { return whole.map { UInt64($0) } }
    }
    return weights.map { UInt64(max(($0 * 65536).rounded(), 1)) }
  }

  /// The data set of draw `place`, and how many draws it had before.
  public func draw(_ place: UInt64) -> (dataset: Int, number: UInt64) {
    let k = shares.count
    guard k > 1 else { return (0, place) }
    let (rounds, rest) = place.quotientAndRemainder(dividingBy: period)
    let at = Int(rest)
    let dataset = Int(sequence[at])
    let mark = at / Self.step
    var before = UInt64(counts[mark * k + dataset])
    for i in mark * Self.step..<at where Int(sequence[i]) == dataset { before += 1 }
    return (dataset, rounds * shares[dataset] + before)
  }
}
