import TrajpackFormat
import TrajpackSources
import TrajpackStore

/// A job that makes a report and no dataset: each task keeps what it found in the job's folder, and the end puts that
/// together.
protocol ReportJob {
  /// What tasks are divided by, in the plural.
  static var items: String { get }
  init(_ job: ConversionJob)
  /// How far the tasks are.
  func state() throws(TrajpackError) -> JobState
  /// Runs a task.
  ///
  /// - Returns: How many episodes it has; `nil` where the user stopped it.
  func run(_ number: Int, jobs: Int?, _ console: Console) throws(TrajpackError) -> Int?
  /// Writes the report of all tasks as it was planned; with `json`, a report that would be printed as text is printed as
  /// JSON, and of one that goes into a file the outcome is printed.
  func finish(jobs: Int?, json: Bool, _ console: Console) throws(TrajpackError)
}

extension ReportJob {
  /// Refuses `--json` where the report that would be printed is of another format.
  func refuseJSON(beside format: String) throws(TrajpackError) {
    guard format != "text", format != "json" else { return }
    throw TrajpackError(
      .usage, option: "--json",
      "the job was planned with --format \(format), so its report is printed as that; leave out --json"
    )
  }
}

/// The jobs that make reports.
enum ReportJobs {
  /// The job, where it makes a report.
  static func of(_ job: ConversionJob) -> (any ReportJob)? {
    switch job.document.command {
    case Validate.name: ValidationJob(job)
    case Evaluate.name: EvaluationJob(job)
    default: nil
    }
  }
}
