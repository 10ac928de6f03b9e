import Glibc
import TrajpackFormat

/// Bytes that are written once in order and read back once, in memory while they are few and in an
/// unnamed temporary file beyond. So a recording of any length passes through little memory.
public final class Spool: @unchecked Sendable {
  // Written by one thread, then handed over and only read.
  private var memory: [UInt8] = []
  private var descriptor: Int32 = -1
  private var spilled = 0
  private let limit: Int

  /// Bytes so far.
  public var count: Int { spilled + memory.count }

  /// An empty spool that keeps up to `limit` bytes in memory.
  public init(limit: Int = 4 << 20) { self.limit = limit }

  deinit { if descriptor >= 0 { close(descriptor) } }

  /// Adds bytes.
  public func append(_ bytes: UnsafeRawBufferPointer) throws(TrajpackError) {
    memory.append(contentsOf: bytes)
    if memory.count > limit { try spill() }
  }

  /// Adds the bytes of an array.
  public func append(_ bytes: [UInt8]) throws(TrajpackError) {
    memory += bytes
    if memory.count > limit { try spill() }
  }

  private func spill() throws(TrajpackError) {
    if descriptor < 0 {
      let folder = getenv("TMPDIR").map { String(cString: $0) } ?? "/tmp"
      descriptor = open(folder, O_TMPFILE_FLAGS | O_RDWR | O_CLOEXEC, 0o600)
      if descriptor < 0 {
        var template = Array("\(folder)/trajpack-XXXXXX".utf8CString)
        descriptor = mkstemp(&template)
        guard descriptor >= 0 else { throw .system("no temporary file can be made", folder) }
        unlink(template)
      }
    }
    try FileSystem.write(memory, to: descriptor, "a temporary file")
    spilled += memory.count
    memory.removeAll(keepingCapacity: true)
  }

  /// Fills `buffer` from byte `offset` on; the bytes are there.
  public func read(at offset: Int, into buffer: UnsafeMutableRawBufferPointer) throws(TrajpackError)
  {
    precondition(offset >= 0 && offset + buffer.count <= count)
    let fromFile = min(max(spilled - offset, 0), buffer.count)
    var done = 0
    while done < fromFile {
      let count = pread(
        descriptor, buffer.baseAddress.unsafelyUnwrapped + done, fromFile - done,
        off_t(offset + done))
      if count < 0, errno == EINTR { continue }
      guard count > 0 else { throw .system("a temporary file cannot be read", "a temporary file") }
      done += count
    }
    let start = max(offset - spilled, 0)
    memory.withUnsafeBytes { from in
      UnsafeMutableRawBufferPointer(rebasing: buffer[fromFile...])
        .copyMemory(
          from: UnsafeRawBufferPointer(rebasing: from[start..<start + buffer.count - fromFile]))
    }
  }
}

/// `O_TMPFILE`, a macro that Swift does not import.
private let O_TMPFILE_FLAGS: Int32 = 0o20000000 | O_DIRECTORY
