import TrajpackFormat

/// What an error of a state variable is divided by.
enum ValueNormaliser: String, CaseIterable, Sendable {
  /// Largest minus smallest true value.
  case range
  /// The standard deviation of the true values.
  case deviation
  /// The `ranges` given.
  case given
}

/// Options of `state.alignment`.
struct StateValueOptions: PredictionOptions {
  var normaliser = ValueNormaliser.range
  var clip = true
  var failed = FailureRule.withhold

  static let table: [Option<Self>] = [
    .choice("normaliser", \.normaliser, "what an error is divided by"),
    .flag("clip", \.clip, "an error above 1 counts as 1"),
    failure(\.failed),
  ]
}

/// State alignment of values, StatePlay-style: 1 − mean over variables of the mean normalised L1
/// error (arXiv 2607.26754).
enum StateValues {
  static let evaluator = Evaluator(
    "state.alignment", makes: ["state.alignment"],
    "State alignment of values, StatePlay-style: 1 − mean normalised L1 over state variables.",
    [
      .needed("truth", "[N ×] T × V", "true state variables; T is the horizon when N is given"),
      .needed("prediction", "[N ×] T × V", "predicted state variables"),
      .optional("truth_mask", "[N ×] T × V", "1 where the true value exists"),
      .optional("ranges", "V", "what each variable's error is divided by (normaliser=given)"),
    ],
    StateValueOptions.self, scores)

  static func scores(
    _ arrays: Arrays, _ options: StateValueOptions
  ) throws(TrajpackError) -> [Score] {
    let truth = try arrays.tensor("truth", ranks: 2...3)
    let prediction = try arrays.tensor("prediction", ranks: 2...3)
    try truth.requireSameShape(prediction)
    let mask = try arrays.mask("truth_mask", count: truth.values.count)
    let variables = truth.shape[truth.shape.count - 1]
    let horizon = truth.shape[truth.shape.count - 2]
    let ranges = try self.ranges(arrays, truth, mask, variables, options)
    var sums = [Double](repeating: 0, count: variables)
    var counts = [Int](repeating: 0, count: variables)
    var steps = [Double](repeating: 0, count: horizon * variables)
    var stepCounts = [Int](repeating: 0, count: horizon * variables)
    var lost = Failures("values")
    for index in 0..<truth.values.count {
      let value = truth.values[index]
      if !value.isFinite || mask.map({ $0[index] == 0 }) ?? false { continue }
      let variable = index % variables
      guard let range = ranges[variable] else { continue }
      var error = abs(prediction.values[index] - value) / range
      lost.total += 1
      if !error.isFinite {
        lost.add(
          index, "the value of variable \(variable) at row \(index / variables) is not finite")
        if options.failed == .skip { continue }
        error = 1
      }
      if options.clip { error = min(error, 1) }
      sums[variable] += error
      counts[variable] += 1
      let step = index / variables % horizon * variables + variable
      steps[step] += error
      stepCounts[step] += 1
    }
    let each = (0..<variables).map { counts[$0] > 0 ? 1 - sums[$0] / Double(counts[$0]) : nil }
    let curve = (0..<horizon).map { step -> Double? in
      let known = (0..<variables).filter { stepCounts[step * variables + $0] > 0 }
        .map { steps[step * variables + $0] / Double(stepCounts[step * variables + $0]) }
      return known.isEmpty ? nil : 1 - Statistics.mean(known)
    }
    let details = [
      Field("nan_predictions", .count(lost.count)),
      Field("variables_without_range", .counts((0..<variables).filter { ranges[$0] == nil })),
      Field("per_variable", .numbers(each)), Field("per_horizon", .numbers(curve)),
    ]
    let name = "state.alignment"
    let known = each.compactMap { $0 }
    guard !known.isEmpty else {
      return [
        Score(name, missing: "no variable has a true value and a range", details: details)
          .failing(lost)
      ]
    }
    // Without clip an error has no worst value.
    return [
      Score(name, Statistics.mean(known), count: counts.reduce(0, +), details: details)
        .failing(lost, worst: options.clip ? .counted : .none)
    ]
  }

  private static func ranges(
    _ arrays: Arrays, _ truth: Tensor, _ mask: UnsafeBufferPointer<UInt8>?, _ variables: Int,
    _ options: StateValueOptions
  ) throws(TrajpackError) -> [Double?] {
    if options.normaliser == .given {
      let given = try arrays.tensor("ranges", ranks: 1...1).values
      guard given.count == variables, given.allSatisfy({ $0 > 0 && $0.isFinite }) else {
        throw TrajpackError(.usage, "'ranges' must be \(variables) numbers above 0")
      }
      return given.map { $0 }
    }
    return (0..<variables).map { variable in
      var values: [Double] = []
      for index in stride(from: variable, to: truth.values.count, by: variables) {
        let value = truth.values[index]
        if value.isFinite, mask.map({ $0[index] != 0 }) ?? true { values.append(value) }
      }
      let scale =
        options.normaliser == .range
        ? (values.max() ?? 0) - (values.min() ?? 0) : Statistics.deviation(values)
      return scale > 0 && scale.isFinite ? scale : nil
    }
  }
}
