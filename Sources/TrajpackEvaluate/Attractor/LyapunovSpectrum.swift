import Glibc
import TrajpackFormat

/// What the matrices given are.
enum TangentKind: String, CaseIterable, Sendable {
  /// Tangent maps from one row to the next.
  case map
  /// Jacobians of the vector field at rows a time step apart, at least three: the tangent flow is
  /// integrated by the classical Runge–Kutta rule over two steps at a time.
  case flow
}

/// Options of `attractor.lyapunov_spectrum`.
struct LyapunovSpectrumOptions: PredictionOptions {
  var kind = TangentKind.map
  var timeStep = 1.0
  var transient = 0
  var failed = FailureRule.withhold

  static let table: [Option<Self>] = [
    .choice("kind", \.kind, "what the matrices are"),
    .number("time_step", \.timeStep, "time between rows", above: 0),
    .count("transient", \.transient, "tangent steps before the logarithms count"),
    failure(\.failed),
  ]
}

/// The Lyapunov spectrum from Jacobians along a trajectory, by repeated QR (Benettin et al. 1980;
/// Geist et al. 1990), and the Kaplan–Yorke dimension j + Σ_{i≤j} λ_i / |λ_{j+1}|.
enum LyapunovSpectrum {
  static let evaluator = Evaluator(
    "attractor.lyapunov_spectrum", makes: ["attractor.lyapunov_", "attractor.kaplan_yorke"],
    "Lyapunov spectrum from Jacobians along a trajectory, and the Kaplan–Yorke dimension.",
    [.needed("jacobians", "T × D × D", "Jacobians along the trajectory")],
    LyapunovSpectrumOptions.self, generated: "jacobians",
    scores)

  static func scores(
    _ arrays: Arrays, _ options: LyapunovSpectrumOptions
  ) throws(TrajpackError) -> [Score] {
    let given = try arrays.tensor("jacobians", ranks: 3...3)
    let size = given.shape[1]
    guard given.shape[2] == size, size > 0 else {
      throw TrajpackError(.usage, "'jacobians' must be T × D × D, not \(given.shape)")
    }
    let dimension = "attractor.kaplan_yorke"
    func refuse(_ reason: String) -> [Score] {
      (0..<size).map { Score("attractor.lyapunov_\($0 + 1)", missing: reason) }
        + [Score(dimension, missing: reason)]
    }
    guard given.values.allSatisfy(\.isFinite) else {
      return refuse("a Jacobian holds values that are not numbers")
    }
    func matrix(_ row: Int) -> SquareMatrix {
      SquareMatrix(size, Array(given.values[row * size * size..<(row + 1) * size * size]))
    }
    let rows = given.shape[0]
    let steps = options.kind == .map ? rows : max(0, (rows - 1) / 2)
    guard steps > options.transient else { return refuse("there are too few Jacobians") }
    let span = options.kind == .map ? options.timeStep : 2 * options.timeStep
    var frame = SquareMatrix.identity(size)
    var sums = [Double](repeating: 0, count: size)
    for step in 0..<steps {
      if step % 64 == 0, Interruption.isRequested { break }
      frame =
        options.kind == .map
        ? matrix(step) * frame
        : rungeKutta(matrix(2 * step), matrix(2 * step + 1), matrix(2 * step + 2), frame, span)
      let stretch = frame.orthonormalise()
      guard step >= options.transient else { continue }
      for index in 0..<size { sums[index] += log(stretch[index]) }
    }
    let time = Double(steps - options.transient) * span
    let exponents = sums.map { $0 / time }.sorted(by: >)
    guard exponents.allSatisfy(\.isFinite) else {
      return refuse("a Jacobian is singular, so an exponent is −∞")
    }
    var scores = exponents.enumerated().map { index, exponent in
      Score("attractor.lyapunov_\(index + 1)", exponent, count: steps - options.transient)
    }
    scores.append(
      kaplanYorke(exponents).map {
        Score(dimension, $0, count: steps - options.transient)
      } ?? Score(dimension, missing: "the exponents never sum to less than 0"))
    return scores
  }

  /// One classical step of Y' = J(t) Y.
  private static func rungeKutta(
    _ first: SquareMatrix, _ middle: SquareMatrix, _ last: SquareMatrix, _ y: SquareMatrix,
    _ h: Double
  ) -> SquareMatrix {
    let a = first * y
    let b = middle * y.adding(a, times: h / 2)
    let c = middle * y.adding(b, times: h / 2)
    let d = last * y.adding(c, times: h)
    return y.adding(a, times: h / 6).adding(b, times: h / 3).adding(c, times: h / 3)
      .adding(d, times: h / 6)
  }

  /// The dimension of falling exponents: all of space when volumes stay the same, to rounding; nil
  /// when they grow.
  static func kaplanYorke(_ exponents: [Double]) -> Double? {
    var sum = 0.0
    for (index, exponent) in exponents.enumerated() {
      if sum + exponent < 0 { return Double(index) + (index == 0 ? 0 : sum / abs(exponent)) }
      sum += exponent
    }
    let size = exponents.reduce(0) { $0 + abs($1) }
    return sum <= 1e-12 * size ? Double(exponents.count) : nil
  }
}
