import Glibc
import TrajpackFormat
import TrajpackSignal

/// How divergence is followed.
enum DivergenceRule: String, CaseIterable, Sendable {
  /// The nearest neighbour of each point: mean log distance (Rosenstein et al. 1993).
  case rosenstein
  /// All neighbours within a radius: mean of the log of their mean distance (Kantz 1994).
  case kantz
}

/// Options of `attractor.lyapunov`.
struct LyapunovOptions: PredictionOptions {
  var method = DivergenceRule.rosenstein
  var theiler = 10
  var firstStep = 0
  var lastStep = 50
  var reach = 0
  var timeStep = 1.0
  var radius: Double?
  var minimumNeighbours = 5
  var failed = FailureRule.withhold

  static let table: [Option<Self>] = [
    .choice("method", \.method, "how divergence is followed"),
    .count("theiler", \.theiler, "neighbours are more than this many steps away (w)"),
    .count("first_step", \.firstStep, "first step of the line that is fitted"),
    .count("last_step", \.lastStep, "last step of it", 1...1_000_000),
    .count("reach", \.reach, "rows a point must have after it, if more than last_step"),
    .number("time_step", \.timeStep, "time between rows", above: 0),
    .optionalNumber("radius", \.radius, "radius of Kantz; none: 5 % of the largest σ", above: 0),
    .count(
      "minimum_neighbours", \.minimumNeighbours, "neighbours a point needs (Kantz)", 1...100_000),
    failure(\.failed),
  ]
}

/// The largest Lyapunov exponent of a series: the slope of how the log distance of neighbours grows.
enum LyapunovExponent {
  static let evaluator = Evaluator(
    "attractor.lyapunov", makes: ["attractor.lyapunov"],
    "Largest Lyapunov exponent of a series (Rosenstein, Kantz): slope of the divergence curve.",
    [.needed("series", "T × D, or T", "a trajectory, or delay vectors")],
    LyapunovOptions.self, generated: "series",
    scores)

  static func scores(
    _ arrays: Arrays, _ options: LyapunovOptions
  ) throws(TrajpackError) -> [Score] {
    let series = try arrays.tensor("series", ranks: 1...2).series[0]
    let name = "attractor.lyapunov"
    guard options.firstStep < options.lastStep else {
      throw TrajpackError(.usage, "option last_step must be above first_step")
    }
    guard series.values.allSatisfy(\.isFinite) else {
      return [Score(name, missing: "the series holds values that are not numbers")]
    }
    let usable = series.rows - max(options.lastStep, options.reach)
    guard usable > options.theiler + 1 else {
      return [Score(name, missing: "\(series.rows) rows are too few for these steps and window")]
    }
    let (curve, points) =
      options.method == .rosenstein
      ? rosenstein(series, usable, options) : kantz(series, usable, options)
    let steps = (options.firstStep...options.lastStep).filter { curve[$0] != nil }
    let details = [
      Field("points", .count(points)), Field("divergence", .numbers(curve)),
    ]
    guard
      let slope = Statistics.slope(
        steps.map { Double($0) * options.timeStep }, steps.map { curve[$0] ?? 0 })
    else {
      return [Score(name, missing: "no point has a neighbour to follow", details: details)]
    }
    return [Score(name, slope, count: points, details: details)]
  }

  private static func rosenstein(
    _ series: Series, _ usable: Int, _ options: LyapunovOptions
  ) -> ([Double?], Int) {
    let nearest = nearestRows(
      series.values, rows: usable, columns: series.columns, window: options.theiler)
    var sums = [Double](repeating: 0, count: options.lastStep + 1)
    var counts = [Int](repeating: 0, count: options.lastStep + 1)
    var points = 0
    for row in 0..<usable {
      if row % 64 == 0, Interruption.isRequested { break }
      let near = Int(nearest[row])
      guard near >= 0 else { continue }
      points += 1
      for step in 0...options.lastStep {
        let squared = series.squaredDistance(row + step, near + step)
        guard squared > 0 else { continue }
        sums[step] += 0.5 * log(squared)
        counts[step] += 1
      }
    }
    return (sums.indices.map { counts[$0] > 0 ? sums[$0] / Double(counts[$0]) : nil }, points)
  }

  private static func kantz(
    _ series: Series, _ usable: Int, _ options: LyapunovOptions
  ) -> ([Double?], Int) {
    let widest = (0..<series.columns).map { Statistics.deviation(series.column($0)) }.max() ?? 0
    let radius = options.radius ?? 0.05 * widest
    var sums = [Double](repeating: 0, count: options.lastStep + 1)
    var counts = [Int](repeating: 0, count: options.lastStep + 1)
    var points = 0
    for row in 0..<usable where !Interruption.isRequested {
      let near = (0..<usable).filter {
        abs($0 - row) > options.theiler && series.squaredDistance($0, row) < radius * radius
      }
      guard near.count >= options.minimumNeighbours else { continue }
      points += 1
      for step in 0...options.lastStep {
        let sum = near.reduce(0.0) {
          $0 + series.squaredDistance(row + step, $1 + step).squareRoot()
        }
        guard sum > 0 else { continue }
        sums[step] += log(sum / Double(near.count))
        counts[step] += 1
      }
    }
    return (sums.indices.map { counts[$0] > 0 ? sums[$0] / Double(counts[$0]) : nil }, points)
  }
}

extension Series {
  /// ‖row a − row b‖².
  @inline(__always) func squaredDistance(_ a: Int, _ b: Int) -> Double {
    var sum = 0.0
    for column in 0..<columns {
      let difference = values[a * columns + column] - values[b * columns + column]
      sum += difference * difference
    }
    return sum
  }
}
