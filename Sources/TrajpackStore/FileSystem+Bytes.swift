import Glibc
import TrajpackFormat

extension FileSystem {
  /// Fills `buffer` from byte `offset` of an open file on, as far as the file goes; how many bytes that are. The
  /// corresponding C function is `pread`.
  ///
  /// - Throws: A machine error that names `path`.
  package static func read(
    _ fd: Int32, at offset: Int, into buffer: UnsafeMutableRawBufferPointer, _ path: String
  ) throws(TrajpackError) -> Int {
    var done = 0
    while done < buffer.count {
      let count = pread(
        fd, buffer.baseAddress.unsafelyUnwrapped + done, buffer.count - done, off_t(offset + done))
      if count < 0 {
        if errno == EINTR { continue }
        throw .system("cannot be read at byte \(offset + done)", path)
      }
      guard count > 0 else { break }
      done += count
    }
    return done
  }

  /// Fills `buffer` from byte `offset` of a temporary file on, which has these bytes.
  package static func readTemporary(
    _ fd: Int32, at offset: Int, into buffer: UnsafeMutableRawBufferPointer
  ) throws(TrajpackError) {
    guard try read(fd, at: offset, into: buffer, "a temporary file") == buffer.count else {
      throw TrajpackError(.machine, "a temporary file ended before its length")
    }
  }

  /// Writes all of `bytes` to an open file, where it stands.
  public static func write(_ bytes: [UInt8], to fd: Int32, _ path: String) throws(TrajpackError) {
    try bytes.withUnsafeBytesThrowing { (bytes) throws(TrajpackError) in
      try write(bytes, to: fd, path)
    }
  }

  /// Writes all of `bytes` to an open file, at byte `offset`, or where it stands. The corresponding C functions are
  /// `pwrite` and `write`.
  package static func write(
    _ bytes: UnsafeRawBufferPointer, to fd: Int32, at offset: Int? = nil, _ path: String
  ) throws(TrajpackError) {
    var done = 0
    while done < bytes.count {
      let (from, rest) = (bytes.baseAddress.unsafelyUnwrapped + done, bytes.count - done)
      let count =
        if let offset { pwrite(fd, from, rest, off_t(offset + done)) } else {
          Glibc.write(fd, from, rest)
        }
      if count < 0 {
        if errno == EINTR { continue }
        throw .system("cannot be written", path)
      }
      done += count
    }
  }
}
