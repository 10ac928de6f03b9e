import TrajpackEvaluate
import TrajpackFormat

/// Numbers in memory that lives as long as anybody who looks at it.
struct Cells: RandomAccessCollection {
  private final class Memory {
    let buffer: UnsafeMutableBufferPointer<Double>

    init(_ count: Int, _ value: Double) {
      buffer = .allocate(capacity: Swift.max(count, 1))
      buffer.initialize(repeating: value)
    }

    deinit { buffer.deallocate() }
  }

  private let memory: Memory
  let count: Int

  init(_ count: Int, filledWith value: Double) {
    memory = Memory(count, value)
    self.count = count
  }

  var startIndex: Int { 0 }
  var endIndex: Int { count }

  subscript(index: Int) -> Double {
    get {
      precondition(index >= 0 && index < count)
      return memory.buffer[index]
    }
    nonmutating set {
      precondition(index >= 0 && index < count)
      memory.buffer[index] = newValue
    }
  }

  /// The memory itself, which whoever borrows it must keep alive.
  var borrowed: UnsafeBufferPointer<Double> {
    UnsafeBufferPointer(rebasing: memory.buffer[0..<count])
  }
}

/// An array of float64 of any shape, last axis fastest; NaN is what there is not.
final class Numbers {
  let shape: [Int]
  let values: Cells
  /// Which rows there are, where a table left some out; all where nil.
  var present: [Bool]?

  /// An array filled with one number.
  init(shape: [Int], filledWith value: Double = .nan) {
    self.shape = shape
    values = Cells(shape.reduce(1, *), filledWith: value)
  }

  /// An array of numbers that fit the shape.
  convenience init(shape: [Int], _ numbers: [Double]) {
    self.init(shape: shape)
    precondition(numbers.count == values.count)
    for (index, number) in numbers.enumerated() { values[index] = number }
  }

  /// The length of the first axis.
  var rows: Int { shape.first ?? 0 }
  /// Numbers of one row.
  var width: Int { shape.dropFirst().reduce(1, *) }

  /// The same numbers in another shape of as many.
  func reshaped(_ shape: [Int]) -> Numbers {
    Numbers(shape: shape, Array(values))
  }

  /// Some rows.
  func rows(_ range: Range<Int>) -> Numbers {
    let out = Numbers(shape: [range.count] + shape.dropFirst())
    for index in 0..<out.values.count {
      out.values[index] = values[range.lowerBound * width + index]
    }
    return out
  }

  /// Some numbers of each row, which then is flat.
  func columns(_ columns: [Int]) -> Numbers {
    let out = Numbers(shape: [rows, columns.count])
    for row in 0..<rows {
      for (place, column) in columns.enumerated() {
        out.values[row * columns.count + place] = values[row * width + column]
      }
    }
    return out
  }

  /// Whether a row holds a number that is one.
  func isKnown(row: Int) -> Bool {
    values[row * width..<(row + 1) * width].contains { !$0.isNaN }
  }

  /// Arrays one after the other along the first axis; a second axis that differs is filled up with `fill`.
  static func joined(_ parts: [Numbers], filledWith fill: Double = .nan) -> Numbers {
    guard let first = parts.first else { return Numbers(shape: [0]) }
    let rest = Array(first.shape.dropFirst(2))
    let second = first.shape.count > 1 ? parts.map { $0.shape[1] }.max() : nil
    let out = Numbers(
      shape: [parts.reduce(0) { $0 + $1.rows }] + (second.map { [$0] } ?? []) + rest,
      filledWith: fill)
    var row = 0
    for part in parts {
      for own in 0..<part.rows {
        let (from, to) = (own * part.width, row * out.width)
        for index in 0..<part.width { out.values[to + index] = part.values[from + index] }
        row += 1
      }
    }
    return out
  }

  /// Arrays as the rows of one with an axis more; shorter ones are filled up with `fill`.
  static func stacked(_ parts: [Numbers], filledWith fill: Double = .nan) -> Numbers {
    guard let first = parts.first else { return Numbers(shape: [0, 0]) }
    let longest = parts.map(\.rows).max() ?? 0
    let out = Numbers(shape: [parts.count, longest] + first.shape.dropFirst(), filledWith: fill)
    for (number, part) in parts.enumerated() {
      for index in 0..<part.values.count {
        out.values[number * out.width + index] = part.values[index]
      }
    }
    return out
  }

  /// What an evaluator takes: it borrows from this array, which the caller keeps alive.
  func view(_ name: String) throws(TrajpackError) -> ArrayView {
    try ArrayView(name: name, shape: shape, elements: .double(values.borrowed))
  }
}
