import TrajpackFormat

extension Missingness {
  /// The mechanisms that look at values. Statistics are of the entries observed before, in plain
  /// sums from the first row on, so that they are the same everywhere.
  func dropByValues<S: SignalScalar>(
    _ x: UnsafePointer<S>, _ m: UnsafeMutablePointer<MaskByte>, _ rows: Int, _ components: Int,
    _ random: CounterRandom
  ) throws(TrajpackError) {
    var channels: [Standardised] = []
    for c in 0..<components {
      channels.append(Standardised(x + c, UnsafePointer(m) + c, rows, stride: components))
    }
    switch self {
    case .above(let offset):
      guard offset.isFinite else {
        throw TrajpackError(.usage, "an offset of \(offset): give a finite number")
      }
      for c in 0..<components {
        let limit = channels[c].mean + offset * channels[c].deviation
        for row in 0..<rows where Double(x[row * components + c]) > limit {
          m[row * components + c] = 0
        }
      }
    case .byValue(let fraction, let slope):
      try Self.require(fraction, "fraction")
      guard slope.isFinite else {
        throw TrajpackError(.usage, "a slope of \(slope): give a finite number")
      }
      for c in 0..<components {
        let scores = channels[c].scores(x + c, rows, stride: components).map { $0 * slope }
        try drop(c, scores, fraction, m, rows, components, random)
      }
    case .byDrivers(let fraction, let drivers, let weights):
      try Self.require(fraction, "fraction")
      guard drivers.count == weights.count, !drivers.isEmpty,
        drivers.allSatisfy({ 0 <= $0 && $0 < components }), weights.allSatisfy(\.isFinite)
      else {
        throw TrajpackError(
          .usage, "drivers must be channels 0 to \(components - 1) with a finite weight each")
      }
      var scores = [Double](repeating: 0, count: rows)
      for (driver, weight) in zip(drivers, weights) {
        let z = channels[driver].scores(x + driver, rows, stride: components)
        for row in 0..<rows where m[row * components + driver] != 0 && z[row] == z[row] {
          scores[row] += weight * z[row]
        }
      }
      for c in 0..<components where !drivers.contains(c) {
        try drop(c, scores, fraction, m, rows, components, random)
      }
    default: break
    }
  }

  /// Drops entries of a channel with probability σ(a + score).
  private func drop(
    _ c: Int, _ scores: [Double], _ fraction: Double, _ m: UnsafeMutablePointer<MaskByte>,
    _ rows: Int, _ components: Int, _ random: CounterRandom
  ) throws(TrajpackError) {
    let seen = (0..<rows).filter { m[$0 * components + c] != 0 && scores[$0] == scores[$0] }
    if seen.isEmpty || fraction == 0 { return }
    if fraction == 1 {
      for row in seen { m[row * components + c] = 0 }
      return
    }
    guard seen.allSatisfy({ abs(scores[$0]) < 1e300 }) else {
      throw TrajpackError(
        .usage, "channel \(c): the slope or weight is too large for its values: give a smaller one")
    }
    let a = Self.intercept(seen.map { scores[$0] }, fraction)
    for row in seen {
      let i = row * components + c
      if random.uniform(i) < 1 / (1 + portableExp(-(a + scores[row]))) { m[i] = 0 }
    }
  }

  /// The `a` by which the mean of σ(a + score) is `fraction`: 60 halvings.
  private static func intercept(_ scores: [Double], _ fraction: Double) -> Double {
    let widest = scores.reduce(0) { max($0, abs($1)) } + 40
    var (low, high) = (-widest, widest)
    for _ in 0..<60 {
      let middle = (low + high) / 2
      var sum = 0.0
      for score in scores { sum += 1 / (1 + portableExp(-(middle + score))) }
      if sum < fraction * Double(scores.count) { low = middle } else { high = middle }
    }
    return (low + high) / 2
  }
}

/// Mean and population standard deviation of a channel's observed entries.
struct Standardised {
  private(set) var mean = 0.0
  private(set) var deviation = 0.0

  init<S: SignalScalar>(
    _ x: UnsafePointer<S>, _ m: UnsafePointer<MaskByte>, _ rows: Int, stride: Int
  ) {
    var count = 0.0
    for row in 0..<rows where m[row * stride] != 0 && x[row * stride].isFinite {
      mean += Double(x[row * stride])
      count += 1
    }
    guard count > 0 else { return }
    mean /= count
    for row in 0..<rows where m[row * stride] != 0 && x[row * stride].isFinite {
      let difference = Double(x[row * stride]) - mean
      deviation += difference * difference
    }
    let variance = deviation / count
    let isConstant = ComponentStatistics.isConstant(count: count, mean: mean, variance: variance)
    deviation = isConstant ? 0 : variance.squareRoot()
  }

  /// (x − mean) / deviation; 0 for a constant channel.
  func scores<S: SignalScalar>(_ x: UnsafePointer<S>, _ rows: Int, stride: Int) -> [Double] {
    (0..<rows).map { deviation > 0 ? (Double(x[$0 * stride]) - mean) / deviation : 0 }
  }
}
