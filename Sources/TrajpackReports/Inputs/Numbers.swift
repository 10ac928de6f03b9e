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

  /// Takes over `count` packed elements of bytes, from `at` on.
  func fill(
    _ at: Int, _ bytes: UnsafeRawBufferPointer, _ count: Int, _ reading: ElementReading
  ) {
    let size = reading.type.size
    precondition(
      at >= 0 && count >= 0 && at <= self.count - count && count * size <= bytes.count)
    guard let from = bytes.baseAddress, let out = memory.buffer.baseAddress else { return }
    reading.doubles(from, count: count, stride: size, into: out + at)
  }

  /// Takes over rows of `width` numbers, each as the row that `places` names; -1 leaves one out.
  func scatter(_ numbers: [Double], width: Int, to places: ArraySlice<Int>) {
    precondition(numbers.count == places.count * width)
    numbers.withUnsafeBufferPointer { numbers in
      let out = memory.buffer
      var from = 0
      for place in places {
        if place >= 0 {
          precondition((place + 1) * width <= count)
          for element in 0..<width { out[place * width + element] = numbers[from + element] }
        }
        from += width
      }
    }
  }

  /// Takes over numbers of other cells, from their `from` on, to `to` on.
  func copy(_ count: Int, of other: Cells, from: Int, to: Int) {
    precondition(
      count >= 0 && from >= 0 && to >= 0 && from <= other.count - count
        && to <= self.count - count)
    guard count > 0, let own = memory.buffer.baseAddress,
      let source = other.memory.buffer.baseAddress
    else { return }
    (own + to).update(from: source + from, count: count)
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

  /// The memory of another array, in a shape of as many numbers.
  private init(_ values: Cells, as shape: [Int]) {
    precondition(shape.reduce(1, *) == values.count)
    self.shape = shape
    self.values = values
  }

  /// The length of the first axis.
  var rows: Int { shape.first ?? 0 }
  /// Numbers of one row.
  var width: Int { shape.dropFirst().reduce(1, *) }

  /// The same numbers, in the same memory, in another shape of as many.
  func reshaped(_ shape: [Int]) -> Numbers { Numbers(values, as: shape) }

  /// Some rows.
  func rows(_ range: Range<Int>) -> Numbers {
    let out = Numbers(shape: [range.count] + shape.dropFirst())
    out.values.copy(out.values.count, of: values, from: range.lowerBound * width, to: 0)
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
    if parts.count == 1 { return first }
    let rest = Array(first.shape.dropFirst(2))
    let second = first.shape.count > 1 ? parts.map { $0.shape[1] }.max() : nil
    let out = Numbers(
      shape: [parts.reduce(0) { $0 + $1.rows }] + (second.map { [$0] } ?? []) + rest,
      filledWith: fill)
    var row = 0
    for part in parts {
      if part.width == out.width {
        out.values.copy(part.values.count, of: part.values, from: 0, to: row * out.width)
        row += part.rows
        continue
      }
      for own in 0..<part.rows {
        out.values.copy(part.width, of: part.values, from: own * part.width, to: row * out.width)
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
      out.values.copy(part.values.count, of: part.values, from: 0, to: number * out.width)
    }
    return out
  }

  /// What an evaluator takes: it borrows from this array, which the caller keeps alive.
  func view(_ name: String) throws(TrajpackError) -> ArrayView {
    try ArrayView(name: name, shape: shape, elements: .double(values.borrowed))
  }
}
