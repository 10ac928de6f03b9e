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
  /// From −2 σ to 2 σ (Brenner et al. 2022, 'legacy').
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
struct StateSpaceOptions: PredictionOptions {
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
  var failed = FailureRule.withhold

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
    .number(
      "variance", \.variance, "variance of each Gaussian (GTF 1; AL-RNN Lorenz 0.3)", above: 0),
    .count("points", \.points, "points of a series used at most with Gaussians", 1...10_000_000),
    .count("samples", \.samples, "Monte Carlo samples", 1...100_000_000),
    .count("seed", \.seed, "seed of the samples (SplitMix64)"),
    failure(\.failed),
  ]
}
