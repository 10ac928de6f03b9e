import CPlatform
import Glibc
import TrajpackFormat
import TrajpackStore

/// A Python that serves the sources of its package `trajpack`, over a socket; see `trajpack/_sources/serve.py`.
final class PythonProcess: @unchecked Sendable {
  // It is used by one thread at a time.
  /// Frames and requests as they are now.
  private static let requestVersion = 1
  /// Milliseconds after which a wait looks whether the conversion is to end.
  private static let patience: Int32 = 200
  private static let mostBytes = 64 << 20

  /// What Python runs. A package that lies in the working folder is not taken for the installed one.
  private static let code = """
    import sys
    sys.path[:] = [p for p in sys.path if p]
    try:
        from trajpack._sources.serve import main
    except Exception as error:
        import json, os, struct
        text = json.dumps({"message": f"{type(error).__name__}: {error}"}).encode()
        os.write(3, b"E" + struct.pack("<I", len(text)) + text)
        sys.exit(1)
    main()
    """

  /// The program.
  let python: String
  private let channel: Int32
  private let pid: pid_t
  private var isBroken = false
  private var isReaped = false

  /// Starts it.
  ///
  /// - Throws: A machine error where it cannot be started.
  init(_ python: String) throws(TrajpackError) {
    self.python = python
    var ends: [Int32] = [-1, -1]
    let type = Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue)
    guard socketpair(AF_UNIX, type, 0, &ends) == 0 else {
      throw .system("no connection can be made", python)
    }
    defer { close(ends[1]) }
    let words: [UnsafeMutablePointer<CChar>?] =
      [strdup(python), strdup("-c"), strdup(Self.code)] + [nil]
    defer { for word in words { free(word) } }
    var pid = pid_t()
    // What a source prints does not come between what this program prints.
    let status = words.map { UnsafePointer($0) }.withUnsafeBufferPointer {
      tp_spawn(python, $0.baseAddress, ends[1], &pid)
    }
    guard status == 0 else {
      close(ends[0])
      throw TrajpackError(
        .machine, file: python, "cannot be started (\(String(cString: strerror(status))))")
    }
    channel = ends[0]
    self.pid = pid
  }

  deinit {
    close(channel)
    if !isReaped {
      // It ends by itself when the connection is closed, but a source may be busy.
      kill(pid, SIGKILL)
      var status: Int32 = 0
      waitpid(pid, &status, 0)
    }
  }

  /// Whether it can be asked again.
  var isUsable: Bool { !isBroken }

  /// Asks, and hands over what is answered: documents, and the bytes that follow them.
  ///
  /// - Throws: What the source has failed with, of the recording at `path`; what the bodies throw.
  func ask(
    _ request: JSONValue, about path: String,
    _ document: (JSONValue) throws(TrajpackError) -> Void,
    bytes: (UnsafeRawBufferPointer) throws(TrajpackError) -> Void = { _ in }
  ) throws(TrajpackError) {
    guard !isBroken else { throw ended(path) }
    isBroken = true
    let text = Array(request.text().utf8)
    var message = withUnsafeBytes(of: UInt32(text.count).littleEndian) { Array($0) }
    message += text
    try send(message, path)
    let head = ByteBuffer(5)
    var room = ByteBuffer(64 << 10)
    while true {
      try fill(UnsafeMutableRawBufferPointer(rebasing: head.bytes[..<5]), path)
      let count = Int(
        UInt32(littleEndian: head.bytes.loadUnaligned(fromByteOffset: 1, as: UInt32.self)))
      guard count <= Self.mostBytes else { throw ended(path) }
      if count > room.bytes.count { room = ByteBuffer(count) }
      let part = UnsafeMutableRawBufferPointer(rebasing: room.bytes[..<count])
      try fill(part, path)
      switch head.bytes[0] {
      case UInt8(ascii: "Z"):
        isBroken = false
        return
      case UInt8(ascii: "E"):
        isBroken = false
        throw Self.failure(try JSONValue(parsing: Array(part)), path)
      case UInt8(ascii: "J"): try document(try JSONValue(parsing: Array(part)))
      default: try bytes(UnsafeRawBufferPointer(part))
      }
    }
  }

  /// What it says of itself.
  ///
  /// - Throws: A usage error where it has no package `trajpack`, or another version's.
  func greet() throws(TrajpackError) -> JSONValue {
    var hello = JSONValue.object([])
    do throws(TrajpackError) {
      try ask(.record(["do": "hello"]), about: python) { hello = $0 }
    } catch {
      isBroken = true
      throw TrajpackError(
        .usage, file: python,
        "cannot serve sources, since its package 'trajpack' cannot be imported (\(error.message))")
    }
    guard hello["protocol"]?.int == Self.requestVersion else {
      throw TrajpackError(
        .usage, file: python,
        "has trajpack \(hello["version"]?.string ?? "?"), which this program does not understand; install the same version"
      )
    }
    return hello
  }

  private static func failure(_ error: JSONValue, _ path: String) -> TrajpackError {
    let place = error["place"]
    let fault: TrajpackError.Fault =
      switch error["code"]?.int {
      case 2: .usage
      case 3: .machine
      default: .data
      }
    return TrajpackError(
      fault, String((error["message"]?.string ?? "failed").prefix(4096)),
      at: ErrorPlace(
        file: place?["file"]?.string ?? path, episode: place?["episode"]?.string,
        stream: place?["stream"]?.string, channel: place?["channel"]?.string,
        line: place?["line"]?.int, row: place?["row"]?.int, byte: place?["byte"]?.int))
  }

  /// The error of a process that is gone.
  private func ended(_ path: String) -> TrajpackError {
    var how = "it did not answer as this version expects"
    var status: Int32 = 0
    // It is gone when its end of the connection is, or soon after.
    for _ in 0..<50 where !isReaped {
      if waitpid(pid, &status, WNOHANG) == pid {
        isReaped = true
        let signal = status & 0x7F
        how =
          signal == 0
          ? "it ended with the code \((status >> 8) & 0xFF)" : "it was ended by signal \(signal)"
      } else {
        usleep(10_000)
      }
    }
    return TrajpackError(.data, file: path, "the Python process that reads it is gone: \(how)")
  }

  private func wait(for events: Int32) throws(TrajpackError) {
    while true {
      var item = pollfd(fd: channel, events: Int16(events), revents: 0)
      if poll(&item, 1, Self.patience) > 0 { return }
      try Interruption.check()
    }
  }

  private func send(_ bytes: [UInt8], _ path: String) throws(TrajpackError) {
    var done = 0
    while done < bytes.count {
      try wait(for: POLLOUT)
      let sent = bytes.withUnsafeBytes {
        Glibc.send(
          channel, $0.baseAddress.unsafelyUnwrapped + done, bytes.count - done,
          Int32(MSG_NOSIGNAL) | Int32(MSG_DONTWAIT))
      }
      if sent < 0, errno == EINTR || errno == EAGAIN { continue }
      // What went wrong may have been said before the connection was closed.
      guard sent > 0 else { return }
      done += sent
    }
  }

  private func fill(
    _ buffer: UnsafeMutableRawBufferPointer, _ path: String
  ) throws(TrajpackError) {
    var done = 0
    while done < buffer.count {
      try wait(for: POLLIN)
      let got = recv(
        channel, buffer.baseAddress.unsafelyUnwrapped + done, buffer.count - done,
        Int32(MSG_DONTWAIT))
      if got < 0, errno == EINTR || errno == EAGAIN { continue }
      guard got > 0 else { throw ended(path) }
      done += got
    }
  }
}
