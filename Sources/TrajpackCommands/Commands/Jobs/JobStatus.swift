import TrajpackFormat
import TrajpackSources
import TrajpackStore

/// `trajpack job status`: how far a job is.
struct JobStatus: Command {
  static let name = "job status"
  static let summary = "Show which tasks of a job are complete."
  static let discussion = """
    Reads the journals of the tasks, and changes nothing. A task that is 'unfinished' is being run, or was stopped; \
    running it again goes on with it, and is refused while it runs.
    """
  static var examples: [Example] {
    [("trajpack job status ww.job", "What is there, and which tasks are still to be run.")]
  }
  static var parameters: [Parameter<Self>] {
    [
      .positional(
        "JOB", to: \.job, completes: .folders, help: "The folder of the job, or its job.json."),
      .flag("--json", to: \.json, help: "Print it as JSON."),
    ]
  }

  var job = ""
  var json = false

  mutating func run(_ console: Console) throws(TrajpackError) {
    let job = try ConversionJob(job)
    try job.enterDirectory()
    let own = ReportJobs.of(job)
    var state: JobState?
    if let own {
      state = try own.state()
    } else if !job.isFinished {
      state = try JobState(of: job, depth: .lengths)
    }
    if json {
      console.print(Self.json(of: job, state))
      return
    }
    guard let state else {
      console.print("\(job.path): finished; the dataset is \(job.document.destination)")
      return
    }
    let (all, missing) = (state.tasks.count, state.missing)
    let (done, items) = (
      state.tasks.reduce(0) { $0 + $1.shardsDone }, own.map { type(of: $0).items } ?? "shards"
    )
    console.print(
      "\(job.path): \(all - missing.count) of \(Human.count(all, "tasks")) complete, \(done) of "
        + "\(Human.count(job.document.shards, items)) durable")
    guard !missing.isEmpty else {
      console.note(
        own != nil
          ? "print the report with 'trajpack job finish \(job.path)'"
          : "make the dataset with 'trajpack job finish \(job.path)'")
      return
    }
    console.print("to be run: \(state.resubmit)")
    for task in missing where task.standing != .notBegun {
      console.print(
        "task \(task.number): \(task.standing.rawValue), \(task.shardsDone) of "
          + "\(Human.count(task.shards, items))\(task.why.isEmpty ? "" : "; \(task.why)")")
    }
  }

  /// How far a job is, as JSON; `nil` of a state stands for a finished one.
  static func json(of job: ConversionJob, _ state: JobState?) -> JSONValue {
    .record([
      "job": .string(job.path), "dataset": .string(job.document.destination),
      "finished": .bool(state == nil), "tasks": .int(Int64(job.document.tasks.count)),
      "missing": .array((state?.missing ?? []).map(\.json)),
      "resubmit": .string(state?.resubmit ?? ""),
    ])
  }
}
