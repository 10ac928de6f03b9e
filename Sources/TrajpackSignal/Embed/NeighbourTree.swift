import TrajpackFormat

/// How far apart two delay vectors are.
public enum Metric: Sendable, Hashable {
  /// The root of the summed squares.
  case euclidean
  /// The largest difference of a coordinate.
  case maximum
}

/// The nearest points of every point.
struct Neighbours {
  /// For each point number, its neighbours, nearest first; -1 where there are too few.
  var indices: [Int32]
  /// Their distances.
  var distances: [Double]
}

/// Nearest neighbours outside a Theiler window, by a k-d tree whose leaves hold eight points side
/// by side: a leaf is one vector operation a coordinate.
///
/// One neighbour each is searched for the eight points of a leaf together. Several are searched for
/// in time order: the successors of one point's neighbours bound the search for the next one, by
/// which a smooth trajectory visits few leaves.
struct NeighbourTree: ~Copyable {
  private let points: StridedPoints
  private let metric: Metric
  /// Position in time; points of different episodes are further apart than any window.
  private let stamps: UnsafePointer<Int>?
  private let shape: TreeShape
  private let leaves: Scratch<SIMD8<Double>>

  /// - Parameters:
  ///   - shape: made of at least these points, in no more dimensions; `nil` makes one.
  ///   - threads: how many make it.
  init(
    _ points: StridedPoints, metric: Metric, stamps: UnsafePointer<Int>? = nil,
    shape: TreeShape? = nil, threads: Int = 1
  ) {
    self.points = points
    self.metric = metric
    self.stamps = stamps
    let shape = shape ?? TreeShape(points, threads: threads)
    self.shape = shape
    let dimension = points.dimension
    let exists = Scratch<Bool>(max(points.end, 1), filledWith: false)
    for run in points.rows { for i in run { exists[i] = true } }
    let count = 1 << shape.depth
    let leaves = Scratch<SIMD8<Double>>(count * dimension)
    let (to, known) = (leaves.pointer, exists.pointer)
    sideBySide(threads) { number in
      for leaf in count * number / threads..<count * (number + 1) / threads {
        let block = UnsafeMutableRawPointer(to + leaf * dimension)
          .assumingMemoryBound(to: Double.self)
        for lane in 0..<8 {
          let i = Int(shape.members[leaf * 8 + lane])
          let here = i >= 0 && i < points.end && known[i]
          for c in 0..<dimension {
            block[c * 8 + lane] = here ? points.value(i, c) : .infinity
          }
        }
      }
    }
    self.leaves = leaves
  }

  /// The `k` nearest points of the points in `range`, outside the Theiler window of their own time
  /// (|i − j| > window; 0 leaves out the point itself only).
  ///
  /// - Parameters:
  ///   - skipsZero: whether equal points are no neighbours.
  ///   - indices, distances: where the neighbours of point `i` go, from `i·k` on.
  private func search(
    _ k: Int, window: Int, skipsZero: Bool, range: Range<Int>,
    indices: UnsafeMutablePointer<Int32>, distances: UnsafeMutablePointer<Double>
  ) {
    let dimension = points.dimension
    let query = Scratch<Double>(dimension)
    let offsets = Scratch<Double>(dimension, filledWith: 0)
    var walk = TreeWalk(
      shape: shape, leaves: leaves.pointer, dimension: dimension, stamps: stamps,
      query: query.pointer, offsets: offsets.pointer, window: window, skipsZero: skipsZero, k: k)
    for run in points.rows {
      let part = run.clamped(to: range)
      for i in part {
        for c in 0..<dimension {
          query[c] = points.value(i, c)
          offsets[c] = 0
        }
        walk.stamp = stamps?[i] ?? i
        walk.best = distances + i * k
        walk.index = indices + i * k
        walk.bound = .infinity
        for j in 0..<k {
          walk.best[j] = .infinity
          walk.index[j] = -1
        }
        if i > part.lowerBound { hint(&walk, indices + (i - 1) * k) }
        if metric == .euclidean {
          walk.euclidean(1, shape.depth, 0)
          for j in 0..<k { walk.best[j] = walk.best[j].squareRoot() }
        } else {
          walk.maximum(1, shape.depth, 0)
        }
      }
    }
  }

  /// The `k` nearest points of every point, in `threads` parts side by side.
  ///
  /// - Parameter guesses: for each point one that is probably near, or -1.
  func allNearest(
    _ k: Int, window: Int, skipsZero: Bool = false, guesses: [Int32]? = nil, threads: Int = 1
  ) -> Neighbours {
    let end = points.end
    var result = Neighbours(
      indices: [Int32](repeating: -1, count: end * k),
      distances: [Double](repeating: .infinity, count: end * k))
    result.indices.withUnsafeMutableBufferPointer { indices in
      result.distances.withUnsafeMutableBufferPointer { distances in
        let (to, at) = (indices.base, distances.base)
        let leafCount = 1 << shape.depth
        if k > 1 {
          sideBySide(threads) { number in
            let range = end * number / threads..<end * (number + 1) / threads
            search(
              k, window: window, skipsZero: skipsZero, range: range, indices: to, distances: at)
          }
          return
        }
        let walk = LeafWalk(
          shape, leaves.pointer, points, metric, stamps: stamps, window: window,
          skipsZero: skipsZero, threads: threads)
        func part(_ number: Int, _ guesses: UnsafePointer<Int32>?) {
          let lanes = LeafWalk.Lanes()
          for leaf in leafCount * number / threads..<leafCount * (number + 1) / threads {
            walk.search(leaf, lanes, guesses: guesses, indices: to, distances: at)
          }
        }
        if let guesses {
          guesses.withUnsafeBufferPointer { g in
            sideBySide(threads) { part($0, g.base) }
          }
        } else {
          sideBySide(threads) { part($0, nil) }
        }
      }
    }
    return result
  }

  /// Bounds a search by the successors of the neighbours of the point before.
  private func hint(_ walk: inout TreeWalk, _ previous: UnsafePointer<Int32>) {
    var bound = 0.0
    for j in 0..<walk.k {
      let next = Int(previous[j]) + 1
      guard next > 0, let distance = distance(walk, next) else { return }
      bound = max(bound, distance)
    }
    walk.bound = bound
  }

  /// Distance (squared if Euclidean) to a point that may be a neighbour; else `nil`.
  @inline(__always)
  private func distance(_ walk: TreeWalk, _ point: Int) -> Double? {
    guard point < points.end,
      points.rows.count == 1 || points.rows.contains(where: { $0 ~= point }),
      walk.allows(stamps?[point] ?? point)
    else { return nil }
    var total = 0.0
    for c in 0..<points.dimension {
      let difference = walk.query[c] - points.value(point, c)
      total =
        metric == .euclidean ? total + difference * difference : max(total, abs(difference))
    }
    return walk.skipsZero && total == 0 ? nil : total
  }
}
