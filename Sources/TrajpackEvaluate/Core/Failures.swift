import TrajpackFormat

/// What becomes of a figure where predictions failed. A prediction has failed where it is not
/// finite, or where the figure needs a fit that degenerates because of the prediction while the
/// truth's own fit would not.
enum FailureRule: String, CaseIterable, Sendable {
  /// There is no figure; how many failed, and which, is said.
  case withhold
  /// The figure of those that did not fail, marked.
  case skip
  /// Those that failed count as the worst there is: the bound of a bounded figure, the residual at
  /// scale 0 of a fit. Other figures have no worst value, and are withheld.
  case worst
  /// The call is an error.
  case error
}

/// Options of an evaluator that is given predictions.
protocol PredictionOptions: EvaluationOptions {
  /// What a failed prediction does.
  var failed: FailureRule { get set }
}

extension PredictionOptions {
  /// The row of the options table.
  static func failure(_ path: OptionPath<Self, FailureRule>) -> Option<Self> {
    .choice("failed", path, "what a failed prediction does to a figure")
  }
}

/// The parts of a call whose prediction failed, for one figure.
struct Failures: Sendable, Equatable {
  /// What a failed part can count as.
  enum Worst: Sendable, Equatable {
    /// The value holds it already, where the rule is `worst`.
    case counted
    /// The figure is a mean over parts, and its bound stands for those that failed.
    case bound(Double)
    /// The figure has no worst value.
    case none
  }

  /// What the parts are, in the plural: `paths`, `images`, `values`.
  let unit: String
  /// How many parts have a truth.
  var total = 0
  /// How many of them failed.
  private(set) var count = 0
  /// The first that failed, from 0 in the order of the call; at most 1,000.
  private(set) var ids: [Int] = []
  /// What was wrong with the first.
  private(set) var cause = ""

  init(_ unit: String, of total: Int = 0) {
    self.unit = unit
    self.total = total
  }

  /// Counts a part that failed.
  mutating func add(_ id: Int, _ cause: @autoclosure () -> String) {
    if count == 0 { self.cause = cause() }
    count += 1
    if ids.count < 1000 { ids.append(id) }
  }

  /// Counts those of another clip of the same call.
  mutating func merge(_ other: Failures) {
    if count == 0 { cause = other.cause }
    count += other.count
    ids += other.ids.prefix(1000 - min(ids.count, 1000))
    total += other.total
  }

  /// These parts, and those of coarser ones that failed as a whole.
  func including(_ coarse: Failures) -> Failures {
    var copy = self
    if coarse.count > 0 {
      copy.cause += "; \(coarse.sentence)"
    }
    return copy
  }

  /// "3 of 20 paths failed: the estimate does not move".
  var sentence: String { "\(count) of \(total) \(unit) failed: \(cause)" }

  fileprivate func described(_ rule: FailureRule) -> Field {
    Field(
      "failed",
      .fields([
        Field("count", .count(count)), Field("of", .count(total)), Field("unit", .text(unit)),
        Field("ids", .counts(ids)), Field("cause", .text(cause)),
        Field("rule", .text(rule.rawValue)),
      ]))
  }
}

extension Score {
  /// The score, some parts of which failed; `worst` says what those can count as.
  func failing(_ failures: Failures, worst: Failures.Worst = .none) -> Score {
    guard failures.count > 0 else { return self }
    var copy = self
    copy.failures = failures
    copy.worst = worst
    return copy
  }

  /// The score under a rule: the one place where it is decided what a failed prediction does.
  ///
  /// - Throws: A data error under `error`.
  func settled(_ rule: FailureRule) throws(TrajpackError) -> Score {
    guard let failures, failures.count > 0 else { return self }
    func figure(_ value: Double?, reason: String? = nil) -> Score {
      let details = details + [failures.described(rule)]
      return value.map { Score(name, $0, count: count, details: details) }
        ?? Score(name, missing: reason ?? self.reason ?? "", details: details)
    }
    switch rule {
    case .error:
      throw TrajpackError(.data, "\(name): \(failures.sentence); mend them, or choose another rule")
    case .withhold:
      return figure(
        nil,
        reason: "\(failures.sentence); failed=skip is the figure of the others, failed=worst "
          + "counts them as the worst where there is one")
    case .skip:
      return failures.count < failures.total
        ? figure(value, reason: reason) : figure(nil, reason: failures.sentence)
    case .worst:
      let others = Double(failures.total - failures.count)
      switch worst {
      case .counted: return figure(value, reason: reason)
      case .bound(let bound) where failures.count >= failures.total: return figure(bound)
      case .bound(let bound):
        return figure(
          value.map {
            ($0 * others + bound * Double(failures.count)) / Double(failures.total)
          }, reason: reason)
      case .none:
        return figure(
          nil, reason: "\(failures.sentence); this figure has no worst value for them to count as")
      }
    }
  }
}

/// What failed, as a score tells it.
public struct FailedParts: Sendable, Equatable {
  /// How many parts failed.
  public let count: Int
  /// Of how many.
  public let of: Int
  /// What the parts are, in the plural.
  public let unit: String
  /// What was wrong with the first.
  public let cause: String
  /// The rule that was applied.
  public let rule: String

  /// The same of other parts, as a detail of a score.
  public func described(count: Int, of total: Int, unit: String, parts: [Int]) -> Field {
    Field(
      "failed",
      .fields([
        Field("count", .count(count)), Field("of", .count(total)), Field("unit", .text(unit)),
        Field("ids", .counts(Array(parts.prefix(1000)))), Field("cause", .text(cause)),
        Field("rule", .text(rule)),
      ]))
  }
}

extension Score {
  /// What failed; nil where nothing did.
  public var failed: FailedParts? {
    guard case .fields(let fields)? = details.first(where: { $0.name == "failed" })?.value else {
      return nil
    }
    func count(_ name: String) -> Int {
      if case .count(let count)? = fields.first(where: { $0.name == name })?.value { return count }
      return 0
    }
    func text(_ name: String) -> String {
      if case .text(let text)? = fields.first(where: { $0.name == name })?.value { return text }
      return ""
    }
    return FailedParts(
      count: count("count"), of: count("of"), unit: text("unit"), cause: text("cause"),
      rule: text("rule"))
  }

  /// A score without a figure as one that failed, since the truth alone has the figure.
  ///
  /// - Throws: A data error under the rule `error`.
  public func failedAlone() throws(TrajpackError) -> Score {
    guard value == nil, failed == nil,
      case .text(let text)? = options.first(where: { $0.name == "failed" })?.value,
      let rule = FailureRule(rawValue: text)
    else { return self }
    var failures = Failures("predictions", of: 1)
    failures.add(0, reason ?? "it has no figure, and the truth has")
    return try failing(failures).settled(rule).under(options)
  }
}
