import Glibc
import TrajpackFormat

/// The lock that a writer of a dataset holds: an exclusive `flock` on its journal. What the journal holds
/// is not looked at.
public final class DatasetLock {
  private let folder: String
  private var descriptor: Int32

  /// Locks the dataset in `folder`, with an empty journal where there is none.
  ///
  /// - Throws: A usage error while another process writes the dataset.
  public init(_ folder: String) throws(TrajpackError) {
    try FileSystem.requireLocal(folder)
    self.folder = folder
    descriptor = try Self.open(folder)
  }

  deinit { close(descriptor) }

  /// Whether another writer holds the lock of a folder now.
  public static func isHeld(_ folder: String) -> Bool {
    let descriptor = Glibc.open(
      "\(folder)/\(Journal.fileName)", O_RDWR | O_CLOEXEC | O_NOFOLLOW)
    guard descriptor >= 0 else { return false }
    defer { close(descriptor) }
    return flock(descriptor, LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK
  }

  /// Opens the journal of `folder` for writing and locks it.
  static func open(_ folder: String) throws(TrajpackError) -> Int32 {
    let path = "\(folder)/\(Journal.fileName)"
    let descriptor = Glibc.open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0o666)
    guard descriptor >= 0 else { throw .system("cannot be opened", path) }
    guard flock(descriptor, LOCK_EX | LOCK_NB) == 0 else {
      close(descriptor)
      throw TrajpackError(
        .usage, file: folder,
        "another process is writing this dataset, or an open writer of this one; wait for it, "
          + "or close that writer")
    }
    guard isAt(path, descriptor) else {
      close(descriptor)
      throw TrajpackError(
        .usage, file: folder, "another process has just written this dataset; look at it first")
    }
    return descriptor
  }

  /// Whether the file that was opened is still the one of that name.
  private static func isAt(_ path: String, _ descriptor: Int32) -> Bool {
    var (opened, named) = (stat(), stat())
    return fstat(descriptor, &opened) == 0 && stat(path, &named) == 0
      && opened.st_ino == named.st_ino && opened.st_dev == named.st_dev
  }

  /// Puts an empty journal in the place of the one that is there, by one rename. The lock is held
  /// throughout.
  func emptyJournal() throws(TrajpackError) {
    let path = "\(folder)/\(Journal.fileName)"
    let temporary = "\(folder)/.tmp-\(Journal.fileName)"
    try FileSystem.remove(temporary)
    let fresh = Glibc.open(
      temporary, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0o666)
    guard fresh >= 0 else { throw .system("cannot be made", temporary) }
    guard flock(fresh, LOCK_EX | LOCK_NB) == 0, rename(temporary, path) == 0 else {
      let failure = TrajpackError.system("cannot be renamed into place", path)
      close(fresh)
      unlink(temporary)
      throw failure
    }
    close(descriptor)
    descriptor = fresh
  }

  /// Takes the journal away where nothing depends on it: beside a manifest, or empty and not about to
  /// get one.
  public func removeJournal() throws(TrajpackError) {
    let path = "\(folder)/\(Journal.fileName)"
    guard Replacement.committedFolder(of: folder) == nil,
      FileSystem.item(at: "\(folder)/\(Manifest.fileName)") == .file
        || FileSystem.size(of: path) == 0
    else { return }
    try FileSystem.remove(path)
    try FileSystem.syncFolder(folder)
  }
}
