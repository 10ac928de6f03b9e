import Glibc
import TrajpackFormat
import TrajpackSources
import TrajpackStore

/// Sources of a conversion of which some lie in buckets: while it runs these are files of this machine, which get their bytes
/// when something reads them.
struct StagedSources {
  /// A job of which this process is a part.
  enum Job {
    /// It is planned, for a dataset. What is brought is kept for its tasks.
    case planning(String)
    /// One of its tasks is run, or it is finished; it has this folder.
    case running(String)
  }

  /// Where bytes are that all processes of a job read: a folder for each source, and a list of what it has.
  private struct Shared {
    let path: String

    func bytes(_ number: Int) -> String { "\(path)/\(number)" }
    func list(_ number: Int) -> String { "\(path)/\(number).jsonl" }
  }

  /// The sources as paths of this machine.
  let paths: [String]
  private let folder: String
  private let folders: [(number: Int, folder: BucketFolder)]
  /// Where bytes are brought to be kept.
  private let planning: Shared?

  /// - Parameter parent: The folder in which they are files; `$TMPDIR` or `/tmp` where `nil`.
  init(
    _ sources: [String], in parent: String?, of job: Job? = nil
  ) throws(TrajpackError) {
    if let parent { try FileSystem.makeFolder(parent) }
    var parent = parent ?? TemporaryFolder.path
    if !parent.hasPrefix("/") { parent = "\(try FileSystem.workingFolder())/\(parent)" }
    var template = Array("\(parent)/trajpack-source-XXXXXX".utf8CString)
    guard let made = mkdtemp(&template) else { throw TemporaryFolder.failure() }
    let folder = String(cString: made)
    var planned: Shared?
    var planning: Shared?
    var folders: [(number: Int, folder: BucketFolder)] = []
    var paths: [String] = []
    do throws(TrajpackError) {
      switch job {
      case .planning(let destination): planning = Shared(path: try Self.folder(beside: destination))
      case .running(let path): planned = Shared(path: "\(path)/\(ConversionJob.sourceName)")
      case nil: break
      }
      for (number, source) in sources.enumerated() {
        guard Dataset.isRemote(source) else {
          paths.append(source)
          continue
        }
        let listed = "\(folder)/\(number)"
        try FileSystem.makeFolder(listed)
        var earlier: EarlierFiles?
        if let planned, FileSystem.item(at: planned.list(number)) == .file {
          earlier = try EarlierFiles(planned.list(number), below: planned.bytes(number))
        }
        let own = try BucketFolder(
          BucketSource(source), listed: listed,
          bytes: planning?.bytes(number) ?? "\(folder)/bytes/\(number)", earlier: earlier,
          isInterrupted: { Interrupt.isRequested })
        let sum = folders.reduce(0) { $0 + $1.folder.bytes }
        guard own.bytes <= BucketSource.mostBytes - sum else {
          throw TrajpackError(
            .usage, file: source,
            "it and the sources before it have more than \(BucketSource.mostBytes) bytes in sum; convert them apart"
          )
        }
        folders.append((number, own))
        paths.append(own.path)
      }
    } catch {
      FileSystem.removeTree(folder)
      if let planning { FileSystem.removeTree(planning.path) }
      throw error
    }
    for item in folders { item.folder.attach() }
    (self.folder, self.paths, self.folders) = (folder, paths, folders)
    self.planning = planning
  }

  /// Makes a folder that can be moved into the job of a dataset.
  private static func folder(beside destination: String) throws(TrajpackError) -> String {
    try ConversionJob.requireUnplanned(destination)
    var parent = FileSystem.parent(of: try ConversionJob.folder(of: destination))
    if !parent.hasPrefix("/") { parent = "\(try FileSystem.workingFolder())/\(parent)" }
    try FileSystem.makeFolder(parent)
    var template = Array(
      "\(parent)/.\(FileSystem.name(of: destination)).job-source-XXXXXX".utf8CString)
    guard let made = mkdtemp(&template) else {
      throw .system("a folder for the job's sources cannot be made", parent)
    }
    return String(cString: made)
  }

  /// Brings all bytes.
  func bringAll(_ console: Console) throws(TrajpackError) {
    let sizes = folders.map { (bytes: $0.folder.bytes, count: $0.folder.count) }
    try bring(console, sizes) { _ in nil }
  }

  /// Brings the files that recordings name as theirs. What they read besides is brought when it is read.
  func bring(_ recordings: [Recording], _ console: Console) throws(TrajpackError) {
    let files = Array(Set(recordings.flatMap(\.files)))
    let sizes = folders.map { $0.folder.size(of: files) }
    try bring(console, sizes) { _ in files }
  }

  private func bring(
    _ console: Console, _ sizes: [(bytes: Int, count: Int)], _ files: (BucketFolder) -> [String]?
  ) throws(TrajpackError) {
    let progress = console.progress("bringing", items: "files")
    progress.counters.expect(
      bytes: sizes.reduce(0) { $0 + $1.bytes }, items: sizes.reduce(0) { $0 + $1.count })
    let counters = progress.counters
    do throws(TrajpackError) {
      for (_, folder) in folders {
        try folder.bring(
          files(folder), began: { counters.begin($0) },
          took: { counters.advance(bytes: $0, items: $1) })
      }
    } catch {
      progress.cancel()
      throw error
    }
    progress.finish("brought")
  }

  /// Moves what was brought to plan a job into its folder.
  func keep(in job: String) throws(TrajpackError) {
    guard let planning else { return }
    try Interruption.watched({ Interrupt.isRequested }) { () throws(TrajpackError) in
      for (number, folder) in folders { try folder.save(to: planning.list(number)) }
    }
    chmod(planning.path, 0o755)
    try FileSystem.publish(planning.path, as: "\(job)/\(ConversionJob.sourceName)")
  }

  /// What `make` gives, which looks into the sources; it ends soon after the user has asked for that.
  func importer(
    _ make: () throws(TrajpackError) -> any Importer
  ) throws(TrajpackError) -> any Importer {
    try Interruption.watched({ Interrupt.isRequested }, make)
  }

  /// Runs `body`; what it throws has the names of objects.
  func reading(_ body: () throws(TrajpackError) -> Void) throws(TrajpackError) {
    do throws(TrajpackError) { try body() } catch {
      var place = error.place
      place.file = place.file.map(BucketFolder.named)
      throw TrajpackError(error.fault, BucketFolder.named(error.message), at: place)
    }
  }

  /// Removes the files.
  func remove() {
    for item in folders { item.folder.detach() }
    FileSystem.removeTree(folder)
    if let planning { FileSystem.removeTree(planning.path) }
  }
}
