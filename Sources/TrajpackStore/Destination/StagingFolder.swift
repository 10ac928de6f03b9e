import Glibc
import TrajpackCodecs
import TrajpackFormat

/// The folder of this machine in which a dataset for a bucket is made, one shard at a time, with the journal of what is
/// in the bucket by now. It has the same name for the same destination, so that a later run finds it.
public struct StagingFolder: Sendable {
  /// The folder.
  public let path: String

  /// Makes the folder, for this user only, unless it is there.
  ///
  /// - Parameter parent: The folder that it is made in; `$TMPDIR` or `/tmp` where `nil`.
  /// - Throws: A usage error where something of that name is there that is not this user's own folder.
  public init(for destination: String, in parent: String?) throws(TrajpackError) {
    let parent = parent ?? TemporaryFolder.path
    let digest = Array(destination.utf8).withUnsafeBytes { SHA256.of($0) }
    path = "\(parent)/trajpack-staging-\(digest.prefix(16))"
    try FileSystem.makeFolder(parent)
    guard mkdir(path, 0o700) == 0 || errno == EEXIST else {
      throw .system("cannot be made", path)
    }
    // /tmp is everybody's: another user may have made it, to read or to change what is written.
    var status = stat()
    guard lstat(path, &status) == 0, status.st_mode & S_IFMT == S_IFDIR,
      status.st_uid == geteuid(), status.st_mode & 0o022 == 0
    else {
      throw TrajpackError(
        .usage, file: path,
        "is not a folder that only this user may write to, so no shard is made in it; remove it, or name another "
          + "staging folder")
    }
  }

  /// Removes the files of a writer in it, and the folder where nothing else is there.
  public func remove() throws(TrajpackError) {
    guard FileSystem.item(at: path) == .folder else { return }
    for name in try FileSystem.names(in: path) where Manifest.owns(name) && name != Journal.fileName
    {
      try FileSystem.remove("\(path)/\(name)")
    }
    try FileSystem.remove("\(path)/\(Journal.fileName)")
    rmdir(path)
  }
}
