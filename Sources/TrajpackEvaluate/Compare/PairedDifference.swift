import TrajpackFormat

/// Options of `compare.paired`.
struct PairedOptions: EvaluationOptions {
  var repeats = 10_000
  var confidence = 0.95
  var seed = 0

  static let table: [Option<Self>] = [
    .count("bootstrap", \.repeats, "bootstrap samples", 1...1_000_000),
    .number("confidence", \.confidence, "coverage of the interval", above: 0, highest: 0.9999),
    .count("seed", \.seed, "seed of the bootstrap (SplitMix64)"),
  ]
}

/// The difference of two models' scores on the same clips, with a paired bootstrap: clips are drawn
/// with replacement, and both models' scores of a clip go together (Efron and Tibshirani 1993).
enum PairedDifference {
  static let evaluator = Evaluator(
    "compare.paired", makes: ["compare.difference"],
    "Difference of two models' per-clip scores, with a paired bootstrap interval.",
    [
      .needed("first", "N", "one model's score of each clip; NaN for none"),
      .needed("second", "N", "the other's"),
    ],
    PairedOptions.self, scores)

  static func scores(
    _ arrays: Arrays, _ options: PairedOptions
  ) throws(TrajpackError) -> [Score] {
    let first = try arrays.tensor("first", ranks: 1...1)
    let second = try arrays.tensor("second", ranks: 1...1)
    try first.requireSameShape(second)
    let differences = zip(first.values, second.values).map { $0 - $1 }.filter(\.isFinite)
    let name = "compare.difference"
    let unpaired = Field("unpaired", .count(first.values.count - differences.count))
    guard !differences.isEmpty else {
      return [Score(name, missing: "no clip has a score of both", details: [unpaired])]
    }
    var above = 0
    var samples = 0
    let interval = Bootstrap(
      repeats: options.repeats, confidence: options.confidence, seed: options.seed
    ).interval(units: differences.count) { sample in
      let mean = sample.reduce(0) { $0 + differences[$1] } / Double(sample.count)
      samples += 1
      if mean > 0 { above += 1 }
      return mean
    }
    let details = [
      Field("low", interval.map { .number($0.low) } ?? .none),
      Field("high", interval.map { .number($0.high) } ?? .none),
      Field("share_of_samples_above_0", .number(Double(above) / Double(max(samples, 1)))),
      Field("first_higher", .count(differences.filter { $0 > 0 }.count)),
      Field("second_higher", .count(differences.filter { $0 < 0 }.count)), unpaired,
    ]
    return [
      Score(name, Statistics.mean(differences), count: differences.count, details: details)
    ]
  }
}
