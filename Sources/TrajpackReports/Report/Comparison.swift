import TrajpackEvaluate
import TrajpackFormat

/// Reports of several models on the same truth, side by side: each model's figures, and how they differ from
/// the first model's, with paired bootstrap intervals over episodes.
public struct Comparison: Sendable {
  /// How a model differs from the first.
  public struct Difference: Sendable, Equatable {
    /// The mean over episodes of this model's figure minus the first's; nil where there is none.
    public var value: Double?
    /// The bootstrap interval.
    public var low: Double?
    /// See ``low``.
    public var high: Double?
    /// The share of bootstrap samples in which this model is higher.
    public var shareHigher: Double?
    /// Episodes that have a figure of both.
    public var count: Int
    /// Episodes that either model was to be scored on.
    public var total = 0
    /// Episodes left out because a model failed on them.
    public var failed = 0
    /// Episodes left out because the models predict different numbers of their frames.
    public var uneven = 0
    /// Why there is no difference, or why neither model is called better.
    public var reason: String?
    /// Whether this model is better, by an interval that does not hold 0; nil where that is open.
    public var isBetter: Bool?
  }

  /// One metric.
  public struct Row: Sendable, Equatable {
    /// The metric.
    public var name: String
    /// Its unit.
    public var unit: String?
    /// Which way is better.
    public var better: String?
    /// The models' figures.
    public var values: [Double?]
    /// Of how many parts each figure is, where that is not all; see ``Report/share(_:)``.
    public var shares: [String?] = []
    /// The differences of all models but the first.
    public var differences: [Difference]
  }

  /// What the models are called.
  public var models: [String]
  /// The metrics, in the order of the first report; those that only others have follow.
  public var rows: [Row]
  /// The options of the bootstrap; an object.
  public var options: JSONValue
  /// Figures by episode, of each metric that all have.
  public var figures: [Figure]
  /// The frames that each model has no prediction of (`--partial`), and in how many episodes.
  public var cut: [(frames: Int, episodes: Int)]

  /// Compares reports.
  ///
  /// - Parameters:
  ///   - names: What to call them, as many.
  ///   - settings: Options of `compare.paired`: `bootstrap`, `confidence`, `seed`.
  /// - Throws: A usage error where there are fewer than two, or their truths differ.
  public init(
    _ reports: [Report], names: [String], settings: [(name: String, value: String)] = []
  ) throws(TrajpackError) {
    guard reports.count > 1, reports.count == names.count, let first = reports.first else {
      throw TrajpackError(.usage, "two reports or more are compared")
    }
    for (report, name) in zip(reports, names) where report.truth.digest != first.truth.digest {
      throw TrajpackError(
        .usage,
        "\(name) is of another truth than \(names[0]) (digests \(report.truth.digest.prefix(12))… and "
          + "\(first.truth.digest.prefix(12))…); models are compared on the same one")
    }
    for (report, name) in zip(reports, names) where !report.hasSameRows(as: first) {
      throw TrajpackError(
        .usage,
        "\(name) is of other rows than \(names[0]): they go by different splits, folds or split schemes; models are "
          + "compared on the same ones")
    }
    models = names
    rows = []
    figures = []
    options = .object([])
    cut = reports.map { report in
      (
        frames: report.episodes.cut.reduce(0) { $0 + $1.frames },
        episodes: report.episodes.cut.count
      )
    }
    var all: [String] = []
    for metric in reports.flatMap(\.metrics) where !all.contains(metric.name) {
      all.append(metric.name)
    }
    let paired = try Evaluator.named("compare.paired")
    for name in all {
      let own = reports.map { $0.metrics.first { $0.name == name } }
      var differences: [Difference] = []
      for (other, report) in zip(own, reports).dropFirst() {
        let uneven = Self.uneven(report, first)
        var (difference, used) = try Self.difference(other, own[0], uneven, paired, settings)
        difference.total = Self.total(name, reports)
        differences.append(difference)
        if let used { options = used }
      }
      let known = own.compactMap { $0 }.first
      rows.append(
        Row(
          name: name, unit: known?.unit, better: known?.better, values: own.map { $0?.value },
          shares: zip(own, reports).map(Self.share),
          differences: differences))
      if let figure = Self.figure(name, own, names) { figures.append(figure) }
    }
  }

  private static func difference(
    _ other: Report.Metric?, _ first: Report.Metric?, _ uneven: Set<String>, _ paired: Evaluator,
    _ settings: [(name: String, value: String)]
  ) throws(TrajpackError) -> (Difference, JSONValue?) {
    func none(_ reason: String) -> (Difference, JSONValue?) {
      (Difference(count: 0, reason: reason), nil)
    }
    guard let other, let first else { return none("only one of the two has it") }
    if let option = Self.unlike(other.options, first.options) {
      return none("the option '\(option)' differs")
    }
    let figures = Dictionary(
      first.episodes.map { ($0.episode, $0.value) }, uniquingKeysWith: { a, _ in a })
    // Only episodes on which neither failed are pairs; where failing counts as the worst, all are.
    let isWorst = first.options["failed"]?.string == "worst"
    let lost =
      isWorst
      ? [] : Set((first.episodes + other.episodes).filter { $0.failed > 0 }.map(\.episode))
    // Frames that one model leaves out may be its worst: such episodes are no pairs either.
    let both = other.episodes.filter {
      figures[$0.episode] != nil && !lost.contains($0.episode)
    }
    let shared = both.filter { !uneven.contains($0.episode) }
    guard !shared.isEmpty || lost.isEmpty && both.isEmpty else {
      var (difference, used) = none(
        both.isEmpty
          ? "a model failed on every episode that both have"
          : "the models predict different numbers of frames of every episode that both have")
      difference.failed = lost.count
      difference.uneven = both.count
      return (difference, used)
    }
    guard !shared.isEmpty else { return none("it has no figures by episode") }
    let a = Numbers(shape: [shared.count], shared.map { $0.value ?? .nan })
    let b = Numbers(
      shape: [shared.count], shared.map { (figures[$0.episode] ?? nil) ?? .nan })
    let scores = try paired.scores(of: [a.view("first"), b.view("second")], settings)
    withExtendedLifetime((a, b)) {}
    guard let score = scores.first else { return none("it has no figures by episode") }
    let details = score.details.json
    var difference = Difference(
      value: score.value, low: details["low"]?.double, high: details["high"]?.double,
      shareHigher: details["share_of_samples_above_0"]?.double, count: score.count,
      reason: score.reason)
    difference.failed = lost.count
    difference.uneven = both.count - shared.count
    guard other.value != nil, first.value != nil else {
      if difference.value != nil {
        difference.reason = "a model has no figure of all: \(other.reason ?? first.reason ?? "")"
      }
      return (difference, score.options.json)
    }
    if let low = difference.low, let high = difference.high, let better = first.better,
      low > 0 || high < 0
    {
      difference.isBetter = (better == "higher") == (low > 0)
    }
    return (difference, score.options.json)
  }

  /// What a model's figure leaves out; nil where that is nothing.
  private static func share(_ metric: Report.Metric?, _ report: Report) -> String? {
    guard let metric else { return nil }
    let frames = metric.value == nil ? 0 : report.episodes.cut.reduce(0) { $0 + $1.frames }
    let parts = [report.share(metric), frames > 0 ? "\(frames) frames left out" : nil]
    let known = parts.compactMap { $0 }
    return known.isEmpty ? nil : known.joined(separator: ", ")
  }

  /// Episodes of which two reports leave out different numbers of frames.
  private static func uneven(_ a: Report, _ b: Report) -> Set<String> {
    func frames(_ report: Report) -> [String: Int] {
      Dictionary(
        report.episodes.cut.map { ($0.episode, $0.frames) }, uniquingKeysWith: { a, _ in a })
    }
    let (first, second) = (frames(a), frames(b))
    return Set(first.keys).union(second.keys).filter { first[$0] != second[$0] }
  }

  /// Episodes that any of the reports holds of a metric, with or without a figure.
  private static func total(_ name: String, _ reports: [Report]) -> Int {
    var ids: Set<String> = []
    for report in reports {
      let own = report.metrics.first { $0.name == name }?.episodes ?? []
      ids.formUnion(own.map(\.episode))
      if !own.isEmpty { ids.formUnion(report.episodes.missing) }
    }
    return ids.count
  }

  /// The first option that differs.
  private static func unlike(_ a: JSONValue, _ b: JSONValue) -> String? {
    let names = ((a.members ?? []) + (b.members ?? [])).map(\.name)
    return names.first { a[$0] != b[$0] }
  }

  private static func figure(
    _ name: String, _ metrics: [Report.Metric?], _ names: [String]
  ) -> Figure? {
    let known = metrics.compactMap { $0 }
    guard known.count == metrics.count,
      let labels = known.first?.episodes.map(\.episode), labels.count > 1,
      known.contains(where: { $0.value != nil })
    else { return nil }
    return Figure(
      "\(name) by episode", x: .init("episode"),
      y: .init(known[0].unit.map { "\(name) (\($0))" } ?? name),
      .dots(
        labels: labels,
        zip(known, names).map { metric, model in
          .init(
            model, .prediction, x: labels.indices.map { Double($0) },
            y: labels.map { label in metric.episodes.first { $0.episode == label }?.value ?? .nan })
        }))
  }

  /// The comparison as JSON.
  public var json: JSONValue {
    func number(_ value: Double?) -> JSONValue { value.map { .double($0) } ?? .null }
    return .record([
      "format": "trajpack comparison", "version": "1.0",
      "models": .array(models.map { .string($0) }), "options": options,
      "frames_without_predictions": cut.contains { $0.frames > 0 }
        ? .array(
          cut.map {
            .record(["frames": .int(Int64($0.frames)), "episodes": .int(Int64($0.episodes))])
          }) : nil,
      "metrics": .array(
        rows.map { row in
          .record([
            "name": .string(row.name), "unit": row.unit.map { .string($0) } ?? .null,
            "better": row.better.map { .string($0) } ?? .null,
            "values": .array(row.values.map(number)),
            "of": row.shares.contains { $0 != nil }
              ? .array(row.shares.map { $0.map { .string($0) } ?? .null }) : nil,
            "differences": .array(
              row.differences.map { d in
                .record([
                  "value": number(d.value), "low": number(d.low), "high": number(d.high),
                  "share_higher": number(d.shareHigher), "episodes": .int(Int64(d.count)),
                  "of_episodes": .int(Int64(d.total)),
                  "failed_episodes": d.failed > 0 ? .int(Int64(d.failed)) : nil,
                  "uneven_episodes": d.uneven > 0 ? .int(Int64(d.uneven)) : nil,
                  "better": d.isBetter.map { .bool($0) } ?? .null,
                  "reason": d.reason.map { .string($0) } ?? .null,
                ])
              }),
          ])
        }),
    ])
  }
}

extension Report {
  /// Whether it is of the same rows of each episode as another, where a split scheme may cut episodes.
  fileprivate func hasSameRows(as other: Report) -> Bool {
    guard schemeDigest != nil || other.schemeDigest != nil else { return true }
    return schemeDigest == other.schemeDigest && request.splits == other.request.splits
      && request.fold == other.request.fold
  }
}
