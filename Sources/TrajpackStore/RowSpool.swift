import Glibc
import TrajpackFormat

/// Bytes that are written once in order and read back once, in memory while they are few and in an
/// unnamed temporary file beyond. So a recording of any length passes through little memory.
public final class RowSpool: @unchecked Sendable {
  /// Bytes of memory that several spools may hold beyond their own limits. One thread at a time.
  final class Budget {
    fileprivate var left: Int

    /// Spools that share it may hold `bytes` more together.
    init(_ bytes: Int) { left = bytes }
  }

  // Written by one thread, then handed over and only read.
  private var memory: UnsafeMutableRawPointer?
  private var capacity = 0
  private var held = 0
  private var descriptor: Int32 = -1
  private var spilled = 0
  private var limit: Int
  private let budget: Budget?

  /// Bytes so far.
  public var count: Int { spilled + held }

  /// An empty spool that keeps up to `limit` bytes in memory.
  public convenience init(limit: Int = 4 << 20) { self.init(limit: limit, budget: nil) }

  /// An empty spool that keeps up to `limit` bytes in memory, and more while the budget lasts.
  init(limit: Int, budget: Budget?) {
    self.limit = limit
    self.budget = budget
  }

  deinit {
    free(memory)
    if descriptor >= 0 { close(descriptor) }
  }

  /// Adds bytes.
  public func append(_ bytes: UnsafeRawBufferPointer) throws(TrajpackError) {
    guard let from = bytes.baseAddress, bytes.count > 0 else { return }
    if held + bytes.count > limit, let budget, budget.left >= held + bytes.count - limit {
      budget.left -= held + bytes.count - limit
      limit = held + bytes.count
    }
    if held + bytes.count > capacity {
      // A first run of rows is often the only one, so it gets just its room.
      capacity = held == 0 ? bytes.count : max(held + bytes.count, 2 * capacity)
      guard let more = realloc(memory, capacity) else {
        throw TrajpackError(.machine, "there is no memory for \(capacity) bytes of rows")
      }
      memory = more
    }
    memory?.advanced(by: held).copyMemory(from: from, byteCount: bytes.count)
    held += bytes.count
    if held > limit { try spill() }
  }

  /// Adds the bytes of an array.
  public func append(_ bytes: [UInt8]) throws(TrajpackError) {
    try bytes.withUnsafeBytesThrowing { (bytes) throws(TrajpackError) in try append(bytes) }
  }

  private func spill() throws(TrajpackError) {
    try Interruption.check()
    if descriptor < 0 { descriptor = try Self.temporaryFile() }
    try requireRoom()
    try FileSystem.write(
      UnsafeRawBufferPointer(start: memory, count: held), to: descriptor,
      "a temporary file in \(TemporaryFolder.description)")
    spilled += held
    held = 0
  }

  /// An unnamed temporary file, open for reading and writing.
  package static func temporaryFile() throws(TrajpackError) -> Int32 {
    let folder = TemporaryFolder.path
    var descriptor = open(folder, O_TMPFILE_FLAGS | O_RDWR | O_CLOEXEC, 0o600)
    if descriptor < 0 {
      var template = Array("\(folder)/trajpack-XXXXXX".utf8CString)
      descriptor = mkstemp(&template)
      guard descriptor >= 0 else { throw TemporaryFolder.failure() }
      unlink(template)
    }
    return descriptor
  }

  /// The bytes from `offset` on where they are in memory; they stay there as long as the spool, once it is
  /// only read.
  func inMemory(at offset: Int, count: Int) -> UnsafeRawBufferPointer? {
    guard offset >= spilled, offset + count <= self.count, let memory else { return nil }
    return UnsafeRawBufferPointer(start: memory + (offset - spilled), count: count)
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
    guard free - Double(held) < reserve else { return }
    throw TrajpackError(
      .machine,
      "temporary files need more room than there is in \(TemporaryFolder.description) (\(Int(free)) bytes are free, "
        + "of which \(Int(reserve)) are left alone); set TMPDIR to a folder with more room")
  }

  /// Fills `buffer` from byte `offset` on; the bytes are there.
  public func read(at offset: Int, into buffer: UnsafeMutableRawBufferPointer) throws(TrajpackError)
  {
    precondition(offset >= 0 && offset + buffer.count <= count)
    let fromFile = min(max(spilled - offset, 0), buffer.count)
    try FileSystem.readTemporary(
      descriptor, at: offset, into: UnsafeMutableRawBufferPointer(rebasing: buffer[..<fromFile]))
    let rest = UnsafeMutableRawBufferPointer(rebasing: buffer[fromFile...])
    if let from = inMemory(at: max(offset, spilled), count: rest.count) {
      rest.copyMemory(from: from)
    }
  }
}

/// `O_TMPFILE`, a macro that Swift does not import.
private let O_TMPFILE_FLAGS: Int32 = 0o20000000 | O_DIRECTORY
