import TrajpackFormat

/// Options of `attractor.geometry`.
struct GeometryOptions: PredictionOptions {
  var axes: [Int] = [0, 1]
  var revisitRadius = 0.05
  var revisitStride = 10
  var revisitGap = 5
  var failed = FailureRule.withhold

  static let table: [Option<Self>] = [
    .counts("axes", \.axes, "the two dimensions of hull area and correlation"),
    .number("revisit_radius", \.revisitRadius, "points nearer than this are a revisit", above: 0),
    .count("revisit_stride", \.revisitStride, "every how many rows one is taken", 1...1_000_000),
    .count(
      "revisit_gap", \.revisitGap, "taken rows from one of a pair to the other, at least",
      1...1_000_000),
    failure(\.failed),
  ]
}

/// The shape of a trajectory: area of the convex hull in a plane, path length, centroid, spread,
/// correlation, revisit rate and exploration = area / path (Herho et al., ENSO sonification 2025).
enum PhaseGeometry {
  static let evaluator = Evaluator(
    "attractor.geometry",
    makes: [
      "attractor.hull_area", "attractor.path_length", "attractor.correlation",
      "attractor.revisit_rate", "attractor.exploration", "attractor.centroid_", "attractor.spread_",
    ],
    "Convex-hull area, path length, centroid, spread, correlation, revisit rate, exploration.",
    [
      .needed("series", "T × D", "a trajectory"),
      .optional("mask", "T", "1 where the row counts; other rows are gaps"),
    ],
    GeometryOptions.self, generated: "series",
    scores)

  static func scores(
    _ arrays: Arrays, _ options: GeometryOptions
  ) throws(TrajpackError) -> [Score] {
    let whole = try arrays.tensor("series", ranks: 2...2).series[0]
    guard options.axes.count == 2, options.axes.allSatisfy({ $0 < whole.columns }) else {
      throw TrajpackError(.usage, "option axes takes two of \(whole.columns) dimensions")
    }
    // A row with a value that is not a number breaks the path in two.
    let mask = try arrays.view("mask") == nil ? nil : arrays.mask("mask", count: whole.rows)
    let good = (0..<whole.rows).filter { row in
      mask.map { $0[row] != 0 } ?? true
        && (0..<whole.columns).allSatisfy { whole[row, $0].isFinite }
    }
    let x = good.map { whole[$0, options.axes[0]] }
    let y = good.map { whole[$0, options.axes[1]] }
    let details = [Field("rows_with_nan", .count(whole.rows - good.count))]
    func score(_ name: String, _ value: Double?, _ count: Int, _ reason: String) -> Score {
      value.map { Score("attractor.\(name)", $0, count: count, details: details) }
        ?? Score("attractor.\(name)", missing: reason, details: details)
    }
    let area = hullArea(x, y)
    var path = 0.0
    var steps = 0
    for (a, b) in zip(good, good.dropFirst()) where b == a + 1 {
      path += whole.squaredDistance(a, b).squareRoot()
      steps += 1
    }
    let revisit = revisits(whole, Set(good), options)
    let few = "fewer than two rows are numbers"
    var scores = [
      score("hull_area", area, good.count, "the points lie on a line"),
      score("path_length", steps > 0 ? path : nil, steps, few),
      score(
        "correlation", Statistics.pearson(x, y), good.count, "a dimension is constant, or empty"),
      score("revisit_rate", revisit.rate, revisit.pairs, "the series is too short"),
      score(
        "exploration", area.flatMap { path > 0 ? $0 / path : nil }, good.count,
        "the trajectory does not move"),
    ]
    for (index, values) in [x, y].enumerated() {
      let known = !values.isEmpty
      scores.append(
        score("centroid_\(index)", known ? Statistics.mean(values) : nil, good.count, few))
      scores.append(
        score("spread_\(index)", known ? Statistics.deviation(values) : nil, good.count, few))
    }
    return scores
  }

  /// The area of the convex hull: Andrew's monotone chain (1979), then the shoelace formula.
  static func hullArea(_ x: [Double], _ y: [Double]) -> Double? {
    let points = zip(x, y).sorted { $0.0 < $1.0 || ($0.0 == $1.0 && $0.1 < $1.1) }
    guard points.count > 2 else { return nil }
    func turn(_ a: (Double, Double), _ b: (Double, Double), _ c: (Double, Double)) -> Double {
      (b.0 - a.0) * (c.1 - a.1) - (b.1 - a.1) * (c.0 - a.0)
    }
    func chain(_ points: [(Double, Double)]) -> [(Double, Double)] {
      var hull: [(Double, Double)] = []
      for point in points {
        while hull.count > 1, turn(hull[hull.count - 2], hull[hull.count - 1], point) <= 0 {
          hull.removeLast()
        }
        hull.append(point)
      }
      return hull
    }
    let hull = chain(points).dropLast() + chain(points.reversed()).dropLast()
    guard let origin = hull.first, hull.count > 2 else { return nil }
    var twice = 0.0
    for (a, b) in zip(hull, hull.dropFirst()) { twice += turn(origin, a, b) }
    return twice > 0 ? twice / 2 : nil
  }

  private static func revisits(
    _ series: Series, _ good: Set<Int>, _ options: GeometryOptions
  ) -> (rate: Double?, pairs: Int) {
    let taken = stride(from: 0, to: series.rows, by: options.revisitStride)
      .filter { good.contains($0) }
    var revisits = 0
    var pairs = 0
    for (place, i) in taken.enumerated() where !Interruption.isRequested {
      for j in taken[min(place + options.revisitGap, taken.count)...] {
        pairs += 1
        if series.squaredDistance(i, j).squareRoot() < options.revisitRadius { revisits += 1 }
      }
    }
    return (pairs > 0 ? Double(revisits) / Double(pairs) : nil, pairs)
  }
}
