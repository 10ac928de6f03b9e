import CPlatform
import Glibc
import TrajpackFormat
import TrajpackStore

/// A shard's file in memory, by the option `mmap`: a window is copied once, straight from the page cache.
///
/// A page that the file has lost, or whose reading fails, raises SIGBUS, which ends the process. A shard never
/// changes once it is committed; should somebody shorten it all the same, the length is looked at before every few
/// chunks, so that it mostly becomes an error. Only files of local file systems are mapped.
final class MappedFile: @unchecked Sendable {
  // Made once, then only read.
  private let file: LocalFile
  private let start: UnsafeRawPointer

  /// Maps a file; `nil` where that cannot be.
  init?(_ file: LocalFile) {
    let start = try? file.withDescriptor { (descriptor) throws(TrajpackError) in
      guard file.length > 0, tp_is_local(descriptor) != 0 else { return MAP_FAILED }
      return mmap(nil, file.length, PROT_READ, MAP_SHARED, descriptor, 0)
    }
    guard let start, start != MAP_FAILED else { return nil }
    self.file = file
    self.start = UnsafeRawPointer(start)
  }

  deinit { munmap(UnsafeMutableRawPointer(mutating: start), file.length) }

  /// Throws where the file has become shorter than it was.
  func check() throws(TrajpackError) {
    try file.withDescriptor { (descriptor) throws(TrajpackError) in
      var status = stat()
      guard fstat(descriptor, &status) == 0, Int(status.st_size) >= file.length else {
        throw TrajpackError(
          .data, file: file.path,
          "the file was cut while it was read (\(status.st_size) bytes of "
            + "\(file.length)); restore it from a copy")
      }
    }
  }

  /// Bytes of the file; the caller has checked.
  func bytes(at offset: Int, count: Int) -> UnsafeRawBufferPointer {
    UnsafeRawBufferPointer(start: start + offset, count: count)
  }
}
