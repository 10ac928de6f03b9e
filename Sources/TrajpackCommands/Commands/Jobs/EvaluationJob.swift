import TrajpackFormat
import TrajpackReports
import TrajpackSources
import TrajpackStore

/// `trajpack job plan evaluate`: divides an evaluation into tasks.
struct JobPlanEvaluate: RecordedCommand {
  static let name = "job plan evaluate"
  static let summary = "Divide the scores that 'trajpack evaluate' computes into tasks."
  static let discussion = """
    Takes what 'trajpack evaluate' takes, and last the new folder of the job on a file system that all processes share. \
    Each task reads some of the episodes, computes their scores and keeps them in the job's folder; 'trajpack job finish' \
    reads all episodes, takes the scores that are there, computes what is of all episodes together, and writes the \
    report that one 'trajpack evaluate' writes, byte for byte.

    --clips and --rerun are for one 'trajpack evaluate'.
    """
  static var examples: [Example] {
    [
      (
        "trajpack job plan evaluate ww predictions ww.scores --suite pose --tasks 16 --format json -o report.json",
        "Then 'trajpack job run ww.scores --task I', and 'trajpack job finish ww.scores'."
      )
    ]
  }
  static var parameters: [Parameter<Self>] {
    [
      .positional(
        "INPUT...", to: \.evaluate.inputs, completes: .files,
        help: "TRUTH and PREDICTIONS, or TRUTH alone, and the new folder of the job.")
    ] + Evaluate.asking.map { $0.lifted(\.evaluate) } + [
      .option(
        "--tasks", to: \.tasks, value: "N", in: 1...1_000_000,
        help: "Make N tasks of about as many episodes, or one an episode where there are fewer."),
      .flag("--json", to: \.json, help: "Print the plan as JSON."),
    ]
  }

  var evaluate = Evaluate()
  var tasks: Int?
  var json = false
  var words: [String] = []

  /// The evaluation, and the folder of the job.
  func parts() throws(TrajpackError) -> (evaluate: Evaluate, folder: String) {
    var evaluate = evaluate
    guard (2...3).contains(evaluate.inputs.count), let folder = evaluate.inputs.popLast() else {
      throw TrajpackError(
        .usage,
        "TRUTH, PREDICTIONS and the new folder of the job are needed, or TRUTH and the folder, not "
          + "\(Human.count(evaluate.inputs.count, "paths")); see --help")
    }
    guard evaluate.request.clips == nil else {
      throw TrajpackError(
        .usage,
        "--clips: clips are cut anew by each task; cut them once with 'trajpack cut', and plan a job over the dataset "
          + "that this makes")
    }
    try evaluate.complete()
    _ = try evaluate.chosenFormat()
    return (evaluate, folder)
  }

  mutating func run(_ console: Console) throws(TrajpackError) {
    let (evaluate, folder) = try parts()
    guard let tasks else {
      throw TrajpackError(.usage, "give --tasks, which says how to divide")
    }
    let evaluation = try evaluate.evaluation()
    let document = JobDocument(
      lookingAt: evaluate.inputs[0],
      shards: [(recordings: Int, bytes: Int)](repeating: (1, 0), count: evaluation.episodeCount),
      into: .count(tasks), program: Trajpack.version, directory: try FileSystem.workingFolder(),
      arguments: words, command: Evaluate.name)
    for input in evaluate.inputs { try Destination.refuse(folder, in: input) }
    let job = try ConversionJob(making: document, at: folder)
    if json {
      console.print(
        .record([
          "job": .string(folder), "dataset": .string(evaluate.inputs[0]),
          "tasks": .int(Int64(document.tasks.count)),
          "recordings": .int(Int64(document.recordings)),
          "array": .string(try EvaluationJob(job).state().resubmit),
        ]))
      return
    }
    console.print(
      "\(folder): \(Human.count(document.tasks.count, "tasks")) of "
        + "\(Human.count(document.recordings, "episodes"))")
    console.note(
      "run each with 'trajpack job run \(folder) --task I', I from 0 to \(document.tasks.count - 1), then "
        + "'trajpack job finish \(folder)'")
  }
}

/// An evaluation that is divided into tasks: each computes the scores of some episodes, and keeps them in a file.
struct EvaluationJob: ReportJob {
  static let items = "episodes"
  let job: ConversionJob

  init(_ job: ConversionJob) { self.job = job }

  private func file(ofTask number: Int) -> String { job.folder(ofTask: number) + ".scores" }

  private func command() throws(TrajpackError) -> Evaluate {
    guard job.document.program == Trajpack.version else {
      throw TrajpackError(
        .usage, file: job.path,
        "was planned by trajpack \(job.document.program) and this is \(Trajpack.version), which may compute other "
          + "figures; run all of the job with one version, or plan it again")
    }
    return try JobPlanEvaluate.parse(job.document.arguments).parts().evaluate
  }

  /// What the scores of a task are of.
  private func identity(_ evaluation: Evaluation) -> JSONValue {
    .record([
      "trajpack": .string(Trajpack.version), "request": evaluation.request.json,
      "inputs": .array(evaluation.digests.map { .string($0) }),
    ])
  }

  func state() throws(TrajpackError) -> JobState {
    let evaluation = try command().evaluation()
    let (store, identity) = (ScoreStore(isTask: true), identity(evaluation))
    var tasks: [JobState.Task] = []
    for (number, task) in job.document.tasks.enumerated() {
      let flaw = try store.read(file(ofTask: number), identity: identity, takes: false)
      let standing: JobState.Standing =
        switch flaw {
        case nil: .complete
        case .missing: .notBegun
        default: .damaged
        }
      var state = JobState.Task(
        number: number, standing: standing, shardsDone: flaw == nil ? task.shards.count : 0,
        shards: task.shards.count)
      if flaw == .other { state.why = "its scores are of other data" }
      if flaw == .damaged { state.why = "the file of its scores is damaged" }
      tasks.append(state)
    }
    return JobState(tasks)
  }

  func run(_ number: Int, jobs: Int?, _ console: Console) throws(TrajpackError) -> Int? {
    let command = try command()
    try refuse(jobs: jobs)
    let evaluation = try command.evaluation()
    try check(evaluation)
    let range = job.document.tasks[number].shards
    let (file, identity) = (file(ofTask: number), identity(evaluation))
    let store = ScoreStore(isTask: true)
    if try store.read(file, identity: identity, takes: false) == nil { return range.count }
    evaluation.limit(to: range)
    evaluation.store = store
    guard try command.report(evaluation, console) != nil else { return nil }
    try store.write(file, identity: identity)
    return range.count
  }

  func finish(jobs: Int?, json: Bool, _ console: Console) throws(TrajpackError) {
    var command = try command()
    try refuse(jobs: jobs)
    if json, command.output == nil { try refuseJSON(beside: try command.chosenFormat().rawValue) }
    let evaluation = try command.evaluation()
    try check(evaluation)
    let store = ScoreStore(isTask: false)
    for number in job.document.tasks.indices {
      guard try store.read(file(ofTask: number), identity: identity(evaluation)) == nil else {
        throw TrajpackError(
          .data, file: file(ofTask: number),
          "has changed while it was looked at; run task \(number) again")
      }
    }
    evaluation.store = store
    guard let report = try command.report(evaluation, console) else { return }
    if json, command.output == nil { command.format = .json }
    try command.write(report, console)
    if json, command.output != nil { console.print(JobStatus.json(of: job, nil)) }
  }

  private func refuse(jobs: Int?) throws(TrajpackError) {
    guard let jobs, jobs > 1 else { return }
    throw TrajpackError(
      .usage, option: "--jobs",
      "a task of an evaluation computes with one thread; leave out --jobs, and run several tasks at once"
    )
  }

  /// Refuses inputs with another number of episodes than were divided.
  private func check(_ evaluation: Evaluation) throws(TrajpackError) {
    guard evaluation.episodeCount != job.document.shards else { return }
    throw TrajpackError(
      .data, file: job.path,
      "the inputs have \(evaluation.episodeCount) episodes now, and had \(job.document.shards) when the job was planned; "
        + "put the old state back, or remove \(job.path) and plan it again")
  }
}
