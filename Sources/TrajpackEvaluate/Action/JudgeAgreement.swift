import TrajpackFormat

/// What happens to a segment whose human labels differ.
enum Disagreement: String, CaseIterable, Sendable {
  /// It does not count (WildBench: about 5 %).
  case drop
  /// The majority's label counts; a tie does not count.
  case majority
}

/// Options of `action.agreement`.
struct JudgeAgreementOptions: EvaluationOptions {
  var disagreement = Disagreement.drop
  var repeats = 2000
  var confidence = 0.95
  var seed = 0

  static let table: [Option<Self>] = [
    .choice("disagreement", \.disagreement, "segments whose human labels differ"),
    .count("bootstrap", \.repeats, "bootstrap samples; 0 for no interval", 0...1_000_000),
    .number("confidence", \.confidence, "coverage of the interval", above: 0, highest: 0.9999),
    .count("seed", \.seed, "seed of the bootstrap (SplitMix64)"),
  ]
}

/// How far a judge agrees with people: accuracy and Cohen's κ = (p_o − p_e)/(1 − p_e)
/// (Cohen 1960), p_e from the two sides' shares of each label.
enum JudgeAgreement {
  static let evaluator = Evaluator(
    "action.agreement", makes: ["action.agreement", "action.kappa"],
    "Agreement of a judge with human labels: accuracy and Cohen's κ.",
    [
      .needed("judge", "S", "the judge's label of each segment; NaN for none"),
      .needed("humans", "S × H", "the labels of H people; NaN for none"),
    ],
    JudgeAgreementOptions.self, scores)

  static func scores(
    _ arrays: Arrays, _ options: JudgeAgreementOptions
  ) throws(TrajpackError) -> [Score] {
    let judge = try arrays.tensor("judge", ranks: 1...1).values
    let humans = try arrays.tensor("humans", ranks: 1...2)
    guard humans.shape[0] == judge.count else {
      throw TrajpackError(.usage, "'humans' must have \(judge.count) rows, one a segment")
    }
    let people = humans.shape.count == 2 ? humans.shape[1] : 1
    var pairs: [(judge: Double, human: Double)] = []
    var unlabelled = 0
    var disagreed = 0
    for (index, verdict) in judge.enumerated() {
      let labels = (0..<people).map { humans.values[index * people + $0] }.filter { !$0.isNaN }
      guard !verdict.isNaN, !labels.isEmpty else {
        unlabelled += 1
        continue
      }
      guard let label = settle(labels, options.disagreement) else {
        disagreed += 1
        continue
      }
      pairs.append((verdict, label))
    }
    let bootstrap = Bootstrap(
      repeats: options.repeats, confidence: options.confidence, seed: options.seed)
    return [("action.agreement", accuracy), ("action.kappa", kappa)].map { name, figure in
      var details = [
        Field("unlabelled", .count(unlabelled)), Field("disagreed", .count(disagreed)),
      ]
      guard let value = figure(pairs) else {
        let reason =
          pairs.isEmpty
          ? "no segment has a label of both" : "both sides use one label only, so κ is undefined"
        return Score(name, missing: reason, count: pairs.count, details: details)
      }
      let interval = bootstrap.interval(units: pairs.count) { sample in
        figure(sample.map { pairs[$0] })
      }
      details.append(Field("low", interval.map { .number($0.low) } ?? .none))
      details.append(Field("high", interval.map { .number($0.high) } ?? .none))
      return Score(name, value, count: pairs.count, details: details)
    }
  }

  private static func settle(_ labels: [Double], _ rule: Disagreement) -> Double? {
    var counts: [Double: Int] = [:]
    for label in labels { counts[label, default: 0] += 1 }
    if counts.count == 1 { return labels[0] }
    guard rule == .majority, let most = counts.values.max() else { return nil }
    let leaders = counts.filter { $0.value == most }.keys
    return leaders.count == 1 ? leaders.first : nil
  }

  private static func accuracy(_ pairs: [(judge: Double, human: Double)]) -> Double? {
    pairs.isEmpty
      ? nil : Double(pairs.filter { $0.judge == $0.human }.count) / Double(pairs.count)
  }

  private static func kappa(_ pairs: [(judge: Double, human: Double)]) -> Double? {
    guard let observed = accuracy(pairs) else { return nil }
    var judge: [Double: Double] = [:]
    var human: [Double: Double] = [:]
    for pair in pairs {
      judge[pair.judge, default: 0] += 1
      human[pair.human, default: 0] += 1
    }
    let square = Double(pairs.count) * Double(pairs.count)
    let expected = judge.keys.sorted().reduce(0.0) { $0 + (judge[$1] ?? 0) * (human[$1] ?? 0) }
    let chance = expected / square
    return chance < 1 ? (observed - chance) / (1 - chance) : nil
  }
}
