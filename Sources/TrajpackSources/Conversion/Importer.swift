import Glibc
import TrajpackFormat
import TrajpackStore

/// What `trajpack formats` says of a format.
public struct FormatDescription: Sendable {
  /// The name that `--from` and `--to` take.
  public var name: String
  /// What it is, in a sentence.
  public var summary: String
  /// What of it is carried into the archive.
  public var carries: String
  /// Whether trajpack reads it.
  public var reads: Bool
  /// Whether trajpack writes it.
  public var writes: Bool

  /// A format.
  public init(name: String, summary: String, carries: String, reads: Bool, writes: Bool) {
    self.name = name
    self.summary = summary
    self.carries = carries
    self.reads = reads
    self.writes = writes
  }
}

/// One recording of a source, before anything of it is read.
public struct Recording: Sendable {
  /// The id that its episode is to have, unique in the source.
  public var id: String
  /// The path to say in errors.
  public var path: String
  /// Bytes of its files, by which shards are planned and progress is told.
  public var bytes: Int
  /// A line that changes when its files do: names, sizes, times of change.
  public var fingerprint: String

  /// A recording.
  public init(id: String, path: String, bytes: Int, fingerprint: String) {
    self.id = id
    self.path = path
    self.bytes = bytes
    self.fingerprint = fingerprint
  }
}

/// Reads a format. A conversion plans shards by the sizes of recordings; for each shard it examines its
/// recordings, lays out a schema that fits them all, and has each drafted. Examining and drafting are
/// done by several threads at once; both must give the same result on every run.
public protocol Importer: Sendable {
  /// What must be known of a recording to lay out a schema for it.
  associatedtype Examination: Sendable

  /// The format.
  static var format: FormatDescription { get }

  /// The recordings, in the order in which they are written.
  var recordings: [Recording] { get }

  /// Sentences on what the source holds and is not read.
  var remarks: [String] { get }

  /// The files of the source that are not taken.
  var leftOut: [LeftOut] { get }

  /// How the source was read, an object for each way: see ``Reading``.
  ///
  /// - Parameter streams: The streams of the shards that were written, by name, those of the same name
  ///   in the order of the shards.
  func reading(of streams: [String: [Stream]]) -> [JSONValue]

  /// Whether recording `number` must begin a shard, because one schema cannot hold it and the one before.
  func beginsShard(_ number: Int) -> Bool

  /// Options that change what is written, for the plan's digest; an object.
  var options: JSONValue { get }

  /// Has `body` told how many bytes of recordings were read, while they are examined and drafted, from any thread.
  func watchReads(_ body: @escaping @Sendable (Int) -> Void)

  /// Lets threads that have nothing to do take a share of a recording that is examined or drafted, until `isInterrupted`
  /// says true.
  func use(_ threads: IdleThreads, isInterrupted: @escaping @Sendable () -> Bool)

  /// Looks at a recording; `nil` where the options say that it is to be left out.
  func examine(_ recording: Recording) throws(TrajpackError) -> Examination?

  /// A schema without rows that fits every one of the examined recordings of a shard.
  func schema(
    for examined: [(Recording, Examination)], _ layout: LayoutOptions
  ) throws(TrajpackError) -> Schema

  /// Looks at a shard that was written from the drafts, before it is acknowledged; what it throws ends the conversion.
  func check(shard path: String) throws(TrajpackError)

  /// Reads a recording into rows of a schema.
  func draft(
    _ recording: Recording, _ examination: Examination, _ schema: Schema
  ) throws(TrajpackError) -> EpisodeDraft
}

extension Importer {
  /// No remarks.
  public var remarks: [String] { [] }

  /// Nothing left out.
  public var leftOut: [LeftOut] { [] }

  /// Reports no progress within a recording.
  public func watchReads(_ body: @escaping @Sendable (Int) -> Void) {}

  /// Reads each recording by one thread.
  public func use(_ threads: IdleThreads, isInterrupted: @escaping @Sendable () -> Bool) {}

  /// No description of how streams were read.
  public func reading(of streams: [String: [Stream]]) -> [JSONValue] { [] }

  /// No check of written shards.
  public func check(shard path: String) {}

  /// One schema holds all recordings.
  public func beginsShard(_ number: Int) -> Bool { false }
}

extension Recording {
  /// Files that may be its, by the names in its fingerprint: to bring them before they are read. What is missed here is brought
  /// when it is read, and a path that leads to nothing is passed over.
  public var files: [String] {
    var files = [path]
    for file in fingerprint.split(separator: ";") {
      let words = file.split(separator: " ")
      guard words.count > 2 else { continue }
      let name = words.dropLast(2).joined(separator: " ")
      for folder in [path, FileSystem.parent(of: path)] { files.append("\(folder)/\(name)") }
    }
    return files
  }

  /// Name, size and time of change of a file, for a fingerprint.
  public static func fingerprint(of path: String) -> String {
    var status = stat()
    guard stat(path, &status) == 0 else { return "\(FileSystem.name(of: path)) absent" }
    return "\(FileSystem.name(of: path)) \(status.st_size) "
      + "\(status.st_mtim.tv_sec).\(status.st_mtim.tv_nsec)"
  }

  /// The file of the recordings that was changed last, if that was after the file at `path`; `nil` where the times
  /// show none.
  static func changed(_ recordings: [Recording], since path: String) -> String? {
    var status = stat()
    guard stat(path, &status) == 0 else { return nil }
    var latest = (status.st_mtim.tv_sec, status.st_mtim.tv_nsec)
    var found: String?
    for recording in recordings {
      for file in recording.fingerprint.split(separator: ";") {
        let words = file.split(separator: " ")
        let time = (words.last?.split(separator: ".") ?? []).compactMap { Int($0) }
        guard time.count == 2, (time[0], time[1]) > latest, words.count > 2 else { continue }
        latest = (time[0], time[1])
        let isFolder = FileSystem.item(at: recording.path) == .folder
        found =
          isFolder
          ? "\(recording.path)/\(words.dropLast(2).joined(separator: " "))" : recording.path
      }
    }
    return found
  }
}
