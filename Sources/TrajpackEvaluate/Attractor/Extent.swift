/// Minimum, maximum and deviation of each column, in one pass (Welford 1962).
struct Extent {
  private(set) var count = 0
  private var low: [Double]
  private var high: [Double]
  private var mean: [Double]
  private var square: [Double]

  init(_ columns: Int) {
    low = [Double](repeating: .infinity, count: columns)
    high = [Double](repeating: -.infinity, count: columns)
    mean = [Double](repeating: 0, count: columns)
    square = mean
  }

  /// Adds rows; a row with a value that is not a number does not count.
  mutating func add<Element: BinaryFloatingPoint>(_ rows: UnsafeBufferPointer<Element>) {
    let columns = low.count
    // Sums about the first row's values, block by block: fast, and exact enough to combine.
    let block = 4096
    var start = 0
    let total = rows.count / columns
    while start < total {
      let end = min(start + block, total)
      addBlock(rows, start..<end)
      start = end
    }
  }

  private mutating func addBlock<Element: BinaryFloatingPoint>(
    _ rows: UnsafeBufferPointer<Element>, _ range: Range<Int>
  ) {
    let columns = low.count
    var blockCount = 0.0
    var shift = [Double](repeating: 0, count: columns)
    var sums = shift
    var squares = shift
    for column in 0..<columns {
      let first = Double(rows[range.lowerBound * columns + column])
      shift[column] = first.isFinite ? first : 0
    }
    var whole = true
    for column in 0..<columns {
      var (a, b, sum, square) = (low[column], high[column], 0.0, 0.0)
      for row in range {
        let value = Double(rows[row * columns + column])
        let offset = value - shift[column]
        a = min(a, value)
        b = max(b, value)
        sum += offset
        square += offset * offset
      }
      whole = whole && square.isFinite && !sum.isNaN
      guard whole else { break }
      (sums[column], squares[column]) = (sum, square)
      (low[column], high[column]) = (a, b)
    }
    guard whole else { return addSlowly(rows, range) }
    blockCount = Double(range.count)
    merge(blockCount, shift, sums, squares)
  }

  private mutating func addSlowly<Element: BinaryFloatingPoint>(
    _ rows: UnsafeBufferPointer<Element>, _ range: Range<Int>
  ) {
    let columns = low.count
    for row in range {
      let values = (0..<columns).map { Double(rows[row * columns + $0]) }
      guard values.allSatisfy(\.isFinite) else { continue }
      for column in 0..<columns {
        low[column] = min(low[column], values[column])
        high[column] = max(high[column], values[column])
      }
      let nothing = [Double](repeating: 0, count: columns)
      merge(1, values, nothing, nothing)
    }
  }

  private mutating func merge(
    _ added: Double, _ shift: [Double], _ sums: [Double], _ squares: [Double]
  ) {
    let before = Double(count)
    for column in low.indices {
      let blockMean = shift[column] + sums[column] / added
      let blockSquare = squares[column] - sums[column] * sums[column] / added
      let difference = blockMean - mean[column]
      square[column] +=
        max(0, blockSquare) + difference * difference * before * added / (before + added)
      mean[column] += difference * added / (before + added)
    }
    count += Int(added)
  }

  /// The grid of D_stsp; nil when a dimension has no extent.
  func grid(_ options: StateSpaceOptions) -> StateSpaceHistogram.Grid? {
    let deviation = square.map { ($0 / Double(count - 1)).squareRoot() }
    var grid = StateSpaceHistogram.Grid(low: low, high: high, bins: options.bins)
    switch options.span {
    case .padded:
      grid.low = low.indices.map { low[$0] - options.padding * deviation[$0] }
      grid.high = high.indices.map { high[$0] + options.padding * deviation[$0] }
    case .legacy:
      grid.low = deviation.map { -2 * $0 }
      grid.high = deviation.map { 2 * $0 }
    case .alrnnPython:
      grid.dropsFirst = true
    }
    return zip(grid.low, grid.high).allSatisfy { $0 < $1 } ? grid : nil
  }
}
