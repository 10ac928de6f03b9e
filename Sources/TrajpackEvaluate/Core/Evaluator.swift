import TrajpackFormat

/// One entry of the catalogue: a family of scores with its inputs, its options, and the function
/// that computes it. Reports, the command line and the C functions all go through it.
public struct Evaluator: Sendable {
  /// An array that an evaluator takes.
  public struct Input: Sendable {
    /// The name.
    public let name: String
    /// The shape in words: `T × D`.
    public let shape: String
    /// What it holds.
    public let help: String
    /// Whether it must be given.
    public let required: Bool
  }

  /// An option that an evaluator takes.
  public struct Setting: Sendable {
    /// The name.
    public let name: String
    /// The value it has when nothing is said.
    public let standard: Value
    /// The words that it takes, where it takes words.
    public let choices: [String]
    /// What it decides.
    public let help: String
  }

  /// The name: `camera.ate`.
  public let name: String
  /// The names of its scores, or what they begin with where they end in `_` or `.`.
  public let scores: [String]
  /// What it measures, and after whom: one sentence.
  public let summary: String
  /// The arrays it takes.
  public let inputs: [Input]
  /// The options it takes.
  public let settings: [Setting]
  private let body:
    @Sendable (Arrays, [(name: String, value: String)]) throws(TrajpackError) -> [Score]

  /// An evaluator with options of one type.
  ///
  /// - Parameters:
  ///   - scores: The names of its scores, or what they begin with where they end in `_` or `.`.
  ///   - partners: Which array of the truth each array of a prediction is compared with. A figure
  ///     that does not exist for the prediction and does for the truth in its place has failed.
  ///   - generated: The prediction whose rows must be finite for all figures, where the evaluator
  ///     does not count its parts itself.
  ///   - bounds: The worst value of each bounded figure, for a prediction that failed as a whole.
  init<Options: EvaluationOptions>(
    _ name: String, makes scores: [String], _ summary: String, _ inputs: [Input],
    _ options: Options.Type,
    partners: [String: String] = [:], generated: String? = nil, bounds: [String: Double] = [:],
    _ compute: @escaping @Sendable (Arrays, Options) throws(TrajpackError) -> [Score]
  ) {
    self.name = name
    self.scores = scores
    self.summary = summary
    self.inputs = inputs
    let standard = Options()
    self.settings = Options.table.map { option in
      Setting(
        name: option.name, standard: option.read(standard), choices: option.choices,
        help: option.help)
    }
    self.body = { arrays, settings throws(TrajpackError) in
      let options = try Options(settings)
      let described = options.described
      var scores = try compute(arrays, options)
      guard let rule = (options as? any PredictionOptions)?.failed else {
        return scores.map { $0.under(described) }
      }
      if let generated {
        let broken = try arrays.brokenRows(generated)
        scores = scores.map { score in
          score.failing(broken, worst: bounds[score.name].map { .bound($0) } ?? .none)
        }
      }
      // A figure without parts that failed may still not exist because of the prediction.
      if !partners.isEmpty, scores.contains(where: { $0.value == nil && $0.failures == nil }) {
        let own = try compute(arrays.withTruth(partners), options)
        scores = scores.map { score in
          guard score.value == nil, score.failures == nil,
            own.first(where: { $0.name == score.name })?.value != nil
          else { return score }
          var failures = Failures("predictions", of: 1)
          failures.add(0, score.reason ?? "it has no figure")
          return score.failing(failures, worst: bounds[score.name].map { .bound($0) } ?? .none)
        }
      }
      return try scores.map { score throws(TrajpackError) in
        try score.settled(rule).under(described)
      }
    }
  }

  /// Computes the scores of `arrays` under the defaults changed by `settings`.
  ///
  /// Throws a usage error for an array or option that is unknown, missing or of the wrong shape.
  /// A score that cannot be computed from well-formed input is not an error but a ``Score``
  /// without a value.
  ///
  /// - Parameters:
  ///   - wanted: Which scores are asked for; an evaluator may leave others out.
  ///   - isInterrupted: Asked during long computations, which end with a machine error once it
  ///     says true.
  public func scores(
    of arrays: [ArrayView], _ settings: [(name: String, value: String)] = [],
    wanted: @escaping (String) -> Bool = { _ in true },
    isInterrupted: @escaping () -> Bool = { false }
  ) throws(TrajpackError) -> [Score] {
    for array in arrays where !inputs.contains(where: { $0.name == array.name }) {
      let known = inputs.map(\.name).joined(separator: ", ")
      throw TrajpackError(
        .usage, "\(name) takes no array '\(array.name)'; it takes: \(known)")
    }
    if Set(arrays.map(\.name)).count < arrays.count {
      throw TrajpackError(.usage, "\(name) was given an array of the same name twice")
    }
    let held = Arrays(arrays)
    held.wanted = wanted
    return try within(name) { () throws(TrajpackError) in
      for input in inputs where input.required { _ = try held.required(input.name) }
      return try Interruption.watched(isInterrupted) { () throws(TrajpackError) in
        try body(held, settings)
      }
    }
  }

  /// The evaluator of that name.
  public static func named(_ name: String) throws(TrajpackError) -> Evaluator {
    guard let found = all.first(where: { $0.name == name }) else {
      // A score's own name means the evaluator that computes it.
      if let owner = all.first(where: { $0.makes(name) }) { return owner }
      let known = all.map(\.name).joined(separator: ", ")
      throw TrajpackError(.usage, "there is no evaluator '\(name)'; there are: \(known)")
    }
    return found
  }
}

extension Evaluator.Input {
  static func needed(_ name: String, _ shape: String, _ help: String) -> Evaluator.Input {
    Evaluator.Input(name: name, shape: shape, help: help, required: true)
  }

  static func optional(_ name: String, _ shape: String, _ help: String) -> Evaluator.Input {
    Evaluator.Input(name: name, shape: shape, help: help, required: false)
  }

  static let lengths = optional("lengths", "clips", "rows of each clip; one clip when left out")
}
