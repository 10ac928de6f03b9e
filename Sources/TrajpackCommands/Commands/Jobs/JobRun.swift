import Glibc
import TrajpackFormat
import TrajpackSources
import TrajpackStore

/// `trajpack job run`: converts the shards of tasks.
struct JobRun: Command {
  static let name = "job run"
  static let summary = "Run tasks of a job."
  static let discussion = """
    A task that is complete is looked at and left as it is; one that was stopped, by a signal, a crash or a full \
    disk, goes on behind its last durable shard. So a task may be run as often as one likes. A task that another \
    process runs at the moment is left to that: the exit code is then 3, and nothing is changed.
    """
  static var examples: [Example] {
    [
      ("trajpack job run ww.job --task 3", "One task."),
      ("trajpack job run ww.job --task 0-3,7", "Several, one after the other."),
      ("trajpack job run ww.job", "The task of $SLURM_ARRAY_TASK_ID."),
    ]
  }
  static var parameters: [Parameter<Self>] {
    [
      .positional(
        "JOB", to: \.job, completes: .folders, help: "The folder of the job, or its job.json."),
      .option(
        "--task", "-t", to: \.task, value: "TASKS",
        help: "Numbers of tasks, from 0: 3, 0-3 or 0-3,7; by default $SLURM_ARRAY_TASK_ID."),
      .option(
        "--jobs", "-j", to: \.jobs, value: "N", in: 1...1024,
        help:
          "Threads; by default as many as the job was planned with, or one a processor. Tasks of an evaluation have one."
      ),
      .flag("--json", to: \.json, help: "Print what was done as JSON."),
    ]
  }

  var job = ""
  var task: String?
  var jobs: Int?
  var json = false

  /// The variable in which Slurm says which task of an array a process is.
  static let variable = "SLURM_ARRAY_TASK_ID"

  mutating func run(_ console: Console) throws(TrajpackError) {
    let job = try ConversionJob(job)
    let numbers = try tasks(of: job)
    let lock = try JobLock(job, isAlone: false)
    try job.enterDirectory()
    if let own = ReportJobs.of(job) {
      try each(numbers, job, console) { (number) throws(TrajpackError) in
        try own.run(number, jobs: jobs, console)
      }
      withExtendedLifetime(lock) {}
      return
    }
    if job.isFinished {
      report(numbers.map { ($0, "finished", 0) }, console)
      console.note("\(job.document.destination) is there already, so nothing was to be done")
      return
    }
    var maker = try DatasetMakers.maker(of: job.document)
    let staged = try maker.stage(.running(job.path))
    defer { staged?.remove() }
    if let staged {
      try staged.reading { () throws(TrajpackError) in
        try run(numbers, job, maker, try staged.importer(maker.importer), staged, console)
      }
    } else {
      try run(numbers, job, maker, try maker.importer(), nil, console)
    }
    withExtendedLifetime(lock) {}
  }

  private func tasks(of job: ConversionJob) throws(TrajpackError) -> [Int] {
    let (name, text): (String, String)
    if let task {
      (name, text) = ("--task", task)
    } else if let value = getenv(Self.variable) {
      (name, text) = ("$\(Self.variable)", String(cString: value))
    } else {
      throw TrajpackError(
        .usage, "give --task, or set \(Self.variable), to say which of the job's tasks to run")
    }
    return try Self.numbers(text, below: job.document.tasks.count, name)
  }

  /// The numbers that a list like `0-3,7` has, each once, in its order.
  static func numbers(
    _ text: String, below count: Int, _ name: String
  ) throws(TrajpackError) -> [Int] {
    var numbers: [Int] = []
    var seen: Set<Int> = []
    for part in text.split(separator: ",", omittingEmptySubsequences: false) {
      let ends = part.split(separator: "-", omittingEmptySubsequences: false).map { word in
        word.allSatisfy { $0.isASCII && $0.isNumber } ? Int(word) : nil
      }
      guard (1...2).contains(ends.count), let first = ends[0], let last = ends[ends.count - 1],
        first <= last
      else {
        throw TrajpackError(
          .usage, "\(name): '\(part)' is no number of a task, and no range like 0-3")
      }
      guard last < count else {
        throw TrajpackError(
          .usage, "\(name): there is no task \(last); the job has tasks 0 to \(count - 1)")
      }
      for number in first...last where seen.insert(number).inserted { numbers.append(number) }
    }
    return numbers
  }

  private func run<M: DatasetMaker, I: Importer>(
    _ numbers: [Int], _ job: ConversionJob, _ maker: M, _ importer: I, _ staged: StagedSources?,
    _ console: Console
  ) throws(TrajpackError) {
    var options = try maker.options(of: importer)
    let conversion = Conversion(importer, to: job.document.destination, options: options)
    try job.check(conversion, program: Trajpack.version)
    options.resume = true
    options.sideFiles = nil
    if let jobs { options.jobs = jobs }
    try each(numbers, job, console) { (number) throws(TrajpackError) in
      let shards = job.document.tasks[number].shards
      options.task = shards
      if let staged {
        // Shards that are there are not made again.
        let done = try JobState(ofTask: number, of: job).tasks.first?.shardsDone ?? 0
        let recordings = conversion.plan[shards].dropFirst(max(done, 0)).flatMap { numbers in
          numbers.map { importer.recordings[$0] }
        }
        try staged.bring(recordings, console)
      }
      return try WriteOptions.run(
        importer, to: job.folder(ofTask: number), options,
        verb: ("converting task \(number)", "converted task \(number)"), items: M.items,
        again: "the same command", console)?.episodes
    }
  }

  /// Runs tasks one after the other and says how they went; `body` gives the number of episodes, or `nil` where the
  /// user has stopped it.
  private func each(
    _ numbers: [Int], _ job: ConversionJob, _ console: Console,
    _ body: (Int) throws(TrajpackError) -> Int?
  ) throws(TrajpackError) {
    var done: [(number: Int, state: String, episodes: Int)] = []
    var failures: [(number: Int, error: TrajpackError)] = []
    for number in numbers {
      do throws(TrajpackError) {
        guard let episodes = try body(number) else { return }
        done.append((number, "complete", episodes))
      } catch {
        failures.append((number, Self.explained(error, number, job)))
        // Another task may be whole where the data of this one is not; a full disk is full for all.
        guard error.fault != .machine else { break }
      }
    }
    report(done + failures.map { ($0.number, "failed", 0) }, console)
    guard let (_, error) = failures.first else { return }
    let more = failures.count > 1 ? " (and \(failures.count - 1) more tasks failed)" : ""
    throw TrajpackError(error.fault, error.message + more)
  }

  /// An error with the number of its task.
  private static func explained(
    _ error: TrajpackError, _ number: Int, _ job: ConversionJob
  ) -> TrajpackError {
    guard error.fault == .usage, error.message.contains("another process") else {
      return TrajpackError(error.fault, "task \(number): \(error.message)", at: error.place)
    }
    return TrajpackError(
      .machine,
      "task \(number): another process runs it, so nothing was done; 'trajpack job finish \(job.path)' says "
        + "whether it was completed")
  }

  private func report(
    _ tasks: [(number: Int, state: String, episodes: Int)], _ console: Console
  ) {
    if json {
      console.print(
        .record([
          "tasks": .array(
            tasks.map { task in
              .record([
                "task": .int(Int64(task.number)), "state": .string(task.state),
                "episodes": task.state == "complete" ? .int(Int64(task.episodes)) : nil,
              ])
            })
        ]))
      return
    }
    for task in tasks where task.state != "failed" {
      console.print(
        "task \(task.number): \(task.state)"
          + (task.state == "complete" ? ", \(Human.count(task.episodes, "episodes"))" : ""))
    }
  }
}
