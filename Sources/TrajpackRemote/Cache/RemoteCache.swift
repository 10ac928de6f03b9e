import CCurlShims
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
/// kept.
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
  static func shared() -> RemoteCache? {
    guard let folder = RemoteSettings.variable(folderName) else { return nil }
    let limit = RemoteSettings.variable("TRAJPACK_CACHE_BYTES").flatMap(Self.bytes) ?? 10 << 30
    return current.withLock { current in
      if let current, current.folder == folder, current.limit == limit { return current }
      current = RemoteCache(folder, limit)
      return current
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
    mkdir(folder, 0o700)
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
    let lock = open("\(folder)/lock", O_RDWR | O_CREAT | O_CLOEXEC, 0o600)
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
      guard stat("\(base).data", &data) == 0 else { continue }
      let isMapped = stat("\(base).map", &map) == 0
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

/// The blocks of one object that this machine has.
final class CachedObject: @unchecked Sendable {
  // Words of the map are read and written whole; the files never change their length.
  private let cache: RemoteCache
  private let data: Int32
  private let mapFile: Int32
  private let map: UnsafeMutablePointer<UInt64>
  private let mapBytes: Int
  private let length: Int
  private static let isThere: UInt64 = 1 << 32

  init?(_ base: String, _ length: Int, _ cache: RemoteCache) {
    self.cache = cache
    self.length = length
    let blocks = (length + RemoteCache.block - 1) / RemoteCache.block
    mapBytes = blocks * 8
    data = open("\(base).data", O_RDWR | O_CREAT | O_CLOEXEC, 0o600)
    mapFile = open("\(base).map", O_RDWR | O_CREAT | O_CLOEXEC, 0o600)
    guard data >= 0, mapFile >= 0, ftruncate(data, off_t(length)) == 0,
      ftruncate(mapFile, off_t(mapBytes)) == 0,
      let start = mmap(nil, mapBytes, PROT_READ | PROT_WRITE, MAP_SHARED, mapFile, 0),
      start != MAP_FAILED
    else {
      close(data)
      close(mapFile)
      return nil
    }
    map = start.bindMemory(to: UInt64.self, capacity: blocks)
    // When it was used last.
    futimens(mapFile, nil)
  }

  deinit {
    munmap(map, mapBytes)
    close(data)
    close(mapFile)
  }

  /// Whole blocks that hold a range.
  func blocks(_ range: Range<Int>) -> Range<Int> {
    let size = RemoteCache.block
    return range.lowerBound / size * size..<min((range.upperBound + size - 1) / size * size, length)
  }

  private func numbers(_ range: Range<Int>) -> Range<Int> {
    range.lowerBound / RemoteCache.block..<(range.upperBound + RemoteCache.block - 1)
      / RemoteCache.block
  }

  /// Whether all blocks of a range are said to be there.
  func has(_ range: Range<Int>) -> Bool {
    numbers(range).allSatisfy { tpr_load64(map + $0) & Self.isThere != 0 }
  }

  /// Fills `buffer` with whole blocks; false where one is not there, or not what was written.
  func read(_ range: Range<Int>, into buffer: UnsafeMutableRawBufferPointer) -> Bool {
    guard peek(range, into: buffer) else { return false }
    var isGood = true
    each(range, UnsafeRawBufferPointer(buffer)) { number, bytes in
      guard tpr_load64(map + number) != Self.isThere | UInt64(CRC32C.of(bytes)) else { return }
      tpr_store64(map + number, 0)
      isGood = false
    }
    return isGood
  }

  /// Fills `buffer` with a range as the folder has it, compared with nothing; false where a block is not there.
  func peek(_ range: Range<Int>, into buffer: UnsafeMutableRawBufferPointer) -> Bool {
    guard has(range) else { return false }
    var done = 0
    while done < buffer.count, let start = buffer.baseAddress {
      let count = pread(data, start + done, buffer.count - done, off_t(range.lowerBound + done))
      guard count > 0 else { return false }
      done += count
    }
    return true
  }

  /// Lets the blocks of a range go, so that they are had again.
  func forget(_ range: Range<Int>) { for number in numbers(range) { tpr_store64(map + number, 0) } }

  /// Keeps whole blocks.
  func write(_ range: Range<Int>, _ bytes: UnsafeRawBufferPointer) {
    // What was removed to keep the limit is not filled any further.
    var status = stat()
    guard fstat(mapFile, &status) == 0, status.st_nlink > 0 else { return }
    var done = 0
    while done < bytes.count, let start = bytes.baseAddress {
      let count = pwrite(data, start + done, bytes.count - done, off_t(range.lowerBound + done))
      guard count > 0 else { return }
      done += count
    }
    each(range, bytes) { number, bytes in
      tpr_store64(map + number, Self.isThere | UInt64(CRC32C.of(bytes)))
    }
    cache.didWrite(bytes.count)
  }

  private func each(
    _ range: Range<Int>, _ bytes: UnsafeRawBufferPointer,
    _ body: (Int, UnsafeRawBufferPointer) -> Void
  ) {
    for number in numbers(range) {
      let first = number * RemoteCache.block - range.lowerBound
      body(
        number,
        UnsafeRawBufferPointer(rebasing: bytes[first..<min(first + RemoteCache.block, bytes.count)])
      )
    }
  }
}
