import Glibc
import Synchronization
import TrajpackCodecs
import TrajpackFormat

/// Blocks of remote objects in a folder of this machine, shared by all processes that name it (TRAJPACK_CACHE_DIR), up to
/// some bytes (TRAJPACK_CACHE_BYTES, 10 GiB by default).
///
/// An object has two files, named by the SHA-256 of its path, its ETag and its length, so that another content is another
/// object: its bytes with holes (`.data`), and for each block whether it is there and its checksum (`.map`). A block that
/// a crash has left without its bytes does not match its checksum, and is had again. Where the disk refuses, nothing is
/// kept; folders that another user may write to are refused, and links in one are not followed.
final class RemoteCache: Sendable {
  /// Bytes of a block.
  static let block = 16 << 10
  private static let folderName = "TRAJPACK_CACHE_DIR"
  private static let current = Mutex<RemoteCache?>(nil)
  private static let checkEvery = 64 << 20

  private let folder: String
  private let limit: Int
  /// Bytes that were written since the folder was looked at.
  private let written = Atomic<Int>(0)

  /// The cache that the environment names; `nil` for none.
  ///
  /// - Throws: A usage error where another user may write to the folder, or the limit cannot be read.
  static func shared() throws(TrajpackError) -> RemoteCache? {
    guard let folder = RemoteSettings.variable(folderName) else { return nil }
    let limit = try RemoteSettings.bytes("TRAJPACK_CACHE_BYTES", 0...Int.max) ?? 10 << 30
    let known = current.withLock { current in
      current.flatMap { $0.folder == folder && $0.limit == limit ? $0 : nil }
    }
    if let known { return known }
    mkdir(folder, 0o700)
    try requireOwn(folder)
    return current.withLock { current in
      if let current, current.folder == folder, current.limit == limit { return current }
      current = RemoteCache(folder, limit)
      return current
    }
  }

  /// Refuses a folder in which another user could change what is kept, or put links there.
  private static func requireOwn(_ folder: String) throws(TrajpackError) {
    var status = stat()
    // What is no folder keeps nothing.
    guard stat(folder, &status) == 0, status.st_mode & S_IFMT == S_IFDIR else { return }
    // Where the sticky bit is set, as for /tmp, others may add files only, and files of others are not taken.
    let isOwn = status.st_uid == geteuid() || status.st_uid == 0
    guard isOwn, status.st_mode & 0o022 == 0 || status.st_mode & S_ISVTX != 0 else {
      throw TrajpackError(
        .usage, file: folder,
        "another user may write to this folder, which \(folderName) names, so nothing is kept in it; run 'chmod go-w' on "
          + "it where it is yours, or name another")
    }
  }

  /// A number of bytes: `1000000`, `500MiB`, `20GiB`.
  static func bytes(_ text: String) -> Int? {
    let digits = text.prefix { $0.isNumber }
    let units = ["": 0, "KiB": 10, "MiB": 20, "GiB": 30, "TiB": 40]
    guard let number = Int(digits), let shift = units[text.dropFirst(digits.count).trimmed] else {
      return nil
    }
    let (bytes, isOver) = number.multipliedReportingOverflow(by: 1 << shift)
    return isOver ? nil : bytes
  }

  private init(_ folder: String, _ limit: Int) {
    (self.folder, self.limit) = (folder, limit)
    trim()
  }

  /// The place of an object; `nil` where it has nothing that identifies its content, or the disk refuses.
  func object(_ path: String, tag: String, length: Int) -> CachedObject? {
    guard !tag.isEmpty, length > 0 else { return nil }
    let name = Array("\(path)\n\(tag)\n\(length)".utf8).withUnsafeBytes { SHA256.of($0) }
    return CachedObject("\(folder)/\(name)", length, self)
  }

  /// Notes that bytes were written, and looks after the limit now and then.
  func didWrite(_ bytes: Int) {
    let sum = written.add(bytes, ordering: .relaxed).newValue
    guard sum >= min(Self.checkEvery, max(limit / 4, 1 << 20)) else { return }
    written.store(0, ordering: .relaxed)
    trim()
  }

  /// Removes the objects that were not opened for longest, where all take more than the limit. One process at a time.
  private func trim() {
    let lock = open("\(folder)/lock", O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0o600)
    guard lock >= 0 else { return }
    defer { close(lock) }
    guard flock(lock, LOCK_EX | LOCK_NB) == 0, let directory = opendir(folder) else { return }
    defer { closedir(directory) }
    var objects: [(name: String, bytes: Int, used: Int)] = []
    while let entry = readdir(directory) {
      let name = withUnsafePointer(to: &entry.pointee.d_name) {
        $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
      }
      guard name.hasSuffix(".data") else { continue }
      var (data, map) = (stat(), stat())
      let base = "\(folder)/\(name.dropLast(5))"
      guard lstat("\(base).data", &data) == 0 else { continue }
      let isMapped = lstat("\(base).map", &map) == 0
      objects.append((base, Int(data.st_blocks) * 512, isMapped ? Int(map.st_mtim.tv_sec) : 0))
    }
    var sum = objects.reduce(0) { $0 + $1.bytes }
    for object in objects.sorted(by: { $0.used < $1.used }) where sum > limit {
      // The map first: without it, nothing of the data counts.
      unlink("\(object.name).map")
      unlink("\(object.name).data")
      sum -= object.bytes
    }
  }
}
