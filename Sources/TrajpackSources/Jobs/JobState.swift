import TrajpackFormat
import TrajpackStore

/// What is there of a job: the shards of each task, and what is missing.
public struct JobState: Sendable {
  /// How far a task is.
  public enum Standing: String, Sendable {
    /// Every shard is there.
    case complete
    /// No process has begun it, or none has got to its first shard.
    case notBegun = "not begun"
    /// A process is at work on it, or has stopped.
    case unfinished
    /// It was complete, and what it made is not whole any more.
    case damaged
  }

  /// A task.
  public struct Task: Sendable {
    /// Its number.
    public var number: Int
    /// How far it is.
    public var standing: Standing
    /// Shards that are durable.
    public var shardsDone: Int
    /// Shards that it has to make; fewer come of them where all recordings of one are left out.
    public var shards: Int
    /// What is damaged, in a sentence; empty where nothing is.
    public var why = ""

    /// A task that is not damaged.
    public init(number: Int, standing: Standing, shardsDone: Int, shards: Int) {
      (self.number, self.standing) = (number, standing)
      (self.shardsDone, self.shards) = (shardsDone, shards)
    }

    /// `task`, `state`, `shards_done`, `shards` and, where it is damaged, `why`.
    public var json: JSONValue {
      .record([
        "task": .int(Int64(number)), "state": .string(standing.rawValue),
        "shards_done": .int(Int64(shardsDone)), "shards": .int(Int64(shards)),
        "why": why.isEmpty ? nil : .string(why),
      ])
    }
  }

  /// How closely shards are looked at.
  public enum Depth: Sendable {
    /// Their lengths.
    case lengths
    /// Their lengths, and their indexes by checksum.
    case indexes
    /// Every byte, by SHA-256.
    case bytes
  }

  /// A shard, and where it lies.
  struct Shard {
    /// The file that is there.
    var file: String
    /// The name that it gets in the dataset.
    var entry: Manifest.Entry
    /// The record of its recordings.
    var note: JSONValue?
  }

  /// The tasks, in order.
  public private(set) var tasks: [Task] = []
  /// The shards of the dataset in order, where every task is complete.
  private(set) var shards: [Shard] = []
  /// The recordings that were left out behind the last shard of a task.
  private(set) var leftOut: [JSONValue] = []

  /// The tasks that are still to be run.
  public var missing: [Task] { tasks.filter { $0.standing != .complete } }

  /// The numbers of the tasks that are still to be run, as `--task` and Slurm's `--array` take them: `0-3,7`.
  public var resubmit: String { Self.ranges(missing.map(\.number)) }

  /// Tasks whose standing somebody else knows.
  public init(_ tasks: [Task]) { self.tasks = tasks }

  /// Looks at the folder of a job.
  ///
  /// - Throws: A machine error where it cannot be read. What is damaged is a task's standing.
  public init(of job: ConversionJob, depth: Depth) throws(TrajpackError) {
    for number in job.document.tasks.indices {
      tasks.append(try look(number, job, depth))
    }
    if !missing.isEmpty { shards = [] }
  }

  /// Looks at the folder of one task of a job, which becomes the only one of ``tasks``.
  public init(ofTask number: Int, of job: ConversionJob) throws(TrajpackError) {
    tasks = [try look(number, job, .lengths)]
  }

  private mutating func look(
    _ number: Int, _ job: ConversionJob, _ depth: Depth
  ) throws(TrajpackError) -> Task {
    let range = job.document.tasks[number].shards
    var task = Task(number: number, standing: .notBegun, shardsDone: 0, shards: range.count)
    let folder = job.folder(ofTask: number)
    guard FileSystem.item(at: "\(folder)/\(Journal.fileName)") != nil else { return task }
    let content: JournalContent
    do throws(TrajpackError) {
      content = try JournalContent(inFolder: folder)
    } catch {
      guard error.fault == .data else { throw error }
      (task.standing, task.why) = (.damaged, error.message)
      return task
    }
    guard let plan = content.plan else { return task }
    guard plan == job.document.plan(ofTask: number) else {
      task.standing = .damaged
      task.why = "\(folder): is of another job; remove that folder"
      return task
    }
    task.shardsDone = content.shards.count
    task.standing = content.completion == nil ? .unfinished : .complete
    for entry in content.shards {
      let name = Manifest.shardName(shards.count)
      // An end that was stopped has moved it already.
      let places = ["\(folder)/\(entry.name)", "\(job.path)/\(ConversionJob.assemblyName)/\(name)"]
      let file = places.first { FileSystem.item(at: $0) != nil } ?? places[0]
      if let why = try Self.fault(of: file, entry.receipt, depth) {
        // A shard that is lost is made again by the task, be it complete or not.
        task.standing = .damaged
        task.shardsDone -= 1
        if task.why.isEmpty { task.why = why }
      }
      shards.append(
        Shard(
          file: file, entry: Manifest.Entry(name: name, receipt: entry.receipt),
          note: content.notes[entry.name].map { note in
            .object(
              (note.members ?? []).map {
                $0.name == "shard" ? .init("shard", .string(name)) : $0
              })
          }))
    }
    if let last = content.completion?["left_out"] { leftOut.append(last) }
    return task
  }

  /// What is wrong with a shard, in a sentence; `nil` where nothing is.
  private static func fault(
    of file: String, _ receipt: ShardWriter.Receipt, _ depth: Depth
  ) throws(TrajpackError) -> String? {
    do throws(TrajpackError) {
      guard FileSystem.item(at: file) != nil else { return "\(file): is missing" }
      let found = try LocalFile(file)
      guard found.length == receipt.bytes else {
        return "\(file): has \(found.length) bytes instead of \(receipt.bytes)"
      }
      switch depth {
      case .lengths: break
      case .indexes: _ = try TrajpackStore.Shard(file)
      case .bytes:
        guard try found.sha256() == receipt.sha256 else {
          return "\(file): is damaged (its SHA-256 is another)"
        }
      }
      return nil
    } catch {
      guard error.fault == .data else { throw error }
      return error.message
    }
  }

  /// Ascending numbers as ranges: `0-3,7`.
  static func ranges(_ numbers: [Int]) -> String {
    var runs: [ClosedRange<Int>] = []
    for number in numbers {
      if let last = runs.last, last.upperBound + 1 == number {
        runs[runs.count - 1] = last.lowerBound...number
      } else {
        runs.append(number...number)
      }
    }
    return runs.map { run in
      run.count == 1 ? "\(run.lowerBound)" : "\(run.lowerBound)-\(run.upperBound)"
    }.joined(separator: ",")
  }
}
