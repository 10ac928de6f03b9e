import Glibc
import TrajpackCodecs
import TrajpackFormat

/// The append-only file in which a conversion acknowledges each shard: records of length, CRC-32C and
/// JSON. What is in it has been made durable; a record that was cut off is as if it were not there.
public final class Journal {
  /// The name of the file in a dataset's folder.
  public static let fileName = "journal"
  private static let magic: [UInt8] = Array("trajpack journal 1\n".utf8)

  private let path: String
  private var descriptor: Int32
  /// Bytes of the whole records.
  private var length = 0
  /// The records that are there, in order.
  public private(set) var records: [JSONValue]

  /// Opens the journal of a dataset for writing, and makes it where there is none. `anew` forgets what
  /// it holds.
  ///
  /// - Throws: A usage error while another process writes the dataset.
  public init(inFolder folder: String, anew: Bool = false) throws(TrajpackError) {
    path = "\(folder)/\(Self.fileName)"
    let isNew = FileSystem.item(at: path) == nil
    descriptor = try DatasetLock.open(folder)
    var failure: TrajpackError?
    var found: (records: [JSONValue], length: Int) = ([], 0)
    do throws(TrajpackError) {
      if !anew { found = try Self.parse(try LocalFile(path)) }
      // A torn tail goes, so that what is appended follows the last whole record.
      guard ftruncate(descriptor, off_t(found.length)) == 0,
        lseek(descriptor, off_t(found.length), SEEK_SET) >= 0
      else { throw .system("cannot be shortened", path) }
      length = max(found.length, Self.magic.count)
      if found.length == 0 { try FileSystem.write(Self.magic, to: descriptor, path) }
      try FileSystem.sync(descriptor, path)
      if isNew { try FileSystem.syncFolder(folder) }
    } catch { failure = error }
    records = found.records
    if let failure {
      close(descriptor)
      throw failure
    }
  }

  deinit { if descriptor >= 0 { close(descriptor) } }

  /// Closes the file without giving the lock up, in the child of a fork: it is the parent's.
  package func leaveToParent() {
    if descriptor >= 0 { close(descriptor) }
    descriptor = -1
  }

  /// Whether the file at `path` is a journal, or the torn beginning of one.
  public static func isJournal(_ path: String) -> Bool {
    guard let file = try? LocalFile(path),
      let head = try? file.bytes(0..<min(file.length, magic.count))
    else { return false }
    return magic.starts(with: head) || head.allSatisfy { $0 == 0 }
  }

  /// Appends a record and makes it durable. What could not be written whole is taken away again.
  public func append(_ record: JSONValue) throws(TrajpackError) {
    let frame = Self.frame(record)
    do throws(TrajpackError) {
      try FileSystem.write(frame, to: descriptor, path)
      try FileSystem.sync(descriptor, path)
    } catch {
      // Nothing may follow a torn record, and nobody may read one that was not acknowledged.
      if ftruncate(descriptor, off_t(length)) != 0 || lseek(descriptor, off_t(length), SEEK_SET) < 0
      {
        leaveToParent()
      }
      throw error
    }
    length += frame.count
    records.append(record)
  }

  /// Puts other records in the place of all that are there, whole or not at all, durably. The lock is
  /// held throughout.
  public func replace(with records: [JSONValue]) throws(TrajpackError) {
    let bytes = Self.magic + records.flatMap { Self.frame($0) }
    let folder = FileSystem.parent(of: path)
    let temporary = "\(folder)/.tmp-\(Self.fileName)"
    try FileSystem.remove(temporary)
    let fresh = open(temporary, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0o666)
    guard fresh >= 0 else { throw .system("cannot be made", temporary) }
    do throws(TrajpackError) {
      guard flock(fresh, LOCK_EX | LOCK_NB) == 0 else {
        throw .system("cannot be locked", temporary)
      }
      try FileSystem.write(bytes, to: fresh, temporary)
      try FileSystem.sync(fresh, temporary)
      guard rename(temporary, path) == 0 else { throw .system("cannot be named", path) }
    } catch {
      close(fresh)
      unlink(temporary)
      throw error
    }
    close(descriptor)
    descriptor = fresh
    length = bytes.count
    self.records = records
    try FileSystem.syncFolder(folder)
  }

  private static func frame(_ record: JSONValue) -> [UInt8] {
    let payload = Array(record.text().utf8)
    let crc = payload.withUnsafeBytes { CRC32C.of($0) }
    return littleEndian([UInt32(payload.count), crc]) + payload
  }

  /// The whole records of a journal, for readers.
  public static func read(inFolder folder: String) throws(TrajpackError) -> [JSONValue] {
    try parse(try LocalFile("\(folder)/\(fileName)")).records
  }

  private static func parse(
    _ file: LocalFile
  ) throws(TrajpackError) -> (records: [JSONValue], length: Int) {
    guard file.length <= 1 << 30 else {
      throw TrajpackError(.data, "\(file.path): is too long for a journal")
    }
    let bytes = try file.bytes(0..<file.length)
    guard bytes.starts(with: magic) || magic.starts(with: bytes) else {
      // A power cut may leave the length of the first write without its bytes.
      if bytes.allSatisfy({ $0 == 0 }) { return ([], 0) }
      throw TrajpackError(.data, "\(file.path): is no trajpack journal")
    }
    guard bytes.count >= magic.count else { return ([], 0) }
    var records: [JSONValue] = []
    var at = magic.count
    while at + 8 <= bytes.count {
      let (length, crc) = bytes.withUnsafeBytes { raw in
        (
          Int(UInt32(littleEndian: raw.loadUnaligned(fromByteOffset: at, as: UInt32.self))),
          UInt32(littleEndian: raw.loadUnaligned(fromByteOffset: at + 4, as: UInt32.self))
        )
      }
      // Zeros where a power cut has lost the bytes are no record: the checksum of nothing is 0 too.
      guard length > 0, length <= bytes.count - at - 8 else { break }
      let payload = bytes[at + 8..<at + 8 + length]
      guard payload.withUnsafeBytes({ CRC32C.of($0) }) == crc else { break }
      records.append(
        try within("\(file.path), record \(records.count)") { () throws(TrajpackError) in
          try JSONValue(parsing: Array(payload))
        })
      at += 8 + length
    }
    return (records, at)
  }
}
