import TrajpackFormat
import TrajpackSources
import TrajpackStore

/// `trajpack job finish`: the dataset of a job's shards.
struct JobFinish: Command {
  static let name = "job finish"
  static let summary = "Make the dataset of a job whose tasks are complete."
  static let discussion = """
    Looks whether every task is complete and names those that are not, as 0-3,7 for 'job run --task' and for \
    Slurm's --array; nothing is changed then, and the exit code is 1. Otherwise it moves the shards together, merges \
    their statistics, writes the manifest and gives the folder its name DST. The dataset appears whole or not at all.

    Each shard's length and the checksum of its index are looked at; --verify reads every byte.
    """
  static var examples: [Example] {
    [
      ("trajpack job finish ww.job", "Make the dataset ww."),
      ("trajpack job finish ww.job --json", "Where tasks are missing: which, for a resubmission."),
    ]
  }
  static var parameters: [Parameter<Self>] {
    [
      .positional(
        "JOB", to: \.job, completes: .folders, help: "The folder of the job, or its job.json."),
      .flag(
        "--verify", to: \.verify,
        help: "Compare every byte of the shards with its SHA-256; for jobs that make a dataset."),
      .option(
        "--jobs", "-j", to: \.jobs, value: "N", in: 1...1024,
        help: "Threads; by default one a processor. That of an evaluation is one."),
      .flag("--json", to: \.json, help: "Print the outcome, or what is missing, as JSON."),
    ]
  }

  var job = ""
  var verify = false
  var jobs: Int?
  var json = false

  mutating func run(_ console: Console) throws(TrajpackError) {
    let job = try ConversionJob(job)
    try job.enterDirectory()
    if let own = ReportJobs.of(job) {
      guard !verify else {
        throw TrajpackError(
          .usage, option: "--verify",
          "the job makes a report and has no shards to compare; leave out --verify")
      }
      let state = try own.state()
      if !state.missing.isEmpty {
        if json { console.print(JobStatus.json(of: job, state)) }
        throw Self.error(state, job)
      }
      return try own.finish(jobs: jobs, json: json, console)
    }
    let state = job.isFinished ? nil : try JobState(of: job, depth: verify ? .bytes : .indexes)
    if let state, !state.missing.isEmpty {
      if json { console.print(JobStatus.json(of: job, state)) }
      throw Self.error(state, job)
    }
    // What holds the lock for a moment is a task that finds itself complete.
    let lock = try JobLock(job, isAlone: true)
    guard let state else {
      try job.publish()
      console.note("\(job.document.destination) is finished already")
      if json { console.print(JobStatus.json(of: job, nil)) }
      return
    }
    var maker = try DatasetMakers.maker(of: job.document)
    let staged = try maker.stage(.running(job.path))
    defer { staged?.remove() }
    if let staged {
      try staged.reading { () throws(TrajpackError) in
        try finish(job, state, maker, try staged.importer(maker.importer), console)
      }
    } else {
      try finish(job, state, maker, try maker.importer(), console)
    }
    withExtendedLifetime(lock) {}
  }

  /// Names what is missing.
  private static func error(_ state: JobState, _ job: ConversionJob) -> TrajpackError {
    let (missing, all) = (state.missing, state.tasks.count)
    let damage = missing.first { !$0.why.isEmpty }.map { "; task \($0.number): \($0.why)" } ?? ""
    return TrajpackError(
      .data, file: job.path,
      "\(missing.count) of \(Human.count(all, "tasks")) \(missing.count == 1 ? "is" : "are") not "
        + "complete: \(state.resubmit)\(damage); run \(missing.count == 1 ? "it" : "them") with 'trajpack job run "
        + "\(job.path) --task \(state.resubmit)'")
  }

  private func finish<M: DatasetMaker, I: Importer>(
    _ job: ConversionJob, _ state: JobState, _ maker: M, _ importer: I, _ console: Console
  ) throws(TrajpackError) {
    var options = try maker.options(of: importer)
    try job.check(
      Conversion(importer, to: job.document.destination, options: options),
      program: Trajpack.version)
    let folder = try job.assemble(state)
    options.resume = true
    // They were just looked at.
    options.comparesBytes = false
    if let jobs { options.jobs = jobs }
    let outcome = try WriteOptions.run(
      importer, to: folder, options, verb: ("finishing", "finished"), items: M.items,
      again: "the same command", console)
    guard let outcome else { return }
    try job.publish()
    try maker.report(outcome, of: importer, json: json, console)
  }
}
