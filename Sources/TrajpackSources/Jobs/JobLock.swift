import Glibc
import TrajpackFormat
import TrajpackStore

/// The lock of a job: shared by the processes that run tasks, and held alone by the one that ends it.
///
/// What keeps two processes from one task is the lock of the task's journal; this one keeps shards where they are
/// while the end moves them.
public final class JobLock {
  private let descriptor: Int32

  /// Takes the lock without waiting.
  ///
  /// - Parameter isAlone: Whether no other process may hold it.
  /// - Throws: A machine error while a process holds it that excludes this one.
  public init(_ job: ConversionJob, isAlone: Bool) throws(TrajpackError) {
    let path = "\(job.path)/\(ConversionJob.lockName)"
    descriptor = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0o666)
    guard descriptor >= 0 else { throw .system("cannot be opened", path) }
    guard flock(descriptor, (isAlone ? LOCK_EX : LOCK_SH) | LOCK_NB) == 0 else {
      let failure = errno
      close(descriptor)
      errno = failure
      guard failure == EWOULDBLOCK else { throw .system("cannot be locked", path) }
      throw TrajpackError(
        .machine,
        isAlone
          ? "\(job.path): a process still runs a task of this job; wait for it"
          : "\(job.path): 'trajpack job finish' is at work on this job; wait for it")
    }
  }

  deinit { close(descriptor) }
}
