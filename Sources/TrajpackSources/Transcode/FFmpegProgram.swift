import Glibc
import TrajpackFormat
import TrajpackStore

/// The machine's `ffmpeg` program, which encodes H.264 and HEVC as a child of this one: its encoders are under the GPL and are
/// no part of trajpack.
struct FFmpegProgram: Sendable {
  let path: String

  /// Looks for it in `PATH`.
  ///
  /// - Throws: A usage error with the remedy where there is none.
  init(for what: String) throws(TrajpackError) {
    let folders = getenv("PATH").map { String(cString: $0) } ?? "/usr/bin:/bin"
    for folder in folders.split(separator: ":") where access("\(folder)/ffmpeg", X_OK) == 0 {
      path = "\(folder)/ffmpeg"
      return
    }
    throw TrajpackError(
      .usage,
      "\(what) is encoded by the program 'ffmpeg', which is not in PATH: install it (apt-get install ffmpeg), or take "
        + "'chunks' or 'intra:ffv1', which need no program")
  }

  /// Runs it with `arguments`, in which `file:/proc/self/fd/3` is `output`, and gives it what `feed` writes as its input.
  ///
  /// - Throws: A machine error with the program's first line of complaint where it fails.
  func run(
    _ arguments: [String], output: Int32,
    feed: ((UnsafeRawBufferPointer) throws(TrajpackError) -> Void) throws(TrajpackError) -> Void
  ) throws(TrajpackError) {
    let complaints = try RowSpool.temporaryFile()
    defer { close(complaints) }
    var ends: [Int32] = [-1, -1]
    // A socket instead of a pipe: writing to a child that has gone is an error and no signal.
    guard socketpair(AF_UNIX, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0, &ends) == 0
    else { throw .system("cannot be run", path) }
    let child: pid_t
    do throws(TrajpackError) {
      child = try spawn(arguments, input: ends[1], output: output, complaints: complaints)
    } catch {
      close(ends[0])
      close(ends[1])
      throw error
    }
    close(ends[1])
    var failure: TrajpackError?
    var hasGone = false
    do throws(TrajpackError) {
      try feed { (bytes) throws(TrajpackError) in
        guard !hasGone else { return }
        hasGone = !Self.send(bytes, to: ends[0])
      }
    } catch { failure = error }
    close(ends[0])
    if failure != nil { kill(child, SIGKILL) }
    var status: Int32 = 0
    while waitpid(child, &status, 0) < 0, errno == EINTR {}
    if let failure { throw failure }
    guard status == 0, !hasGone else {
      var text = [UInt8](repeating: 0, count: 1000)
      let count = pread(complaints, &text, text.count, 0)
      let line =
        String(decoding: text.prefix(max(count, 0)), as: UTF8.self).split(
          separator: "\n"
        ).first.map { String($0) } ?? "it said nothing"
      throw TrajpackError(
        .machine, file: path,
        "could not encode the video: \(line.printable) (\(arguments.joined(separator: " ")))"
      )
    }
  }

  private func spawn(
    _ arguments: [String], input: Int32, output: Int32, complaints: Int32
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
      throw TrajpackError(.machine, file: path, "cannot be run: \(String(cString: strerror(code)))")
    }
    return child
  }

  /// Whether all was taken.
  private static func send(_ bytes: UnsafeRawBufferPointer, to socket: Int32) -> Bool {
    var done = 0
    while done < bytes.count, let start = bytes.baseAddress {
      let count = Glibc.send(
        socket, start + done, bytes.count - done, Int32(MSG_NOSIGNAL))
      if count < 0, errno == EINTR { continue }
      guard count > 0 else { return false }
      done += count
    }
    return true
  }
}
