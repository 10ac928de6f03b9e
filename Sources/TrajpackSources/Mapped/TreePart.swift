import TrajpackFormat
import TrajpackStore

/// A part of an array of a tree whose rows are rows of a channel.
struct TreePart: Sendable {
  /// Numbers that stand for others: value × scale + offset, NaN where the stored number is one of `missing`.
  struct Scaling: Sendable, Equatable {
    /// Whether signed numbers are unsigned ones of their width.
    var isUnsigned = false
    var scale = 1.0
    var offset = 0.0
    var missing: [Double] = []
  }

  var tree: any ArrayTree
  var node: TreeNode
  /// What is taken of each axis.
  var part: [Range<Int>]
  /// The axes of a row's place, in order: the first counts rows; axes that are not here have one element.
  var order: [Int]
  var scaling: Scaling?
  /// Whether rows are bytes of a picture or the like, padded with zeros.
  var isPadded = false

  /// All rows of an array whose first axis counts them; a row or column of MATLAB counts along its only axis.
  init(_ tree: any ArrayTree, _ node: TreeNode, rows: Range<Int>? = nil) {
    self.tree = tree
    self.node = node
    let shape = node.array?.shape ?? []
    part = shape.map { 0..<$0 }
    order = tree.axes(of: node)
    let parts = node.array?.elementRank ?? 0
    if tree.isReversed(node), order.count - parts == 2 {
      if shape[order[1]] == 1 {
        order.remove(at: 1)
      } else if shape[order[0]] == 1 {
        order.remove(at: 0)
      }
    }
    if let rows, let first = order.first { part[first] = rows }
  }

  /// Rows that count along axis `time`, at a place of some other axes; all others are a row's shape, in order.
  init(
    _ tree: any ArrayTree, _ node: TreeNode, time: Int, rows: Range<Int>? = nil,
    at place: [Int: Int] = [:]
  ) {
    self.init(tree, node)
    for (axis, index) in place { part[axis] = index..<index + 1 }
    if let rows { part[time] = rows }
    order = [time] + tree.axes(of: node).filter { $0 != time && place[$0] == nil }
  }

  var count: Int { order.first.map { part[$0].count } ?? 1 }
  var rowShape: [Int] { order.dropFirst().map { part[$0].count } }

  /// The type of the elements as they are given.
  var type: ElementType {
    if scaling != nil { return .float64 }
    if isPadded { return .bytes }
    return node.array?.type ?? .bytes
  }

  /// Whether elements lie in the order in which they are given.
  private var isStraight: Bool {
    let wide = order.filter { part[$0].count != 1 }
    return wide == wide.sorted()
  }

  /// Bytes that are turned at once.
  private static let turned = 8 << 20

  /// The rows of numbers, one after the other.
  func spool() throws(TrajpackError) -> RowSpool {
    let spool = RowSpool()
    guard let type = node.array?.type else { return spool }
    if isStraight {
      try tree.read(node, part) { (bytes) throws(TrajpackError) in
        guard let scaling else { return try spool.append(bytes) }
        try spool.append(Self.scaled(bytes, type, scaling))
      }
      return spool
    }
    func add(_ bytes: [UInt8]) throws(TrajpackError) {
      guard let scaling else { return try spool.append(bytes) }
      try spool.append(bytes.withUnsafeBytes { Self.scaled($0, type, scaling) })
    }
    let row = rowShape.reduce(type.size, *)
    let step = max(Self.turned / max(row, 1), 1)
    let time = order[0]
    for first in stride(from: part[time].lowerBound, to: part[time].upperBound, by: step) {
      var some = part
      some[time] = first..<min(first + step, part[time].upperBound)
      var bytes: [UInt8] = []
      bytes.reserveCapacity(some[time].count * row)
      try tree.read(node, some) { (piece) throws(TrajpackError) in bytes.append(contentsOf: piece) }
      let turned = turn(bytes, some.map(\.count), size: type.size)
      try add(turned)
    }
    return spool
  }

  /// Elements of an array of that shape, with its axes in ``order``.
  private func turn(_ bytes: [UInt8], _ shape: [Int], size: Int) -> [UInt8] {
    var strides = [Int](repeating: size, count: shape.count)
    for axis in shape.indices.dropLast().reversed() {
      strides[axis] = strides[axis + 1] * shape[axis + 1]
    }
    return bytes.strided(
      sizes: order.map { shape[$0] }, steps: order.map { strides[$0] }, element: size)
  }

  private static func scaled(
    _ bytes: UnsafeRawBufferPointer, _ type: ElementType, _ scaling: Scaling
  ) -> [UInt8] {
    let count = bytes.count / type.size
    return [UInt8](unsafeUninitializedCapacity: count * 8) { out, filled in
      for i in 0..<count {
        var stored = StoredNumber(bytes, i, type).double
        if scaling.isUnsigned, stored < 0 {
          stored += Double(sign: .plus, exponent: 8 * type.size, significand: 1)
        }
        let value =
          scaling.missing.contains(stored) ? .nan : stored * scaling.scale + scaling.offset
        withUnsafeBytes(of: value.bitPattern.littleEndian) { raw in
          for j in 0..<8 { out[i * 8 + j] = raw[j] }
        }
      }
      filled = count * 8
    }
  }

  /// The texts or bytes of the rows.
  func texts(_ body: ([UInt8]) throws(TrajpackError) -> Void) throws(TrajpackError) {
    guard isPadded else { return try tree.readTexts(node, part, body) }
    let width = rowShape.reduce(node.array?.type?.size ?? 1, *)
    var rest: [UInt8] = []
    try tree.read(node, part) { (bytes) throws(TrajpackError) in
      rest.append(contentsOf: bytes)
      var at = 0
      while rest.count - at >= width {
        let row = rest[at..<at + width]
        try body(Array(row[..<((row.lastIndex { $0 != 0 } ?? at - 1) + 1)]))
        at += width
      }
      rest.removeFirst(at)
    }
  }
}
