import Glibc
import Synchronization
import TrajpackCodecs
import TrajpackFormat

/// A regular file opened for reading at any place, by any thread.
///
/// Where many files are open, one that was not read for long is closed, and opened again when it is read: then it
/// must be the same file, by device, inode, length and, where ``recognise(header:)`` was called, its first bytes.
public final class LocalFile: Sendable {
  /// The path it was opened by.
  public let path: String
  /// Its length when it was opened, in bytes.
  public let length: Int

  private let identity: Identity
  private let didRead: (@Sendable (Int) -> Void)?
  private let open = OpenFile()
  /// The path from the root, which leads to the file wherever the process goes; `nil` for a file that stays open.
  private let absolute: String?
  /// The object of a bucket that the file stands for; `nil` where it has its own bytes.
  private let object: BucketFile?
  /// The CRC of the header, and a bit above it that says so; 0 for none.
  private let header = Atomic<UInt64>(0)

  private struct Identity: Sendable, Equatable {
    var device: UInt64
    var inode: UInt64
    var length: Int

    /// `nil` where it is no regular file.
    init?(_ descriptor: Int32) {
      var status = stat()
      guard fstat(descriptor, &status) == 0, status.st_mode & S_IFMT == S_IFREG else { return nil }
      device = UInt64(status.st_dev)
      inode = UInt64(status.st_ino)
      length = Int(status.st_size)
    }
  }

  /// Opens a regular file; the corresponding C function is `open`.
  ///
  /// A pipe, a device or a folder is refused and never waited for.
  ///
  /// - Parameter didRead: Told of the bytes of each read.
  public init(
    _ path: String, didRead: (@Sendable (Int) -> Void)? = nil
  ) throws(TrajpackError) {
    var descriptor = DescriptorPool.shared.open(path)
    guard descriptor >= 0 else {
      // A socket cannot be opened, and a link may lead nowhere.
      guard errno == ENOENT || errno == ENXIO || errno == ELOOP else {
        throw .system("cannot be opened", path)
      }
      throw FileSystem.noFile(at: path)
    }
    var opened = path
    object = try Self.object(descriptor)
    if let object {
      close(descriptor)
      opened = object.path
      descriptor = DescriptorPool.shared.open(opened)
      guard descriptor >= 0 else { throw .system("cannot be opened", opened) }
    }
    guard let identity = Identity(descriptor) else {
      close(descriptor)
      throw FileSystem.noFile(at: path)
    }
    self.path = path
    self.didRead = didRead
    self.identity = identity
    length = identity.length
    absolute = opened.hasPrefix("/") ? opened : Self.folder.map { "\($0)/\(opened)" }
    if absolute == nil {
      open.descriptor.store(descriptor, ordering: .sequentiallyConsistent)
    } else {
      _ = DescriptorPool.shared.add(open, descriptor)
    }
  }

  /// The object of a bucket that an open file stands for. The file is closed where that throws.
  private static func object(_ descriptor: Int32) throws(TrajpackError) -> BucketFile? {
    do throws(TrajpackError) { return try BucketFolder.file(descriptor) } catch {
      close(descriptor)
      throw error
    }
  }

  deinit {
    if absolute == nil {
      close(open.descriptor.load(ordering: .sequentiallyConsistent))
    } else {
      DescriptorPool.shared.remove(open)
    }
  }

  /// The folder that the process is in; `nil` where that is gone.
  private static var folder: String? {
    guard let text = getcwd(nil, 0) else { return nil }
    defer { free(text) }
    return String(cString: text)
  }

  /// Remembers the file's first ``ShardHeader/size`` bytes, by which it is recognised when it is opened again.
  public func recognise(header bytes: [UInt8]) {
    header.store(Self.mark(bytes), ordering: .relaxed)
  }

  /// What stands for a header. Its own checksum at its end is left out: with it, the checksum of every header would be
  /// the same number.
  private static func mark(_ header: [UInt8]) -> UInt64 {
    let crc = header.withUnsafeBytes {
      CRC32C.of(UnsafeRawBufferPointer(rebasing: $0.prefix(ShardHeader.size - 4)))
    }
    return 1 << 32 | UInt64(crc)
  }

  /// Calls `body` with the descriptor, which stays open meanwhile.
  package func withDescriptor<Result>(
    _ body: (Int32) throws(TrajpackError) -> Result
  ) throws(TrajpackError) -> Result {
    try object?.need(0..<length)
    return try withOpenFile(body)
  }

  private func withOpenFile<Result>(
    _ body: (Int32) throws(TrajpackError) -> Result
  ) throws(TrajpackError) -> Result {
    open.users.add(1, ordering: .sequentiallyConsistent)
    defer { open.users.subtract(1, ordering: .sequentiallyConsistent) }
    var descriptor = open.descriptor.load(ordering: .sequentiallyConsistent)
    if descriptor < 0 { descriptor = try reopened() }
    if !open.wasUsed.load(ordering: .relaxed) { open.wasUsed.store(true, ordering: .relaxed) }
    return try body(descriptor)
  }

  private func reopened() throws(TrajpackError) -> Int32 {
    let descriptor = DescriptorPool.shared.open(absolute ?? path)
    guard descriptor >= 0 else {
      guard errno == ENOENT || errno == ENOTDIR else {
        throw .system("cannot be opened again", path)
      }
      throw TrajpackError(
        .machine, file: path,
        "is gone since it was opened (a writer joins small shards, and '--overwrite' replaces them); "
          + "open the dataset again")
    }
    do throws(TrajpackError) {
      guard Identity(descriptor) == identity else { throw replaced }
      let expected = header.load(ordering: .relaxed)
      if expected != 0 {
        var bytes = [UInt8](repeating: 0, count: min(length, ShardHeader.size))
        try bytes.withUnsafeMutableBufferPointer { (buffer) throws(TrajpackError) in
          try read(descriptor, at: 0, into: UnsafeMutableRawBufferPointer(buffer))
        }
        guard Self.mark(bytes) == expected else { throw replaced }
      }
    } catch {
      close(descriptor)
      throw error
    }
    return DescriptorPool.shared.add(open, descriptor)
  }

  private var replaced: TrajpackError {
    TrajpackError(
      .machine, file: path, "is another file than the one that was opened; open the dataset again")
  }

  /// Fills `buffer` from byte `offset` on; the corresponding C function is `pread`.
  ///
  /// - Throws: A data error where the file ends before; a machine error where it had been closed, and the file at
  ///   its path is gone or another one.
  public func read(at offset: Int, into buffer: UnsafeMutableRawBufferPointer) throws(TrajpackError)
  {
    try Interruption.check()
    if let object { try object.need(offset..<offset + buffer.count) }
    try withOpenFile { (descriptor) throws(TrajpackError) in
      try read(descriptor, at: offset, into: buffer)
    }
    didRead?(buffer.count)
  }

  private func read(
    _ descriptor: Int32, at offset: Int, into buffer: UnsafeMutableRawBufferPointer
  ) throws(TrajpackError) {
    let count = try FileSystem.read(descriptor, at: offset, into: buffer, path)
    guard count == buffer.count else {
      throw TrajpackError(
        .data, file: path,
        "the file ends at byte \(offset + count), where \(buffer.count - count) more "
          + "bytes are expected; it was cut while it was read")
    }
  }
}

extension TrajpackError {
  /// The error of a path at which there is nothing.
  public static func absent(_ path: String) -> TrajpackError {
    // Bytes that are no UTF-8 were read as this character, and then the path is that of no file.
    guard path.unicodeScalars.contains("\u{FFFD}") else {
      return TrajpackError(.usage, file: path, "does not exist")
    }
    return TrajpackError(
      .usage, file: path,
      "cannot be found: its name has bytes that are no UTF-8, shown as \u{FFFD}; rename it")
  }

  /// The error of a system call that failed just now: `path: what: why`, from `errno`.
  public static func system(_ what: String, _ path: String) -> TrajpackError {
    let code = errno
    let why = String(cString: strerror(code))
    switch code {
    case ENOENT, ENOTDIR: return .absent(path)
    case EISDIR: return TrajpackError(.usage, file: path, "is a folder")
    case ENOSPC, EDQUOT:
      return TrajpackError(
        .machine, file: path, "\(what): no space is left on the disk; free some and try again")
    case EMFILE, ENFILE:
      return TrajpackError(
        .machine, file: path,
        "\(what): too many files are open; close some, or allow more with 'ulimit -n'")
    default: return TrajpackError(.machine, file: path, "\(what): \(why.lowercased())")
    }
  }
}
