import CPlatform

/// The search for the nearest neighbours of the eight points of one leaf together: they share the
/// way through the tree, which is cut off by the box that holds them and the largest of their
/// distances so far.
struct LeafWalk: ~Copyable {
  private let shape: TreeShape
  private let leaves: UnsafePointer<SIMD8<Double>>
  private let points: StridedPoints
  private let metric: Metric
  private let stamps: UnsafePointer<Int64>?
  private var queries: tp_leaf_queries
  /// Of the eight: places in time, (squared) distances and numbers of the neighbours so far.
  private let times = Scratch<Int64>(8, filledWith: 0)
  private let best = Scratch<Double>(8, filledWith: 0)
  private let index = Scratch<Int64>(8, filledWith: 0)
  /// The box of the eight.
  private let low: Scratch<Double>
  private let high: Scratch<Double>
  /// Distance from that box to the region being visited, by coordinate.
  private let offsets: Scratch<Double>
  private var own = 0
  private var bound = Double.infinity

  init(
    _ shape: TreeShape, _ leaves: UnsafePointer<SIMD8<Double>>, _ points: StridedPoints,
    _ metric: Metric, stamps: UnsafePointer<Int>?, window: Int, skipsZero: Bool
  ) {
    self.shape = shape
    self.leaves = leaves
    self.points = points
    self.metric = metric
    self.stamps = stamps.map { UnsafeRawPointer($0).assumingMemoryBound(to: Int64.self) }
    low = Scratch(points.dimension)
    high = Scratch(points.dimension)
    offsets = Scratch(points.dimension, filledWith: 0)
    queries = tp_leaf_queries(
      points: UnsafeRawPointer(leaves).assumingMemoryBound(to: Double.self),
      dimension: points.dimension, window: Int64(window), skips_zero: skipsZero ? 1 : 0,
      stamps: times.pointer, best: best.pointer, index: index.pointer)
  }

  /// The nearest neighbours of a leaf's points.
  ///
  /// - Parameters:
  ///   - guesses: for each point a neighbour that it may have, or -1.
  ///   - indices: where the neighbour of point `i` goes; -1 where it has none.
  ///   - distances: where its distance goes; infinite where it has none.
  mutating func search(
    _ leaf: Int, guesses: UnsafePointer<Int32>?, indices: UnsafeMutablePointer<Int32>,
    distances: UnsafeMutablePointer<Double>
  ) {
    let block = values(leaf)
    let members = shape.members + 8 * leaf
    queries.points = block
    own = leaf
    var isEmpty = true
    for lane in 0..<8 {
      index[lane] = .max
      best[lane] = -.infinity
      guard block[lane] < .infinity else { continue }
      isEmpty = false
      let point = Int(members[lane])
      times[lane] = stamps?[point] ?? Int64(point)
      best[lane] = .infinity
      if let guess = guesses?[point], guess >= 0 { attempt(lane, point, Int(guess)) }
    }
    if isEmpty { return }
    box(block)
    compare(leaf)
    visit(1, shape.depth, 0)
    for lane in 0..<8 where block[lane] < .infinity {
      let point = Int(members[lane])
      indices[point] = index[lane] == .max ? -1 : Int32(index[lane])
      distances[point] = metric == .euclidean ? best[lane].squareRoot() : best[lane]
    }
  }

  @inline(__always) private func values(_ leaf: Int) -> UnsafePointer<Double> {
    UnsafeRawPointer(leaves + leaf * points.dimension).assumingMemoryBound(to: Double.self)
  }

  private func box(_ block: UnsafePointer<Double>) {
    for c in 0..<points.dimension {
      var (least, most) = (Double.infinity, -Double.infinity)
      for lane in 0..<8 where block[lane] < .infinity {
        least = min(least, block[8 * c + lane])
        most = max(most, block[8 * c + lane])
      }
      low[c] = least
      high[c] = most
    }
  }

  /// Takes a guess as the neighbour so far, if it may be one.
  private func attempt(_ lane: Int, _ point: Int, _ guess: Int) {
    let time = stamps?[guess] ?? Int64(guess)
    guard guess < points.end,
      points.rows.count == 1 || points.rows.contains(where: { $0 ~= guess }),
      abs(times[lane] - time) > queries.window
    else { return }
    var total = 0.0
    for c in 0..<points.dimension {
      let difference = points.value(point, c) - points.value(guess, c)
      total = metric == .euclidean ? total + difference * difference : max(total, abs(difference))
    }
    if queries.skips_zero != 0, total == 0 { return }
    best[lane] = total
    index[lane] = Int64(guess)
  }

  @inline(__always) private mutating func compare(_ leaf: Int) {
    bound = tp_leaf_nearest(
      &queries, values(leaf), shape.members + 8 * leaf, stamps, metric == .maximum ? 1 : 0)
  }

  /// `away`: (squared) distance from the box to the region. Pruned a hair late, so that rounding
  /// never cuts off what lies just at the bound.
  private mutating func visit(_ node: Int, _ levels: Int, _ away: Double) {
    if levels == 0 {
      let leaf = node - (1 << shape.depth)
      if leaf != own { compare(leaf) }
      return
    }
    let axis = Int(shape.axes[node])
    let before = offsets[axis]
    let left = max(before, low[axis] - shape.cuts[node])
    let right = max(before, shape.cuts[node] - high[axis])
    let first = left <= right ? 0 : 1
    for turn in 0..<2 {
      let side = turn == 0 ? first : 1 - first
      let offset = side == 0 ? left : right
      let further =
        metric == .euclidean
        ? away - before * before + offset * offset : max(away, offset)
      if further * (1 - 1e-12) <= bound {
        offsets[axis] = offset
        visit(2 * node + side, levels - 1, further)
      }
    }
    offsets[axis] = before
  }
}
