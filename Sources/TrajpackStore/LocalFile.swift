import Glibc
import TrajpackCodecs
import TrajpackFormat

/// A regular file opened for reading at any place, by any thread.
public final class LocalFile: Sendable {
  /// The path it was opened by.
  public let path: String
  /// Its length when it was opened, in bytes.
  public let length: Int
  /// The file descriptor; it lives as long as this object.
  public let descriptor: Int32

  /// Opens a regular file; the corresponding C function is `open`.
  ///
  /// A pipe, a device or a folder is refused and never waited for.
  public init(_ path: String) throws(TrajpackError) {
    let fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
    guard fd >= 0 else {
      // A socket cannot be opened, and a link may lead nowhere.
      guard errno == ENOENT || errno == ENXIO || errno == ELOOP else {
        throw .system("cannot be opened", path)
      }
      throw FileSystem.noFile(at: path)
    }
    var status = stat()
    guard fstat(fd, &status) == 0, status.st_mode & S_IFMT == S_IFREG else {
      close(fd)
      throw FileSystem.noFile(at: path)
    }
    self.path = path
    self.length = Int(status.st_size)
    self.descriptor = fd
  }

  deinit { close(descriptor) }

  /// Fills `buffer` from byte `offset` on; the corresponding C function is `pread`.
  ///
  /// - Throws: A data error where the file ends before.
  public func read(at offset: Int, into buffer: UnsafeMutableRawBufferPointer) throws(TrajpackError)
  {
    var done = 0
    while done < buffer.count {
      let count = pread(
        descriptor, buffer.baseAddress.unsafelyUnwrapped + done, buffer.count - done,
        off_t(offset + done))
      if count < 0 {
        if errno == EINTR { continue }
        throw .system("cannot be read at byte \(offset + done)", path)
      }
      guard count > 0 else {
        throw TrajpackError(
          .data,
          "\(path): the file ends at byte \(offset + done), where \(buffer.count - done) more "
            + "bytes are expected; it was cut while it was read")
      }
      done += count
    }
  }

  /// The bytes `range`.
  public func bytes(_ range: Range<Int>) throws(TrajpackError) -> [UInt8] {
    guard range.lowerBound >= 0, range.upperBound <= length else {
      throw TrajpackError(
        .data, "\(path): bytes \(range.lowerBound) to \(range.upperBound) lie outside the file")
    }
    var out = [UInt8](repeating: 0, count: range.count)
    var failure: TrajpackError?
    out.withUnsafeMutableBytes { buffer in
      do throws(TrajpackError) { try read(at: range.lowerBound, into: buffer) } catch {
        failure = error
      }
    }
    if let failure { throw failure }
    return out
  }

  /// The SHA-256 of the file, in hexadecimal digits.
  public func sha256() throws(TrajpackError) -> String {
    var hash = SHA256()
    var at = 0
    while at < length {
      let part = try bytes(at..<min(at + 1 << 20, length))
      part.withUnsafeBytes { hash.add($0) }
      at += part.count
    }
    return hash.hexadecimal()
  }
}

extension TrajpackError {
  /// The error of a system call that failed just now: `path: what: why`, from `errno`.
  public static func system(_ what: String, _ path: String) -> TrajpackError {
    let code = errno
    let why = String(cString: strerror(code))
    switch code {
    case ENOENT, ENOTDIR: return TrajpackError(.usage, "\(path): does not exist")
    case EISDIR: return TrajpackError(.usage, "\(path): is a folder")
    case ENOSPC, EDQUOT:
      return TrajpackError(
        .machine,
        "\(path): \(what): no space is left on the disk; free some and try again")
    default: return TrajpackError(.machine, "\(path): \(what): \(why.lowercased())")
    }
  }
}
