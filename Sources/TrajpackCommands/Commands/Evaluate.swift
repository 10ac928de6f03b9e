import TrajpackFormat
import TrajpackReports
import TrajpackStore

/// `trajpack evaluate`: scores of predictions against an archive.
struct Evaluate: Command {
  enum Format: String, ArgumentChoice { case text, json, html, markdown, csv }
  enum Failed: String, ArgumentChoice { case withhold, skip, worst, error }

  static let name = "evaluate"
  static let summary = "Score predictions against a dataset, or compare such scores."
  static let discussion = """
    TRUTH is a dataset; PREDICTIONS another one with the same episode ids, or npz, npy, CSV or JSONL \
    files. Values that were not observed, entities that are not present and frames without a prediction \
    never count, and each figure comes with how many values it was computed from.

    Reports are JSON, text, a page of HTML, Markdown or CSV. A JSON report holds every option and the \
    digests of its inputs, so --rerun makes it again and compares every byte.

    Metrics that measure one series, such as attractor.lyapunov, take TRUTH alone, too.

    'trajpack evaluate compare A.json B.json' puts models side by side, with paired bootstrap intervals \
    of their differences.
    """
  static var examples: [Example] {
    [
      ("trajpack evaluate ww predictions --metric camera.ate", "The error of camera paths."),
      (
        "trajpack evaluate ww predictions --suite pose --suite camera --format html -o report.html",
        "A page with tables and pictures."
      ),
      (
        "trajpack evaluate lorenz forecasts --metric forecast.mse --window 100 --past 20 --horizons 10,50,100",
        "Windows as the loader cuts them, and figures of their first rows."
      ),
      (
        "trajpack evaluate ww clips-predicted --clips clips.csv --metric camera.ate",
        "Clips of a list: predictions have an episode or a file for each, by its id."
      ),
      ("trajpack evaluate lorenz --metric attractor.lyapunov", "A property of recorded series."),
      ("trajpack evaluate --describe camera.path", "What a metric needs, and its options."),
      ("trajpack evaluate compare a.json b.json", "Two models side by side."),
    ]
  }

  static var parameters: [Parameter<Self>] {
    [
      .positional(
        "[INPUT...]", to: \.inputs,
        help: "TRUTH and PREDICTIONS, or TRUTH alone; or 'compare' and reports.")
    ] + asking + [
      .option(
        "--rerun", to: \.rerun, value: "REPORT", completes: .files,
        help: "Make a JSON report again and compare every byte."),
      .flag("--list", to: \.lists, help: "List the metrics."),
      .option("--describe", to: \.describe, value: "METRIC", help: "Show what a metric needs."),
    ]
  }

  /// What is evaluated and how the report is written.
  static var asking: [Parameter<Self>] {
    [
      .option(
        "--metric", "-m", to: \.request.metrics, value: "NAME",
        help: "Compute this metric, or all scores of this evaluator."),
      .option(
        "--suite", "-s", to: \.request.suites, value: "NAME", choices: suites,
        help: "Compute every metric of this group that the inputs allow."),
      .option(
        "--preset", to: \.request.preset, value: "NAME", choices: Preset.all.map(\.name),
        help: "The conventions of a published benchmark, and its metrics where none is named."),
      .option(
        "--set", to: \.request.settings, value: "[METRIC.]OPTION=VALUE",
        help:
          "Set an option of the metrics, or to a value of each recording as @NAME; --describe lists them."
      ),
      .option(
        "--map", to: \.request.maps, value: "[METRIC:]INPUT=NAME",
        help: "Say which channels or arrays an input is."),
      .option(
        "--episodes", "-e", to: \.request.episodes, value: "PATTERN",
        help: "Only these recordings: an id, or a pattern with *."),
      .option(
        "--where", to: \.request.conditions, value: "CONDITION",
        help: "Only recordings of which this holds: NAME=VALUE, NAME>=NUMBER or NAME<=NUMBER."),
      .option(
        "--split", to: \.request.splits, value: "NAME",
        help: "Only this split: its recordings, or its rows where a scheme cuts them."),
      .option(
        "--scheme", to: \.request.scheme, value: "NAME",
        help: "The split scheme; by default 'default', or the recordings' own splits."),
      .option(
        "--fold", to: \.request.fold, value: "N", in: 0...1 << 20,
        help: "The fold that is the split 'test', of a scheme of folds."),
      .option(
        "--train-split", to: \.request.trainSplit, value: "NAME",
        help: "Training data, for metrics that need some."),
      .option(
        "--reference", to: \.request.reference, value: "STREAM",
        help: "Count frames by the rows of this stream."),
      .option(
        "--clips", to: \.request.clips, value: "FILE", completes: .files,
        help:
          "Score these clips instead of whole recordings; predictions have the clips' ids, or are cut alike."
      ),
      .option(
        "--window", "-w", to: \.window, value: "ROWS", in: 1...16_777_215,
        help: "Cut windows of so many rows from the window's start on, as the loader does."),
      .option(
        "--past", to: \.past, value: "ROWS", in: 0...16_777_215,
        help: "Rows that must lie before a window's start: given to a model, never scored."),
      .option(
        "--stride", to: \.stride, value: "ROWS", in: 1...16_777_215,
        help: "Rows from one window's start to the next."),
      .option(
        "--horizons", to: \.horizons, value: "ROWS",
        help: "Also figures of the first rows of each window or episode: 10,50,100."),
      .flag(
        "--partial", to: \.request.isPartial,
        help: "Leave out episodes and frames without predictions, and count them."),
      .option(
        "--failed", to: \.failed, value: "RULE",
        help: """
          What a failed prediction does: no figure (withhold, the default), the figure of the others (skip), \
          the worst there is (worst), or an error.
          """),
      .option(
        "--seed", to: \.request.seed, value: "N", in: 0...Int.max,
        help: "Seed of all that is drawn."),
      .option(
        "--verdicts", to: \.request.verdicts, value: "FILE", completes: .files,
        help: "A judge's verdicts, for action.following."),
      .option(
        "--labels", to: \.request.labels, value: "FILE", completes: .files,
        help: "People's verdicts, for action.agreement."),
      .option(
        "--classes", to: \.request.classes, value: "FILE", completes: .files,
        help: "The classes of actions, for action.segments."),
      .option(
        "--media", to: \.request.media, value: "DIR", completes: .folders,
        help: "The folder in which the folder that was converted lies, for linked videos of depth."),
      .option(
        "--format", "-f", to: \.format, value: "FORMAT",
        help: "How the report is written; by default as --output ends, or text."),
      .option(
        "--output", "-o", to: \.output, value: "FILE", completes: .files,
        help: "Write the report to a file."),
      .flag(
        "--csv-escape-formulas", to: \.escapesFormulas,
        help: "Put ' before cells of CSV that a spreadsheet would compute (= + - @)."),
    ]
  }

  private static var suites: [String] { EvaluationRequest.suiteNames }

  var inputs: [String] = []
  var request = EvaluationRequest()
  var window: Int?
  var past = 0
  var stride = 1
  var horizons: [String] = []
  var failed: Failed?
  var format: Format?
  var output: String?
  var escapesFormulas = false
  var rerun: String?
  var lists = false
  var describe: String?

  mutating func run(_ console: Console) throws(TrajpackError) {
    if lists { return list(console) }
    if let describe { return try show(describe, console) }
    if inputs.first == "compare" { return try compare(Array(inputs.dropFirst()), console) }
    if let rerun { return try again(rerun, console) }
    guard (1...2).contains(inputs.count) else {
      throw TrajpackError(
        .usage, "two inputs are needed, TRUTH and PREDICTIONS, not \(inputs.count); see --help")
    }
    try complete()
    let report = try evaluate(
      request, inputs[0], inputs.count == 2 ? inputs[1] : nil, nil, console)
    guard let report else { return }
    try write(report, console)
  }

  /// Puts options that are several words of the request together.
  mutating func complete() throws(TrajpackError) {
    request.failed = failed?.rawValue
    if let window {
      request.window = .init(length: window, past: past, stride: stride)
    } else if past != 0 || stride != 1 {
      throw TrajpackError(.usage, "--past and --stride are of windows; give --window too")
    }
    for word in horizons.flatMap({ $0.split(separator: ",", omittingEmptySubsequences: false) }) {
      guard let rows = Int(word), rows > 0, rows < 1 << 24 else {
        throw TrajpackError(.usage, "--horizons takes numbers of rows, as 10,50,100, not '\(word)'")
      }
      request.horizons.append(rows)
    }
  }

  /// Runs an evaluation with a progress line; nil where it was interrupted.
  private func evaluate(
    _ request: EvaluationRequest, _ truth: String, _ predictions: String?,
    _ original: Report?, _ console: Console
  ) throws(TrajpackError) -> Report? {
    guard let clips = request.clips else {
      return try evaluate(
        request, truth, predictions, original,
        names: original.map { ($0.truth.path, $0.predictions.path) }, nil, console)
    }
    let names =
      original.map { ($0.truth.path, $0.predictions.path) } ?? (truth, predictions ?? truth)
    return try ClippedInputs.cut(
      try ClipArgument.list(clips, of: truth), truth: truth, predictions: predictions,
      request, version: Trajpack.version,
      isInterrupted: { Interrupt.isRequested }
    ) { (truth, predictions, clipped) throws(TrajpackError) in
      try evaluate(request, truth, predictions, original, names: names, clipped, console)
    }
  }

  private func evaluate(
    _ request: EvaluationRequest, _ truth: String, _ predictions: String?, _ original: Report?,
    names: (truth: String, predictions: String)?, _ clipped: ClippedInputs?, _ console: Console
  ) throws(TrajpackError) -> Report? {
    let evaluation = try Evaluation(
      request, truth: truth, predictions: predictions, version: Trajpack.version, names: names,
      clipped: clipped)
    if let original {
      let known =
        [original.truth.digest, original.predictions.digest] + original.others.map(\.digest)
      for (place, pair) in zip(known, evaluation.digests).enumerated() where pair.0 != pair.1 {
        let name = (["the truth", "the predictions"] + original.others.map(\.path))[place]
        throw TrajpackError(
          .data,
          "\(name) changed since the report was made (digest \(pair.1.prefix(12))…, not "
            + "\(pair.0.prefix(12))…), so it cannot be made again")
      }
    }
    return try report(evaluation, console)
  }

  /// The evaluation of the inputs, without clips.
  func evaluation() throws(TrajpackError) -> Evaluation {
    try Evaluation(
      request, truth: inputs[0], predictions: inputs.count == 2 ? inputs[1] : nil,
      version: Trajpack.version)
  }

  /// Computes a report with a progress line; nil where it was interrupted.
  func report(_ evaluation: Evaluation, _ console: Console) throws(TrajpackError) -> Report? {
    let progress = console.progress("evaluating", items: "episodes")
    progress.counters.expect(bytes: 0, items: evaluation.readings)
    evaluation.willRead = { id in
      progress.counters.begin(id)
      progress.counters.advance(bytes: 0, items: 1)
    }
    evaluation.isInterrupted = { Interrupt.isRequested }
    let report: Report
    do throws(TrajpackError) { report = try evaluation.run() } catch {
      progress.cancel()
      guard Interrupt.isRequested else { throw error }
      console.warn("stopped; no report was made")
      return nil
    }
    progress.cancel()
    guard !Interrupt.isRequested else {
      console.warn("stopped; no report was made")
      return nil
    }
    return report
  }

  private mutating func again(_ path: String, _ console: Console) throws(TrajpackError) {
    try complete()
    try refuseMore(request, "--rerun makes what the report was asked for")
    let (original, text) = try Self.report(path)
    guard inputs.isEmpty || inputs.count == 2 else {
      throw TrajpackError(
        .usage, "--rerun takes TRUTH and PREDICTIONS where they have moved, or none")
    }
    let paths = inputs.isEmpty ? [original.truth.path, original.predictions.path] : inputs
    guard
      let report = try evaluate(original.request, paths[0], paths[1], original, console)
    else { return }
    guard report.text == text else {
      let changed = zip(report.metrics, original.metrics).first { $0.0 != $0.1 }?.0.name
      throw TrajpackError(
        .data, file: path,
        "the report comes out otherwise"
          + (report.version != original.version
            ? ": it was made by trajpack \(original.version), this is \(report.version)" : "")
          + (changed.map { "; the first figure that differs is \($0)" } ?? ""))
    }
    if format != nil || output != nil { try write(report, console) }
    console.print(
      "\(path): the same again, bit for bit: \(Human.count(report.metrics.count, "figures"))")
  }

  /// Refuses options that would be ignored.
  func refuseMore(_ request: EvaluationRequest, _ why: String) throws(TrajpackError) {
    guard request != EvaluationRequest() else { return }
    let options = [
      "metrics": "--metric", "suites": "--suite", "settings": "--set", "maps": "--map",
      "splits": "--split", "train_split": "--train-split",
    ]
    let names = (request.json.members ?? []).map { options[$0.name] ?? "--\($0.name)" }
    throw TrajpackError(
      .usage,
      "\(why), so nothing else can be asked for with it: leave out \(names.joined(separator: ", ")), or "
        + "evaluate anew")
  }

  /// A JSON report and the text of its file.
  static func report(_ path: String) throws(TrajpackError) -> (Report, String) {
    let file = try LocalFile(path)
    guard file.length <= 1 << 30 else {
      throw TrajpackError(.data, file: path, "is too long for a report")
    }
    let bytes = try file.bytes(0..<file.length)
    let report = try within(file: path) { () throws(TrajpackError) in
      try Report(json: JSONValue(parsing: bytes))
    }
    return (report, String(decoding: bytes, as: UTF8.self))
  }
}
