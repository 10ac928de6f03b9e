import Glibc
import TrajpackFormat

func logarithm(_ x: Double) -> Double { log(x) }

/// Whether D_stsp counts cells or fits Gaussians.
enum DivergenceMethod: String, CaseIterable, Sendable {
  /// Cells up to `maximum_binned_dimensions`, else Gaussians.
  case automatic
  case binned
  case gaussians
}

/// Where the grid of D_stsp lies.
enum GridSpan: String, CaseIterable, Sendable {
  /// From minimum − 0.1 σ to maximum + 0.1 σ of the truth (GTF, AL-RNN in Julia).
  case padded
  /// From −2 σ to 2 σ (Brenner et al. 2022, “legacy”).
  case legacy
  /// From minimum to maximum; the first cells and the maximum are left out (AL-RNN in Python).
  case alrnnPython = "alrnn_python"
}

/// How visits are held.
enum VisitCounter: String, CaseIterable, Sendable {
  case exact
  /// In 16 bits that wrap above 65,535, as in the Julia codes.
  case wrapping16 = "wrapping_16_bit"
}

/// Options of `attractor.d_stsp`.
struct StateSpaceOptions: EvaluationOptions {
  var method = DivergenceMethod.automatic
  var maximumBinned = 5
  var bins = 30
  var span = GridSpan.padded
  var padding = 0.1
  var alpha = 1e-5
  var counter = VisitCounter.exact
  var variance = 1.0
  var points = 10_000
  var samples = 1000
  var seed = 0
  var nan = NaNRule.error

  static let table: [Option<Self>] = [
    .choice("method", \.method, "count cells, or a Gaussian on each point"),
    .count(
      "maximum_binned_dimensions", \.maximumBinned,
      "with method=automatic, cells up to this dimension (GTF 5, AL-RNN 10)", 1...100),
    .count("bins", \.bins, "cells along each dimension (GTF 30; 8 for ECG)", 1...100_000),
    .choice("span", \.span, "where the grid lies"),
    .number("padding", \.padding, "σ added on each side with span=padded", lowest: 0),
    .number("alpha", \.alpha, "Laplace smoothing", lowest: 0),
    .choice("counter", \.counter, "how visits are held"),
    .number("variance", \.variance, "variance of each Gaussian (GTF 1; AL-RNN Lorenz 0.3)", above: 0),
    .count("points", \.points, "points of a series used at most with Gaussians", 1...10_000_000),
    .count("samples", \.samples, "Monte Carlo samples", 1...100_000_000),
    .count("seed", \.seed, "seed of the samples (SplitMix64)"),
    .choice("nan_predictions", \.nan, "what a NaN in the generated series does (worst: error)"),
  ]
}

/// D_stsp: KL divergence of the visits to state space, truth ‖ generated (Koppe et al. 2019;
/// constants of GTF, Hess et al., ICML 2023, and of AL-RNN, Brenner et al., NeurIPS 2024).
enum StateSpaceDivergence {
  static let evaluator = Evaluator(
    "attractor.d_stsp",
    "D_stsp: KL divergence of visits to state space, truth ‖ generated, by cells or Gaussians; "
      + "with the share that left the grid.",
    [
      .needed("truth", "T × D", "true trajectory"),
      .needed("generated", "T' × D", "generated trajectory"),
    ],
    StateSpaceOptions.self, scores)

  static func scores(
    _ arrays: Arrays, _ options: StateSpaceOptions
  ) throws(TrajpackError) -> [Score] {
    let truth = try arrays.required("truth")
    let generated = try arrays.required("generated")
    guard truth.shape.count == 2, generated.shape.count == 2, truth.shape[1] == generated.shape[1],
      truth.shape[1] > 0
    else {
      throw TrajpackError(.usage, "“truth” and “generated” must be T × D with the same D above 0")
    }
    let binned =
      options.method == .binned
      || (options.method == .automatic && truth.shape[1] <= options.maximumBinned)
    return [
      binned
        ? Self.binned(arrays, truth, generated, options)
        : gaussians(arrays, truth, generated, options)
    ]
  }

  private static let name = "attractor.d_stsp"

  private static func binned(
    _ arrays: Arrays, _ truth: ArrayView, _ generated: ArrayView, _ options: StateSpaceOptions
  ) -> Score {
    let columns = truth.shape[1]
    var extent = Extent(columns)
    switch truth.elements {
    case .float(let rows): extent.add(rows)
    default: extent.add(arrays.doubles(truth))
    }
    guard extent.count > 1 else {
      return Score(name, missing: "the truth has fewer than two rows that are numbers")
    }
    guard let grid = extent.grid(options) else {
      return Score(name, missing: "the truth is constant along a dimension")
    }
    guard var own = StateSpaceHistogram(grid), var other = StateSpaceHistogram(grid) else {
      return Score(
        name, missing: "\(options.bins)^\(columns) cells are too many; use method=gaussians")
    }
    for (view, isTruth) in [(truth, true), (generated, false)] {
      switch view.elements {
      case .float(let rows):
        isTruth ? own.add(rows, columns: columns) : other.add(rows, columns: columns)
      default:
        let rows = arrays.doubles(view)
        isTruth ? own.add(rows, columns: columns) : other.add(rows, columns: columns)
      }
    }
    let all = other.inside + other.outside
    let details = [
      Field("method", .text("binned")), Field("truth_rows", .count(own.inside + own.outside)),
      Field("generated_rows", .count(all)),
      Field("truth_outside", .count(own.outside)), Field("generated_outside", .count(other.outside)),
      Field(
        "generated_outside_share",
        all > 0 ? .number(Double(other.outside) / Double(all)) : .none),
      Field("truth_cells", .count(own.occupied)), Field("generated_cells", .count(other.occupied)),
      Field("truth_nan", .count(own.notNumbers)), Field("nan_predictions", .count(other.notNumbers)),
    ]
    if other.notNumbers > 0, options.nan != .skip {
      return Score(
        name, missing: "\(other.notNumbers) generated rows hold NaN", details: details)
    }
    guard
      let value = own.divergence(
        from: other, alpha: options.alpha, wraps: options.counter == .wrapping16)
    else {
      let reason =
        other.inside == 0
        ? "no generated point lies on the grid"
        : "without smoothing, a cell visited only by the truth makes it infinite"
      return Score(name, missing: reason, details: details)
    }
    return Score(name, value, count: own.inside + other.inside, details: details)
  }

  private static func gaussians(
    _ arrays: Arrays, _ truth: ArrayView, _ generated: ArrayView, _ options: StateSpaceOptions
  ) -> Score {
    let columns = truth.shape[1]
    // GTF: as many points of both as the truth has, at most `points`.
    let own = Self.points(arrays.doubles(truth), columns, options.points)
    let other = Self.points(arrays.doubles(generated), columns, min(options.points, own.rows))
    var details = [
      Field("method", .text("gaussians")), Field("truth_rows", .count(own.rows)),
      Field("generated_rows", .count(other.rows)), Field("nan_predictions", .count(other.broken)),
    ]
    if other.broken > 0, options.nan != .skip {
      return Score(name, missing: "\(other.broken) generated rows hold NaN", details: details)
    }
    let result = MixtureDivergence(variance: options.variance, samples: options.samples)
      .estimate(own.values, other.values, columns: columns, seed: options.seed)
    details.append(Field("samples_dropped", .count(result.dropped)))
    guard let value = result.value else {
      return Score(
        name, missing: "no sample has a density under both series", details: details)
    }
    return Score(name, value, count: own.rows + other.rows, details: details)
  }

  /// The first rows that are numbers.
  static func points(
    _ values: UnsafeBufferPointer<Double>, _ columns: Int, _ most: Int
  ) -> (values: [Double], rows: Int, broken: Int) {
    var kept: [Double] = []
    var broken = 0
    let rows = min(values.count / columns, most)
    kept.reserveCapacity(rows * columns)
    for row in 0..<rows {
      let slice = values[row * columns..<(row + 1) * columns]
      if slice.allSatisfy(\.isFinite) { kept.append(contentsOf: slice) } else { broken += 1 }
    }
    return (kept, kept.count / columns, broken)
  }
}

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
