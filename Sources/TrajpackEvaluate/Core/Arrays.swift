import TrajpackFormat

/// A caller's array: row-major, borrowed for the length of one call.
public struct ArrayView {
  /// The elements.
  public enum Elements {
    /// float32.
    case float(UnsafeBufferPointer<Float>)
    /// float64.
    case double(UnsafeBufferPointer<Double>)
    /// int64.
    case integer(UnsafeBufferPointer<Int64>)
    /// uint8: masks, images, labels.
    case byte(UnsafeBufferPointer<UInt8>)
  }

  /// The name the evaluator knows the array by: `truth`, `prediction`, `truth_mask`, …
  public let name: String
  /// The length of each axis.
  public let shape: [Int]
  /// The elements, last axis fastest.
  public let elements: Elements

  /// A view; refuses a shape that does not multiply to the number of elements.
  public init(name: String, shape: [Int], elements: Elements) throws(TrajpackError) {
    var product = 1
    for length in shape {
      let (next, overflow) = product.multipliedReportingOverflow(by: length)
      guard length >= 0, !overflow else {
        throw TrajpackError(.usage, "the array '\(name)' has an impossible shape \(shape)")
      }
      product = next
    }
    let count =
      switch elements {
      case .float(let buffer): buffer.count
      case .double(let buffer): buffer.count
      case .integer(let buffer): buffer.count
      case .byte(let buffer): buffer.count
      }
    guard product == count else {
      throw TrajpackError(
        .usage, "the array '\(name)' has \(count) elements, but the shape \(shape)")
    }
    self.name = name
    self.shape = shape
    self.elements = elements
  }
}

extension ArrayView {
  /// Whether its type holds whole numbers alone.
  var isWhole: Bool {
    switch elements {
    case .integer, .byte: return true
    case .float, .double: return false
    }
  }
}

/// The arrays of one call, by name, converted to the type an evaluator computes in.
///
/// What has that type already is used in place; what has not is copied once, and the copy lives
/// as long as this object.
final class Arrays {
  private let views: [ArrayView]
  private var copies: [UnsafeMutableRawPointer] = []
  /// Which scores are asked for.
  var wanted: (String) -> Bool = { _ in true }

  init(_ views: [ArrayView]) { self.views = views }

  deinit { for copy in copies { copy.deallocate() } }

  /// The array of that name, if the caller gave it.
  func view(_ name: String) -> ArrayView? { views.first { $0.name == name } }

  /// The array of that name.
  func required(_ name: String) throws(TrajpackError) -> ArrayView {
    guard let view = view(name) else {
      throw TrajpackError(.usage, "the array '\(name)' is needed and was not given")
    }
    return view
  }

  /// The names given.
  var names: [String] { views.map(\.name) }

  /// Room for `count` elements that lives as long as this object.
  func scratch<T: BitwiseCopyable>(_ count: Int, of type: T.Type) -> UnsafeMutableBufferPointer<T> {
    let buffer = UnsafeMutableBufferPointer<T>.allocate(capacity: max(count, 1))
    if let base = buffer.baseAddress { copies.append(UnsafeMutableRawPointer(base)) }
    return UnsafeMutableBufferPointer(rebasing: buffer[0..<count])
  }

  /// The elements as float64.
  func doubles(_ view: ArrayView) -> UnsafeBufferPointer<Double> {
    switch view.elements {
    case .double(let buffer): return buffer
    case .float(let buffer): return convert(buffer) { Double($0) }
    case .integer(let buffer): return convert(buffer) { Double($0) }
    case .byte(let buffer): return convert(buffer) { Double($0) }
    }
  }

  /// The elements as int64; refuses what has a fraction.
  func integers(_ view: ArrayView) throws(TrajpackError) -> UnsafeBufferPointer<Int64> {
    switch view.elements {
    case .integer(let buffer): return buffer
    case .byte(let buffer): return convert(buffer) { Int64($0) }
    case .float(let buffer):
      guard buffer.allSatisfy({ Int64(exactly: $0) != nil }) else { throw notWhole(view) }
      return convert(buffer) { Int64(exactly: $0) ?? 0 }
    case .double(let buffer):
      guard buffer.allSatisfy({ Int64(exactly: $0) != nil }) else { throw notWhole(view) }
      return convert(buffer) { Int64(exactly: $0) ?? 0 }
    }
  }

  /// The elements as int64, those of rows that are masked as 0, whatever they hold.
  func integers(
    _ view: ArrayView, where mask: UnsafeBufferPointer<UInt8>?
  ) throws(TrajpackError) -> UnsafeBufferPointer<Int64> {
    guard let mask, !mask.isEmpty, !view.isWhole else { return try integers(view) }
    let values = doubles(view)
    let columns = values.count / mask.count
    let copy = scratch(values.count, of: Int64.self)
    for index in values.indices {
      let known = columns == 0 || mask[index / columns] != 0
      guard let whole = known ? Int64(exactly: values[index]) : 0 else { throw notWhole(view) }
      copy[index] = whole
    }
    return UnsafeBufferPointer(copy)
  }

  /// The elements as bytes that are 0 or 1.
  func bytes(_ view: ArrayView) -> UnsafeBufferPointer<UInt8> {
    switch view.elements {
    case .byte(let buffer): return buffer
    case .integer(let buffer): return convert(buffer) { $0 != 0 ? 1 : 0 }
    case .float(let buffer): return convert(buffer) { $0 != 0 && !$0.isNaN ? 1 : 0 }
    case .double(let buffer): return convert(buffer) { $0 != 0 && !$0.isNaN ? 1 : 0 }
    }
  }

  private func notWhole(_ view: ArrayView) -> TrajpackError {
    TrajpackError(.usage, "the array '\(view.name)' must hold whole numbers")
  }

  private func convert<S: BitwiseCopyable, T: BitwiseCopyable>(
    _ source: UnsafeBufferPointer<S>, _ body: (S) -> T
  ) -> UnsafeBufferPointer<T> {
    let copy = scratch(source.count, of: T.self)
    for index in 0..<source.count { copy[index] = body(source[index]) }
    return UnsafeBufferPointer(copy)
  }
}

extension Arrays {
  /// The array as float64 with its shape, of one of the ranks named.
  func tensor(
    _ name: String, ranks: ClosedRange<Int>, lastAxis: Int? = nil
  ) throws(TrajpackError) -> Tensor {
    let view = try required(name)
    guard ranks.contains(view.shape.count) else {
      let wanted =
        ranks.count == 1
        ? "\(ranks.lowerBound) axes" : "\(ranks.lowerBound) to \(ranks.upperBound) axes"
      throw TrajpackError(.usage, "the array '\(name)' must have \(wanted), not \(view.shape)")
    }
    if let lastAxis, view.shape.last != lastAxis {
      throw TrajpackError(
        .usage, "the last axis of '\(name)' must have length \(lastAxis), not \(view.shape)")
    }
    return Tensor(name: name, shape: view.shape, values: doubles(view))
  }

  /// The mask of that name if one was given: `count` bytes, 1 = counts.
  func mask(_ name: String, count: Int) throws(TrajpackError) -> UnsafeBufferPointer<UInt8>? {
    guard let view = view(name) else { return nil }
    let buffer = bytes(view)
    guard buffer.count == count else {
      throw TrajpackError(
        .usage, "the mask '\(name)' must have \(count) elements, not \(buffer.count)")
    }
    return buffer
  }

  /// The clips that `rows` rows are cut into: `lengths` if given, else one clip.
  func clips(rows: Int) throws(TrajpackError) -> [Range<Int>] {
    guard let view = view("lengths") else { return [0..<rows] }
    var ranges: [Range<Int>] = []
    var start = 0
    for length in try integers(view) {
      guard length >= 0, length <= rows - start else {
        throw TrajpackError(
          .usage, "'lengths' must be rows of each clip and sum to \(rows); they do not")
      }
      ranges.append(start..<start + Int(length))
      start += Int(length)
    }
    guard start == rows else {
      throw TrajpackError(.usage, "'lengths' sums to \(start), but there are \(rows) rows")
    }
    return ranges
  }
}

/// A float64 array of any rank.
struct Tensor {
  let name: String
  let shape: [Int]
  let values: UnsafeBufferPointer<Double>

  /// Refuses a partner of another shape.
  func requireSameShape(_ other: Tensor) throws(TrajpackError) {
    guard shape == other.shape else {
      throw TrajpackError(
        .usage, "'\(name)' is \(shape) and '\(other.name)' is \(other.shape); they must be equal")
    }
  }

  /// The series along the last two axes, one for each index of a leading third axis.
  var series: [Series] {
    let columns = shape.count < 2 ? 1 : shape[shape.count - 1]
    let rows = shape.count < 2 ? shape.first ?? 0 : shape[shape.count - 2]
    let batches = shape.count < 3 ? 1 : shape[0]
    return (0..<batches).map { index in
      let start = index * rows * columns
      return Series(
        values: UnsafeBufferPointer(rebasing: values[start..<start + rows * columns]), rows: rows,
        columns: columns)
    }
  }
}

/// A float64 table, row-major.
struct Series {
  let values: UnsafeBufferPointer<Double>
  let rows: Int
  let columns: Int

  @inline(__always) subscript(row: Int, column: Int) -> Double { values[row * columns + column] }

  /// One column, copied.
  func column(_ index: Int) -> [Double] {
    (0..<rows).map { values[$0 * columns + index] }
  }
}

extension Arrays {
  /// The same call with the truth in place of predictions; `partners` is prediction to truth.
  func withTruth(_ partners: [String: String]) throws(TrajpackError) -> Arrays {
    let truth = Arrays(
      try views.map { view throws(TrajpackError) in
        guard let name = partners[view.name], let own = self.view(name) else { return view }
        return try ArrayView(name: view.name, shape: own.shape, elements: own.elements)
      })
    truth.wanted = wanted
    return truth
  }

  /// The rows of a prediction that are not finite; a row whose `mask` is 0 is a gap, and is none.
  func brokenRows(_ name: String) throws(TrajpackError) -> Failures {
    var failures = Failures("rows")
    guard let view = view(name), let rows = view.shape.first, rows > 0 else { return failures }
    let mask = try self.view("mask") == nil ? nil : mask("mask", count: rows)
    let width = view.shape.dropFirst().reduce(1, *)
    func scan(_ isFinite: (Int) -> Bool) {
      for row in 0..<rows where mask.map({ $0[row] != 0 }) ?? true {
        failures.total += 1
        var good = true
        for index in row * width..<(row + 1) * width where !isFinite(index) { good = false }
        if !good { failures.add(row, "row \(row) of '\(name)' is not finite") }
      }
    }
    switch view.elements {
    case .float(let buffer): scan { buffer[$0].isFinite }
    case .double(let buffer): scan { buffer[$0].isFinite }
    case .integer, .byte: failures.total = rows
    }
    return failures
  }
}
