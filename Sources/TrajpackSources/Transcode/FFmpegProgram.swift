import Glibc
import TrajpackFormat
import TrajpackStore

/// The machine's `ffmpeg` program, which encodes H.264 and HEVC as a child of this one: its encoders are under the GPL and are
/// no part of trajpack.
package struct FFmpegProgram: Sendable {
  private let path: String

  /// Looks for it in `PATH`.
  ///
  /// - Parameters:
  ///   - what: What is to be encoded, and what the user may take instead, for the error.
  /// - Throws: An error with the remedy where there is none.
  package init(
    for what: String, instead: String = "take 'chunks' or 'intra:ffv1', which need no program",
    _ fault: TrajpackError.Fault = .usage
  ) throws(TrajpackError) {
    let folders = getenv("PATH").map { String(cString: $0) } ?? "/usr/bin:/bin"
    for folder in folders.split(separator: ":") where access("\(folder)/ffmpeg", X_OK) == 0 {
      path = "\(folder)/ffmpeg"
      return
    }
    throw TrajpackError(
      fault,
      "\(what) is encoded by the program 'ffmpeg', which is not in PATH: install it (apt-get install ffmpeg), or "
        + instead)
  }

  /// Runs it with `arguments`, in which `file:/proc/self/fd/3` is `output`, and gives it what `feed` writes as its input.
  ///
  /// - Throws: A machine error with the program's first line of complaint where it fails.
  func run(
    _ arguments: [String], output: Int32,
    feed: ((UnsafeRawBufferPointer) throws(TrajpackError) -> Void) throws(TrajpackError) -> Void
  ) throws(TrajpackError) {
    let process = try start(arguments, output: output)
    try feed { (bytes) throws(TrajpackError) in try process.send(bytes) }
    try process.finish()
  }

  /// Starts it with `arguments`; `output` is its descriptor 3.
  package func start(
    _ arguments: [String], output: Int32? = nil
  ) throws(TrajpackError) -> FFmpegProcess {
    try FFmpegProcess(path, arguments, output: output)
  }
}

/// A run of the program `ffmpeg`, which is ended and waited for when nobody has it any more. One thread at a time.
package final class FFmpegProcess {
  private let path: String
  private let arguments: [String]
  private let socket: Int32
  private let child: pid_t
  private let complaints: Int32
  private var hasEnded = false

  fileprivate init(
    _ path: String, _ arguments: [String], output: Int32?
  ) throws(TrajpackError) {
    (self.path, self.arguments) = (path, arguments)
    let complaints = try RowSpool.temporaryFile()
    self.complaints = complaints
    var ends: [Int32] = [-1, -1]
    // A socket instead of a pipe: writing to a child that has gone is an error and no signal.
    guard socketpair(AF_UNIX, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0, &ends) == 0
    else {
      close(complaints)
      throw .system("cannot be run", path)
    }
    defer { close(ends[1]) }
    socket = ends[0]
    do throws(TrajpackError) {
      child = try Self.spawn(
        path, arguments, input: ends[1], output: output ?? complaints, complaints: complaints)
    } catch {
      close(complaints)
      close(ends[0])
      throw error
    }
  }

  deinit {
    end(kills: true)
    close(complaints)
  }

  /// Gives it bytes.
  ///
  /// - Throws: A machine error with its complaint where it has gone.
  package func send(_ bytes: UnsafeRawBufferPointer) throws(TrajpackError) {
    var done = 0
    while done < bytes.count, let start = bytes.baseAddress {
      let count = Glibc.send(socket, start + done, bytes.count - done, Int32(MSG_NOSIGNAL))
      if count < 0, errno == EINTR { continue }
      guard count > 0 else {
        end(kills: false)
        throw complaint()
      }
      done += count
    }
  }

  /// Gives it bytes; see above.
  package func send(_ bytes: [UInt8]) throws(TrajpackError) {
    try bytes.withBytes { (bytes) throws(TrajpackError) in try send(bytes) }
  }

  /// Ends its input, and waits until it has written all.
  ///
  /// - Throws: A machine error with its complaint where it fails.
  package func finish() throws(TrajpackError) {
    if end(kills: false) != 0 { throw complaint() }
  }

  @discardableResult private func end(kills: Bool) -> Int32 {
    guard !hasEnded else { return -1 }
    hasEnded = true
    if kills { kill(child, SIGKILL) }
    close(socket)
    var status: Int32 = 0
    while waitpid(child, &status, 0) < 0, errno == EINTR {}
    return status
  }

  private func complaint() -> TrajpackError {
    var text = [UInt8](repeating: 0, count: 1000)
    let count = pread(complaints, &text, text.count, 0)
    let line =
      String(decoding: text.prefix(max(count, 0)), as: UTF8.self).split(separator: "\n")
      .first.map { String($0) } ?? "it said nothing"
    return TrajpackError(
      .machine,
      "\(path): could not encode the video: \(line.printable) (\(arguments.joined(separator: " ")))"
    )
  }

  private static func spawn(
    _ path: String, _ arguments: [String], input: Int32, output: Int32, complaints: Int32
  ) throws(TrajpackError) -> pid_t {
    var actions = posix_spawn_file_actions_t()
    posix_spawn_file_actions_init(&actions)
    defer { posix_spawn_file_actions_destroy(&actions) }
    // Copies that cannot be one of the numbers that are given to the child.
    let high = [input, output, complaints].map { fcntl($0, F_DUPFD_CLOEXEC, 10) }
    defer { for descriptor in high where descriptor >= 0 { close(descriptor) } }
    guard high.allSatisfy({ $0 >= 0 }) else { throw .system("cannot be run", path) }
    posix_spawn_file_actions_adddup2(&actions, high[0], 0)
    posix_spawn_file_actions_adddup2(&actions, high[2], 1)
    posix_spawn_file_actions_adddup2(&actions, high[2], 2)
    posix_spawn_file_actions_adddup2(&actions, high[1], 3)
    var attributes = posix_spawnattr_t()
    posix_spawnattr_init(&attributes)
    defer { posix_spawnattr_destroy(&attributes) }
    // Ctrl-C is for trajpack, which ends the child's input.
    posix_spawnattr_setflags(&attributes, Int16(POSIX_SPAWN_SETPGROUP))
    var words = (["ffmpeg"] + arguments).map { strdup($0) } + [nil]
    defer { for word in words { free(word) } }
    var child = pid_t()
    let code = posix_spawn(&child, path, &actions, &attributes, &words, environ)
    guard code == 0 else {
      throw TrajpackError(.machine, "\(path): cannot be run: \(String(cString: strerror(code)))")
    }
    return child
  }
}
