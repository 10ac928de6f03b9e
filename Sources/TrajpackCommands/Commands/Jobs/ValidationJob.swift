import TrajpackFormat
import TrajpackSources
import TrajpackStore
import TrajpackValidate

/// `trajpack job plan validate`: divides a validation into tasks.
struct JobPlanValidate: RecordedCommand {
  static let name = "job plan validate"
  static let summary = "Divide what 'trajpack validate' looks at into tasks."
  static let discussion = """
    Takes a dataset, what 'trajpack validate' takes of rules and report, and the new folder of the job on a file system \
    that all processes share. Each task reads whole shards and keeps what it finds in the job's folder; 'trajpack job \
    finish' puts that together and prints the report that one 'trajpack validate' prints, with its exit code.

    --split, --fix and recordings that are no dataset yet are for one 'trajpack validate'.
    """
  static var examples: [Example] {
    [
      (
        "trajpack job plan validate ww ww.check --tasks 64",
        "Then 'trajpack job run ww.check --task I'."
      )
    ]
  }
  static var parameters: [Parameter<Self>] {
    [
      .positional(
        "DATASET", to: \.dataset, completes: .files, help: "A dataset or a single shard."),
      .positional("JOB", to: \.folder, completes: .folders, help: "The new folder of the job."),
    ] + Validate.checks.map { $0.lifted(\.validate) } + [
      .option(
        "--tasks", to: \.tasks, value: "N", in: 1...1_000_000,
        help: "Make N tasks of about equal size, or one a shard where there are fewer."),
      .option(
        "--task-size", to: \.taskSize, value: "SIZE", help: "Make tasks of at most SIZE of shards."),
      .flag("--json", to: \.json, help: "Print the plan as JSON."),
    ]
  }

  var dataset = ""
  var folder = ""
  var validate = Validate()
  var tasks: Int?
  var taskSize: ByteSize?
  var json = false
  var words: [String] = []

  mutating func run(_ console: Console) throws(TrajpackError) {
    let division = try JobDocument.Division(tasks: tasks, size: taskSize)
    _ = try validate.configuration()
    _ = try validate.knownFindings()
    let opened = try Dataset(dataset)
    var shards: [(Int, Int)] = opened.entries.map { ($0.receipt.episodes, $0.receipt.bytes) }
    if shards.isEmpty {
      for number in opened.shardPaths.indices {
        let shard = try opened.shard(number)
        shards.append((shard.index.episodeCount, shard.file.length))
      }
    }
    let document = JobDocument(
      lookingAt: dataset, shards: shards, into: division, program: Trajpack.version,
      directory: try FileSystem.workingFolder(), arguments: words, command: Validate.name)
    try Destination.refuse(folder, in: dataset)
    let job = try ConversionJob(making: document, at: folder)
    if json {
      console.print(
        .record([
          "job": .string(folder), "dataset": .string(dataset),
          "tasks": .int(Int64(document.tasks.count)), "shards": .int(Int64(document.shards)),
          "recordings": .int(Int64(document.recordings)),
          "source_bytes": .int(Int64(document.bytes)),
          "array": .string(try ValidationJob(job).state().resubmit),
        ]))
      return
    }
    console.print(
      "\(folder): \(Human.count(document.tasks.count, "tasks")) of "
        + "\(Human.count(document.recordings, "episodes")) (\(Human.bytes(document.bytes))) in "
        + "\(Human.count(document.shards, "shards"))")
    console.note(
      "run each with 'trajpack job run \(folder) --task I', I from 0 to \(document.tasks.count - 1), then "
        + "'trajpack job finish \(folder)'")
  }
}

extension JobDocument.Division {
  /// What `--tasks` and `--task-size` say.
  init(tasks: Int?, size: ByteSize?) throws(TrajpackError) {
    switch (tasks, size) {
    case (let count?, nil): self = .count(count)
    case (nil, let size?) where size.bytes > 0: self = .bytes(size.bytes)
    case (nil, .some):
      throw TrajpackError(.usage, "--task-size: 0 bytes hold no shard; give a size like 4GiB")
    default:
      throw TrajpackError(.usage, "give one of --tasks and --task-size, which say how to divide")
    }
  }
}

/// A validation that is divided into tasks. Each keeps what it finds in a file, as 'validate --resume' does.
struct ValidationJob: ReportJob {
  static let items = "shards"
  let job: ConversionJob

  init(_ job: ConversionJob) { self.job = job }

  private func file(ofTask number: Int) -> String { job.folder(ofTask: number) + ".log" }

  /// How far the tasks are.
  func state() throws(TrajpackError) -> JobState {
    var tasks: [JobState.Task] = []
    for (number, task) in job.document.tasks.enumerated() {
      let isComplete = try Validation.isComplete(task: file(ofTask: number))
      tasks.append(
        JobState.Task(
          number: number,
          standing: isComplete == nil ? .notBegun : isComplete == true ? .complete : .unfinished,
          shardsDone: isComplete == true ? task.shards.count : 0, shards: task.shards.count))
    }
    return JobState(tasks)
  }

  private func command() throws(TrajpackError) -> Validate {
    guard job.document.program == Trajpack.version else {
      throw TrajpackError(
        .usage, file: job.path,
        "was planned by trajpack \(job.document.program) and this is \(Trajpack.version), which may have other "
          + "rules; run all of the job with one version, or plan it again")
    }
    return try JobPlanValidate.parse(job.document.arguments).validate
  }

  /// Runs a task.
  ///
  /// - Returns: How many episodes it has; `nil` where the user stopped it.
  func run(_ number: Int, jobs: Int?, _ console: Console) throws(TrajpackError) -> Int? {
    let command = try command()
    var config = try command.configuration()
    config.part = job.document.tasks[number].shards
    config.resume = file(ofTask: number)
    let pool = try WorkerPool(threads: jobs ?? WorkerPool.processors)
    let outcome = try command.validate(job.document.destination, config, pool, console)
    return outcome.isStopped ? nil : outcome.episodes
  }

  /// Prints the report of all tasks.
  func finish(jobs: Int?, json: Bool, _ console: Console) throws(TrajpackError) {
    var command = try command()
    if json {
      try refuseJSON(beside: command.format.rawValue)
      command.format = .json
    }
    var config = try command.configuration()
    config.parts = job.document.tasks.indices.map { file(ofTask: $0) }
    let known = try command.knownFindings()
    let pool = try WorkerPool(threads: jobs ?? WorkerPool.processors)
    let outcome = try command.validate(job.document.destination, config, pool, console)
    command.paths = [job.document.destination]
    try command.report([outcome], config, known, console)
  }
}
