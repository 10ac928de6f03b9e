import TrajpackFormat
import TrajpackLoader
import TrajpackStore

/// An evaluation of predictions against an archive.
///
/// Channels, windows and absences are those of the archive: what was not observed, an entity that is not
/// present and a frame without a prediction never count, and every figure says how many values it comes
/// from. The same inputs and request give the same report, byte for byte.
public final class Evaluation {
  /// What is asked for.
  public let request: EvaluationRequest
  /// Called with the id of each episode before it is read.
  public var willRead: (String) -> Void = { _ in }
  /// Asked between episodes; a report is not made once it says true.
  public var isInterrupted: () -> Bool = { false }

  /// Scores that were computed before, and where those that are computed are kept; nothing where nil.
  public var store: ScoreStore?

  let truth: Archive
  let predictions: Predictions
  let plans: [MetricPlan]
  /// Whether the predictions are the truth itself, which then is read and measured once.
  let measuresTruth: Bool
  let verdicts: Verdicts?
  let classes: ActionClasses?
  private(set) var report: Report
  var windowRows: [String: [Int: [Int]]] = [:]
  /// The numbers of values by episode, of those that were asked for.
  var valueNumbers: [String: [String: Double]] = [:]
  /// What a split scheme selects, when it has been found.
  private var chosenSplits: SplitSelection??

  /// Opens both inputs and decides what is evaluated. No channel is read.
  ///
  /// - Parameters:
  ///   - truth: The path of an archive.
  ///   - predictions: The path of an archive, or of files as `schemas/predictions.md` describes them; nil
  ///     to measure the truth itself, by metrics that measure one series.
  ///   - version: The version of trajpack, for the report.
  ///   - names: What the report calls the two; their paths where nil.
  ///   - clipped: What the two were cut from, where they are clips.
  /// - Throws: A usage error for a metric, option, channel or episode that is not there; a data error
  ///   where an input is damaged.
  public init(
    _ request: EvaluationRequest, truth: String, predictions: String?, version: String,
    names: (truth: String, predictions: String)? = nil, clipped: ClippedInputs? = nil
  ) throws(TrajpackError) {
    try request.validate()
    self.request = request
    plans = try MetricPlan.all(request)
    guard !plans.isEmpty else {
      throw TrajpackError(
        .usage,
        "name what to measure with --metric, --suite or --preset (\(MetricBinding.suites.joined(separator: ", "))); "
          + "'trajpack evaluate --list' shows the metrics")
    }
    if predictions == nil, let pair = plans.first(where: { !$0.binding.measuresOne }) {
      let alone = MetricBinding.all.filter(\.measuresOne).map(\.evaluator).joined(separator: ", ")
      throw TrajpackError(
        .usage,
        "two inputs are needed, TRUTH and PREDICTIONS: \(pair.binding.evaluator) compares them; one input is measured "
          + "by itself by \(alone)")
    }
    guard Dataset.isDataset(truth) else {
      throw TrajpackError(
        .usage, file: truth,
        "\(FileSystem.item(at: truth) == nil ? "does not exist" : "is no trajpack archive; the truth must be one, make it with 'trajpack convert'")"
      )
    }
    self.truth = try Archive(truth, media: request.media)
    let selected = try Self.selected(self.truth, request)
    measuresTruth = predictions == nil || predictions == truth
    self.predictions =
      try measuresTruth
      ? .archive(self.truth)
      : Predictions(
        predictions ?? truth, truth: self.truth, selected: selected, media: request.media)
    report = Report(
      version: version, request: request,
      truth: .init(
        path: names?.truth ?? truth, form: "archive",
        digest: clipped?.truth ?? self.truth.data.digest),
      predictions: .init(
        path: names?.predictions ?? predictions ?? truth, form: self.predictions.form,
        digest: clipped?.predictions ?? self.predictions.digest),
      others: [], episodes: .init(), inputs: [], metrics: [], figures: [])
    if plans.count(where: { !$0.binding.inputs.isEmpty }) > 1 {
      self.truth.cache = ReadCache()
      switch self.predictions {
      case .archive(let archive) where archive !== self.truth: archive.cache = ReadCache()
      case .archive: break
      case .files(let files): files.cache = ReadCache()
      }
    }
    verdicts = try request.verdicts.map { (path) throws(TrajpackError) in try Verdicts(path) }
    classes = try request.classes.map { (path) throws(TrajpackError) in try ActionClasses(path) }
    for path in [request.verdicts, request.labels, request.classes].compactMap({ $0 }) {
      report.others.append(.init(path: path, form: "files", digest: try LocalFile(path).sha256()))
    }
    if let clipped, let path = request.clips {
      report.others.append(.init(path: path, form: "files", digest: clipped.list))
    }
    report.others += try besideShards(clipped)
    try choose(selected)
  }

  /// How often an episode is read: the steps of a progress bar.
  public var readings: Int {
    report.episodes.evaluated.count * plans.count { !$0.binding.inputs.isEmpty }
  }

  /// The number of episodes that both sides have.
  public var episodeCount: Int { report.episodes.evaluated.count }

  /// Evaluates some of the episodes only, by their places among those that both sides have.
  public func limit(to range: Range<Int>) {
    report.episodes.evaluated = Array(
      report.episodes.evaluated[range.clamped(to: 0..<report.episodes.evaluated.count)])
  }

  /// The digests of the inputs, to be compared with those of an older report.
  public var digests: [String] {
    [report.truth.digest, report.predictions.digest] + report.others.map(\.digest)
  }

  /// The ids that the request selects, in the order of the archive.
  static func selected(
    _ archive: Archive, _ request: EvaluationRequest
  ) throws(TrajpackError) -> [String] {
    var options: [JSONValue.Member] = []
    if !request.splits.isEmpty {
      options.append(.init("split", .array(request.splits.map { .string($0) })))
    }
    if !request.episodes.isEmpty {
      options.append(.init("episodes", .array(request.episodes.map { .string($0) })))
    }
    if !request.conditions.isEmpty {
      options.append(.init("where", try ValueConditions.json(request.conditions)))
    }
    return try ids(
      archive, .object(options), try selection(archive, request, splits: request.splits))
  }

  static func ids(
    _ archive: Archive, _ options: JSONValue, _ selection: SplitSelection?
  ) throws(TrajpackError) -> [String] {
    var splits: [String] = []
    for shard in archive.data.shards {
      for split in shard.schema.splits where !splits.contains(split) { splits.append(split) }
    }
    let filter = try EpisodeFilter(
      LoaderOptions(json: options.text()), selection == nil ? splits : nil
    ).on(archive.data)
    var out: [String] = []
    for (place, shard) in archive.data.shards.enumerated() {
      for number in 0..<shard.index.episodeCount where try filter.keeps(shard.index, number) {
        guard selection?.keeps(number, shard: place) ?? true else { continue }
        out.append(shard.index.episode(number).id)
      }
    }
    guard !out.isEmpty else {
      throw TrajpackError(
        .usage, file: archive.data.dataset.path,
        "no episode fits the selection"
          + Suggestion.text(
            for: options["episodes"]?.array?.first?.string ?? "", among: archive.ids)
          + (try filter.reason(in: archive.data)))
    }
    return out
  }

  /// Holds the episodes of both sides against each other.
  private func choose(_ selected: [String]) throws(TrajpackError) {
    let predicted = predictions.ids
    let there = Set(predicted)
    let known = Set(selected)
    report.episodes.selected = selected.count
    report.episodes.evaluated = selected.filter(there.contains)
    report.episodes.missing = selected.filter { !there.contains($0) }
    report.episodes.extra = predicted.filter { !known.contains($0) }
    let path = report.predictions.path
    guard !report.episodes.evaluated.isEmpty else {
      throw TrajpackError(
        .usage, file: path,
        "has no prediction of any of the \(selected.count) episodes; it has "
          + Self.some(predicted) + ", the truth has " + Self.some(selected))
    }
    guard !request.isPartial else { return }
    guard report.episodes.missing.isEmpty else {
      throw TrajpackError(
        .usage, file: path,
        "\(report.episodes.missing.count) of \(selected.count) episodes have no prediction ("
          + Self.some(report.episodes.missing)
          + "); predict them, select with --episodes or --split, or "
          + "count what is there with --partial")
    }
    let strangers = report.episodes.extra.filter { !truth.holds($0) }
    guard strangers.isEmpty else {
      throw TrajpackError(
        .usage, file: path,
        "holds \(strangers.count) episodes that the truth has not (\(Self.some(strangers))); remove "
          + "them, or leave them out with --partial")
    }
  }

  static func some(_ ids: [String]) -> String {
    ids.prefix(4).map { "'\($0)'" }.joined(separator: ", ") + (ids.count > 4 ? ", …" : "")
  }

  /// Computes everything.
  ///
  /// - Throws: A usage error where a metric that is asked for by name lacks an input, or sides do not fit; a
  ///   data error where an input is damaged.
  public func run() throws(TrajpackError) -> Report {
    for plan in plans {
      if plan.binding.inputs.isEmpty {
        guard store?.isTask != true else { continue }
        try judge(plan)
      } else {
        try evaluate(plan)
      }
      guard !isInterrupted() else { break }
      addAbsent(plan)
    }
    report.figures += Self.overview(report)
    return report
  }

  /// Adds what a metric came to.
  func add(_ metrics: [Report.Metric]) { report.metrics += metrics }
  func add(_ figures: [Figure]) { report.figures += figures }
  func add(inputs: [(input: String, source: String)], of evaluator: String) {
    for (input, source) in inputs { report.inputs.append((evaluator, input, source)) }
  }
  func addCut(_ episode: String, _ frames: Int) {
    guard frames > 0, !report.episodes.cut.contains(where: { $0.episode == episode }) else {
      return
    }
    report.episodes.cut.append((episode, frames))
  }
  func addSurplus(_ episode: String, _ frames: Int) {
    guard frames > 0, !report.episodes.surplus.contains(where: { $0.episode == episode }) else {
      return
    }
    report.episodes.surplus.append((episode, frames))
  }
  var reportMetrics: [Report.Metric] { report.metrics }
  var reportFigures: [Figure] { report.figures }
  var evaluated: [String] { report.episodes.evaluated }
}

extension Evaluation {
  /// The windows of an episode's frames, from their starts on: those that the loader cuts, or one of all
  /// frames.
  func windows(of recording: ArchiveEpisode, _ frames: ReferenceFrames) throws(TrajpackError)
    -> [Range<Int>]
  {
    guard let window = request.window else {
      if chosenSplits == nil {
        chosenSplits = .some(try Self.selection(truth, request, splits: request.splits))
      }
      return try Self.spans(of: recording, frames, in: truth, chosenSplits ?? nil)
    }
    let all = try windows(of: frames.stream, window)
    let tracks = Set(recording.tracks.map(\.number))
    var out: [Range<Int>] = []
    for track in tracks.sorted() {
      for row in all[track] ?? [] {
        // The past is what a model is given, and no prediction.
        out.append(row..<row + window.length)
      }
    }
    return out
  }

  /// The loader's windows on the clock of a stream, by track.
  private func windows(
    of stream: String, _ window: EvaluationRequest.Window
  ) throws(TrajpackError) -> [Int: [Int]] {
    if let known = windowRows[stream] { return known }
    let options = JSONValue.record([
      "channels": .array([.string(stream)]), "reference": .string(stream),
      "length": .int(Int64(window.length)), "past": .int(Int64(window.past)),
      "stride": .int(Int64(window.stride)), "edge": "drop", "shuffle": "none", "batch": 1,
      "split": request.splits.isEmpty ? nil : .array(request.splits.map { .string($0) }),
      "scheme": request.splits.isEmpty ? nil : request.scheme.map { .string($0) },
      "fold": request.splits.isEmpty ? nil : request.fold.map { .int(Int64($0)) },
      "drop_last": false, "masks": false, "threads": 1,
    ])
    let loader = try Loader([truth.data], LoaderOptions(json: options.text()))
    guard loader.windows[0] < 1 << 24 else {
      throw TrajpackError(
        .usage, "\(loader.windows[0]) windows are too many to evaluate; take a larger --stride")
    }
    var out: [Int: [Int]] = [:]
    for number in 0..<loader.windows[0] {
      let place = try loader.locate(dataset: 0, window: number)
      out[place.track, default: []].append(place.row)
    }
    windowRows[stream] = out
    return out
  }
}
