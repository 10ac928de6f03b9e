import TrajpackFormat
import TrajpackSignal
import TrajpackSources
import TrajpackStore

/// A command that makes a dataset shard by shard, so that a job can divide its work.
protocol DatasetMaker: Command {
  /// The parameters that say what is made, and not those of going on, of trying out and of printing.
  static var making: [Parameter<Self>] { get }
  /// What tasks are made of, in the plural.
  static var items: String { get }
  /// The folder of the dataset.
  var destination: String { get }

  /// An empty command line.
  init()

  /// Makes files of this machine of sources that lie in buckets, for ``importer()``, for a command of its own or a part of a
  /// job; `nil` where none do.
  mutating func stage(_ job: StagedSources.Job?) throws(TrajpackError) -> StagedSources?
  /// What reads the sources, with everything chosen.
  func importer() throws(TrajpackError) -> any Importer
  /// How the dataset is written, with the side files that it gets.
  func options<I: Importer>(of importer: I) throws(TrajpackError) -> Conversion<I>.Options
  /// Says what came of it.
  ///
  /// - Parameter json: Whether as JSON.
  func report<I: Importer>(
    _ outcome: Conversion<I>.Outcome, of importer: I, json: Bool, _ console: Console
  ) throws(TrajpackError)
}

extension DatasetMaker {
  func stage(_ job: StagedSources.Job?) -> StagedSources? { nil }

  /// The name of the command that plans a job of it.
  static var planName: String { name == Convert.name ? "job plan" : "job plan \(name)" }

  func report<I: Importer>(
    _ outcome: Conversion<I>.Outcome, of importer: I, json: Bool, _ console: Console
  ) throws(TrajpackError) {
    for remark in outcome.remarks.prefix(Convert.mostRemarks) { console.warn(remark.printable) }
    if json {
      console.print(
        .record([
          "dataset": .string(destination), "episodes": .int(Int64(outcome.episodes)),
          "shards": .array(outcome.shards.map(\.json)), "bytes": .int(Int64(outcome.bytes)),
          "remarks": .array(outcome.remarks.map { .string($0) }),
        ]))
      return
    }
    console.print(
      "\(destination): \(Human.count(outcome.episodes, "episodes")), \(Human.bytes(outcome.bytes)), "
        + Human.count(outcome.shards.count, "shards"))
    console.note("look inside with 'trajpack info \(destination)'")
  }
}

/// The commands that jobs divide.
enum DatasetMakers {
  static let all: [any DatasetMaker.Type] = [
    Convert.self, Apply.self, Resample.self, Mask.self, Embed.self, Transcode.self,
  ]

  /// The command line of a job.
  static func maker(of job: JobDocument) throws(TrajpackError) -> any DatasetMaker {
    for maker in all where maker.name == job.command { return try parse(maker, job.arguments) }
    throw TrajpackError(
      .data,
      "the job is of '\(job.command)', which this trajpack does not divide; run it with the trajpack that planned it"
    )
  }

  private static func parse<M: DatasetMaker>(
    _: M.Type, _ words: [String]
  ) throws(TrajpackError) -> any DatasetMaker { try JobPlan<M>.parse(words).maker }
}

extension Convert: DatasetMaker {
  static var making: [Parameter<Self>] {
    conversion + WriteOptions.stagingFolder.map { $0.lifted(\.writing) }
  }
  static var items: String { "recordings" }

  func report<I: Importer>(
    _ outcome: Conversion<I>.Outcome, of importer: I, json: Bool, _ console: Console
  ) throws(TrajpackError) {
    var command = self
    command.json = json
    try command.report(
      outcome, of: importer,
      again: "run 'trajpack convert' with the job's options and --resume, which adds",
      console)
  }
}

/// A command that prepares a dataset by a plan.
protocol PreparingCommand: DatasetMaker {
  /// Source, destination, and how it is written.
  var preparation: Preparation { get set }
  /// The parameters of its own.
  static var own: [Parameter<Self>] { get }
  /// Its steps.
  func plan() throws(TrajpackError) -> Plan
}

extension PreparingCommand {
  static var parameters: [Parameter<Self>] {
    Preparation.places.map { $0.lifted(\.preparation) } + own
      + Preparation.parameters.map { $0.lifted(\.preparation) }
  }
  static var making: [Parameter<Self>] {
    Preparation.places.map { $0.lifted(\.preparation) } + own
      + Preparation.making.map { $0.lifted(\.preparation) }
  }

  static var items: String { "episodes" }
  var destination: String { preparation.destination }

  func importer() throws(TrajpackError) -> any Importer {
    try preparation.importer(try plan(), Self.name)
  }

  func options<I: Importer>(of importer: I) throws(TrajpackError) -> Conversion<I>.Options {
    let options = try preparation.writing.options(of: I.self)
    guard let prepared = importer as? PlanImporter else { return options }
    return options.carrying(try prepared.carriedSideFiles())
  }
}

extension Preparation {
  /// The source, prepared by a plan that leaves nothing open.
  func importer(_ plan: Plan, _ command: String) throws(TrajpackError) -> PlanImporter {
    guard plan.unresolved == nil else {
      throw TrajpackError(
        .usage,
        "the plan leaves something to be chosen by looking at the data, which each task would do again; choose once, "
          + "with 'trajpack \(command) … --print-plan > plan.json', and plan a job of 'apply --plan plan.json'"
      )
    }
    let dataset = try Dataset(source)
    try Destination.refuse(destination, in: source)
    try refuseBorders(plan, dataset)
    var resolver = try PlanResolver(
      dataset, threads: writing.jobs ?? WorkerPool.processors, scheme: (scheme, fold),
      isInterrupted: { Interrupt.isRequested })
    guard let (importer, _) = try resolver.importer(plan, version: Trajpack.version) else {
      throw TrajpackError(.machine, "stopped while looking at \(source)")
    }
    return importer
  }
}

extension Transcode: DatasetMaker {
  static var items: String { "recordings" }

  func importer() throws(TrajpackError) -> any Importer {
    let targets = try pairs()
    try Destination.refuse(destination, in: source)
    let opened = try media.open(source)
    try check(targets, opened)
    return try TranscodingImporter(
      try DatasetImporter(opened, version: Trajpack.version), targets,
      threads: writing.jobs ?? WorkerPool.processors, isStopped: { Interrupt.isRequested })
  }

  func options<I: Importer>(of importer: I) throws(TrajpackError) -> Conversion<I>.Options {
    let opened = try media.open(source)
    return try writing.options(of: I.self).carrying(
      CarriedSideFiles(opened.dataset, changed: try pairs().keys.sorted()))
  }
}
