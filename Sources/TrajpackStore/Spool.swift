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
      let folder = TemporaryFolder.path
      descriptor = open(folder, O_TMPFILE_FLAGS | O_RDWR | O_CLOEXEC, 0o600)
      if descriptor < 0 {
        var template = Array("\(folder)/trajpack-XXXXXX".utf8CString)
        descriptor = mkstemp(&template)
        guard descriptor >= 0 else { throw TemporaryFolder.failure() }
        unlink(template)
      }
    }
    try requireRoom()
    let path = "a temporary file in \(TemporaryFolder.description)"
    try FileSystem.write(memory, to: descriptor, path)
    spilled += memory.count
    memory.removeAll(keepingCapacity: true)
  }

  /// The share of a file system, and the most bytes of it, that temporary files leave free: a file that
  /// inflates to a thousand times its size must not fill the disk for everybody else.
  static let reserve = (share: 20, most: 1 << 30)

  /// Refuses to fill the disk of temporary files.
  private func requireRoom() throws(TrajpackError) {
    var status = statvfs()
    guard fstatvfs(descriptor, &status) == 0, status.f_blocks > 0 else { return }
    let unit = Double(status.f_frsize)
    let total = Double(status.f_blocks) * unit
    let free = Double(status.f_bavail) * unit
    let reserve = min(total / Double(Self.reserve.share), Double(Self.reserve.most))
    guard free - Double(memory.count) < reserve else { return }
    throw TrajpackError(
      .machine,
      "temporary files need more room than \(TemporaryFolder.description) has (\(Int(free)) bytes are free, "
        + "of which \(Int(reserve)) are left alone); set TMPDIR to a folder with more room")
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
