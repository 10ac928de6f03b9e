import Glibc
import TrajpackFormat
import TrajpackStore

/// Sources of a conversion of which some lie in buckets: these are brought to a folder of this machine, and removed in
/// the end.
struct StagedSources {
  /// The sources as paths of this machine.
  let paths: [String]
  private let folder: String

  /// - Parameter parent: Where the folder is made; `$TMPDIR` or `/tmp` where `nil`.
  init(
    _ sources: [String], in parent: String?, _ console: Console
  ) throws(TrajpackError) {
    if let parent { try FileSystem.makeFolder(parent) }
    var found: [BucketSource?] = []
    for source in sources {
      found.append(Dataset.isRemote(source) ? try BucketSource(source) : nil)
    }
    var template = Array("\(parent ?? TemporaryFolder.path)/trajpack-source-XXXXXX".utf8CString)
    guard let made = mkdtemp(&template) else { throw TemporaryFolder.failure() }
    folder = String(cString: made)
    let progress = console.progress("bringing", items: "files")
    progress.counters.expect(
      bytes: found.reduce(0) { $0 + ($1?.bytes ?? 0) },
      items: found.reduce(0) { $0 + ($1?.count ?? 0) })
    let counters = progress.counters
    var paths: [String] = []
    do throws(TrajpackError) {
      for (number, source) in sources.enumerated() {
        guard let remote = found[number] else {
          paths.append(source)
          continue
        }
        let own = "\(folder)/\(number)"
        try FileSystem.makeFolder(own)
        paths.append(
          try remote.bring(
            to: own, isInterrupted: { Interrupt.isRequested }, began: { counters.begin($0) },
            took: { counters.advance(bytes: $0, items: $1) }))
      }
    } catch {
      progress.cancel()
      Self.removeTree(folder)
      throw error
    }
    progress.finish("brought")
    self.paths = paths
  }

  /// Removes what was brought.
  func remove() { Self.removeTree(folder) }

  private static func removeTree(_ folder: String) {
    for name in (try? FileSystem.names(in: folder)) ?? [] {
      let path = "\(folder)/\(name)"
      if FileSystem.item(at: path) == .folder { removeTree(path) } else { unlink(path) }
    }
    rmdir(folder)
  }
}
