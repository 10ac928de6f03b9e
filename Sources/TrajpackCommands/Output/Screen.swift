import Glibc
import Synchronization

/// The two streams and the status line, behind one lock, so that lines of different threads never
/// mix and the status line never cuts through one.
final class Screen: Sendable {
  let output: any OutputStream
  let errors: any OutputStream
  private let state = Mutex(State())

  private struct State {
    var buffer: [UInt8] = []
    var hasWritten = false
    /// The `errno` that ended standard output; `EPIPE` when its reader has gone.
    var failure: Int32 = 0
    var status: String?
  }

  private static let bufferLimit = 1 << 16
  private static let clearLine = "\r\u{1b}[K"

  init(output: any OutputStream, errors: any OutputStream) {
    self.output = output
    self.errors = errors
  }

  /// Standard output is buffered, line by line when it is a terminal.
  func write(_ text: String) {
    state.withLock { state in
      guard state.failure == 0 else { return }
      state.buffer += text.utf8
      state.hasWritten = true
      if state.buffer.count >= Screen.bufferLimit || output.isTerminal { flush(&state) }
    }
  }

  /// A line on standard error, after what was printed before it.
  func say(_ line: String) {
    state.withLock { state in
      flush(&state)
      let status = state.status
      show("\(status == nil ? "" : Screen.clearLine)\(line)\n\(status ?? "")")
    }
  }

  func setStatus(_ line: String?) {
    state.withLock { state in
      guard line != state.status else { return }
      show(Screen.clearLine + (line ?? ""))
      state.status = line
    }
  }

  /// Whether anything was written on standard output.
  var hasWritten: Bool { state.withLock { $0.hasWritten } }

  var isOutputClosed: Bool { state.withLock { $0.failure == EPIPE } }

  /// Flushes; returns the `errno` that ended standard output, 0 when none or its reader has gone.
  func finish() -> Int32 {
    state.withLock { state in
      flush(&state)
      return state.failure == EPIPE ? 0 : state.failure
    }
  }

  private func flush(_ state: inout State) {
    guard !state.buffer.isEmpty, state.failure == 0 else { return }
    if let status = state.status, output.isTerminal {
      show(Screen.clearLine)
      state.failure = output.write(state.buffer)
      if state.buffer.last == UInt8(ascii: "\n") { show(status) } else { state.status = nil }
    } else {
      state.failure = output.write(state.buffer)
    }
    state.buffer.removeAll(keepingCapacity: true)
  }

  /// Standard error that cannot be written has nobody to tell.
  private func show(_ text: String) { _ = errors.write(Array(text.utf8)) }
}
