import TrajpackFormat
import TrajpackSources
import TrajpackStore

/// `trajpack job plan`: divides a conversion into tasks.
struct JobPlan: RecordedCommand {
  static let name = "job plan"
  static let summary = "Divide a conversion into tasks for several processes or machines."
  static let discussion = """
    Takes what 'trajpack convert' takes, and makes the folder DST.job on the same file system. Each task is run \
    once or more by 'trajpack job run', in any order, by processes on any machines that share the file system; \
    'trajpack job finish' makes the dataset of their shards, with the bytes that one 'trajpack convert' gives.

    A task has whole shards, cut as 'convert' cuts them, so --shard-size bounds the number of tasks. The sources \
    must not change until the job is finished.
    """
  static var examples: [Example] {
    [
      (
        "trajpack job plan recordings ww --tasks 64",
        "For an array of 64 jobs; then 'trajpack job run ww.job --task I'."
      ),
      ("trajpack job plan recordings ww --task-size 4GiB", "Tasks of at most 4 GiB of source."),
    ]
  }
  static var parameters: [Parameter<Self>] {
    Convert.conversion.map { $0.lifted(\.convert) } + [
      .option(
        "--tasks", to: \.tasks, value: "N", in: 1...1_000_000,
        help: "Make N tasks of about equal size, or one a shard where there are fewer."),
      .option(
        "--task-size", to: \.taskSize, value: "SIZE", help: "Make tasks of at most SIZE of source."),
      .flag("--json", to: \.json, help: "Print the plan as JSON."),
    ]
  }

  var convert = Convert()
  var tasks: Int?
  var taskSize: ByteSize?
  var json = false
  var words: [String] = []

  mutating func run(_ console: Console) throws(TrajpackError) {
    let division: JobDocument.Division
    switch (tasks, taskSize) {
    case (let count?, nil): division = .count(count)
    case (nil, let size?) where size.bytes > 0: division = .bytes(size.bytes)
    case (nil, .some):
      throw TrajpackError(.usage, "--task-size: 0 bytes hold no shard; give a size like 4GiB")
    default:
      throw TrajpackError(.usage, "give one of --tasks and --task-size, which say how to divide")
    }
    try plan(try convert.importer(), division, console)
  }

  private func plan<I: Importer>(
    _ importer: I, _ division: JobDocument.Division, _ console: Console
  ) throws(TrajpackError) {
    let options = try convert.options(of: importer)
    for remark in importer.remarks { console.warn(remark.printable) }
    let conversion = Conversion(importer, to: convert.destination, options: options)
    try conversion.check()
    let document = JobDocument(
      conversion, into: division, program: Trajpack.version,
      directory: try FileSystem.workingFolder(), arguments: words)
    let job = try ConversionJob(making: document, recordings: importer.recordings)
    let shown = try ConversionJob.folder(of: convert.destination)
    if let tasks, document.tasks.count < tasks {
      console.warn(
        "\(shown): has \(Human.count(document.tasks.count, "tasks")) and not \(tasks), because there are no more "
          + "shards; a smaller --shard-size gives more")
    }
    if json {
      console.print(
        .record([
          "job": .string(shown), "dataset": .string(convert.destination),
          "tasks": .int(Int64(document.tasks.count)), "shards": .int(Int64(document.shards)),
          "recordings": .int(Int64(document.recordings)),
          "source_bytes": .int(Int64(document.bytes)),
          "array": .string(try JobState(of: job, depth: .lengths).resubmit),
        ]))
      return
    }
    console.print(
      "\(shown): \(Human.count(document.tasks.count, "tasks")) of "
        + "\(Human.count(document.recordings, "recordings")) (\(Human.bytes(document.bytes))) in "
        + "\(Human.count(document.shards, "shards"))")
    console.note(
      "run each with 'trajpack job run \(shown) --task I', I from 0 to \(document.tasks.count - 1), then "
        + "'trajpack job finish \(shown)'")
  }
}
