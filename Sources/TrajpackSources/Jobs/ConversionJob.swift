import Glibc
import TrajpackFormat
import TrajpackStore

/// The folder of a job, on a file system that all of its processes share.
///
/// It lies beside the dataset's and has `job.json`, the recordings with their fingerprints, a lock, and a folder for
/// each task that was begun: shards, numbered from 0, and their journal, as an unfinished conversion leaves them.
/// The end moves the shards together and gives the whole folder the dataset's name.
public struct ConversionJob: Sendable {
  /// The folder.
  public let path: String
  /// What is to be done.
  public let document: JobDocument

  static let recordingsName = "recordings.jsonl"
  /// The folder of what was brought of sources in buckets when the job was planned.
  public static let sourceName = "source"
  static let lockName = "lock"
  static let assemblyName = "dataset"

  /// The folder of the job of a dataset.
  ///
  /// - Throws: A usage error where the dataset's folder has no name to derive it from.
  public static func folder(of destination: String) throws(TrajpackError) -> String {
    let name = FileSystem.name(of: destination)
    guard !["", "/", ".", ".."].contains(name) else {
      throw TrajpackError(
        .usage, file: destination,
        "the folder of a job is named after the dataset's; give that by its name")
    }
    return FileSystem.parent(of: destination) + "/" + name + ".job"
  }

  /// Opens a job by its folder or its `job.json`.
  public init(_ path: String) throws(TrajpackError) {
    let isFolder = FileSystem.item(at: path) == .folder
    let file = isFolder ? "\(path)/\(JobDocument.fileName)" : path
    guard FileSystem.item(at: file) == .file else {
      throw TrajpackError(
        .usage, file: path,
        "is no job; 'trajpack job plan' makes one, a folder with \(JobDocument.fileName)")
    }
    let folder = isFolder ? path : FileSystem.parent(of: file)
    // Absolute, because the process goes to the folder of the plan.
    self.path = folder.hasPrefix("/") ? folder : "\(try FileSystem.workingFolder())/\(folder)"
    document = try JobDocument(reading: file)
  }

  /// Makes the folder of a job.
  ///
  /// - Parameter adding: Is given the folder, to put ``sourceName`` into it.
  /// - Throws: A usage error where the dataset or the job is there already.
  public init(
    making document: JobDocument, recordings: [Recording],
    adding: (String) throws(TrajpackError) -> Void = { (_) throws(TrajpackError) in }
  ) throws(TrajpackError) {
    let path = try Self.folder(of: document.destination)
    try Self.requireUnplanned(document.destination)
    let made = try Self.makeHidden(beside: path)
    do throws(TrajpackError) {
      if FileSystem.item(at: document.destination) == .folder,
        FileSystem.identity(of: document.destination)?[0] != FileSystem.identity(of: made)?[0]
      {
        throw TrajpackError(
          .usage, file: document.destination,
          "is the root of a file system, and the job beside it is on another one; "
            + "name a folder within it")
      }
      try FileSystem.replace("\(made)/\(Self.recordingsName)", with: Self.lines(of: recordings))
      try adding(made)
      try Self.publish(document, made, as: path)
    } catch {
      FileSystem.removeTree(made)
      throw error
    }
    self.path = path
    self.document = document
  }

  /// Makes the folder of a job that makes no dataset.
  ///
  /// - Throws: A usage error where something is there already.
  public init(making document: JobDocument, at path: String) throws(TrajpackError) {
    guard FileSystem.item(at: path) == nil else {
      throw TrajpackError(
        .usage, file: path, "is there already; name a new folder for the job, or discard it")
    }
    let made = try Self.makeHidden(beside: path)
    do throws(TrajpackError) { try Self.publish(document, made, as: path) } catch {
      FileSystem.removeTree(made)
      throw error
    }
    self.path = path
    self.document = document
  }

  /// Makes a folder that is to become one of a job when all is in it, so that a plan that is killed leaves no folder of
  /// the job's name.
  private static func makeHidden(beside path: String) throws(TrajpackError) -> String {
    let parent = FileSystem.parent(of: path)
    try FileSystem.makeFolder(parent)
    while true {
      let suffix = String(UInt64.random(in: 0 ... .max), radix: 16)
      let made = "\(parent)/.tmp-\(FileSystem.name(of: path))-\(suffix)"
      if mkdir(made, 0o777) == 0 { return made }
      guard errno == EEXIST else { throw .system("cannot be made", path) }
    }
  }

  private static func publish(
    _ document: JobDocument, _ made: String, as path: String
  ) throws(TrajpackError) {
    try FileSystem.replace(
      "\(made)/\(JobDocument.fileName)", with: Array((document.json.text(indent: 1) + "\n").utf8))
    try FileSystem.publish(made, as: path)
  }

  /// Refuses to plan a job for a destination at which something is, or a job already.
  public static func requireUnplanned(_ destination: String) throws(TrajpackError) {
    let path = try folder(of: destination)
    try requireFree(destination)
    guard FileSystem.item(at: path) == nil else {
      throw TrajpackError(
        .usage, file: path,
        "is there already; 'trajpack job run' goes on with the job in it, and 'rm -r' discards it"
      )
    }
  }

  /// Refuses a destination at which something is.
  static func requireFree(_ destination: String) throws(TrajpackError) {
    guard !Dataset.isRemote(destination) else {
      throw TrajpackError(
        .usage, file: destination,
        "lies in a bucket, and the folder of a job lies beside its dataset on a shared file system; "
          + "name a folder there, and 'trajpack upload' it afterwards")
    }
    switch FileSystem.item(at: destination) {
    case nil: return
    case .folder where try FileSystem.names(in: destination).isEmpty: return
    default:
      throw TrajpackError(
        .usage, file: destination,
        "is there already, and is no empty folder; name a new folder for the dataset"
      )
    }
  }

  /// The folder of a task.
  public func folder(ofTask number: Int) -> String {
    let digits = String(number)
    return "\(path)/task-" + String(repeating: "0", count: max(6 - digits.count, 0)) + digits
  }

  /// Goes to the folder below which the job's paths are.
  public func enterDirectory() throws(TrajpackError) {
    guard chdir(document.directory) == 0 else {
      throw .system("cannot be entered, where the job was planned", document.directory)
    }
  }

  /// Whether the dataset is there already.
  public var isFinished: Bool {
    guard Manifest.isManifest("\(document.destination)/\(Manifest.fileName)"),
      let manifest = try? Manifest(inFolder: document.destination)
    else { return false }
    return manifest.plan == document.plan
  }

  /// Refuses another trajpack, and sources or options that are not those of the plan.
  ///
  /// - Throws: A data error that names a recording which has changed, was added or is not there any more.
  public func check<Source: Importer>(
    _ conversion: Conversion<Source>, program: String
  ) throws(TrajpackError) {
    guard document.program == program else {
      throw TrajpackError(
        .usage, file: path,
        "was planned by trajpack \(document.program) and this is \(program), which may make other "
          + "bytes; run all of the job with one version, or plan it again")
    }
    let found = conversion.planRecord
    guard found != document.plan || conversion.plan.count != document.shards else { return }
    throw TrajpackError(
      .data, file: path,
      "\(try difference(conversion.source.recordings, found)), since the job was planned; put the old "
        + "state back, or remove \(path) and plan it again")
  }

  private func difference(
    _ recordings: [Recording], _ plan: JSONValue
  ) throws(TrajpackError) -> String {
    var marks = try readMarks()
    var changed: [Recording] = []
    for recording in recordings {
      guard let mark = marks.removeValue(forKey: recording.id) else {
        return "\(recording.path) was added (recording '\(recording.id)')"
      }
      if mark != SourceRecordings.mark(recording.fingerprint) { changed.append(recording) }
    }
    if let first = changed.first {
      let file =
        Recording.changed(changed, since: "\(path)/\(JobDocument.fileName)") ?? first.path
      let more = changed.count > 1 ? " (and \(changed.count - 1) other recordings)" : ""
      return "\(file) has changed\(more)"
    }
    if let gone = marks.keys.min() {
      let more = marks.count > 1 ? " (and \(marks.count - 1) others)" : ""
      return "recording '\(gone)' is not in the sources any more\(more)"
    }
    let names = (plan.members ?? []).map(\.name)
    let other = names.first { plan[$0] != document.plan[$0] }
    return other == "options"
      ? "the files that its options name have changed, or the way in which sources are read"
      : "the sources are in another order"
  }

  private static func lines(of recordings: [Recording]) -> [UInt8] {
    var bytes: [UInt8] = []
    for recording in recordings {
      let line = JSONValue.array([
        .string(recording.id), .string(SourceRecordings.mark(recording.fingerprint)),
      ])
      bytes += Array(line.text().utf8) + [UInt8(ascii: "\n")]
    }
    return bytes
  }

  /// The recordings when the job was planned: their ids, and marks of their fingerprints.
  private func readMarks() throws(TrajpackError) -> [String: String] {
    let file = try LocalFile("\(path)/\(Self.recordingsName)")
    let bytes = try file.bytes(0..<file.length)
    var marks: [String: String] = [:]
    for line in bytes.split(separator: UInt8(ascii: "\n")) {
      let pair = try within(file: file.path) { () throws(TrajpackError) in
        try JSONValue(parsing: Array(line)).array ?? []
      }
      guard pair.count == 2, let id = pair[0].string, let mark = pair[1].string else {
        throw TrajpackError(
          .data, file: file.path, "is damaged; remove \(path) and plan the job again")
      }
      marks[id] = mark
    }
    return marks
  }
}
