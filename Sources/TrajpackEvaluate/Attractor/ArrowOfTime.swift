import Glibc
import TrajpackFormat

/// Options of `attractor.arrow_of_time`.
struct ArrowOptions: PredictionOptions {
  var lag = 1
  var bins = 8
  var asymmetryLags: [Int] = [1, 2, 5, 10, 20]
  var failed = FailureRule.withhold

  static let table: [Option<Self>] = [
    .count("lag", \.lag, "steps between the two points of a transition", 1...1_000_000),
    .count("bins", \.bins, "cells along each dimension, over the truth's range", 2...1000),
    .counts("asymmetry_lags", \.asymmetryLags, "lags of the time-asymmetry statistic", lowest: 1),
    failure(\.failed),
  ]
}

/// Whether a generated trajectory runs in the right direction of time, which neither D_stsp nor
/// D_H can see: visits and spectra of a reversed series are the same.
///
/// - `transition_divergence`: Jensen–Shannon divergence (nats, 0 to ln 2) of the joint
///   distributions of (x_t, x_{t+lag}) over cells. Reversing a series swaps the two.
///   `reversed_truth` in the details is what the truth itself scores when reversed: the size of
///   the arrow.
/// - `asymmetry_distance`: mean over dimensions and lags of |a − â| with
///   a = ⟨(x_{t+τ} − x_t)³⟩ / ⟨(x_{t+τ} − x_t)²⟩^{3/2}, which reversal turns to −a (Ramsey and
///   Rothman 1996; Schreiber and Schmitz 2000).
enum ArrowOfTime {
  static let evaluator = Evaluator(
    "attractor.arrow_of_time",
    makes: ["attractor.transition_divergence", "attractor.asymmetry_distance"],
    "Measures that see the direction of time: divergence of transitions, distance of time "
      + "asymmetry.",
    [
      .needed("truth", "T × D, or T", "true trajectory"),
      .needed("generated", "T' × D, or T'", "generated trajectory"),
    ],
    ArrowOptions.self, partners: ["generated": "truth"], generated: "generated",
    bounds: ["attractor.transition_divergence": 0.6931471805599453], scores)

  static func scores(
    _ arrays: Arrays, _ options: ArrowOptions
  ) throws(TrajpackError) -> [Score] {
    let truth = try arrays.tensor("truth", ranks: 1...2).series[0]
    let generated = try arrays.tensor("generated", ranks: 1...2).series[0]
    guard truth.columns == generated.columns else {
      throw TrajpackError(.usage, "the trajectories must have the same number of dimensions")
    }
    return [
      transitions(truth, generated, options), asymmetry(truth, generated, options),
    ]
  }

  private static func transitions(
    _ truth: Series, _ generated: Series, _ options: ArrowOptions
  ) -> Score {
    let name = "attractor.transition_divergence"
    let ranges = (0..<truth.columns).map { column -> (Double, Double) in
      let values = truth.column(column).filter(\.isFinite)
      return (values.min() ?? 0, values.max() ?? 0)
    }
    guard ranges.allSatisfy({ $0.0 < $0.1 }) else {
      return Score(name, missing: "the truth is constant along a dimension, or empty")
    }
    guard pow(Double(options.bins + 2), Double(truth.columns)) < 0x1p31 else {
      return Score(name, missing: "there are too many cells; give fewer bins or dimensions")
    }
    let real = Transitions(truth, ranges, options)
    let made = Transitions(generated, ranges, options)
    guard real.total > 0, made.total > 0 else {
      return Score(name, missing: "a trajectory is shorter than the lag")
    }
    let details = [
      Field("reversed_truth", .number(real.divergence(from: real.reversed))),
      Field("truth_pairs", .count(real.total)), Field("generated_pairs", .count(made.total)),
      Field("pairs_with_nan", .count(real.broken + made.broken)),
    ]
    return Score(
      name, real.divergence(from: made), count: real.total + made.total, details: details)
  }

  /// How often each pair of cells follows each other.
  private struct Transitions {
    var counts: [UInt64: Int] = [:]
    var total = 0
    var broken = 0

    init(_ series: Series, _ ranges: [(Double, Double)], _ options: ArrowOptions) {
      // One more cell on each side takes what lies outside the truth's range.
      let bins = Double(options.bins)
      let cells = (0..<series.rows).map { row -> UInt64? in
        var cell: UInt64 = 0
        for (column, range) in ranges.enumerated() {
          let place = (series[row, column] - range.0) / (range.1 - range.0) * bins
          guard !place.isNaN else { return nil }
          let edge = series[row, column] == range.1 ? bins - 1 : place.rounded(.down)
          let inside = min(max(edge, -1), bins) + 1
          cell = cell * UInt64(options.bins + 2) + UInt64(inside)
        }
        return cell
      }
      for row in stride(from: 0, to: series.rows - options.lag, by: 1) {
        guard let a = cells[row], let b = cells[row + options.lag] else {
          broken += 1
          continue
        }
        counts[a << 32 | b, default: 0] += 1
        total += 1
      }
    }

    var reversed: Transitions {
      var copy = self
      copy.counts = [:]
      for (pair, count) in counts { copy.counts[pair << 32 | pair >> 32] = count }
      return copy
    }

    /// Jensen–Shannon divergence.
    func divergence(from other: Transitions) -> Double {
      var sum = 0.0
      for pair in Set(counts.keys).union(other.counts.keys).sorted() {
        let p = Double(counts[pair] ?? 0) / Double(total)
        let q = Double(other.counts[pair] ?? 0) / Double(other.total)
        let middle = (p + q) / 2
        if p > 0 { sum += 0.5 * p * log(p / middle) }
        if q > 0 { sum += 0.5 * q * log(q / middle) }
      }
      return max(0, sum)
    }
  }

  private static func asymmetry(
    _ truth: Series, _ generated: Series, _ options: ArrowOptions
  ) -> Score {
    let name = "attractor.asymmetry_distance"
    var distances: [Double] = []
    var rows: [Value] = []
    for lag in options.asymmetryLags {
      for column in 0..<truth.columns {
        let a = statistic(truth.column(column), lag)
        let b = statistic(generated.column(column), lag)
        rows.append(
          .fields([
            Field("lag", .count(lag)), Field("dimension", .count(column)),
            Field("truth", a.map { .number($0) } ?? .none),
            Field("generated", b.map { .number($0) } ?? .none),
          ]))
        if let a, let b { distances.append(abs(a - b)) }
      }
    }
    return Score.mean(
      name, sum: distances.reduce(0, +), count: distances.count,
      of: "lag and dimension at which both change",
      details: [Field("statistics", .list(rows))])
  }

  private static func statistic(_ series: [Double], _ lag: Int) -> Double? {
    var square = 0.0
    var cube = 0.0
    var count = 0.0
    for index in stride(from: 0, to: series.count - lag, by: 1) {
      let change = series[index + lag] - series[index]
      guard change.isFinite else { continue }
      square += change * change
      cube += change * change * change
      count += 1
    }
    guard count > 0, square > 0 else { return nil }
    return cube / count / pow(square / count, 1.5)
  }
}
