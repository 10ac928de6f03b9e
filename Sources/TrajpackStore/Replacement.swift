import Glibc
import TrajpackFormat

/// A dataset that is to take the place of the one in whose folder it is built.
///
/// It is built in the folder ``buildName``, where no reader looks. When it is complete, one rename to
/// ``committedName`` commits it: from then on it is the dataset, for readers too, which find each shard in
/// that folder or, if it has been moved already, above it. What follows can be done again after a crash:
///
/// 1. the old manifest is removed and the journal emptied, so that a program that does not know of
///    replacements sees no dataset rather than a mix of two;
/// 2. each new shard gets its name in the dataset's folder, by a hard link and a rename over the old file;
/// 3. the manifest is written there, and everything that it does not list is removed;
/// 4. the folder of the replacement is removed, its manifest first.
public enum Replacement {
  /// The folder of a replacement that is not complete.
  public static let buildName = ".tmp-replacement"
  /// The folder of a replacement that has been committed.
  public static let committedName = ".replacement"

  /// Where a replacement of the dataset in `folder` is built.
  public static func buildFolder(of folder: String) -> String { "\(folder)/\(buildName)" }

  /// The folder whose manifest counts; `nil` where nothing is being replaced.
  static func committedFolder(of folder: String) -> String? {
    let committed = "\(folder)/\(committedName)"
    return FileSystem.item(at: "\(committed)/\(Manifest.fileName)") == .file ? committed : nil
  }

  /// Whether an earlier run has left a replacement, complete or not.
  public static func isThere(in folder: String) -> Bool {
    isHidden("\(folder)/\(buildName)") || isHidden("\(folder)/\(committedName)")
  }

  private static func isOurs(_ folder: String) -> Bool {
    Manifest.isManifest("\(folder)/\(committedName)/\(Manifest.fileName)")
      || Manifest.isManifest("\(folder)/\(Manifest.fileName)")
      || Journal.isJournal("\(folder)/\(Journal.fileName)")
  }

  private static func isHidden(_ path: String) -> Bool {
    var status = stat()
    return lstat(path, &status) == 0
  }

  /// Ends what a crash has interrupted: a replacement that was committed takes its place, one that was
  /// not is removed if `discardingBuild`.
  ///
  /// - Throws: A usage error while another process writes the dataset.
  public static func recover(_ folder: String, discardingBuild: Bool) throws(TrajpackError) {
    let isBegun = isHidden("\(folder)/\(committedName)") || discardingBuild && isThere(in: folder)
    // Folders of these names in a folder that is no dataset are somebody else's.
    guard isBegun, isOurs(folder) else { return }
    let lock = try DatasetLock(folder)
    if committedFolder(of: folder) != nil { try complete(folder, lock) }
    try removeFolder("\(folder)/\(committedName)", manifestFirst: true)
    if discardingBuild { try discardBuild(of: folder) }
    try FileSystem.syncFolder(folder)
    try lock.removeJournal()
  }

  /// Removes a replacement that was not committed.
  public static func discardBuild(of folder: String) throws(TrajpackError) {
    try removeFolder(buildFolder(of: folder), manifestFirst: false)
  }

  /// Commits the replacement that has been built, and gives it its place.
  public static func commit(_ folder: String, _ lock: DatasetLock) throws(TrajpackError) {
    let build = buildFolder(of: folder)
    let committed = "\(folder)/\(committedName)"
    guard rename(build, committed) == 0 else { throw .system("cannot be named", committed) }
    try FileSystem.syncFolder(folder)
    try complete(folder, lock)
    try removeFolder(committed, manifestFirst: true)
    try FileSystem.syncFolder(folder)
    try lock.removeJournal()
  }

  /// Everything between the commit and the removal of the replacement's folder. Each step may have been
  /// done already.
  private static func complete(_ folder: String, _ lock: DatasetLock) throws(TrajpackError) {
    let committed = "\(folder)/\(committedName)"
    let manifestFile = try LocalFile("\(committed)/\(Manifest.fileName)")
    let bytes = try manifestFile.bytes(0..<manifestFile.length)
    let manifest = try Manifest(inFolder: committed)
    let path = "\(folder)/\(Manifest.fileName)"
    if try !isFile(path, of: bytes) { try FileSystem.remove(path) }
    try lock.emptyJournal()
    try FileSystem.syncFolder(folder)
    for entry in manifest.shards {
      try raise("\(committed)/\(entry.name)", to: "\(folder)/\(entry.name)")
    }
    for file in manifest.sideFiles {
      try raise("\(committed)/\(file.file)", to: "\(folder)/\(file.file)")
    }
    try FileSystem.syncFolder(folder)
    try FileSystem.replace(path, with: bytes)
    let kept = Set(manifest.shards.map(\.name) + manifest.sideFiles.map(\.file))
    for name in try FileSystem.names(in: folder)
    where Manifest.owns(name) && !kept.contains(name) && name != Journal.fileName
      && name != buildName
    {
      try FileSystem.remove("\(folder)/\(name)")
    }
    try FileSystem.syncFolder(folder)
  }

  private static func isFile(_ path: String, of bytes: [UInt8]) throws(TrajpackError) -> Bool {
    guard FileSystem.item(at: path) == .file, FileSystem.size(of: path) == bytes.count else {
      return false
    }
    let file = try LocalFile(path)
    return try file.bytes(0..<file.length) == bytes
  }

  /// Gives a shard its name in the dataset's folder. Its name in the replacement's stays until that
  /// folder is removed, because no crash may lose both; where the file system has no hard links, one
  /// rename moves it.
  private static func raise(_ from: String, to path: String) throws(TrajpackError) {
    guard let identity = FileSystem.identity(of: from) else {
      guard FileSystem.item(at: path) == .file else {
        throw TrajpackError(
          .data, file: from,
          "is missing, but the new dataset lists it; convert again with --overwrite"
        )
      }
      return
    }
    if FileSystem.identity(of: path) == identity { return }
    let temporary = "\(FileSystem.parent(of: path))/.tmp-\(FileSystem.name(of: path))"
    try FileSystem.remove(temporary)
    let source = link(from, temporary) == 0 ? temporary : from
    guard rename(source, path) == 0 else { throw .system("cannot be named", path) }
  }

  /// Removes a folder with the files in it that are a dataset's.
  private static func removeFolder(
    _ path: String, manifestFirst: Bool
  ) throws(TrajpackError) {
    var status = stat()
    guard lstat(path, &status) == 0 else { return }
    // A link of that name leads to files that are not ours.
    guard status.st_mode & S_IFMT == S_IFDIR else { return try FileSystem.remove(path) }
    if manifestFirst {
      try FileSystem.remove("\(path)/\(Manifest.fileName)")
      try FileSystem.syncFolder(path)
    }
    for name in try FileSystem.names(in: path)
    where Manifest.owns(name) || name == Manifest.fileName {
      try FileSystem.remove("\(path)/\(name)")
    }
    guard rmdir(path) == 0 else { throw .system("cannot be removed", path) }
  }
}
