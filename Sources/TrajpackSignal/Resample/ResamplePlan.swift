import TrajpackFormat

/// Where each output row lies among the source rows: computed once for a pair of clocks, applied
/// to any number of channels and windows.
///
/// Exact for exact clocks: the fraction of a piece is one division of two exact integers, so there
/// is no drift however long the recording is.
public struct ResamplePlan: Sendable {
  /// Rows of the source.
  public let sourceRows: Int
  /// Rows of the output.
  public let rows: Int
  /// The knot at or before each output row; -1 where the output is missing.
  let left: [Int32]
  /// How far the row lies in the piece after that knot: 0 at the knot itself, below 0 or above 1
  /// where it is extrapolated.
  let fraction: [Double]
  /// Length of each piece in time units, one fewer than the knots.
  let pieces: [Double]
  /// First rows of the runs that no method crosses, beginning with 0 and ending with the row count.
  let runs: [Int]
  /// What stands outside the source's span of time.
  public let edges: EdgePolicy
  /// Two knots further apart than this have nothing between them.
  public let gapLimit: TimeSpan?

  /// Plans the way from one clock to another.
  ///
  /// - Parameters:
  ///   - edges: what stands outside the source's span of time.
  ///   - gapLimit: two knots further apart than this have nothing between them.
  ///   - breaks: rows before which the source has a break, however close in time.
  /// - Throws: `.data` where times do not increase, `.usage` for no common tick or bad breaks.
  public init(
    from source: Times, to target: Times, edges: EdgePolicy = .missing,
    gapLimit: TimeSpan? = nil, breaks: [Int] = []
  ) throws(TrajpackError) {
    try source.requireIncreasing("the source")
    try target.requireIncreasing("the target")
    try gapLimit?.requireNotNegative("gap limit")
    guard source.count < Int(Int32.max) else {
      throw TrajpackError(.usage, "\(source.count) source rows in one plan: resample in windows")
    }
    for (i, row) in breaks.enumerated() {
      guard row > (i == 0 ? 0 : breaks[i - 1]), row < source.count else {
        throw TrajpackError(
          .usage, "break \(row) is not a row after the last: give increasing rows of the source")
      }
    }
    self = try AxisPair.with(source, target) { (pair) throws(TrajpackError) -> ResamplePlan in
      switch pair {
      case .narrow(let a, let b, let unit):
        let limit = gapLimit.map { Int64(clamping: $0.limit(unit: unit)) }
        return ResamplePlan(a, b, edges, gapLimit, limit, 1 / Double(unit), breaks)
      case .wide(let a, let b, let unit):
        let limit = gapLimit?.limit(unit: unit)
        return ResamplePlan(a, b, edges, gapLimit, limit, 1 / Double(unit), breaks)
      case .floating(let a, let b):
        return ResamplePlan(a, b, edges, gapLimit, gapLimit?.value, 1, breaks)
      }
    }
  }

  private init<I: AxisScalar>(
    _ source: Axis<I>, _ target: Axis<I>, _ edges: EdgePolicy, _ gapLimit: TimeSpan?,
    _ limit: I?, _ tick: Double, _ breaks: [Int]
  ) {
    self.edges = edges
    self.gapLimit = gapLimit
    let n = source.count
    sourceRows = n
    rows = target.count
    var runs = [0]
    var nextBreak = 0
    pieces = [Double](unsafeUninitializedCapacity: max(n - 1, 0)) { buffer, count in
      var k = 0
      while k < n - 1 {
        let span = source.time(k + 1) - source.time(k)
        buffer[k] = span.asDouble * tick
        let broken = nextBreak < breaks.count && breaks[nextBreak] == k + 1
        if broken { nextBreak += 1 }
        if let limit, span > limit { runs.append(k + 1) } else if broken { runs.append(k + 1) }
        k += 1
      }
      count = max(n - 1, 0)
    }
    runs.append(n)
    self.runs = runs
    (left, fraction) = Self.brackets(source, target, edges, runs)
  }

  private static func brackets<I: AxisScalar>(
    _ source: Axis<I>, _ target: Axis<I>, _ edges: EdgePolicy, _ runs: [Int]
  ) -> ([Int32], [Double]) {
    let n = source.count
    var fraction = [Double](repeating: 0, count: target.count)
    let left = [Int32](unsafeUninitializedCapacity: target.count) { left, count in
      count = target.count
      guard n > 0 else {
        left.initialize(repeating: -1)
        return
      }
      var cursor = Cursor(source, runs)
      let (first, last) = (source.time(0), source.time(n - 1))
      var row = 0
      while row < target.count {
        var t = target.time(row)
        let outside = t < first || t > last
        if outside {
          switch edges {
          case .missing:
            left[row] = -1
            row += 1
            continue
          case .hold:
            t = t < first ? first : last
          case .reflect where n > 1:
            // A triangle wave of twice the span.
            let span = last - first
            let phase = I.remainder(t - first, span + span)
            t = phase > span ? last - (phase - span) : first + phase
          case .extrapolate where n > 1:
            let k = t < first ? 0 : n - 2
            if cursor.crossesRun(k) {
              left[row] = -1
            } else {
              left[row] = Int32(k)
              let start = source.time(k)
              fraction[row] = (t - start).asDouble / (source.time(k + 1) - start).asDouble
            }
            row += 1
            continue
          case .extrapolate, .reflect:
            t = first
          }
        }
        (left[row], fraction[row]) = cursor.locate(t)
        row += 1
      }
    }
    return (left, fraction)
  }
}

/// Walks along the source; a step in either direction costs a comparison.
private struct Cursor<I: AxisScalar> {
  let source: Axis<I>
  let runs: [Int]
  var k = 0
  var start: I
  var end: I

  init(_ source: Axis<I>, _ runs: [Int]) {
    self.source = source
    self.runs = runs
    start = source.time(0)
    end = source.count > 1 ? source.time(1) : start
  }

  /// The knot at or before a time inside the source's span, and the fraction after it.
  @inline(__always)
  mutating func locate(_ t: I) -> (Int32, Double) {
    if t < start || t >= end { move(to: t) }
    if t == start { return (Int32(k), 0) }
    if crossesRun(k) { return (-1, 0) }
    return (Int32(k), (t - start).asDouble / (end - start).asDouble)
  }

  /// Gallops from the current knot, then halves.
  private mutating func move(to t: I) {
    let n = source.count
    var low: Int
    var high: Int
    if t < start {
      var width = 1
      high = k
      low = k - 1
      while low > 0, source.time(low) > t {
        high = low
        width *= 2
        low = max(low - width, 0)
      }
      low = max(low, 0)
    } else {
      var width = 1
      low = k
      high = k + 1
      while high < n, source.time(high) <= t {
        low = high
        width *= 2
        high = min(high + width, n)
      }
      high = min(high, n)
    }
    while high - low > 1 {
      let middle = (low + high) / 2
      if source.time(middle) <= t { low = middle } else { high = middle }
    }
    k = low
    start = source.time(k)
    end = k + 1 < n ? source.time(k + 1) : start
  }

  /// Whether the piece after knot `k` joins two runs.
  @inline(__always) func crossesRun(_ k: Int) -> Bool {
    if runs.count <= 2 { return false }
    var (low, high) = (0, runs.count - 1)
    while high - low > 1 {
      let middle = (low + high) / 2
      if runs[middle] <= k { low = middle } else { high = middle }
    }
    return k + 1 == runs[low + 1]
  }
}
