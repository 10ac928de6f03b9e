import TrajpackFormat

/// How far apart two delay vectors are.
public enum Metric: Sendable, Hashable {
  /// The root of the summed squares.
  case euclidean
  /// The largest difference of a coordinate.
  case maximum
}

/// A k-d tree whose leaves hold eight points side by side, so that a leaf is one vector operation
/// a coordinate.
///
/// Neighbours are searched in time order: the successors of one point's neighbours bound the
/// search for the next one, by which a smooth trajectory visits few leaves.
struct NeighbourTree: ~Copyable {
  struct Neighbours {
    /// Neighbours of each query, nearest first; -1 where there are too few.
    var indices: [Int32]
    /// Their distances.
    var distances: [Double]
  }

  private let points: UnsafePointer<Double>
  private let count: Int
  private let dimension: Int
  private let metric: Metric
  /// Position in time; points of different episodes are further apart than any window.
  private let stamps: UnsafePointer<Int>?
  private let leaves: Scratch<SIMD8<Double>>
  private let members: Scratch<Int32>
  /// Inner nodes in heap order: coordinate and value of the cut.
  private let cuts: Scratch<Double>
  private let axes: Scratch<Int32>
  private let depth: Int

  init(
    _ points: UnsafePointer<Double>, count: Int, dimension: Int, metric: Metric,
    stamps: UnsafePointer<Int>? = nil
  ) {
    self.points = points
    self.count = count
    self.dimension = dimension
    self.metric = metric
    self.stamps = stamps
    var depth = 0
    while count > 8 << depth { depth += 1 }
    self.depth = depth
    leaves = Scratch((1 << depth) * dimension, filledWith: SIMD8(repeating: .infinity))
    members = Scratch(8 << depth, filledWith: -1)
    cuts = Scratch(1 << depth, filledWith: 0)
    axes = Scratch(1 << depth, filledWith: 0)
    let order = Scratch<Int32>(count)
    for i in 0..<count { order[i] = Int32(i) }
    build(1, order.pointer, count, depth)
  }

  /// Cuts the widest coordinate at its median, down to leaves of at most eight.
  private func build(_ node: Int, _ order: UnsafeMutablePointer<Int32>, _ n: Int, _ levels: Int) {
    if levels == 0 {
      let leaf = node - (1 << depth)
      for i in 0..<n {
        members[leaf * 8 + i] = order[i]
        for d in 0..<dimension {
          leaves.pointer[leaf * dimension + d][i] = points[Int(order[i]) * dimension + d]
        }
      }
      return
    }
    var axis = 0
    var widest = -1.0
    for d in 0..<dimension {
      var (low, high) = (Double.infinity, -Double.infinity)
      for i in 0..<n {
        let value = points[Int(order[i]) * dimension + d]
        low = min(low, value)
        high = max(high, value)
      }
      if high - low > widest { (axis, widest) = (d, high - low) }
    }
    // The left half fills its leaves evenly.
    let half = n / 2
    select(order, n, half, axis)
    axes[node] = Int32(axis)
    cuts[node] = half < n ? points[Int(order[half]) * dimension + axis] : 0
    build(2 * node, order, half, levels - 1)
    build(2 * node + 1, order + half, n - half, levels - 1)
  }

  /// Hoare's selection: entry `k` in its sorted place, smaller ones before it.
  private func select(_ order: UnsafeMutablePointer<Int32>, _ n: Int, _ k: Int, _ axis: Int) {
    @inline(__always) func key(_ i: Int) -> Double { points[Int(order[i]) * dimension + axis] }
    var (low, high) = (0, n - 1)
    while low < high {
      let pivot = key((low + high) / 2)
      var (i, j) = (low, high)
      while i <= j {
        while key(i) < pivot { i += 1 }
        while key(j) > pivot { j -= 1 }
        if i <= j {
          (order[i], order[j]) = (order[j], order[i])
          i += 1
          j -= 1
        }
      }
      if k <= j { high = j } else if k >= i { low = i } else { return }
    }
  }

  /// The `k` nearest points of each point in `range`, outside the Theiler window of its own time
  /// (|i − j| > window; 0 leaves out the point itself only).
  func allNearest(
    _ k: Int, window: Int, range: Range<Int>? = nil, skipsZero: Bool = false
  ) -> Neighbours {
    let range = range ?? 0..<count
    var result = Neighbours(
      indices: [Int32](repeating: -1, count: range.count * k),
      distances: [Double](repeating: .infinity, count: range.count * k))
    let offsets = Scratch<Double>(dimension, filledWith: 0)
    result.indices.withUnsafeMutableBufferPointer { indices in
      result.distances.withUnsafeMutableBufferPointer { distances in
        for i in range {
          let at = (i - range.lowerBound) * k
          var search = Search(
            query: points + i * dimension, stamp: stamps?[i] ?? i, window: window,
            skipsZero: skipsZero, k: k, best: distances.base + at, index: indices.base + at)
          if i > range.lowerBound { hint(&search, indices.base + at - k) }
          for d in 0..<dimension { offsets[d] = 0 }
          visit(1, depth, 0, offsets.pointer, &search)
          if metric == .euclidean {
            for j in 0..<k { search.best[j] = search.best[j].squareRoot() }
          }
        }
      }
    }
    return result
  }

  /// Bounds a search by the successors of the neighbours before.
  private func hint(_ search: inout Search, _ previous: UnsafePointer<Int32>) {
    var bound = 0.0
    for j in 0..<search.k {
      let next = Int(previous[j]) + 1
      guard next > 0, next < count, search.allows(stamps?[next] ?? next) else { return }
      let distance = distance(search.query, points + next * dimension)
      if search.skipsZero, distance == 0 { return }
      bound = max(bound, distance)
    }
    search.bound = bound.nextUp
  }

  @inline(__always)
  private func distance(_ a: UnsafePointer<Double>, _ b: UnsafePointer<Double>) -> Double {
    var total = 0.0
    for d in 0..<dimension {
      let difference = a[d] - b[d]
      total =
        metric == .euclidean
        ? total + difference * difference : max(total, abs(difference))
    }
    return total
  }

  /// `away` is the distance from the query to the node's region; `offsets` its parts.
  private func visit(
    _ node: Int, _ levels: Int, _ away: Double, _ offsets: UnsafeMutablePointer<Double>,
    _ search: inout Search
  ) {
    if levels == 0 { return scan(node - (1 << depth), &search) }
    let axis = Int(axes[node])
    let side = search.query[axis] - cuts[node]
    let near = side < 0 ? 2 * node : 2 * node + 1
    visit(near, levels - 1, away, offsets, &search)
    let before = offsets[axis]
    let further =
      metric == .euclidean ? away - before * before + side * side : max(away, abs(side))
    // A hair below, so that rounding never cuts off the neighbour that set the bound.
    if further * (1 - 1e-12) < search.bound {
      offsets[axis] = side
      visit(near ^ 1, levels - 1, further, offsets, &search)
      offsets[axis] = before
    }
  }

  @inline(__always)
  private func scan(_ leaf: Int, _ search: inout Search) {
    let block = leaves.pointer + leaf * dimension
    var total = SIMD8<Double>.zero
    if metric == .euclidean {
      for d in 0..<dimension {
        let difference = block[d] - search.query[d]
        total += difference * difference
      }
    } else {
      for d in 0..<dimension {
        let difference = block[d] - search.query[d]
        let size = difference.replacing(with: -difference, where: difference .< 0)
        total.replace(with: size, where: size .> total)
      }
    }
    if any(total .< search.bound) {
      for lane in 0..<8 where total[lane] < search.bound {
        let member = Int(members[leaf * 8 + lane])
        if search.allows(stamps?[member] ?? member), !(search.skipsZero && total[lane] == 0) {
          search.insert(total[lane], Int32(member))
        }
      }
    }
  }

  /// The best so far, kept sorted.
  fileprivate struct Search {
    let query: UnsafePointer<Double>
    let stamp: Int
    let window: Int
    let skipsZero: Bool
    let k: Int
    let best: UnsafeMutablePointer<Double>
    let index: UnsafeMutablePointer<Int32>
    /// Nothing at this distance or beyond is of interest.
    var bound = Double.infinity

    init(
      query: UnsafePointer<Double>, stamp: Int, window: Int, skipsZero: Bool, k: Int,
      best: UnsafeMutablePointer<Double>, index: UnsafeMutablePointer<Int32>
    ) {
      self.query = query
      self.stamp = stamp
      self.window = window
      self.skipsZero = skipsZero
      self.k = k
      self.best = best
      self.index = index
    }

    @inline(__always) func allows(_ other: Int) -> Bool { abs(stamp - other) > window }

    @inline(__always) mutating func insert(_ distance: Double, _ member: Int32) {
      var place = k - 1
      while place > 0, best[place - 1] > distance {
        best[place] = best[place - 1]
        index[place] = index[place - 1]
        place -= 1
      }
      best[place] = distance
      index[place] = member
      bound = min(bound, best[k - 1])
    }
  }
}
