import Glibc
import TrajpackFormat
import TrajpackStore

/// The whole of a file that an option names: a regular file, a pipe such as a shell's `<(command)`, or standard input
/// as `-`.
enum OptionFile {
  /// The name of standard input in arguments.
  static let standardInput = "-"

  /// How a file is called in messages.
  static func name(_ path: String) -> String { path == standardInput ? "standard input" : path }

  /// All of its bytes.
  ///
  /// - Parameters:
  ///   - most: The most bytes that are read.
  ///   - what: What the file is to be, "a plan", for errors.
  /// - Throws: A usage error where it is longer; a data or machine error where it cannot be read.
  static func bytes(_ path: String, most: Int, what: String) throws(TrajpackError) -> [UInt8] {
    let tooLong = TrajpackError(.usage, file: name(path), "is too long for \(what)")
    guard isStream(path) else {
      let file = try LocalFile(path)
      guard file.length <= most else { throw tooLong }
      return try file.bytes(0..<file.length)
    }
    // A pipe that nobody writes to is at its end at once, instead of being waited for.
    let descriptor =
      path == standardInput ? dup(0) : open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
    guard descriptor >= 0 else { throw .system("cannot be opened", name(path)) }
    defer { close(descriptor) }
    var (out, room) = ([UInt8](), [UInt8](repeating: 0, count: 1 << 16))
    while true {
      let count = room.withUnsafeMutableBytes { read(descriptor, $0.baseAddress, $0.count) }
      if count == 0 {
        if out.isEmpty, path != standardInput { throw FileSystem.noFile(at: path) }
        return out
      }
      if count < 0 {
        if errno == EAGAIN {
          var one = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
          guard poll(&one, 1, -1) >= 0 || errno == EINTR && !Interrupt.isRequested else {
            throw .system("cannot be read", name(path))
          }
          continue
        }
        guard errno == EINTR, !Interrupt.isRequested else {
          throw .system("cannot be read", name(path))
        }
        continue
      }
      out += room.prefix(count)
      guard out.count <= most else { throw tooLong }
    }
  }

  private static func isStream(_ path: String) -> Bool {
    if path == standardInput { return true }
    var status = stat()
    guard stat(path, &status) == 0 else { return false }
    return status.st_mode & S_IFMT == S_IFIFO || status.st_mode & S_IFMT == S_IFCHR
  }
}
