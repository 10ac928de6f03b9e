import TrajpackFormat

extension ResamplePlan {
  /// One component whose knots are its observed entries only.
  ///
  /// The brackets of the plan are carried over to the remaining knots: lengths are summed along
  /// the bridge, which keeps the relative precision of the fraction.
  func sparse<S: SignalScalar>(
    _ method: Interpolation, _ x: UnsafePointer<S>, _ seen: UnsafePointer<MaskByte>?,
    stride: Int, _ out: UnsafeMutablePointer<S>
  ) {
    let knots = SparseKnots(self, x, seen, stride: stride)
    let slopes = Scratch<S>(knots.count)
    if method.isCubic {
      knots.h.withUnsafeBufferPointer { h in
        for (start, end) in zip(knots.runs, knots.runs.dropFirst()) {
          KnotSlopes(
            x: knots.values.pointer + start, rows: end - start, components: 1,
            h: h.base + start, d: slopes.pointer + start
          ).fill(method)
        }
      }
    }
    for row in 0..<rows {
      let target = out + row * stride
      target.pointee = .nan
      guard left[row] >= 0, let (p, u) = knots.locate(Int(left[row]), fraction[row], self) else {
        continue
      }
      if u == 0 {
        target.pointee = knots.values[p]
      } else if method.isSelection {
        target.pointee = knots.values[selected(method, p, u)]
      } else {
        let (a, b) = (knots.values[p], knots.values[p + 1])
        if method.isCubic {
          let h = knots.h[p]
          let v = 1 - u
          let bend = S(u * v * v * h) * slopes[p] + S(-u * u * v * h) * slopes[p + 1]
          target.pointee = a + S(u * u * (3 - 2 * u)) * (b - a) + bend
        } else if method == .counter, b < a {
          target.pointee = u < 1 ? a : b
        } else {
          target.pointee = a + S(u) * (b - a)
        }
      }
    }
  }
}

/// The observed entries of one component, with the lengths between them.
struct SparseKnots<S: SignalScalar>: ~Copyable {
  let values: Scratch<S>
  private(set) var count = 0
  /// The source row of each knot.
  private(set) var source: [Int32] = []
  /// Length from each knot to the next one, also where no piece joins them.
  private(set) var h: [Double] = []
  /// First knots of the runs, ending with the count.
  private(set) var runs: [Int] = [0]
  /// For each source row the last knot at or before it in its run; before the run's first knot
  /// `p` it is `~p`, and in a run without knots the smallest number.
  private let rank: Scratch<Int32>
  /// For each source row the length since that knot; below 0 before the first of the run.
  private let since: Scratch<Double>
  /// Distance of each knot from the first, for reflection only.
  private var position: [Double] = []

  init(
    _ plan: borrowing ResamplePlan, _ x: UnsafePointer<S>, _ seen: UnsafePointer<MaskByte>?,
    stride: Int
  ) {
    let n = plan.sourceRows
    values = Scratch(n)
    rank = Scratch(n)
    since = Scratch(n)
    h.reserveCapacity(n)
    var length = 0.0
    for (start, end) in zip(plan.runs, plan.runs.dropFirst()) {
      var last = Int32.min
      for k in start..<end {
        if k > 0 { length += plan.pieces[k - 1] }
        let value = x[k * stride]
        if value == value, seen.map({ $0[k * stride] != 0 }) ?? true {
          if count > 0 { h[count - 1] = length }
          length = 0
          if last == .min { lead(start, k, plan) }
          values[count] = value
          last = Int32(count)
          count += 1
          h.append(0)
          source.append(Int32(k))
        }
        rank[k] = last
        since[k] = length
      }
      if count > (runs.last ?? 0) { runs.append(count) }
    }
    if let limit = plan.gapLimit?.value { split(limit * (1 + 1e-12)) }
    if plan.edges == .reflect {
      var sum = 0.0
      position = h.map { length in
        defer { sum += length }
        return sum
      }
    }
  }

  /// Rows of a run before its first knot, which is about to be appended.
  private func lead(_ start: Int, _ knot: Int, _ plan: borrowing ResamplePlan) {
    var length = 0.0
    var k = knot - 1
    while k >= start {
      length -= plan.pieces[k]
      rank[k] = ~Int32(count)
      since[k] = length
      k -= 1
    }
  }

  /// Bridges longer than the gap limit part the runs.
  private mutating func split(_ limit: Double) {
    var parted = [0]
    for (start, end) in zip(runs, runs.dropFirst()) {
      for p in start..<end - 1 where h[p] > limit { parted.append(p + 1) }
      parted.append(end)
    }
    runs = parted
  }

  /// The knot and fraction of a place given as source row and fraction; `nil` where the place has
  /// no observed neighbours to stand between and the edge policy gives none.
  func locate(_ k: Int, _ u: Double, _ plan: borrowing ResamplePlan) -> (Int, Double)? {
    let step = u == 0 ? 0 : u * plan.pieces[k]
    var p = Int(rank[k])
    var offset = since[k] + step
    if p < 0 {
      // Only the component's own beginning is an edge; elsewhere it is a gap. An extrapolated
      // place may already lie beyond the first knot.
      guard p == ~0 else { return nil }
      if offset < 0 { return before(offset, plan.edges) }
      p = 0
    }
    if offset == 0 { return (p, 0) }
    if offset < 0 { return before(offset, plan.edges) }
    let end = runEnd(p)
    while p + 1 < end, offset > h[p] {
      offset -= h[p]
      p += 1
    }
    if p + 1 < end { return (p, offset / h[p]) }
    return p == count - 1 ? after(offset, plan.edges) : nil
  }

  private func before(_ offset: Double, _ edges: EdgePolicy) -> (Int, Double)? {
    switch edges {
    case .missing: nil
    case .hold: (0, 0)
    case .extrapolate: count == 1 ? (0, 0) : (runEnd(0) > 1 ? (0, offset / h[0]) : nil)
    case .reflect: reflected(-offset)
    }
  }

  private func after(_ offset: Double, _ edges: EdgePolicy) -> (Int, Double)? {
    switch edges {
    case .missing: nil
    case .hold: (count - 1, 0)
    case .extrapolate:
      count == 1
        ? (0, 0)
        : (runEnd(count - 2) == count ? (count - 2, 1 + offset / h[count - 2]) : nil)
    case .reflect: reflected((position.last ?? 0) + offset)
    }
  }

  /// A distance from the first knot, folded into the span as a triangle wave.
  private func reflected(_ distance: Double) -> (Int, Double)? {
    let span = position.last ?? 0
    guard span > 0 else { return (0, 0) }
    var phase = Double.remainder(distance, 2 * span)
    if phase > span { phase = 2 * span - phase }
    var (low, high) = (0, count)
    while high - low > 1 {
      let middle = (low + high) / 2
      if position[middle] <= phase { low = middle } else { high = middle }
    }
    let offset = phase - position[low]
    if offset == 0 || low == count - 1 { return (low, 0) }
    return low + 1 < runEnd(low) ? (low, offset / h[low]) : nil
  }

  private func runEnd(_ p: Int) -> Int { runRange(p).end }

  /// First knot of the run that holds knot `p`, and the one after its last.
  func runRange(_ p: Int) -> (start: Int, end: Int) {
    var (low, high) = (0, runs.count - 1)
    while high - low > 1 {
      let middle = (low + high) / 2
      if runs[middle] <= p { low = middle } else { high = middle }
    }
    return (runs[low], runs[low + 1])
  }
}
