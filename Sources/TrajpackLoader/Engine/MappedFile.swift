import CPlatform
import Glibc
import TrajpackFormat
import TrajpackStore

/// A shard's file in memory: a window is copied once, where `pread` with its calls takes twice the time for chunks
/// stored as they are and half as much again for lz4.
///
/// A page that the file has lost raises SIGBUS. A shard never changes once it is committed; should somebody
/// shorten it all the same, the length is looked at before every few chunks, so that it becomes an error. Only a
/// file cut within the microseconds of such copies would still be a signal, or a page whose reading fails. So
/// chunks are read in the usual way the first time, only files of local file systems are mapped, and
/// `TRAJPACK_NO_MMAP` turns mapping off.
final class MappedFile: @unchecked Sendable {
  // Made once, then only read.
  private let file: LocalFile
  private let start: UnsafeRawPointer

  /// Maps a file; `nil` where that cannot be or is turned off.
  init?(_ file: LocalFile) {
    guard file.length > 0, getenv("TRAJPACK_NO_MMAP") == nil, tp_is_local(file.descriptor) != 0,
      let start = mmap(nil, file.length, PROT_READ, MAP_SHARED, file.descriptor, 0),
      start != MAP_FAILED
    else { return nil }
    self.file = file
    self.start = UnsafeRawPointer(start)
  }

  deinit { munmap(UnsafeMutableRawPointer(mutating: start), file.length) }

  /// Throws where the file has become shorter than it was.
  func check() throws(TrajpackError) {
    var status = stat()
    guard fstat(file.descriptor, &status) == 0, Int(status.st_size) >= file.length else {
      throw TrajpackError(
        .data,
        "\(file.path): the file was cut while it was read (\(status.st_size) bytes of "
          + "\(file.length)); restore it from a copy")
    }
  }

  /// Bytes of the file; the caller has checked.
  func bytes(at offset: Int, count: Int) -> UnsafeRawBufferPointer {
    UnsafeRawBufferPointer(start: start + offset, count: count)
  }
}
