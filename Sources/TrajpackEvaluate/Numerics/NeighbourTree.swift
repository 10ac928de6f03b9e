/// A k-d tree over the rows of a table, for exact nearest neighbours under the Euclidean distance,
/// with neighbours close in time left out (Theiler window).
struct NeighbourTree {
  private struct Node {
    var axis: Int
    var split: Double
    var left: Int32
    var right: Int32
    var start: Int32
    var end: Int32
  }

  private let points: Series
  private var order: [Int32]
  private var nodes: [Node] = []
  private let leaf = 12

  /// A tree over the first `count` rows.
  init(_ points: Series, count: Int) {
    self.points = points
    order = (0..<Int32(count)).map { $0 }
    if count > 0 { _ = build(0, count) }
  }

  private mutating func build(_ start: Int, _ end: Int) -> Int32 {
    let index = Int32(nodes.count)
    nodes.append(
      Node(axis: -1, split: 0, left: -1, right: -1, start: Int32(start), end: Int32(end)))
    guard end - start > leaf else { return index }
    let (axis, extent) = widestAxis(start, end)
    guard extent > 0 else { return index }
    order[start..<end].sort { points[Int($0), axis] < points[Int($1), axis] }
    let middle = (start + end) / 2
    nodes[Int(index)].axis = axis
    nodes[Int(index)].split = points[Int(order[middle]), axis]
    let left = build(start, middle)
    let right = build(middle, end)
    nodes[Int(index)].left = left
    nodes[Int(index)].right = right
    return index
  }

  private func widestAxis(_ start: Int, _ end: Int) -> (axis: Int, extent: Double) {
    var best = (axis: 0, extent: -1.0)
    for axis in 0..<points.columns {
      var low = Double.infinity
      var high = -Double.infinity
      for place in start..<end {
        let value = points[Int(order[place]), axis]
        low = min(low, value)
        high = max(high, value)
      }
      if high - low > best.extent { best = (axis, high - low) }
    }
    return best
  }

  /// The nearest row to row `query` with |row − query| > `window` and a positive distance, and
  /// its squared distance.
  func nearest(to query: Int, window: Int) -> (row: Int, squared: Double)? {
    guard !nodes.isEmpty else { return nil }
    var best = (row: -1, squared: Double.infinity)
    search(0, query, points.values, window, &best)
    return best.row < 0 ? nil : best
  }

  private func search(
    _ index: Int, _ query: Int, _ values: UnsafeBufferPointer<Double>, _ window: Int,
    _ best: inout (row: Int, squared: Double)
  ) {
    let node = nodes[index]
    let columns = points.columns
    guard node.axis >= 0 else {
      for place in Int(node.start)..<Int(node.end) {
        let row = Int(order[place])
        guard abs(row - query) > window else { continue }
        var squared = 0.0
        for column in 0..<columns {
          let difference = values[row * columns + column] - values[query * columns + column]
          squared += difference * difference
        }
        if squared < best.squared, squared > 0 { best = (row, squared) }
      }
      return
    }
    let offset = values[query * columns + node.axis] - node.split
    search(Int(offset < 0 ? node.left : node.right), query, values, window, &best)
    if offset * offset <= best.squared {
      search(Int(offset < 0 ? node.right : node.left), query, values, window, &best)
    }
  }
}
