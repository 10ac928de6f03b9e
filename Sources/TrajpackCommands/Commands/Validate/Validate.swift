import Glibc
import TrajpackFormat
import TrajpackSources
import TrajpackStore
import TrajpackValidate

extension Severity: ArgumentChoice {}

/// `trajpack validate`: rules on what the numbers mean.
struct Validate: Command {
  enum Format: String, ArgumentChoice {
    case text, json, sarif, junit, github, html
  }

  static let name = "validate"
  static let summary =
    "Check what the numbers of a dataset mean, or of recordings before conversion."
  static let discussion = """
    Reads every row once and has rules look at them: times, values, geometry, labels, splits, files. Findings are \
    named by stream, channel, episode and rows, equal ones as one with the first three places. 'trajpack rules' \
    lists the rules, 'trajpack rules RULE' explains one.

    Exits with 1 where a finding is at least as bad as --fail-on, and with 2 where nothing could be looked at, and there is \
    no report. Recordings that are no dataset yet are read as \
    'trajpack convert' would read them, with the same options, and nothing is written.

    A configuration (--config, by default trajpack-validate.json where it is there) chooses rules and adds rules of \
    its own; docs/validate.md says how.
    """
  static var examples: [Example] {
    [
      ("trajpack validate ww", "All rules that concern the data."),
      ("trajpack validate recordings/data_part1", "Recordings before they are converted."),
      ("trajpack validate ww --select time,values.nan --fail-on warning", "Some rules, strictly."),
      ("trajpack validate ww --format sarif > findings.sarif", "For GitHub's code scanning."),
      ("trajpack validate ww --split train", "What lies in a split."),
      ("trajpack validate ww --sample 5% --seed 1", "A twentieth of the episodes."),
    ]
  }
  static var parameters: [Parameter<Self>] {
    var parameters: [Parameter<Self>] = [
      .positional(
        "DATASET...", to: \.paths, completes: .files,
        help: "Datasets, shards, or recordings that 'trajpack convert' reads."),
      .option(
        "--profile", to: \.profile, value: "NAME", choices: Rule.profiles,
        help: "Rules of a kind of data; by default those of the format that the data came from."),
      .option(
        "--config", to: \.config, value: "FILE", completes: .files,
        help: "Rules and their settings; by default trajpack-validate.json, if it is there."),
      .option(
        "--select", to: \.select, value: "RULES",
        help: "Only these rules: ids, families or patterns, with commas; can be repeated."),
      .option(
        "--ignore", to: \.ignore, value: "RULES", help: "Not these rules; can be repeated."),
      .option("--fail-on", to: \.failOn, value: "SEVERITY", help: "What makes the exit code 1."),
      .option(
        "--sample", to: \.sample, value: "SHARE",
        help: "Only this share of the episodes, as 5% or 0.05, drawn by their ids."),
      .option(
        "--split", to: \.splits, value: "NAME",
        help:
          "Only what lies in this split of a dataset: its episodes, or its rows where a scheme cuts them; can be "
          + "repeated."),
      .option(
        "--scheme", to: \.scheme, value: "NAME",
        help:
          "The split scheme, of --split and of rules that compare splits; by default 'default', or the episodes' own splits."
      ),
      .option(
        "--fold", to: \.fold, value: "N", in: 0...1 << 20,
        help: "The fold that is the split 'test', of a scheme of folds."),
      .option("--seed", to: \.seed, value: "N", in: 0..., help: "Seed of the sample."),
      .option(
        "--jobs", "-j", to: \.jobs, value: "N", in: 1...1024,
        help: "Threads; by default one a processor. The report is the same with any number."),
      .option("--format", to: \.format, value: "FORMAT", help: "How the report is written."),
      .option(
        "--baseline", to: \.baseline, value: "FILE", completes: .files,
        help: "Leave out findings that this file knows, unless they have become more."),
      .option(
        "--write-baseline", to: \.writeBaseline, value: "FILE", completes: .files,
        help: "Write the findings of now to this file, as a baseline."),
      .option(
        "--resume", to: \.resume, value: "FILE", completes: .files,
        help:
          "Keep in FILE what was looked at, and go on from there after a stop; removed at the end. For one dataset."
      ),
      .option(
        "--fix", to: \.fix, value: "DST", completes: .folders,
        help:
          "Write a new dataset with what has one right answer corrected (statistics, signs of quaternions), and validate that."
      ),
      .flag(
        "--hdf5", to: \.hdf5,
        help:
          "Also have libhdf5 read every shard, in a process that can do nothing else, and compare its types, chunks and "
          + "values with those of the index."),
      .flag(
        "--frames", to: \.frames,
        help:
          "Also decode every frame of a dataset's videos: whether they decode, follow the motion of their camera, and have "
          + "plausible depth."),
      .option(
        "--from", to: \.from, value: "FORMAT", suggesting: FormatRegistry.readable,
        help: "The format of recordings, where content does not tell."),
      .option(
        "--rate", to: \.rate, value: "HZ",
        help: "Rows a second of recordings, as 30, 29.97 or 30000/1001."),
    ]
    parameters += MediaArguments.parameters.map { $0.lifted(\.media) }
    parameters += TableReading.parameters.map { $0.lifted(\.tables) }
    parameters.append(.flag("--json", to: \.json, help: "The same as --format json."))
    return parameters
  }
  /// What says how one dataset is looked at, for jobs.
  static var checks: [Parameter<Self>] {
    let names = [
      "--profile", "--config", "--select", "--ignore", "--fail-on", "--sample", "--seed",
      "--format", "--baseline", "--hdf5", "--scheme", "--fold",
    ]
    return parameters.filter { names.contains($0.shape.names[0]) }
  }
  var paths: [String] = []
  var profile: String?
  var config: String?
  var select: [String] = []
  var ignore: [String] = []
  var failOn = Severity.error
  var sample: String?
  var splits: [String] = []
  var scheme: String?
  var fold: Int?
  var seed = 0
  var jobs: Int?
  var format = Format.text
  var baseline: String?
  var writeBaseline: String?
  var fix: String?
  var resume: String?
  var hdf5 = false
  var frames = false
  var media = MediaArguments()
  var from: String?
  var rate: String?
  var tables = TableReading()
  var json = false

  private static let defaultConfig = "trajpack-validate.json"

  mutating func run(_ console: Console) throws(TrajpackError) {
    if json {
      guard format == .text || format == .json else {
        throw TrajpackError(.usage, "--json and --format \(format.rawValue) do not go together")
      }
      format = .json
    }
    guard frames || (media.folder == nil && !media.allowsOutside) else {
      throw TrajpackError(
        .usage, option: media.folder == nil ? "--allow-outside" : "--media",
        "linked videos are read with --frames only; add it, or leave this out")
    }
    try media.check()
    try refuseReading()
    let config = try configuration()
    let known = try knownFindings()
    if let resume {
      guard paths.count == 1, Dataset.isDataset(paths[0]) || Self.holdsShards(paths[0]) else {
        throw TrajpackError(.usage, "--resume \(resume): is for one dataset or shard")
      }
      try Destination.refuse(resume, in: paths[0])
    }
    let pool = try WorkerPool(threads: jobs ?? WorkerPool.processors)
    if let fix {
      do throws(TrajpackError) {
        guard try writeFixed(to: fix, pool, console) else { return }
      } catch { throw Self.withoutReport(error) }
      paths = [fix]
    }
    var outcomes: [Validation.Outcome] = []
    for path in paths where !Interrupt.isRequested {
      outcomes.append(try validate(path, config, pool, console))
    }
    try refuseNoRule(outcomes)
    try report(outcomes, config, known, console)
  }

  /// What a baseline knows.
  func knownFindings() throws(TrajpackError) -> (String, JSONValue)? {
    try baseline.map { (path) throws(TrajpackError) in (path, try Self.document(path)) }
  }

  /// Prints what was found.
  ///
  /// - Throws: A data error where it is as bad as `--fail-on`.
  func report(
    _ outcomes: [Validation.Outcome], _ config: ValidateConfig, _ known: (String, JSONValue)?,
    _ console: Console
  ) throws(TrajpackError) {
    var report = ValidationReport(
      outcomes, config, failOn: failOn)
    if let writeBaseline {
      guard !Interrupt.isPending else { return console.warn("stopped; no baseline was written") }
      try FileSystem.replace(
        writeBaseline, with: Array((report.baseline.text(indent: 2) + "\n").utf8))
      console.note("\(writeBaseline): knows \(Human.count(report.findings.count, "findings"))")
      report.outcomes.indices.forEach { report.outcomes[$0].findings = [] }
    }
    if let (path, document) = known { try report.leaveOut(baseline: document, at: path) }
    try print(report, console)
    if Interrupt.isPending, Interrupt.wasObserved {
      console.warn("stopped; what was not read is not checked")
    }
    guard report.failures > 0 else { return }
    throw TrajpackError(
      .data,
      "\(paths.count == 1 ? paths[0] : "\(paths.count) datasets"): \(Human.count(report.failures, "findings")) "
        + "of severity \(failOn.rawValue)\(failOn == .error ? "" : " or worse"); "
        + "'trajpack rules RULE' explains a rule")
  }

  func configuration() throws(TrajpackError) -> ValidateConfig {
    var result = ValidateConfig()
    var path = config
    if path == nil, FileSystem.item(at: Self.defaultConfig) == .file { path = Self.defaultConfig }
    if let path {
      let document = try Self.document(path)
      result = try ValidateConfig(json: document, at: path)
      result.identity = document.text()
    }
    func names(_ words: [String]) -> [String] {
      words.flatMap { $0.split(separator: ",").map(String.init) }
    }
    if !select.isEmpty { result.select = names(select) }
    result.ignore += names(ignore)
    if !select.isEmpty, names(select).isEmpty {
      throw TrajpackError(
        .usage, "--select names no rule; name some, or leave it out to run all of them",
        at: ErrorPlace(option: "--select"))
    }
    for (option, words) in [("--select", select), ("--ignore", ignore)] {
      do throws(TrajpackError) { try result.check(names(words)) } catch {
        throw error.at(ErrorPlace(option: option))
      }
    }
    if let profile { result.profile = profile }
    result.seed = UInt64(seed)
    if let sample {
      let isShare = sample.hasSuffix("%")
      guard let number = Double(isShare ? String(sample.dropLast()) : sample),
        case let share = isShare ? number / 100 : number, share > 0, share <= 1
      else {
        throw TrajpackError(.usage, "--sample '\(sample)' is no share above 0, like 5% or 0.05")
      }
      result.share = share
    }
    result.resume = resume
    result.identity +=
      "\n\(Trajpack.version) \(select) \(ignore) \(profile ?? "") \(sample ?? "") \(seed)\(hdf5 ? " hdf5" : "")"
      + (frames ? " frames" : "")
    return result
  }

  /// The comparison that --hdf5 asks for.
  var hdf5Check: ((Shard) throws(TrajpackError) -> [TrajpackError])? {
    guard hdf5 else { return nil }
    return { (shard) throws(TrajpackError) in try Self.hdf5Differences(shard) }
  }

  /// What HDF5 reads otherwise than trajpack of a shard.
  static func hdf5Differences(_ shard: Shard) throws(TrajpackError) -> [TrajpackError] {
    try HDF5Agreement.differences(of: shard, isStopped: { Interrupt.isRequested })
  }

  func validate(
    _ path: String, _ config: ValidateConfig, _ pool: WorkerPool, _ console: Console
  ) throws(TrajpackError) -> Validation.Outcome {
    let progress = console.progress(
      "validating", items: frames ? "episodes and videos" : "episodes")
    let counters = progress.counters
    func planned(_ bytes: Int, _ episodes: Int) { counters.expect(bytes: 0, items: episodes) }
    func took(_ about: EpisodeAbout, _ rows: Int) {
      counters.begin(about.id)
      counters.advance(bytes: 0, items: 1)
    }
    let outcome: Validation.Outcome
    do throws(TrajpackError) {
      if !Dataset.isRemote(path), FileSystem.item(at: path) == nil {
        throw FileSystem.noFile(at: path)
      }
      if !splits.isEmpty {
        outcome = try split(path, config, pool, frameCheck(counters), planned, took)
      } else if Dataset.isDataset(path) || Self.holdsShards(path) {
        outcome = try archive(path, config, pool, frameCheck(counters), planned, took)
      } else {
        guard !hdf5 else {
          throw TrajpackError(.usage, "--hdf5 is for datasets and shards, and \(path) is a source")
        }
        guard !frames else {
          throw TrajpackError(
            .usage,
            "--frames is for datasets and shards, and \(path) is a source; convert it first")
        }
        guard scheme == nil, fold == nil else {
          throw TrajpackError(
            .usage,
            "\(scheme == nil ? "--fold" : "--scheme") is for datasets, and \(path) is a source; convert it first"
          )
        }
        let importer = try importer(path)
        for remark in importer.remarks { console.warn(remark.printable) }
        outcome = try source(importer, path, config, pool, planned, took)
      }
      try refuseEmpty(outcome, path, config)
    } catch {
      progress.cancel()
      throw Self.withoutReport(error)
    }
    progress.finish("validated")
    return outcome
  }

  /// Whether a folder is a dataset whose list is lost.
  static func holdsShards(_ path: String) -> Bool {
    guard FileSystem.item(at: path) == .folder, let names = try? FileSystem.names(in: path) else {
      return false
    }
    return names.contains { Manifest.number(ofShard: $0) != nil }
  }

  private func importer(_ path: String) throws(TrajpackError) -> any Importer {
    var settings = WildWorldImporter.Settings()
    if let rate = try Convert.rate(rate) { settings.rate = rate }
    var series = try tables.options()
    series.rate = try Convert.rate(rate)
    // A file that cannot be read is a finding, and the others are looked at.
    series.skipsErrors = true
    let mapping = try tables.mapping(rate: series.rate, skipsErrors: true)
    return try FormatRegistry.importer(
      [path], from: from, wildworld: settings, series: series, mapping: mapping)
  }

  private func source(
    _ importer: some Importer, _ path: String, _ config: ValidateConfig, _ pool: WorkerPool,
    _ planned: (Int, Int) -> Void, _ took: @escaping (EpisodeAbout, Int) -> Void
  ) throws(TrajpackError) -> Validation.Outcome {
    try SourceValidation(source: importer, name: path, config: config, pool: pool).run(
      isStopped: { Interrupt.isRequested }, planned: planned, progress: took)
  }

  private func print(_ report: ValidationReport, _ console: Console) throws(TrajpackError) {
    switch format {
    case .json: console.print(report.json)
    case .sarif:
      console.write(
        report.sarif(in: Self.workingFolder, version: Trajpack.version).text(indent: 2)
          .printableJSON
          + "\n")
    case .junit: console.write(report.junit)
    case .html: console.write(report.html)
    case .github:
      // A line a finding; what drives a terminal is spelled out.
      for line in report.github.split(separator: "\n") { console.print(String(line)) }
    case .text: text(report, console)
    }
  }

  private static var workingFolder: String {
    guard let folder = getcwd(nil, 0) else { return "" }
    defer { free(folder) }
    return String(cString: folder)
  }

  private func text(_ report: ValidationReport, _ console: Console) {
    let paint = console.outputPaint
    for outcome in report.outcomes {
      for finding in outcome.findings {
        let word = finding.severity.rawValue
        let severity =
          finding.severity == .error
          ? paint.red(word) : finding.severity == .warning ? paint.yellow(word) : word
        console.print("\(severity) \(finding.rule): \(finding.sentence.printable)")
        for place in finding.places where !place.sentence.isEmpty {
          console.print("  \(place.sentence.printable)")
        }
      }
      if outcome.dropped > 0 {
        console.print("\(outcome.dropped) more findings, each different from these, are not listed")
      }
      for sentence in outcome.unchecked {
        console.print("not checked: \(sentence.printable)")
      }
      console.print("\(outcome.dataset): \(outcome.summary)")
    }
    if let leftOut = report.leftOut { console.print(leftOut) }
  }
}
