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
      scanEuclidean(node - firstLeaf)
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
      scanMaximum(node - firstLeaf)
      return
    }
    let axis = Int(axes[node])
    let side = query[axis] - cuts[node]
    node = 2 * node + (side < 0 ? 0 : 1)
    maximum(node, levels - 1, away)
    let further = max(away, abs(side))
    if further <= bound { maximum(node ^ 1, levels - 1, further) }
  }

  /// A leaf, half by half: four lanes leave the registers room. Apart from the recursion, which
  /// would otherwise be unrolled around it.
  @inline(never)
  private mutating func scanEuclidean(_ leaf: Int) {
    let block = UnsafeRawPointer(leaves + leaf * dimension)
    for half in 0..<2 {
      var total = SIMD4<Double>.zero
      var c = 0
      while c < dimension {
        let difference =
          block.load(fromByteOffset: 64 &* c &+ 32 &* half, as: SIMD4<Double>.self) - query[c]
        total += difference * difference
        c &+= 1
      }
      take(total, leaf &* 8 &+ 4 &* half)
    }
  }

  @inline(never)
  private mutating func scanMaximum(_ leaf: Int) {
    let block = UnsafeRawPointer(leaves + leaf * dimension)
    let unsigned = SIMD4<UInt64>(repeating: .max >> 1)
    for half in 0..<2 {
      var total = SIMD4<Double>.zero
      var c = 0
      while c < dimension {
        let difference =
          block.load(fromByteOffset: 64 &* c &+ 32 &* half, as: SIMD4<Double>.self) - query[c]
        let size = unsafeBitCast(
          unsafeBitCast(difference, to: SIMD4<UInt64>.self) & unsigned, to: SIMD4<Double>.self)
        total = size.replacing(with: total, where: total .> size)
        c &+= 1
      }
      take(total, leaf &* 8 &+ 4 &* half)
    }
  }

  /// Takes the points of a leaf that are near enough. Among equal distances the smaller point
  /// number wins, so that results depend on neither hints nor threads.
  @inline(__always)
  private mutating func take(_ total: SIMD4<Double>, _ first: Int) {
    let nearest = min(min(total.x, total.y), min(total.z, total.w))
    guard nearest <= bound else { return }
    for lane in 0..<4 where total[lane] <= bound {
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
