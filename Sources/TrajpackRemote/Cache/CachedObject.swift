import CCurlShims
import Glibc
import TrajpackCodecs
import TrajpackFormat

/// The blocks of one object that this machine has.
///
/// Both files are read and written by calls, never mapped: on a full disk a mapped file ends the process (SIGBUS), and a
/// call says so.
final class CachedObject: @unchecked Sendable {
  // Words are read and written whole; the files never change their length.
  private let cache: RemoteCache
  private let data: Int32
  private let map: Int32
  /// What this process knows of the map; 0 where it must look there.
  private let words: UnsafeMutablePointer<UInt64>
  private let wordBytes: Int
  private let length: Int
  private static let isThere: UInt64 = 1 << 32
  /// The most bytes of an object that is kept.
  private static let mostBytes = 1 << 50

  init?(_ base: String, _ length: Int, _ cache: RemoteCache) {
    guard length <= Self.mostBytes else { return nil }
    self.cache = cache
    self.length = length
    let blocks = (length + RemoteCache.block - 1) / RemoteCache.block
    wordBytes = blocks * 8
    data = Self.open("\(base).data", length)
    map = data >= 0 ? Self.open("\(base).map", wordBytes) : -1
    // Memory is taken when it is used.
    let flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE
    guard data >= 0, map >= 0,
      let start = mmap(nil, wordBytes, PROT_READ | PROT_WRITE, flags, -1, 0), start != MAP_FAILED
    else {
      if data >= 0 { close(data) }
      if map >= 0 { close(map) }
      return nil
    }
    words = start.bindMemory(to: UInt64.self, capacity: blocks)
    // When it was used last.
    futimens(map, nil)
  }

  deinit {
    munmap(words, wordBytes)
    close(data)
    close(map)
  }

  /// Opens a file of its length that is this user's and has no other name; -1 for a link, and for any other.
  private static func open(_ path: String, _ length: Int) -> Int32 {
    let file = Glibc.open(path, O_RDWR | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, 0o600)
    guard file >= 0 else { return -1 }
    var status = stat()
    guard fstat(file, &status) == 0, status.st_mode & S_IFMT == S_IFREG,
      status.st_uid == geteuid(), status.st_nlink <= 1,
      Int(status.st_size) == length || ftruncate(file, off_t(length)) == 0
    else {
      close(file)
      return -1
    }
    return file
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
    let numbers = numbers(range)
    if isKnown(numbers) { return true }
    // Another process may have brought them.
    var found = [UInt64](repeating: 0, count: numbers.count)
    let bytes = found.withUnsafeMutableBytes {
      pread(map, $0.baseAddress, $0.count, off_t(numbers.lowerBound * 8))
    }
    guard bytes == found.count * 8 else { return false }
    for (number, word) in zip(numbers, found) where word & Self.isThere != 0 {
      tpr_store64(words + number, word)
    }
    return isKnown(numbers)
  }

  private func isKnown(_ numbers: Range<Int>) -> Bool {
    numbers.allSatisfy { tpr_load64(words + $0) & Self.isThere != 0 }
  }

  /// Says what is there of some blocks, here and in the file. Where the disk refuses, other processes do not learn of it.
  private func set(_ numbers: Range<Int>, _ found: [UInt64]) {
    for (number, word) in zip(numbers, found) { tpr_store64(words + number, word) }
    found.withUnsafeBytes {
      _ = pwrite(map, $0.baseAddress, $0.count, off_t(numbers.lowerBound * 8))
    }
  }

  /// Fills `buffer` with whole blocks; false where one is not there, or not what was written.
  func read(_ range: Range<Int>, into buffer: UnsafeMutableRawBufferPointer) -> Bool {
    guard peek(range, into: buffer) else { return false }
    var isGood = true
    each(range, UnsafeRawBufferPointer(buffer)) { number, bytes in
      guard tpr_load64(words + number) != Self.isThere | UInt64(CRC32C.of(bytes)) else { return }
      set(number..<number + 1, [0])
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
  func forget(_ range: Range<Int>) {
    let numbers = numbers(range)
    set(numbers, [UInt64](repeating: 0, count: numbers.count))
  }

  /// Keeps whole blocks, where the disk has room for them.
  func write(_ range: Range<Int>, _ bytes: UnsafeRawBufferPointer) {
    // What was removed to keep the limit is not filled any further.
    var status = stat()
    guard fstat(map, &status) == 0, status.st_nlink > 0 else { return }
    var done = 0
    while done < bytes.count, let start = bytes.baseAddress {
      let count = pwrite(data, start + done, bytes.count - done, off_t(range.lowerBound + done))
      guard count > 0 else { return }
      done += count
    }
    var found: [UInt64] = []
    each(range, bytes) { _, bytes in found.append(Self.isThere | UInt64(CRC32C.of(bytes))) }
    set(numbers(range), found)
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
