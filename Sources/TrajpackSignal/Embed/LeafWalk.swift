import CPlatform
import Glibc

/// The search for the nearest neighbours of the eight points of one leaf together: they share the
/// way through the tree, which is cut off where the box of a node lies further from theirs than the
/// largest of their distances so far.
struct LeafWalk: ~Copyable {
  private let shape: TreeShape
  private let points: StridedPoints
  private let metric: Metric
  private let boxes: Scratch<Float>
  private var tree: tp_leaf_tree

  /// Of the eight: places in time, (squared) distances and numbers of the neighbours so far.
  struct Lanes: ~Copyable {
    let times = Scratch<Int64>(8, filledWith: 0)
    let best = Scratch<Double>(8, filledWith: 0)
    let index = Scratch<Int64>(8, filledWith: 0)
  }

  /// - Parameter threads: how many make the boxes.
  init(
    _ shape: TreeShape, _ leaves: UnsafePointer<SIMD8<Double>>, _ points: StridedPoints,
    _ metric: Metric, stamps: UnsafePointer<Int>?, window: Int, skipsZero: Bool, threads: Int
  ) {
    self.shape = shape
    self.points = points
    self.metric = metric
    let width = (points.dimension + 7) / 8 * 8
    let count = 1 << shape.depth
    boxes = Scratch(4 * width * count)
    let middle = Scratch<Double>(points.dimension)
    let scale = Self.centre(points, metric, middle.pointer)
    tree = tp_leaf_tree(
      leaves: UnsafeRawPointer(leaves).assumingMemoryBound(to: Double.self),
      members: shape.members,
      stamps: stamps.map { UnsafeRawPointer($0).assumingMemoryBound(to: Int64.self) },
      boxes: boxes.pointer, dimension: points.dimension, width: width, depth: shape.depth,
      measure: metric == .maximum ? scale : scale * scale, window: Int64(window),
      is_maximum: metric == .maximum ? 1 : 0, skips_zero: skipsZero ? 1 : 0)
    let (to, from, made) = (boxes.pointer, middle.pointer, tree)
    sideBySide(threads) { number in
      withUnsafePointer(to: made) {
        tp_leaf_boxes(
          $0, to, from, scale, count * number / threads, count * (number + 1) / threads)
      }
    }
    tp_leaf_join(&tree, to)
  }

  /// The middle of each coordinate, and the power of two that brings all of them to at most 1, so
  /// that float32 holds them at any magnitude.
  private static func centre(
    _ points: StridedPoints, _ metric: Metric, _ middle: UnsafeMutablePointer<Double>
  ) -> Double {
    var widest = 0.0
    for c in 0..<points.dimension {
      var (low, high) = (Double.infinity, -Double.infinity)
      for run in points.rows {
        for i in run {
          let value = points.value(i, c)
          low = value < low ? value : low
          high = value > high ? value : high
        }
      }
      middle[c] = low / 2 + high / 2
      widest = max(widest, high / 2 - low / 2)
    }
    guard widest > 0, widest < .infinity else { return 1 }
    // Its square is still a number.
    let most: Int = metric == .maximum ? 1000 : 500
    return scalbn(1, Int32(-min(max(Int(widest.exponent) + 1, -most), most)))
  }

  /// The nearest neighbours of a leaf's points.
  ///
  /// - Parameters:
  ///   - lanes: room, of the calling thread.
  ///   - guesses: for each point a neighbour that it may have, or -1.
  ///   - indices: where the neighbour of point `i` goes; -1 where it has none.
  ///   - distances: where its distance goes; infinite where it has none.
  func search(
    _ leaf: Int, _ lanes: borrowing Lanes, guesses: UnsafePointer<Int32>?,
    indices: UnsafeMutablePointer<Int32>,
    distances: UnsafeMutablePointer<Double>
  ) {
    let block = tree.leaves + 8 * points.dimension * leaf
    let members = shape.members + 8 * leaf
    var isEmpty = true
    for lane in 0..<8 {
      lanes.index[lane] = .max
      lanes.best[lane] = -.infinity
      guard block[lane] < .infinity else { continue }
      isEmpty = false
      let point = Int(members[lane])
      lanes.times[lane] = tree.stamps?[point] ?? Int64(point)
      lanes.best[lane] = .infinity
      guard let guess = guesses?[point], guess >= 0 else { continue }
      if let distance = distance(point, Int(guess), lanes.times[lane]) {
        lanes.best[lane] = distance
        lanes.index[lane] = Int64(guess)
      }
    }
    if isEmpty { return }
    var tree = tree
    tp_leaf_nearest(&tree, lanes.times.pointer, lanes.best.pointer, lanes.index.pointer, leaf)
    for lane in 0..<8 where block[lane] < .infinity {
      let point = Int(members[lane])
      let (index, best) = (lanes.index[lane], lanes.best[lane])
      indices[point] = index == .max ? -1 : Int32(index)
      distances[point] = metric == .euclidean ? best.squareRoot() : best
    }
  }

  /// Distance (squared if Euclidean) to a guess, if it may be the neighbour.
  private func distance(_ point: Int, _ guess: Int, _ time: Int64) -> Double? {
    guard guess < points.end,
      points.rows.count == 1 || points.rows.contains(where: { $0 ~= guess }),
      abs(time - (tree.stamps?[guess] ?? Int64(guess))) > tree.window
    else { return nil }
    var total = 0.0
    for c in 0..<points.dimension {
      let difference = points.value(point, c) - points.value(guess, c)
      total = metric == .euclidean ? total + difference * difference : max(total, abs(difference))
    }
    return tree.skips_zero != 0 && total == 0 ? nil : total
  }
}
