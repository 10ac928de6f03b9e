import Glibc
import TrajpackFormat

/// Where the bytes of a video file come from: a file, or a byte blob inside an archive.
///
/// A video is never opened by a name found inside another file: whoever holds the bytes hands them
/// over through this protocol.
public protocol VideoByteSource: Sendable {
  /// What to call the source in an error: a path, or `shard.h5: episode 3: rgb`.
  var name: String { get }
  /// Length in bytes.
  var byteCount: Int64 { get }
  /// Reads up to `buffer.count` bytes from `offset`; returns how many were read, 0 at the end.
  ///
  /// Called from one thread at a time for each reader, and from several for several readers.
  func read(at offset: Int64, into buffer: UnsafeMutableRawBufferPointer) throws(TrajpackError)
    -> Int
}

extension VideoByteSource {
  /// Fills `buffer` from `offset` as far as the source goes; returns the bytes read.
  func fill(_ buffer: UnsafeMutableRawBufferPointer, at offset: Int64) throws(TrajpackError) -> Int
  {
    var done = 0
    while done < buffer.count {
      let rest = UnsafeMutableRawBufferPointer(rebasing: buffer[done...])
      let count = try read(at: offset + Int64(done), into: rest)
      guard count > 0, count <= rest.count else { break }
      done += count
    }
    return done
  }

  /// Fills the first `count` bytes of `array` from `offset`; returns the bytes read.
  func fill(_ array: inout [UInt8], count: Int, at offset: Int64) throws(TrajpackError) -> Int {
    try array.withMutableBytes { (room) throws(TrajpackError) in
      try fill(UnsafeMutableRawBufferPointer(rebasing: room.prefix(count)), at: offset)
    }
  }
}

/// A regular file, read with `pread`.
public final class VideoFileBytes: VideoByteSource {
  /// The path.
  public let name: String
  /// Length in bytes when it was opened.
  public let byteCount: Int64
  private let descriptor: Int32

  /// Opens `path` for reading.
  ///
  /// Throws `.usage` where there is no such file or it is no regular file, `.machine` where the
  /// system refuses.
  public init(path: String) throws(TrajpackError) {
    guard !path.utf8.contains(0) else {
      throw TrajpackError(.usage, "a path with a NUL byte names no file")
    }
    let opened = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
    guard opened >= 0 else {
      let fault: TrajpackError.Fault = errno == ENOENT || errno == ENOTDIR ? .usage : .machine
      throw TrajpackError(fault, "\(path): cannot be opened: \(String(cString: strerror(errno)))")
    }
    var facts = stat()
    guard fstat(opened, &facts) == 0, facts.st_mode & S_IFMT == S_IFREG else {
      close(opened)
      throw TrajpackError(.usage, file: path, "is no regular file, so it cannot be a video file")
    }
    name = path
    byteCount = Int64(facts.st_size)
    descriptor = opened
  }

  deinit { close(descriptor) }

  /// Reads with `pread`; throws `.machine` where that fails.
  public func read(at offset: Int64, into buffer: UnsafeMutableRawBufferPointer)
    throws(TrajpackError) -> Int
  {
    guard let start = buffer.baseAddress, buffer.count > 0 else { return 0 }
    while true {
      let count = pread(descriptor, start, buffer.count, off_t(offset))
      if count >= 0 { return count }
      guard errno == EINTR else {
        throw TrajpackError(
          .machine, "byte \(offset): cannot be read: \(String(cString: strerror(errno)))")
      }
    }
  }
}
