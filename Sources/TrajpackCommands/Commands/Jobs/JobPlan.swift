import TrajpackFormat
import TrajpackSources
import TrajpackStore

/// `trajpack job plan`: divides a conversion into tasks, and `trajpack job plan apply` and others what these make.
struct JobPlan<Maker: DatasetMaker>: RecordedCommand {
  static var name: String { Maker.planName }
  static var summary: String {
    Maker.name == Convert.name
      ? "Divide a conversion into tasks for several processes or machines."
      : "Divide what 'trajpack \(Maker.name)' makes into tasks."
  }
  static var discussion: String {
    """
    Takes what 'trajpack \(Maker.name)' takes, and makes the folder DST.job on the same file system. Each task is run \
    once or more by 'trajpack job run', in any order, by processes on any machines that share the file system; \
    'trajpack job finish' makes the dataset of their shards, with the bytes that one 'trajpack \(Maker.name)' gives.

    A task has whole shards, cut as '\(Maker.name)' cuts them, so --shard-size bounds the number of tasks. The sources \
    must not change until the job is finished.
    """
  }
  static var examples: [Example] {
    guard Maker.name == Convert.name else { return [] }
    return [
      (
        "trajpack job plan recordings ww --tasks 64",
        "For an array of 64 jobs; then 'trajpack job run ww.job --task I'."
      ),
      ("trajpack job plan recordings ww --task-size 4GiB", "Tasks of at most 4 GiB of source."),
    ]
  }
  static var parameters: [Parameter<Self>] {
    Maker.making.map { $0.lifted(\.maker) } + [
      .option(
        "--tasks", to: \.tasks, value: "N", in: 1...1_000_000,
        help: "Make N tasks of about equal size, or one a shard where there are fewer."),
      .option(
        "--task-size", to: \.taskSize, value: "SIZE", help: "Make tasks of at most SIZE of source."),
      .flag("--json", to: \.json, help: "Print the plan as JSON."),
    ]
  }

  var maker = Maker()
  var tasks: Int?
  var taskSize: ByteSize?
  var json = false
  var words: [String] = []

  mutating func run(_ console: Console) throws(TrajpackError) {
    let division = try JobDocument.Division(tasks: tasks, size: taskSize)
    guard let staged = try maker.stage(.planning(maker.destination)) else {
      return try plan(try maker.importer(), nil, division, console)
    }
    defer { staged.remove() }
    try staged.reading { () throws(TrajpackError) in
      try plan(try staged.importer(maker.importer), staged, division, console)
    }
  }

  private func plan<I: Importer>(
    _ importer: I, _ staged: StagedSources?, _ division: JobDocument.Division, _ console: Console
  ) throws(TrajpackError) {
    let options = try maker.options(of: importer)
    for remark in importer.remarks { console.warn(remark.printable) }
    let conversion = Conversion(importer, to: maker.destination, options: options)
    try conversion.check()
    let document = JobDocument(
      conversion, into: division, program: Trajpack.version,
      directory: try FileSystem.workingFolder(), arguments: words, command: Maker.name)
    let job = try ConversionJob(making: document, recordings: importer.recordings) {
      (path) throws(TrajpackError) in
      try staged?.keep(in: path)
    }
    let shown = try ConversionJob.folder(of: maker.destination)
    if let tasks, document.tasks.count < tasks {
      console.warn(
        "\(shown): has \(Human.count(document.tasks.count, "tasks")) and not \(tasks), because there are no more "
          + "shards; a smaller --shard-size gives more")
    }
    if json {
      console.print(
        .record([
          "job": .string(shown), "dataset": .string(maker.destination),
          "tasks": .int(Int64(document.tasks.count)), "shards": .int(Int64(document.shards)),
          "recordings": .int(Int64(document.recordings)),
          "source_bytes": .int(Int64(document.bytes)),
          "array": .string(try JobState(of: job, depth: .lengths).resubmit),
        ]))
      return
    }
    console.print(
      "\(shown): \(Human.count(document.tasks.count, "tasks")) of "
        + "\(Human.count(document.recordings, Maker.items)) (\(Human.bytes(document.bytes))) in "
        + "\(Human.count(document.shards, "shards"))")
    console.note(
      "run each with 'trajpack job run \(shown) --task I', I from 0 to \(document.tasks.count - 1), then "
        + "'trajpack job finish \(shown)'")
  }
}
