import Glibc
import TrajpackCodecs
import TrajpackFormat

/// The append-only file in which a writer acknowledges each shard: records of length, CRC-32C and JSON.
/// What is in it has been made durable. `schemas/archive-format.md`, section 12.
public final class Journal {
  /// The name of the file in a dataset's folder.
  public static let fileName = "journal"
  static let magic: [UInt8] = Array("trajpack journal 1\n".utf8)
  /// The magic of a journal with a side file that readers must know; it has the length of the other.
  static let magicOfRequired: [UInt8] = Array("trajpack journal 2\n".utf8)
  /// The most bytes of a record's JSON. A shard's has a few hundred; the plan has the options.
  public static let longestRecord = 8 << 20
  /// The most values (numbers, texts, members) in a record's JSON.
  public static let mostValues = 1 << 20
  /// The most bytes of a journal: about three million shards.
  public static let longest = 1 << 30

  private let folder: String
  private let path: String
  private var descriptor: Int32
  /// Bytes of the whole records, the magic included.
  private var length: Int
  /// Whether the file must be cut to `length` before anything is appended: it has a torn tail.
  private var mustCut = false
  /// Whether a write, an fsync or a change of names has failed, so that nobody knows what the disk has.
  private var isInDoubt = false
  /// The first record, which says what is being written; `nil` in a journal that has just been made.
  public private(set) var plan: JSONValue?
  /// The shards that are acknowledged, in order.
  public private(set) var shards: [Manifest.Entry]
  /// What a conversion has recorded of the recordings of each shard, by the shard's name.
  public private(set) var notes: [String: JSONValue] = [:]
  /// The record that ends the journal of a task of a job; `nil` while shards of it are still to be written.
  public private(set) var completion: JSONValue?
  /// The side files of the dataset that a writer goes on with. ``replace(plan:shards:)`` records them.
  var sideFiles: [SideFile] = []

  /// Opens the journal of a dataset for writing, and makes it where there is none. `anew` forgets what
  /// it holds. A torn tail stays in the file until something is appended.
  ///
  /// - Throws: A usage error while another process writes the dataset, a data error where the journal is
  ///   damaged; nothing is changed then.
  public init(inFolder folder: String, anew: Bool = false) throws(TrajpackError) {
    self.folder = folder
    path = "\(folder)/\(Self.fileName)"
    let wasAbsent = FileSystem.item(at: path) == nil
    descriptor = try DatasetLock.open(folder)
    // Another process may have written one since, and ended.
    let isNew = wasAbsent && FileSystem.size(of: path) == 0
    (length, shards) = (0, [])
    do throws(TrajpackError) {
      if !anew, !isNew {
        let content = try JournalContent(try LocalFile(path))
        (plan, shards, length) = (content.plan, content.shards, content.length)
        (sideFiles, notes, completion) = (content.sideFiles, content.notes, content.completion)
        mustCut = content.isTorn || length == 0
      } else {
        mustCut = true
        try cut()
        if isNew { try FileSystem.syncFolder(folder) }
      }
    } catch {
      if isNew { unlink(path) }
      close(descriptor)
      descriptor = -1
      throw error
    }
  }

  /// Locks a dataset whose journal may be damaged. Nothing can be appended; ``replace(plan:shards:)`` makes
  /// a new one.
  init(lockingFolder folder: String) throws(TrajpackError) {
    self.folder = folder
    path = "\(folder)/\(Self.fileName)"
    descriptor = try DatasetLock.open(folder)
    (length, shards) = (0, [])
  }

  deinit { if descriptor >= 0 { close(descriptor) } }

  /// Closes the file without giving the lock up, in the child of a fork: it is the parent's.
  package func abandonAfterFork() {
    if descriptor >= 0 { close(descriptor) }
    descriptor = -1
  }

  /// Whether the file at `path` is a journal, or the torn beginning of one.
  public static func isJournal(_ path: String) -> Bool {
    guard let file = try? LocalFile(path),
      let head = try? file.bytes(0..<min(file.length, magic.count))
    else { return false }
    return isBeginning(head) || file.length <= magic.count && head.allSatisfy { $0 == 0 }
  }

  /// Whether a journal may begin so: with a magic, or the first bytes of one.
  static func isBeginning(_ head: [UInt8]) -> Bool {
    magic.starts(with: head) || magicOfRequired.starts(with: head)
  }

  /// The plan in the journal of a dataset; `nil` where it has none yet.
  ///
  /// - Throws: A data error where the journal is damaged.
  public static func plan(inFolder folder: String) throws(TrajpackError) -> JSONValue? {
    try JournalContent(inFolder: folder).plan
  }

  /// Cuts the file behind its last whole record, durably.
  private func cut() throws(TrajpackError) {
    guard ftruncate(descriptor, off_t(length)) == 0,
      lseek(descriptor, off_t(length), SEEK_SET) >= 0
    else { throw .system("cannot be shortened", path) }
    if length == 0 {
      try FileSystem.write(Self.magic, to: descriptor, path)
      length = Self.magic.count
    }
    try FileSystem.sync(descriptor, path)
    mustCut = false
  }

  /// Appends the first record and makes it durable.
  public func begin(_ plan: JSONValue) throws(TrajpackError) {
    precondition(self.plan == nil, "a journal has one plan")
    try append(plan)
    self.plan = plan
  }

  /// Acknowledges a shard: appends its record, behind one of type `recordings` where `note` is given. Each is durable
  /// before the next is begun: of two in one write a power cut may leave the second and not the first, which is
  /// damage to a reader. A note whose shard does not follow is replaced by the next one of that shard.
  public func acknowledge(
    _ shard: Manifest.Entry, note: JSONValue? = nil
  ) throws(TrajpackError) {
    if let note { try append(note) }
    try append(shard.record)
    shards.append(shard)
    notes[shard.name] = note
  }

  /// Ends the journal of a task of a job, durably.
  ///
  /// - Parameter leftOut: What was left out behind the last shard, as a record of type `recordings` has it.
  public func complete(leftOut: JSONValue?) throws(TrajpackError) {
    let record = JSONValue.record(["type": "complete", "left_out": leftOut])
    try append(record)
    completion = record
  }

  /// Appends a record, durably or not at all.
  private func append(_ record: JSONValue) throws(TrajpackError) {
    let frame = try Self.frame(record)
    guard descriptor >= 0 else {
      throw TrajpackError(.usage, file: folder, "the journal belongs to the parent process")
    }
    try settle()
    do throws(TrajpackError) {
      if mustCut || lseek(descriptor, 0, SEEK_CUR) != off_t(length) { try cut() }
      try FileSystem.write(frame, to: descriptor, path)
      try FileSystem.sync(descriptor, path)
    } catch {
      // Readers are not to see what was not acknowledged. That this cut is durable is not known either.
      isInDoubt = true
      _ = ftruncate(descriptor, off_t(length))
      throw error
    }
    length += frame.count
  }

  /// After a failure, writes the whole journal again from memory, so that the disk has just what this
  /// object says. Does nothing otherwise.
  ///
  /// A second fsync of the same file would prove nothing: after a failed one the kernel may have marked
  /// the pages clean and dropped them, and then it reports success for bytes that the disk never got
  /// (Rebello et al., "Can Applications Recover from fsync Failures?", ATC 2020).
  public func settle() throws(TrajpackError) {
    if isInDoubt { try rewrite() }
  }

  /// Puts other records in the place of all that are there, durably. The lock is held throughout.
  ///
  /// - Throws: Where that fails. `shards` then says which list readers see: the old one, or the new one,
  ///   which may not be durable. Files of both must stay until ``settle()`` succeeds.
  public func replace(
    plan: JSONValue, shards: [Manifest.Entry], notes: [String: JSONValue] = [:]
  ) throws(TrajpackError) {
    let before = (self.plan, self.shards, self.notes)
    (self.plan, self.shards, self.notes) = (plan, shards, notes)
    try rewrite { (self.plan, self.shards, self.notes) = before }
  }

  /// The side files that the journal records.
  public var recordedSideFiles: [SideFile] { sideFiles }

  /// From a finished dataset to one that is gone on with: names all of its shards, before the manifest goes.
  public func reopen(
    _ manifest: Manifest, plan: JSONValue, notes: [String: JSONValue]
  ) throws(TrajpackError) {
    sideFiles = manifest.sideFiles
    try replace(plan: plan, shards: manifest.shards, notes: notes)
    try FileSystem.remove("\(folder)/\(Manifest.fileName)")
    try FileSystem.syncFolder(folder)
  }

  /// Writes what memory has into a new file and gives it the journal's name.
  ///
  /// - Parameter undo: Called where the old file keeps the name.
  private func rewrite(undo: () -> Void = {}) throws(TrajpackError) {
    let temporary = "\(folder)/.tmp-\(Self.fileName)"
    var fresh: Int32 = -1
    var written = 0
    do throws(TrajpackError) {
      try FileSystem.remove(temporary)
      fresh = open(temporary, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0o666)
      guard fresh >= 0 else { throw .system("cannot be made", temporary) }
      guard flock(fresh, LOCK_EX | LOCK_NB) == 0 else {
        throw .system("cannot be locked", temporary)
      }
      written = try writeAll(to: fresh, temporary)
      try FileSystem.sync(fresh, temporary)
      guard rename(temporary, path) == 0 else {
        throw .system("cannot be renamed into place", path)
      }
    } catch {
      if fresh >= 0 {
        close(fresh)
        unlink(temporary)
      }
      undo()
      throw error
    }
    close(descriptor)
    descriptor = fresh
    (length, mustCut, isInDoubt) = (written, false, true)
    try FileSystem.syncFolder(folder)
    isInDoubt = false
  }

  private func writeAll(to fresh: Int32, _ name: String) throws(TrajpackError) -> Int {
    var (buffer, written) = (
      sideFiles.contains(where: \.isRequired) ? Self.magicOfRequired : Self.magic, 0
    )
    if let plan { buffer += try Self.frame(plan) }
    for file in sideFiles { buffer += try Self.frame(file.record) }
    for shard in shards {
      if let note = notes[shard.name] { buffer += try Self.frame(note) }
      buffer += try Self.frame(shard.record)
      guard buffer.count >= 1 << 16 else { continue }
      try FileSystem.write(buffer, to: fresh, name)
      written += buffer.count
      buffer.removeAll(keepingCapacity: true)
    }
    if let completion { buffer += try Self.frame(completion) }
    try FileSystem.write(buffer, to: fresh, name)
    return written + buffer.count
  }

  static func frame(_ record: JSONValue) throws(TrajpackError) -> [UInt8] {
    let payload = Array(record.text().utf8)
    guard payload.count <= longestRecord else {
      throw TrajpackError(
        .usage,
        "the plan of this dataset would have \(payload.count) bytes in its journal, where "
          + "\(longestRecord) are the most; give fewer or shorter options")
    }
    let crc = payload.withUnsafeBytes { CRC32C.of($0) }
    return littleEndian([UInt32(payload.count), crc]) + payload
  }
}
