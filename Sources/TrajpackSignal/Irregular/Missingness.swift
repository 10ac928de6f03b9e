import TrajpackFormat

/// How entries go missing. With a seed it is a recipe: it gives the same mask on any machine.
///
/// Every mechanism only takes entries away from those that are observed, so recipes compose.
public enum Missingness: Sendable, Hashable, Codable {
  /// Each entry with this probability, whatever it holds (MCAR).
  case entries(probability: Double)
  /// Exactly ⌊fraction · observed + ½⌋ (half to even) of the observed entries.
  case exactEntries(fraction: Double)
  /// ⌊fraction · rows⌋ whole rows (the rule of KoVAE's 30, 50 and 70 %); smaller fractions of one
  /// seed are subsets of larger ones.
  case rows(fraction: Double)
  /// Each row is kept with this probability (CfC).
  case keptRows(probability: Double)
  /// Exactly the listed rows: for published masks that came from another generator.
  case listedRows([Int])
  /// Blocks of `length` rows and `width` neighbouring channels, laid until at least the fraction of
  /// all entries is inside one.
  case blocks(fraction: Double, length: Int, width: Int)
  /// This many whole channels.
  case channels(count: Int)
  /// By the values of other channels (MAR): an entry of a channel that is not a driver goes with
  /// probability σ(a + Σ weight · z(driver)), `a` such that the mean probability is `fraction`.
  case byDrivers(fraction: Double, drivers: [Int], weights: [Double])
  /// By its own value (MNAR): with probability σ(a + slope · z(value)), `a` for each channel such
  /// that the mean probability is `fraction`.
  case byValue(fraction: Double, slope: Double)
  /// Every value above mean + offset · standard deviation of its channel (MNAR).
  case above(offset: Double)

  /// By the time (MNAR): an entry stays with probability exp(3 sin(cycle · t + phase)) / scale, at
  /// most 1, where t goes from 0 in the first row to 1 in the last (pygrinder's `mnar_t`, with cycle
  /// 20, phase 10, scale 3).
  case byTime(cycle: Double, phase: Double, scale: Double)

  /// Takes entries away from an episode's mask.
  ///
  /// - Parameters:
  ///   - values: rows times components; only read by the mechanisms that depend on values.
  ///   - mask: the observed entries (1), in and out.
  ///   - seed: of the recipe.
  ///   - stream: number of the episode, so that episodes are independent of each other.
  /// - Throws: `.usage` where a parameter is out of its range, naming it.
  @specialized(where S == Float)
  @specialized(where S == Double)
  public func apply<S: SignalScalar>(
    _ values: UnsafeBufferPointer<S>, rows: Int, components: Int,
    mask: UnsafeMutableBufferPointer<MaskByte>, seed: UInt64, stream: UInt64 = 0
  ) throws(TrajpackError) {
    let m = try mask.require(rows, components, "mask")
    let random = CounterRandom(seed: seed, stream: stream)
    let all = rows * components
    switch self {
    case .entries(let p):
      try Self.require(p, "probability")
      var i = 0
      while i < all {
        let words = random.block(UInt64(i / 4))
        for lane in 0..<min(4, all - i) where CounterRandom.uniform(words[lane]) < p {
          m[i + lane] = 0
        }
        i += 4
      }
    case .exactEntries(let fraction):
      try Self.require(fraction, "fraction")
      let seen = (0..<all).filter { m[$0] != 0 }
      let count = Int((fraction * Double(seen.count)).rounded(.toNearestOrEven))
      for i in random.permutation(seen.count).prefix(count) { m[seen[i]] = 0 }
    case .rows(let fraction):
      try Self.require(fraction, "fraction")
      let count = Int((fraction * Double(rows)).rounded(.down))
      for row in random.permutation(rows).prefix(count) { Self.drop(m, row, components) }
    case .keptRows(let p):
      try Self.require(p, "probability")
      for row in 0..<rows where random.uniform(row) >= p { Self.drop(m, row, components) }
    case .listedRows(let list):
      for row in list {
        guard row >= 0, row < rows else {
          throw TrajpackError(.usage, "row \(row) is listed, and the episode has \(rows) rows")
        }
        Self.drop(m, row, components)
      }
    case .channels(let count):
      guard count >= 0, count <= components else {
        throw TrajpackError(.usage, "\(count) of \(components) channels: give 0 to all")
      }
      for c in random.permutation(components).prefix(count) {
        for row in 0..<rows { m[row * components + c] = 0 }
      }
    case .blocks(let fraction, let length, let width):
      try Self.require(fraction, "fraction")
      try Self.dropBlocks(m, rows, components, fraction, length, width, random)
    case .byTime(let cycle, let phase, let scale):
      guard abs(cycle) <= 1e6, abs(phase) <= 1e6, scale > 0, scale < .infinity else {
        throw TrajpackError(
          .usage, "cycle \(cycle), phase \(phase), scale \(scale): give at most 1e6, scale above 0")
      }
      for row in 0..<rows {
        let time = rows > 1 ? Double(row) / Double(rows - 1) : 0
        let intensity = portableExp(3 * portableSine(cycle * time + phase))
        for c in 0..<components where random.uniform(row * components + c) * scale >= intensity {
          m[row * components + c] = 0
        }
      }
    case .byDrivers, .byValue, .above:
      let x = try values.require(rows, components, "values")
      try dropByValues(x, m, rows, components, random)
    }
  }

  static func require(_ value: Double, _ name: StaticString) throws(TrajpackError) {
    guard value >= 0, value <= 1 else {
      throw TrajpackError(.usage, "a \(name) of \(value): give 0 to 1")
    }
  }

  private static func drop(_ m: UnsafeMutablePointer<MaskByte>, _ row: Int, _ components: Int) {
    for c in 0..<components { m[row * components + c] = 0 }
  }

  private static func dropBlocks(
    _ m: UnsafeMutablePointer<MaskByte>, _ rows: Int, _ components: Int, _ fraction: Double,
    _ length: Int, _ width: Int, _ random: CounterRandom
  ) throws(TrajpackError) {
    guard length >= 1, length <= rows, width >= 1, width <= components else {
      throw TrajpackError(
        .usage,
        "blocks of \(length) rows and \(width) channels do not fit into \(rows) and \(components)")
    }
    let covered = Scratch<MaskByte>(rows * components, filledWith: 0)
    let wanted = Int((fraction * Double(rows * components)).rounded(.up))
    var count = 0
    var draw = 0
    while count < wanted {
      // Two words a block. Corners are covered by few blocks, so the last one may take long.
      guard draw < 1000 * rows * components else {
        throw TrajpackError(.usage, "a fraction of \(fraction) takes too many blocks: use less")
      }
      let row = random.integer(draw, below: rows - length + 1)
      let channel = random.integer(draw + 1, below: components - width + 1)
      draw += 2
      for r in row..<row + length {
        for c in channel..<channel + width where covered[r * components + c] == 0 {
          covered[r * components + c] = 1
          count += 1
        }
      }
    }
    for i in 0..<rows * components where covered[i] != 0 { m[i] = 0 }
  }
}

/// Steps from each row that is kept (any entry observed) to the kept row before it; 1 where nothing
/// lies between, and for the first. CfC's elapsed counter.
public func elapsedSteps(
  _ mask: UnsafeBufferPointer<MaskByte>, rows: Int, components: Int
) throws(TrajpackError) -> (kept: [Int], elapsed: [Int32]) {
  let m = try mask.require(rows, components, "mask")
  var kept: [Int] = []
  var elapsed: [Int32] = []
  for row in 0..<rows where (0..<components).contains(where: { m[row * components + $0] != 0 }) {
    elapsed.append(kept.last.map { Int32(clamping: row - $0) } ?? 1)
    kept.append(row)
  }
  return (kept, elapsed)
}
