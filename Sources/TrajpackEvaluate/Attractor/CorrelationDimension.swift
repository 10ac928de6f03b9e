import Glibc
import TrajpackFormat

/// Options of `attractor.correlation_dimension`.
struct CorrelationOptions: PredictionOptions {
  var theiler = 0
  var radii = 0
  var lowSum = 1e-3
  var highSum = 1e-1
  var lowRadius: Double?
  var highRadius: Double?
  var takensRadius: Double?
  var atRadii: [Double] = []
  var references = 0
  var failed = FailureRule.withhold

  static let table: [Option<Self>] = [
    .count("theiler", \.theiler, "pairs at most this far apart in time do not count (w)"),
    .count(
      "radii", \.radii, "radii of the sum, evenly spaced in log; 0: 10 an octave", 0...100_000),
    .number("low_sum", \.lowSum, "the slope is taken where C(r) is at least this", above: 0),
    .number("high_sum", \.highSum, "and at most this", above: 0, highest: 1),
    .optionalNumber("low_radius", \.lowRadius, "or where r is at least this", above: 0),
    .optionalNumber("high_radius", \.highRadius, "and at most this", above: 0),
    .optionalNumber(
      "takens_radius", \.takensRadius,
      "radius below which Takens' estimator counts pairs; none: "
        + "the radius at which C reaches high_sum", above: 0),
    .numbers(
      "at_radii", \.atRadii, "exactly these radii instead; the slope is then over all of them",
      above: 0, emptyAllowed: true),
    .count("references", \.references, "points that others are counted around; 0 for all"),
    failure(\.failed),
  ]
}

/// Correlation dimension: the slope of log C(r), C(r) = share of pairs with |i − j| > w nearer than
/// r (Grassberger and Procaccia 1983; Theiler 1986), and Takens' maximum-likelihood estimator
/// −1/⟨ln(d/r₀)⟩ over pairs with d < r₀ (Takens 1985).
enum CorrelationDimension {
  static let evaluator = Evaluator(
    "attractor.correlation_dimension",
    makes: ["attractor.correlation_dimension", "attractor.takens_dimension"],
    "Correlation dimension: Grassberger–Procaccia slope with a Theiler window, and Takens' "
      + "estimator.",
    [.needed("series", "T × D, or T", "a trajectory, or delay vectors")],
    CorrelationOptions.self, generated: "series",
    scores)

  static func scores(
    _ arrays: Arrays, _ options: CorrelationOptions
  ) throws(TrajpackError) -> [Score] {
    let series = try arrays.tensor("series", ranks: 1...2).series[0]
    let names = ["attractor.correlation_dimension", "attractor.takens_dimension"]
    guard series.values.allSatisfy(\.isFinite) else {
      return names.map { Score($0, missing: "the series holds values that are not numbers") }
    }
    guard let histogram = DistanceHistogram(series, options) else {
      return names.map {
        Score($0, missing: "fewer than two points are more than \(options.theiler) steps apart")
      }
    }
    return [slope(histogram, names[0], options), takens(histogram, names[1], options)]
  }

  private static func slope(
    _ histogram: DistanceHistogram, _ name: String, _ options: CorrelationOptions
  ) -> Score {
    let curve = histogram.curve
    let byRadius = options.lowRadius != nil || options.highRadius != nil
    let used = curve.filter { point in
      point.sum > 0
        && (!options.atRadii.isEmpty || byRadius
          ? point.radius >= options.lowRadius ?? 0
            && point.radius <= options.highRadius ?? .infinity
          : point.sum >= options.lowSum && point.sum <= options.highSum)
    }
    let details = [
      Field("pairs", .count(histogram.pairs)),
      Field("radii_used", .count(used.count)),
      Field("radius", .numbers(curve.map(\.radius))), Field("sum", .numbers(curve.map(\.sum))),
    ]
    guard
      let slope = Statistics.slope(used.map { log($0.radius) }, used.map { log($0.sum) })
    else {
      return Score(
        name, missing: "fewer than two radii lie in the range of the slope", details: details)
    }
    return Score(name, slope, count: histogram.pairs, details: details)
  }

  private static func takens(
    _ histogram: DistanceHistogram, _ name: String, _ options: CorrelationOptions
  ) -> Score {
    let edge = histogram.curve.first { $0.sum >= options.highSum }?.radius
    guard let radius = options.takensRadius ?? edge else {
      return Score(name, missing: "no radius holds high_sum of the pairs")
    }
    let (mean, count) =
      options.takensRadius == nil ? histogram.meanLog(below: radius) : histogram.near
    let details = [Field("radius", .number(radius))]
    guard count > 0, mean < 0 else {
      return Score(name, missing: "no two points are nearer than \(radius)", details: details)
    }
    return Score(name, -1 / mean, count: count, details: details)
  }
}

/// All distances of a series, by logarithm.
struct DistanceHistogram {
  private(set) var pairs = 0
  private var counts: [Int] = []
  private var logSums: [Double] = []
  private var lowest = 0.0
  private var step = 0.0
  private var same = 0
  /// The squares of the radii asked for, rising; empty for evenly spaced ones.
  private var squaredRadii: [Double] = []
  /// The mean of ln(d/r₀) over pairs nearer than Takens' radius, and how many.
  var near: (mean: Double, count: Int) {
    nearCount > 0 ? (nearSum / Double(nearCount) - log(nearRadius), nearCount) : (0, 0)
  }
  private var nearRadius = 0.0
  private var nearSum = 0.0
  private var nearCount = 0

  /// Nil when there is no pair.
  init?(_ series: Series, _ options: CorrelationOptions) {
    let rows = series.rows
    guard rows > options.theiler + 1 else { return nil }
    var extent = 0.0
    for column in 0..<series.columns {
      let values = series.column(column)
      let width = (values.max() ?? 0) - (values.min() ?? 0)
      extent += width * width
    }
    let top = extent.squareRoot()
    guard top > 0, top.isFinite else { return nil }
    // Distances from 2⁻²⁰ of the extent to all of it; nearer ones count in the first bin.
    nearRadius = options.takensRadius ?? 0
    squaredRadii = options.atRadii.sorted().map { $0 * $0 }
    let bins =
      squaredRadii.isEmpty ? (options.radii > 0 ? options.radii : 200) : squaredRadii.count + 1
    lowest = log(top) - 20 * log(2)
    step = (log(top) + 1e-9 - lowest) / Double(bins)
    counts = [Int](repeating: 0, count: bins)
    logSums = [Double](repeating: 0, count: bins)
    let references =
      options.references == 0 ? rows : min(options.references, rows)
    count(series, options.theiler, references)
  }

  private mutating func count(_ series: Series, _ theiler: Int, _ references: Int) {
    let (rows, columns, values) = (series.rows, series.columns, series.values)
    let all = references == rows
    let nearSquare = nearRadius * nearRadius
    var squares = [Double](repeating: 0, count: rows)
    for place in 0..<references where !Interruption.isRequested {
      let i = all ? place : place * rows / references
      let before = 0..<max(0, i - theiler)
      let ranges = all ? [before] : [before, min(rows, i + theiler + 1)..<rows]
      for range in ranges where !range.isEmpty {
        squares.withUnsafeMutableBufferPointer { squares in
          for j in range { squares[j] = 0 }
          for column in 0..<columns {
            let own = values[i * columns + column]
            for j in range {
              let difference = values[j * columns + column] - own
              squares[j] += difference * difference
            }
          }
        }
        pairs += range.count
        for j in range {
          guard squares[j] > 0, squares[j].isFinite else {
            same += 1
            continue
          }
          let distance = 0.5 * log(squares[j])
          let bin =
            squaredRadii.isEmpty
            ? min(max(Int((distance - lowest) / step), 0), counts.count - 1)
            : squaredRadii.firstIndex { squares[j] < $0 } ?? squaredRadii.count
          counts[bin] += 1
          logSums[bin] += distance
          if squares[j] < nearSquare {
            nearSum += distance
            nearCount += 1
          }
        }
      }
    }
  }

  /// The upper edge of each bin; nothing lies above the last.
  private var edges: [Double] {
    squaredRadii.isEmpty
      ? counts.indices.map { exp(lowest + Double($0 + 1) * step) }
      : squaredRadii.map { $0.squareRoot() }
  }

  /// C(r) at the upper edge of each bin.
  var curve: [(radius: Double, sum: Double)] {
    var total = same
    return edges.enumerated().map { bin, edge in
      total += counts[bin]
      return (edge, Double(total) / Double(pairs))
    }
  }

  /// The mean of ln(d/r) over pairs in the bins below `radius`.
  func meanLog(below radius: Double) -> (mean: Double, count: Int) {
    var sum = 0.0
    var count = 0
    for (bin, edge) in edges.enumerated() where edge <= radius * (1 + 1e-12) {
      sum += logSums[bin] - Double(counts[bin]) * log(radius)
      count += counts[bin]
    }
    return (count > 0 ? sum / Double(count) : 0, count)
  }
}
