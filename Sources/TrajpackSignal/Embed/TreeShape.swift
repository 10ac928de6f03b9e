/// Points as a strided view: coordinate `c` of point `i` is `base[i·row + c·column]`, so that delay
/// vectors need no copy.
struct StridedPoints {
  let base: UnsafePointer<Double>
  let row: Int
  let column: Int
  let dimension: Int
  /// The points that exist; their numbers need not be dense.
  let rows: [Range<Int>]

  @inline(__always) func value(_ i: Int, _ c: Int) -> Double { base[i * row + c * column] }

  /// One more than the last number.
  var end: Int { rows.last?.upperBound ?? 0 }
  var count: Int { rows.reduce(0) { $0 + $1.count } }
}

/// Which points lie together: the cuts and leaves of a k-d tree, eight points a leaf.
///
/// A shape made in few dimensions serves the same rows in more: cuts bound distances from below in
/// any larger space.
final class TreeShape {
  let depth: Int
  /// Points of each leaf, -1 where there is none.
  let members: UnsafeMutablePointer<Int32>
  /// Inner nodes in heap order: value and coordinate of the cut.
  let cuts: UnsafeMutablePointer<Double>
  let axes: UnsafeMutablePointer<Int32>

  private struct Entry {
    var key: Double
    var point: Int32
  }

  /// - Parameter threads: how many build it side by side; it is the same with any number.
  init(_ points: StridedPoints, threads: Int = 1) {
    let count = points.count
    var depth = 0
    while count > 8 << depth { depth += 1 }
    self.depth = depth
    members = .allocate(capacity: 8 << depth)
    members.initialize(repeating: -1, count: 8 << depth)
    cuts = .allocate(capacity: 1 << depth)
    cuts.initialize(repeating: 0, count: 1 << depth)
    axes = .allocate(capacity: 1 << depth)
    axes.initialize(repeating: 0, count: 1 << depth)
    let entries = Scratch<Entry>(count)
    var next = 0
    for run in points.rows {
      for i in run {
        entries[next] = Entry(key: 0, point: Int32(i))
        next += 1
      }
    }
    build(points, 1, entries.pointer, count, depth, threads)
  }

  deinit {
    members.deallocate()
    cuts.deallocate()
    axes.deallocate()
  }

  /// Cuts the widest coordinate (of a sample) at its median, down to leaves of at most eight.
  private func build(
    _ points: StridedPoints, _ node: Int, _ entries: UnsafeMutablePointer<Entry>, _ n: Int,
    _ levels: Int, _ threads: Int
  ) {
    if levels == 0 {
      let leaf = node - (1 << depth)
      for i in 0..<n { members[leaf * 8 + i] = entries[i].point }
      return
    }
    var axis = 0
    if points.dimension > 1 {
      var widest = -1.0
      let step = max(n / 64, 1)
      for c in 0..<points.dimension {
        var (low, high) = (Double.infinity, -Double.infinity)
        var i = 0
        while i < n {
          let value = points.value(Int(entries[i].point), c)
          low = min(low, value)
          high = max(high, value)
          i += step
        }
        if high - low > widest { (axis, widest) = (c, high - low) }
      }
    }
    for i in 0..<n { entries[i].key = points.value(Int(entries[i].point), axis) }
    // Full leaves, and few: what does not fill one goes to the last.
    let half = (n / 2 + 4) / 8 * 8
    if half < n { Self.select(entries, n, half) }
    axes[node] = Int32(axis)
    cuts[node] = half < n ? entries[half].key : .infinity
    func part(_ side: Int, _ threads: Int) {
      if side == 0 {
        build(points, 2 * node, entries, half, levels - 1, threads)
      } else {
        build(points, 2 * node + 1, entries + half, n - half, levels - 1, threads)
      }
    }
    if threads > 1, n > 4096 {
      sideBySide(2) { part($0, $0 == 0 ? threads / 2 : threads - threads / 2) }
    } else {
      part(0, 1)
      part(1, 1)
    }
  }

  /// Hoare's selection: entry `k` in its sorted place, smaller keys before it.
  private static func select(_ entries: UnsafeMutablePointer<Entry>, _ n: Int, _ k: Int) {
    var (low, high) = (0, n - 1)
    while low < high {
      // The median of three, so that sorted series do not make it quadratic.
      let (a, b, c) = (entries[low].key, entries[(low + high) / 2].key, entries[high].key)
      let pivot = max(min(a, b), min(max(a, b), c))
      var (i, j) = (low, high)
      while i <= j {
        while entries[i].key < pivot { i += 1 }
        while entries[j].key > pivot { j -= 1 }
        if i <= j {
          let entry = entries[i]
          entries[i] = entries[j]
          entries[j] = entry
          i += 1
          j -= 1
        }
      }
      if k <= j { high = j } else if k >= i { low = i } else { return }
    }
  }
}
