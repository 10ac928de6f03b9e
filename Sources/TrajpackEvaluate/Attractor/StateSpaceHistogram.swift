import Glibc

/// Visits of a trajectory to the cells of a grid over state space, counted as the trajectory
/// streams by: memory grows with the cells visited, not with the points.
struct StateSpaceHistogram {
  /// A grid: `bins` equal cells along each dimension.
  struct Grid {
    var low: [Double]
    var high: [Double]
    var bins: Int
    /// Whether the lowest cell along any dimension is left out (a slip of AL-RNN's Python code).
    var dropsFirst = false

    /// How many cells there are; may be more than fit an Int.
    var cells: Double { low.reduce(1.0) { cells, _ in cells * Double(bins) } }
  }

  let grid: Grid
  /// Visits by cell number: an array where the grid is small, else a table of what was visited.
  private var dense: [UInt32]
  private var sparse: [UInt64: UInt32] = [:]
  private(set) var inside = 0
  private(set) var outside = 0
  private(set) var notNumbers = 0

  /// Nil when cells cannot be numbered in 63 bits.
  init?(_ grid: Grid) {
    guard grid.cells < 0x1p62, grid.bins > 0 else { return nil }
    self.grid = grid
    dense = grid.cells <= 0x1p22 ? [UInt32](repeating: 0, count: Int(grid.cells)) : []
  }

  /// Counts rows; a NaN is counted apart.
  mutating func add<Element: BinaryFloatingPoint>(
    _ rows: UnsafeBufferPointer<Element>, columns: Int
  ) {
    if columns == 3, !dense.isEmpty {
      addTriples(rows)
    } else {
      addAny(rows, columns: columns)
    }
  }

  private mutating func addTriples<Element: BinaryFloatingPoint>(
    _ rows: UnsafeBufferPointer<Element>
  ) {
    let low = SIMD4(grid.low[0], grid.low[1], grid.low[2], 0)
    let bins = Double(grid.bins)
    let width = SIMD4(
      grid.high[0] - grid.low[0], grid.high[1] - grid.low[1], grid.high[2] - grid.low[2], 1)
    let scale = SIMD4(repeating: bins) / width
    let first = grid.dropsFirst ? 1.0 : 0.0
    let count = grid.bins
    var inside = 0
    var outside = 0
    var notNumbers = 0
    dense.withUnsafeMutableBufferPointer { visits in
      for row in 0..<rows.count / 3 {
        let p = SIMD4(
          Double(rows[3 * row]), Double(rows[3 * row + 1]), Double(rows[3 * row + 2]), 0)
        let q = (p - low) * scale
        // The fourth lane is 0 and tells nothing.
        let fits =
          q.x >= first && q.y >= first && q.z >= first && q.x < bins && q.y < bins && q.z < bins
        if fits {
          visits[(Int(q.x) * count + Int(q.y)) * count + Int(q.z)] &+= 1
          inside += 1
        } else if (p.x + p.y + p.z).isNaN {
          notNumbers += 1
        } else {
          outside += 1
        }
      }
    }
    self.inside += inside
    self.outside += outside
    self.notNumbers += notNumbers
  }

  private mutating func addAny<Element: BinaryFloatingPoint>(
    _ rows: UnsafeBufferPointer<Element>, columns: Int
  ) {
    let bins = Double(grid.bins)
    let first = grid.dropsFirst ? 1.0 : 0.0
    let scale = (0..<columns).map { bins / (grid.high[$0] - grid.low[$0]) }
    let low = grid.low
    for row in 0..<(columns > 0 ? rows.count / columns : 0) {
      var cell: UInt64 = 0
      var fits = true
      var broken = false
      for column in 0..<columns {
        let value = Double(rows[row * columns + column])
        let place = (value - low[column]) * scale[column]
        if place >= first, place < bins {
          cell = cell &* UInt64(grid.bins) &+ UInt64(place)
        } else {
          fits = false
          if value.isNaN { broken = true }
        }
      }
      if broken {
        notNumbers += 1
      } else if !fits {
        outside += 1
      } else {
        inside += 1
        if dense.isEmpty { sparse[cell, default: 0] += 1 } else { dense[Int(cell)] += 1 }
      }
    }
  }

  /// The visits of a cell.
  private func visits(_ cell: UInt64) -> UInt32 {
    dense.isEmpty ? sparse[cell] ?? 0 : dense[Int(cell)]
  }

  /// The cells visited.
  private var visited: [UInt64] {
    dense.isEmpty
      ? sparse.keys.sorted() : dense.indices.filter { dense[$0] > 0 }.map { UInt64($0) }
  }

  /// How many cells were visited.
  var occupied: Int { dense.isEmpty ? sparse.count : dense.reduce(0) { $0 + ($1 > 0 ? 1 : 0) } }

  /// KL(self ‖ other) in nats, both smoothed: (c + α)/(Σc + αK^N). Nil when `other` is empty.
  ///
  /// Cells that neither visited differ by a constant, so they need not be walked.
  func divergence(from other: StateSpaceHistogram, alpha: Double, wraps: Bool) -> Double? {
    func count(_ visits: UInt32) -> Double { Double(wraps ? visits & 0xFFFF : visits) }
    var cells = Set(visited)
    cells.formUnion(other.visited)
    let union = dense.isEmpty || other.dense.isEmpty ? cells.sorted() : Array(cells).sorted()
    var ownTotal = 0.0
    var otherTotal = 0.0
    for cell in union {
      ownTotal += count(visits(cell))
      otherTotal += count(other.visits(cell))
    }
    guard otherTotal > 0, ownTotal > 0 else { return nil }
    let ownSum = ownTotal + alpha * grid.cells
    let otherSum = otherTotal + alpha * grid.cells
    var sum = 0.0
    for cell in union {
      let p = (count(visits(cell)) + alpha) / ownSum
      let q = (count(other.visits(cell)) + alpha) / otherSum
      if p > 0 {
        guard q > 0 else { return nil }
        sum += p * log(p / q)
      }
    }
    let empty = grid.cells - Double(union.count)
    if alpha > 0, empty > 0 {
      sum += empty * (alpha / ownSum) * log(otherSum / ownSum)
    }
    return sum
  }
}
