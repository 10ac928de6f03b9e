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
  /// Prints the report of all tasks.
  func finish(jobs: Int?, json: Bool, _ console: Console) throws(TrajpackError)
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
