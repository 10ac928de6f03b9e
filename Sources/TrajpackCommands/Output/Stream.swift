import Glibc
import Synchronization

/// Where text goes, and what is known of the other end.
protocol OutputStream: Sendable {
  /// Writes all bytes; returns 0 or the `errno` that stopped it.
  func write(_ bytes: [UInt8]) -> Int32
  var isTerminal: Bool { get }
  /// Columns; nil when unknown.
  var width: Int? { get }
}

/// A file descriptor. The corresponding C function is `write`.
struct Descriptor: OutputStream {
  let number: Int32

  func write(_ bytes: [UInt8]) -> Int32 {
    bytes.withUnsafeBytes { buffer in
      var rest = buffer[...]
      while !rest.isEmpty {
        let count = Glibc.write(
          number, UnsafeRawBufferPointer(rebasing: rest).baseAddress, rest.count)
        if count >= 0 {
          rest = rest.dropFirst(count)
        } else if errno == EAGAIN {
          var wait = pollfd(fd: number, events: Int16(POLLOUT), revents: 0)
          poll(&wait, 1, -1)
        } else if errno != EINTR {
          return errno
        }
      }
      return 0
    }
  }

  var isTerminal: Bool { isatty(number) == 1 }

  var width: Int? {
    var size = winsize()
    guard ioctl(number, UInt(TIOCGWINSZ), &size) == 0, size.ws_col > 0 else { return nil }
    return Int(size.ws_col)
  }
}

/// Keeps what is written.
final class RecordedStream: OutputStream {
  private let bytes = Mutex<[UInt8]>([])
  let isTerminal: Bool
  let width: Int?
  /// The `errno` that each write reports.
  let failure: Int32

  init(isTerminal: Bool = false, width: Int? = nil, failure: Int32 = 0) {
    self.isTerminal = isTerminal
    self.width = width
    self.failure = failure
  }

  func write(_ new: [UInt8]) -> Int32 {
    if failure == 0 { bytes.withLock { $0 += new } }
    return failure
  }

  var text: String { bytes.withLock { String(decoding: $0, as: UTF8.self) } }
}
