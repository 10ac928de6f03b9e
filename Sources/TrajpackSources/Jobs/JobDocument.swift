import TrajpackCodecs
import TrajpackFormat
import TrajpackStore

/// A conversion that is divided into tasks: `job.json`. `schemas/job.schema.json`.
public struct JobDocument: Sendable, Equatable {
  /// Shards that one process converts.
  public struct Task: Sendable, Equatable {
    /// Its shards in the plan of the conversion.
    public var shards: Range<Int>
    /// How many recordings they hold.
    public var recordings: Int
    /// Bytes of the recordings' files.
    public var bytes: Int
  }

  /// How recordings are divided into tasks. A task has whole shards.
  public enum Division: Sendable {
    /// That many tasks of about equal size; fewer where there are fewer shards.
    case count(Int)
    /// Tasks of at most that many bytes of source, or of one shard.
    case bytes(Int)
  }

  /// The name of the file.
  public static let fileName = "job.json"
  /// The version of the file that this trajpack reads and writes.
  static let version = "1.0"
  /// The command of a job that does not say it.
  private static let convert = "convert"
  /// The most values in the file.
  private static let mostValues = 1 << 23

  /// The version of trajpack that made the plan; another one may make other bytes.
  public var program: String
  /// The folder that relative paths are below.
  public var directory: String
  /// The words of the command line.
  public var arguments: [String]
  /// The command whose work is divided.
  public var command: String
  /// The folder of the dataset.
  public var destination: String
  /// What identifies the conversion, as the dataset's manifest has it.
  public var plan: JSONValue
  /// The tasks, in the order of their shards.
  public var tasks: [Task]

  /// Shards in all.
  public var shards: Int { tasks.last?.shards.upperBound ?? 0 }
  /// Recordings in all.
  public var recordings: Int { tasks.reduce(0) { $0 + $1.recordings } }
  /// Bytes of all recordings' files.
  public var bytes: Int { tasks.reduce(0) { $0 + $1.bytes } }

  /// Divides a conversion.
  public init<Source: Importer>(
    _ conversion: Conversion<Source>, into division: Division, program: String, directory: String,
    arguments: [String], command: String
  ) {
    self.command = command
    self.program = program
    self.directory = directory
    self.arguments = arguments
    destination = conversion.destination
    plan = conversion.planRecord
    let sizes = conversion.plan.map { numbers in
      (numbers.count, numbers.reduce(0) { $0 + conversion.source.recordings[$1].bytes })
    }
    tasks = Self.cut(sizes.map { $0.1 }, division).map { shards in
      Task(
        shards: shards, recordings: sizes[shards].reduce(0) { $0 + $1.0 },
        bytes: sizes[shards].reduce(0) { $0 + $1.1 })
    }
  }

  /// A job of a command that looks at a dataset's shards and makes none.
  ///
  /// - Parameter shards: Recordings and bytes of each.
  public init(
    lookingAt path: String, shards: [(recordings: Int, bytes: Int)], into division: Division,
    program: String, directory: String, arguments: [String], command: String
  ) {
    self.command = command
    self.program = program
    self.directory = directory
    self.arguments = arguments
    destination = path
    plan = .record([
      "type": "plan", "format": .string(command),
      "recordings": .int(Int64(shards.reduce(0) { $0 + $1.recordings })),
    ])
    tasks = Self.cut(shards.map(\.bytes), division).map { range in
      Task(
        shards: range, recordings: shards[range].reduce(0) { $0 + $1.recordings },
        bytes: shards[range].reduce(0) { $0 + $1.bytes })
    }
  }

  /// Cuts shards of some sizes into runs.
  static func cut(_ sizes: [Int], _ division: Division) -> [Range<Int>] {
    var ends: [Int] = []
    switch division {
    case .bytes(let limit):
      var bytes = 0
      for (shard, size) in sizes.enumerated() {
        if bytes > 0, size > limit - bytes {
          ends.append(shard)
          bytes = 0
        }
        // A shard of empty files counts, too.
        bytes += max(size, 1)
      }
    case .count(let wanted):
      let count = min(wanted, sizes.count)
      let total = Double(sizes.reduce(0) { $0 + max($1, 1) })
      var (shard, done) = (0, 0.0)
      for task in 1..<max(count, 1) {
        let aim = total * Double(task) / Double(count)
        // Each task before this one has a shard, and each behind it keeps one.
        repeat {
          done += Double(max(sizes[shard], 1))
          shard += 1
        } while shard < sizes.count - (count - task)
          && done + Double(max(sizes[shard], 1)) / 2 <= aim
        ends.append(shard)
      }
    }
    ends.append(sizes.count)
    return zip([0] + ends, ends).map { $0..<$1 }
  }

  private var content: [JSONValue.Member] {
    JSONValue.record([
      "format": "trajpack job", "version": .string(Self.version), "trajpack": .string(program),
      "command": command == Self.convert ? nil : .string(command),
      "directory": .string(directory), "arguments": .array(arguments.map { .string($0) }),
      "destination": .string(destination), "plan": plan,
      "tasks": .array(
        tasks.enumerated().map { number, task in
          .record([
            "task": .int(Int64(number)),
            "shards": .array([
              .int(Int64(task.shards.lowerBound)), .int(Int64(task.shards.upperBound)),
            ]),
            "recordings": .int(Int64(task.recordings)), "bytes": .int(Int64(task.bytes)),
          ])
        }),
    ]).members ?? []
  }

  private static func digest(of content: [JSONValue.Member]) -> String {
    var hash = SHA256()
    Array(JSONValue.object(content).text().utf8).withUnsafeBytes { hash.add($0) }
    return hash.hexadecimal()
  }

  /// The JSON of the file: its content, and a digest of that.
  public var json: JSONValue {
    .object(content + [.init("digest", .string(Self.digest(of: content)))])
  }

  /// Reads the file.
  ///
  /// - Throws: A data error where it is damaged, or of a version that is not read.
  public init(reading path: String) throws(TrajpackError) {
    let file = try LocalFile(path)
    let remedy = "restore it from a copy, or remove the job's folder and plan it again"
    let json: JSONValue
    do throws(TrajpackError) {
      json = try JSONValue(
        parsing: try file.bytes(0..<file.length), mostValues: Self.mostValues)
    } catch {
      guard error.fault == .data else { throw error }
      throw TrajpackError(
        .data, file: path, "is damaged (\(error.message)); \(remedy)", at: error.place)
    }
    guard json["format"]?.string == "trajpack job" else {
      throw TrajpackError(.data, file: path, "is no job of 'trajpack job plan'")
    }
    guard let version = json["version"]?.string, version.hasPrefix("1.") else {
      throw TrajpackError(
        .data, file: path,
        "has version \(json["version"]?.string ?? "none"), which this trajpack cannot read; run the "
          + "job with the trajpack that planned it")
    }
    let content = (json.members ?? []).filter { $0.name != "digest" }
    guard json["digest"]?.string == Self.digest(of: content) else {
      throw TrajpackError(
        .data, file: path,
        "is damaged or was changed: its digest is not that of its content; \(remedy)")
    }
    let reader = JSONReader(json, at: path)
    program = try reader.text("trajpack")
    command = json["command"] == nil ? Self.convert : try reader.text("command")
    directory = try reader.text("directory")
    arguments = try reader.list("arguments") { (r) throws(TrajpackError) in try r.text() }
    destination = try reader.text("destination")
    plan = try reader.object("plan")
    var end = 0
    tasks = try reader.list("tasks") { (r) throws(TrajpackError) in
      let shards = try r.integers("shards")
      guard shards.count == 2, shards[0] == end, shards[1] > end else {
        throw r.wrong("shards that follow those of the task before")
      }
      end = shards[1]
      return Task(
        shards: shards[0]..<shards[1], recordings: try r.integer("recordings"),
        bytes: try r.integer("bytes"))
    }
    guard !tasks.isEmpty else { throw reader.wrong("at least one task") }
  }
}
