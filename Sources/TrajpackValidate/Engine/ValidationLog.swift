import Glibc
import TrajpackCodecs
import TrajpackFormat
import TrajpackStore

/// What was looked at so far, in a file: what a validation goes on from when it was stopped or killed.
///
/// A record a batch of episodes: its length and CRC-32C (four bytes each), then what came of each. The first record says which
/// validation it is. What is not whole at the end is written anew.
final class ValidationLog {
  private let path: String
  private let file: Int32
  /// Where the record of each batch lies.
  private var records: [String: (at: Int, count: Int)] = [:]
  /// Records that were there.
  let known: Int
  /// Whether a task of a job has come to its end.
  private(set) var isComplete: Bool

  private static let end = "complete"
  private static let mark = "trajpack validate 4"
  /// The most bytes of a record; a batch of episodes has far fewer.
  private static let most = 1 << 30

  /// Opens a file, or makes it.
  ///
  /// - Parameters:
  ///   - identity: Stands for the data, the rules and their settings, and the version.
  ///   - isTask: Whether it is the file of a task of a job, and not one that the user has named.
  /// - Throws: A usage error where the file is of another validation, or none.
  init(_ path: String, identity: String, isTask: Bool = false) throws(TrajpackError) {
    self.path = path
    let place = isTask ? path : "--resume: \(path)"
    let item = FileSystem.item(at: path)
    guard item == nil || item == .file else {
      throw TrajpackError(
        .usage, "\(place) is no file; name one, or one that is not there")
    }
    file = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0o644)
    guard file >= 0 else { throw .system("cannot be opened", path) }
    guard flock(file, LOCK_EX | LOCK_NB) == 0 else {
      close(file)
      throw TrajpackError(.usage, "\(place) is in use by another process")
    }
    var end = 0
    do throws(TrajpackError) {
      let length = Int(lseek(file, 0, SEEK_END))
      while let (record, next) = try Self.record(file, path, at: end, length: length) {
        var bytes = ByteDecoder(record)
        let key = bytes.text()
        if end == 0 {
          guard key == Self.mark, bytes.text() == identity else {
            throw TrajpackError(
              .usage,
              "\(place) is of another validation (other data, rules, options or version); "
                + (isTask ? "" : "name another file, or ") + "remove it to begin again")
          }
        } else {
          records[key] = (end + 8, record.count)
        }
        end = next
      }
      if end == 0, length > 0 {
        throw TrajpackError(
          .usage, "\(place) is not the file of a validation; name another one")
      }
    } catch {
      close(file)
      throw error
    }
    known = records.count
    isComplete = records[Self.end] != nil
    guard ftruncate(file, off_t(end)) == 0, lseek(file, off_t(end), SEEK_SET) >= 0 else {
      close(file)
      throw .system("cannot be cut", path)
    }
    if end == 0 {
      var first = ByteEncoder()
      first.add(Self.mark)
      first.add(identity)
      try append(first.bytes)
    }
  }

  deinit { close(file) }

  /// The record at a byte, and where the next one begins; `nil` where it is not whole.
  private static func record(
    _ file: Int32, _ path: String, at: Int, length: Int
  ) throws(TrajpackError) -> ([UInt8], Int)? {
    guard length - at >= 8 else { return nil }
    let head = try bytes(file, path, at, 8)
    func word(_ from: Int) -> UInt32 {
      (0..<4).reduce(0) { $0 | UInt32(head[from + $1]) << (8 * UInt32($1)) }
    }
    let count = Int(word(0))
    guard count <= most, count <= length - at - 8 else { return nil }
    let found = try bytes(file, path, at + 8, count)
    guard found.withUnsafeBytes({ CRC32C.of($0) }) == word(4) else { return nil }
    return (found, at + 8 + count)
  }

  private static func bytes(
    _ file: Int32, _ path: String, _ at: Int, _ count: Int
  ) throws(TrajpackError) -> [UInt8] {
    var out = [UInt8](repeating: 0, count: count)
    var done = 0
    while done < count {
      let got = out.withUnsafeMutableBytes {
        pread(file, $0.baseAddress.map { $0 + done }, count - done, off_t(at + done))
      }
      if got < 0, errno == EINTR { continue }
      guard got > 0 else { throw .system("cannot be read", path) }
      done += got
    }
    return out
  }

  /// Takes what is known of a batch out of the log.
  func take(_ key: String) throws(TrajpackError) -> ByteDecoder? {
    guard let place = records.removeValue(forKey: key) else { return nil }
    var bytes = ByteDecoder(try Self.bytes(file, path, place.at, place.count))
    _ = bytes.text()
    return bytes
  }

  /// Adds what came of a batch.
  ///
  /// - Throws: An error of the machine.
  func append(_ key: String, _ write: (inout ByteEncoder) -> Void) throws(TrajpackError) {
    var out = ByteEncoder()
    out.add(key)
    write(&out)
    try append(out.bytes)
  }

  private func append(_ bytes: [UInt8]) throws(TrajpackError) {
    var record: [UInt8] = []
    record.reserveCapacity(bytes.count + 8)
    for word in [UInt32(bytes.count), bytes.withUnsafeBytes { CRC32C.of($0) }] {
      withUnsafeBytes(of: word.littleEndian) { record += $0 }
    }
    record += bytes
    var done = 0
    while done < record.count {
      let put = record.withUnsafeBytes {
        Glibc.write(file, $0.baseAddress.map { $0 + done }, record.count - done)
      }
      if put < 0, errno == EINTR { continue }
      guard put > 0 else { throw .system("cannot be written", path) }
      done += put
    }
  }

  /// Notes that a task of a job has come to its end, durably.
  func complete() throws(TrajpackError) {
    guard !isComplete else { return }
    try append(Self.end) { _ in }
    guard fsync(file) == 0 else { throw .system("cannot be synced", path) }
    isComplete = true
  }

  /// Whether the file of a task says that it has come to its end; changes nothing.
  static func isComplete(_ path: String) throws(TrajpackError) -> Bool {
    let file = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW)
    guard file >= 0 else { throw .system("cannot be opened", path) }
    defer { close(file) }
    let length = Int(lseek(file, 0, SEEK_END))
    var (at, last) = (0, "")
    while let (record, next) = try record(file, path, at: at, length: length) {
      var bytes = ByteDecoder(record)
      (at, last) = (next, bytes.text())
    }
    return last == end
  }

  /// Removes the file: the validation is done.
  func remove() { unlink(path) }
}
