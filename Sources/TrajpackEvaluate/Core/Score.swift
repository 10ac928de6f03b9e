/// One figure of a report: what was measured, from how many values, under which options; or why
/// it could not be measured.
///
/// A score never holds NaN or infinity: what cannot be computed is `nil` with a ``reason``.
public struct Score: Sendable, Equatable {
  /// The full name: `camera.ate.rmse`.
  public let name: String
  /// The figure, or nil when it could not be computed.
  public let value: Double?
  /// How many values (frames, pairs, keypoints: see the evaluator) the figure was computed from.
  public let count: Int
  /// Why there is no figure: one sentence.
  public let reason: String?
  /// Every option that was used, defaults included, in the evaluator's order.
  public internal(set) var options: [Field]
  /// What else is worth printing: per-clip values, shares, fitted transforms.
  public internal(set) var details: [Field]
  /// The parts whose prediction failed, until the rule for them is applied.
  var failures: Failures?
  /// What such a part can count as.
  var worst = Failures.Worst.none

  /// A score with a figure; a figure that is not finite becomes a score without one.
  init(_ name: String, _ value: Double, count: Int, details: [Field] = []) {
    self.name = name
    self.value = value.isFinite ? value : nil
    self.count = count
    self.reason = value.isFinite ? nil : "the figure is not finite: \(value)"
    self.options = []
    self.details = details
  }

  /// A score that could not be computed.
  init(_ name: String, missing reason: String, count: Int = 0, details: [Field] = []) {
    self.name = name
    self.value = nil
    self.count = count
    self.reason = reason
    self.options = []
    self.details = details
  }

  /// The mean of the figures of parts; without a figure, and with `reason`, where there is none.
  public init(
    name: String, mean figures: [Double], count: Int, reason: String, options: [Field],
    details: [Field]
  ) {
    self.init(name, missing: reason, details: details)
    if !figures.isEmpty {
      self.init(name, Statistics.mean(figures), count: count, details: details)
    }
    self.options = options
  }

  /// The mean of `sum` over `count` values, or a score without a figure when there is none.
  static func mean(
    _ name: String, sum: Double, count: Int, of what: String, details: [Field] = []
  ) -> Score {
    count == 0
      ? Score(name, missing: "there is no \(what) to average", details: details)
      : Score(name, sum / Double(count), count: count, details: details)
  }

  /// The same score, with the options it was computed under.
  func under(_ options: [Field]) -> Score {
    var copy = self
    copy.options = options
    return copy
  }
}

/// A name and its value, in the order in which they are to be printed.
public struct Field: Sendable, Equatable {
  /// The name: lower case words joined by underscores.
  public let name: String
  /// The value.
  public let value: Value

  /// A field.
  public init(_ name: String, _ value: Value) {
    self.name = name
    self.value = value
  }
}

/// What an option or a detail of a report can hold; a JSON value with ordered fields.
public indirect enum Value: Sendable, Equatable {
  /// Nothing: an option that is off, a figure that does not exist.
  case none
  /// True or false.
  case flag(Bool)
  /// A whole number.
  case count(Int)
  /// A real number; one that is not finite prints as null.
  case number(Double)
  /// Text.
  case text(String)
  /// Values in order.
  case list([Value])
  /// Named values in order.
  case fields([Field])

  /// A list of numbers, where nil is a figure that does not exist.
  static func numbers(_ values: [Double?]) -> Value {
    .list(values.map { $0.map { Value.number($0) } ?? .none })
  }

  /// A list of numbers.
  static func numbers(_ values: [Double]) -> Value { .list(values.map { .number($0) }) }

  /// A list of whole numbers.
  static func counts(_ values: [Int]) -> Value { .list(values.map { .count($0) }) }
}
