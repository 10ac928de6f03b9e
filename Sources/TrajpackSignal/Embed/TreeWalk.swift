/// One point's search through a tree, with the best so far kept sorted.
struct TreeWalk {
  let members: UnsafePointer<Int32>
  let cuts: UnsafePointer<Double>
  let axes: UnsafePointer<Int32>
  let firstLeaf: Int
  let leaves: UnsafePointer<SIMD8<Double>>
  let dimension: Int
  let stamps: UnsafePointer<Int>?
  let query: UnsafePointer<Double>
  /// Distance from the query to the region being visited, by coordinate.
  let offsets: UnsafeMutablePointer<Double>
  let window: Int
  let skipsZero: Bool
  let k: Int
  var stamp = 0
  var best: UnsafeMutablePointer<Double>
  var index: UnsafeMutablePointer<Int32>
  /// Nothing beyond this distance is of interest.
  var bound = Double.infinity

  init(
    shape: TreeShape, leaves: UnsafePointer<SIMD8<Double>>, dimension: Int,
    stamps: UnsafePointer<Int>?, query: UnsafePointer<Double>,
    offsets: UnsafeMutablePointer<Double>, window: Int, skipsZero: Bool, k: Int
  ) {
    members = UnsafePointer(shape.members)
    cuts = UnsafePointer(shape.cuts)
    axes = UnsafePointer(shape.axes)
    firstLeaf = 1 << shape.depth
    self.leaves = leaves
    self.dimension = dimension
    self.stamps = stamps
    self.query = query
    self.offsets = offsets
    self.window = window
    self.skipsZero = skipsZero
    self.k = k
    // Set for each point.
    best = offsets
    index = shape.members
  }

  @inline(__always) func allows(_ other: Int) -> Bool { abs(stamp - other) > window }

  /// `away`: squared distance to the region. Pruned a hair late, so that rounding never cuts off
  /// the neighbour that set the bound.
  mutating func euclidean(_ node: Int, _ levels: Int, _ away: Double) {
    var node = node
    if levels == 0 {
      let block = leaves + (node - firstLeaf) * dimension
      var total = SIMD8<Double>.zero
      for c in 0..<dimension {
        let difference = block[c] - query[c]
        total += difference * difference
      }
      take(total, (node - firstLeaf) * 8)
      return
    }
    let axis = Int(axes[node])
    let side = query[axis] - cuts[node]
    node = 2 * node + (side < 0 ? 0 : 1)
    euclidean(node, levels - 1, away)
    let before = offsets[axis]
    let further = away - before * before + side * side
    if further * (1 - 1e-12) <= bound {
      offsets[axis] = side
      euclidean(node ^ 1, levels - 1, further)
      offsets[axis] = before
    }
  }

  /// The same for the maximum norm.
  mutating func maximum(_ node: Int, _ levels: Int, _ away: Double) {
    var node = node
    if levels == 0 {
      let block = leaves + (node - firstLeaf) * dimension
      var total = SIMD8<Double>.zero
      for c in 0..<dimension {
        let difference = block[c] - query[c]
        // pointwiseMax is not one instruction.
        let size = difference.replacing(with: -difference, where: difference .< 0)
        total.replace(with: size, where: size .> total)
      }
      take(total, (node - firstLeaf) * 8)
      return
    }
    let axis = Int(axes[node])
    let side = query[axis] - cuts[node]
    node = 2 * node + (side < 0 ? 0 : 1)
    maximum(node, levels - 1, away)
    let further = max(away, abs(side))
    if further <= bound { maximum(node ^ 1, levels - 1, further) }
  }

  /// Takes the points of a leaf that are near enough. Among equal distances the smaller point
  /// number wins, so that results depend on neither hints nor threads.
  @inline(__always)
  private mutating func take(_ total: SIMD8<Double>, _ first: Int) {
    guard any(total .<= bound) else { return }
    for lane in 0..<8 where total[lane] <= bound {
      let member = Int(members[first + lane])
      if total[lane] < .infinity, allows(stamps?[member] ?? member),
        !(skipsZero && total[lane] == 0)
      {
        insert(total[lane], Int32(member))
      }
    }
  }

  @inline(__always)
  private mutating func insert(_ distance: Double, _ member: Int32) {
    var place = k - 1
    if distance == best[place], member > index[place] { return }
    while place > 0,
      best[place - 1] > distance || (best[place - 1] == distance && index[place - 1] > member)
    {
      best[place] = best[place - 1]
      index[place] = index[place - 1]
      place -= 1
    }
    best[place] = distance
    index[place] = member
    bound = min(bound, best[k - 1])
  }
}
