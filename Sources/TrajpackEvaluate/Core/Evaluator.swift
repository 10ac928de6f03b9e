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
    /// What it decides.
    public let help: String
  }

  /// The name: `camera.ate`.
  public let name: String
  /// What it measures, and after whom: one sentence.
  public let summary: String
  /// The arrays it takes.
  public let inputs: [Input]
  /// The options it takes.
  public let settings: [Setting]
  private let body:
    @Sendable (Arrays, [(name: String, value: String)]) throws(TrajpackError) -> [Score]

  /// An evaluator with options of one type.
  init<Options: EvaluationOptions>(
    _ name: String, _ summary: String, _ inputs: [Input], _ options: Options.Type,
    _ compute: @escaping @Sendable (Arrays, Options) throws(TrajpackError) -> [Score]
  ) {
    self.name = name
    self.summary = summary
    self.inputs = inputs
    let standard = Options()
    self.settings = Options.table.map { option in
      Setting(name: option.name, standard: option.read(standard), help: option.help)
    }
    self.body = { arrays, settings throws(TrajpackError) in
      let options = try Options(settings)
      let described = options.described
      return try compute(arrays, options).map { $0.under(described) }
    }
  }

  /// Computes the scores of `arrays` under the defaults changed by `settings`.
  ///
  /// Throws a usage error for an array or option that is unknown, missing or of the wrong shape.
  /// A score that cannot be computed from well-formed input is not an error but a ``Score``
  /// without a value.
  public func scores(
    of arrays: [ArrayView], _ settings: [(name: String, value: String)] = []
  ) throws(TrajpackError) -> [Score] {
    for array in arrays where !inputs.contains(where: { $0.name == array.name }) {
      let known = inputs.map(\.name).joined(separator: ", ")
      throw TrajpackError(
        .usage, "\(name) takes no array “\(array.name)”; it takes: \(known)")
    }
    if Set(arrays.map(\.name)).count < arrays.count {
      throw TrajpackError(.usage, "\(name) was given an array of the same name twice")
    }
    let held = Arrays(arrays)
    return try within(name) { () throws(TrajpackError) in
      for input in inputs where input.required { _ = try held.required(input.name) }
      return try body(held, settings)
    }
  }

  /// The evaluator of that name.
  public static func named(_ name: String) throws(TrajpackError) -> Evaluator {
    guard let found = all.first(where: { $0.name == name }) else {
      let known = all.map(\.name).joined(separator: ", ")
      throw TrajpackError(.usage, "there is no evaluator “\(name)”; there are: \(known)")
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

/// What a NaN in a prediction does.
enum NaNRule: String, CaseIterable, Sendable {
  /// The score is not computed, and says how many there are.
  case error
  /// The value does not count, as if it were masked.
  case skip
  /// The value counts as the worst there is, where there is a worst.
  case worst
}
