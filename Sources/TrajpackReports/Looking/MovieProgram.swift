import Glibc
import TrajpackFormat
import TrajpackStore

/// The machine's `ffmpeg` program, which encodes H.264 as a child of this one: its encoder is under the GPL and no part of
/// trajpack.
final class MovieProgram {
  private let socket: Int32
  private let child: pid_t
  private let complaints: Int32
  private let program: String

  /// Starts a film of raw RGB pictures, whose sides are even.
  ///
  /// - Parameters:
  ///   - rate: Pictures a second, as ffmpeg reads it.
  ///   - path: The file to write, which nobody else has.
  /// - Throws: A machine error with the remedy where there is no such program.
  init(width: Int, height: Int, rate: String, to path: String) throws(TrajpackError) {
    let folders = getenv("PATH").map { String(cString: $0) } ?? "/usr/bin:/bin"
    let programs = folders.split(separator: ":").map { "\($0)/ffmpeg" }
    guard let found = programs.first(where: { access($0, X_OK) == 0 }) else {
      throw TrajpackError(
        .machine,
        "mp4 is encoded by the program 'ffmpeg', which is not in PATH: install it (apt-get install ffmpeg), or name a "
          + "file that ends in .gif or .png")
    }
    program = found
    complaints = try RowSpool.temporaryFile()
    var ends: [Int32] = [-1, -1]
    // A socket instead of a pipe: writing to a child that has gone is an error and no signal.
    guard socketpair(AF_UNIX, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0, &ends) == 0
    else {
      close(complaints)
      throw .system("cannot be run", found)
    }
    defer { close(ends[1]) }
    socket = ends[0]
    let arguments = [
      "ffmpeg", "-v", "error", "-nostdin", "-y", "-f", "rawvideo", "-pix_fmt", "rgb24", "-s",
      "\(width)x\(height)", "-r", rate, "-i", "pipe:0", "-c:v", "libx264", "-preset", "medium",
      "-crf", "18", "-pix_fmt", "yuv420p", "-vf", "scale=out_color_matrix=bt709:out_range=tv",
      "-colorspace", "bt709", "-color_primaries", "bt709", "-color_trc", "bt709", "-color_range",
      "tv", "-movflags", "+faststart", "-f", "mp4", "file:\(path)",
    ]
    do throws(TrajpackError) {
      child = try Self.spawn(found, arguments, input: ends[1], complaints: complaints)
    } catch {
      close(complaints)
      close(ends[0])
      throw error
    }
  }

  private static func spawn(
    _ program: String, _ arguments: [String], input: Int32, complaints: Int32
  ) throws(TrajpackError) -> pid_t {
    var actions = posix_spawn_file_actions_t()
    posix_spawn_file_actions_init(&actions)
    defer { posix_spawn_file_actions_destroy(&actions) }
    // Copies that cannot be one of the numbers that are given to the child.
    let high = [input, complaints].map { fcntl($0, F_DUPFD_CLOEXEC, 10) }
    defer { for descriptor in high where descriptor >= 0 { close(descriptor) } }
    guard high.allSatisfy({ $0 >= 0 }) else { throw .system("cannot be run", program) }
    posix_spawn_file_actions_adddup2(&actions, high[0], 0)
    posix_spawn_file_actions_adddup2(&actions, high[1], 1)
    posix_spawn_file_actions_adddup2(&actions, high[1], 2)
    var attributes = posix_spawnattr_t()
    posix_spawnattr_init(&attributes)
    defer { posix_spawnattr_destroy(&attributes) }
    // Ctrl-C is for trajpack, which ends the child.
    posix_spawnattr_setflags(&attributes, Int16(POSIX_SPAWN_SETPGROUP))
    var words = arguments.map { strdup($0) } + [nil]
    defer { for word in words { free(word) } }
    var child = pid_t()
    let code = posix_spawn(&child, program, &actions, &attributes, &words, environ)
    guard code == 0 else {
      throw TrajpackError(.machine, "\(program): cannot be run: \(String(cString: strerror(code)))")
    }
    return child
  }

  /// Adds a picture.
  ///
  /// - Throws: A machine error with the program's complaint where it has gone.
  func add(_ picture: [UInt8]) throws(TrajpackError) {
    let isTaken = picture.withUnsafeBytes { bytes in
      var done = 0
      while done < bytes.count, let start = bytes.baseAddress {
        let count = send(socket, start + done, bytes.count - done, Int32(MSG_NOSIGNAL))
        if count < 0, errno == EINTR { continue }
        guard count > 0 else { return false }
        done += count
      }
      return true
    }
    guard isTaken else {
      end(kills: false)
      throw complaint()
    }
  }

  private var hasEnded = false

  @discardableResult private func end(kills: Bool) -> Int32 {
    guard !hasEnded else { return -1 }
    hasEnded = true
    if kills { kill(child, SIGKILL) }
    close(socket)
    var status: Int32 = 0
    while waitpid(child, &status, 0) < 0, errno == EINTR {}
    return status
  }

  /// Ends the film: the file is whole then.
  func finish() throws(TrajpackError) {
    if end(kills: false) != 0 { throw complaint() }
  }

  deinit {
    end(kills: true)
    close(complaints)
  }

  private func complaint() -> TrajpackError {
    var text = [UInt8](repeating: 0, count: 1000)
    let count = pread(complaints, &text, text.count, 0)
    let line = String(decoding: text.prefix(max(count, 0)), as: UTF8.self).split(separator: "\n")
      .first
    return TrajpackError(
      .machine,
      "\(program): could not encode the film: \(line.map { String($0).printable } ?? "it said nothing")"
    )
  }
}
