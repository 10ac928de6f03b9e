import Glibc
import Synchronization
import TrajpackFormat
import TrajpackRemote

/// An object of a bucket as a file of this machine, which gets its bytes when they are needed.
public final class BucketFile: Sendable {
  /// Bytes are brought in whole blocks of this size; it is what the first request of a file asks for.
  static let block = 64 << 10
  /// The most blocks of a request.
  private static let most = 64

  /// The file that has the bytes.
  public let path: String
  let about: BucketSource.File
  /// A file that has some of the bytes already, and which blocks; `nil` for none.
  private let earlier: (path: String, blocks: BlockSet)?
  private let state: Mutex<State>
  private let isWhole: Atomic<Bool>
  /// Called before the file's first read, to ask for the beginnings of the files that are probably read next.
  private let begins: @Sendable () -> Void

  private struct State {
    var source: RemoteFile?
    var blocks: BlockSet
    /// The blocks that were brought last.
    var last = 0..<0
  }

  /// - Throws: A machine error where the file cannot be made.
  init(
    _ about: BucketSource.File, at path: String, earlier: (path: String, blocks: BlockSet)?,
    begins: @escaping @Sendable () -> Void
  ) throws(TrajpackError) {
    self.about = about
    self.begins = begins
    let count = (about.bytes + Self.block - 1) / Self.block
    if let earlier, earlier.blocks.count == count {
      self.path = earlier.path
      self.earlier = nil
      isWhole = Atomic(true)
      state = Mutex(State(blocks: earlier.blocks))
      return
    }
    self.path = path
    self.earlier = earlier
    isWhole = Atomic(count == 0)
    state = Mutex(State(blocks: BlockSet(count: 0, of: count)))
    try FileSystem.makeFolder(FileSystem.parent(of: path))
    let descriptor = open(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0o666)
    guard descriptor >= 0 else { throw .system("cannot be made", path) }
    defer { close(descriptor) }
    guard ftruncate(descriptor, off_t(about.bytes)) == 0 else {
      throw .system("cannot be made", path)
    }
    if count == 0 { try giveTime() }
  }

  /// The blocks that are there.
  var blocks: BlockSet { state.withLock { $0.blocks } }

  /// Bytes that are not there, up to a block more or less.
  var missing: Int {
    isWhole.load(ordering: .acquiring) ? 0 : max(about.bytes - blocks.count * Self.block, 0)
  }

  /// Brings the bytes of a range that are not there yet. Several threads may call it.
  ///
  /// - Parameter isAlone: Whether no other files are asked for because of this read, as in a transfer of whole files.
  /// - Throws: A machine error where the object is not the one that was listed, the server does not answer, or the
  ///   disk has no room.
  func need(_ range: Range<Int>, isAlone: Bool = false) throws(TrajpackError) {
    let range = range.clamped(to: 0..<about.bytes)
    guard !range.isEmpty, !isWhole.load(ordering: .acquiring) else { return }
    let wanted = range.lowerBound / Self.block..<(range.upperBound - 1) / Self.block + 1
    let count = (about.bytes - 1) / Self.block + 1
    try state.withLock { (state) throws(TrajpackError) in
      if !isAlone, state.source == nil, state.blocks.count == 0 { begins() }
      var first = wanted.lowerBound
      while first < wanted.upperBound,
        let start = (first..<wanted.upperBound).first(where: { !state.blocks.has($0) })
      {
        var end = (start..<wanted.upperBound).first { state.blocks.has($0) } ?? wanted.upperBound
        // What is read in order is asked for in larger and larger parts.
        if state.last.upperBound == start, start > 0 {
          let limit = min(start + min(2 * state.last.count, Self.most), count)
          end = max(end, (start..<limit).first { state.blocks.has($0) } ?? limit)
        }
        try bring(start..<end, &state)
        first = end
      }
      guard state.blocks.isFull else { return }
      try giveTime()
      isWhole.store(true, ordering: .releasing)
    }
  }

  /// Gives the file the object's time.
  private func giveTime() throws(TrajpackError) {
    var times = [timespec](repeating: timespec(tv_sec: Int(about.modified), tv_nsec: 0), count: 2)
    guard utimensat(AT_FDCWD, path, &times, 0) == 0 else {
      throw .system("cannot be given its time", path)
    }
  }

  private func bring(_ blocks: Range<Int>, _ state: inout State) throws(TrajpackError) {
    let descriptor = open(path, O_WRONLY | O_NOFOLLOW | O_CLOEXEC)
    guard descriptor >= 0 else { throw .system("cannot be written", path) }
    defer { close(descriptor) }
    for first in stride(from: blocks.lowerBound, to: blocks.upperBound, by: Self.most) {
      try Interruption.check()
      let part = first..<min(first + Self.most, blocks.upperBound)
      let bytes = part.lowerBound * Self.block..<min(part.upperBound * Self.block, about.bytes)
      let hasEarlier = earlier.map { part.allSatisfy($0.blocks.has) } ?? false
      if let earlier, hasEarlier {
        let found = try LocalFile(earlier.path).bytes(bytes)
        try found.withUnsafeBytesThrowing { (found) throws(TrajpackError) in
          try FileSystem.write(found, to: descriptor, at: bytes.lowerBound, path)
        }
      } else {
        let source = try remote(&state)
        if part == 0..<1 {
          // It came when the file was opened.
          let head = try source.bytes(bytes)
          source.releaseHead()
          try head.withUnsafeBytesThrowing { (head) throws(TrajpackError) in
            try FileSystem.write(head, to: descriptor, at: 0, path)
          }
        } else {
          let fetch: RemoteFetch = source.fetch([bytes])
          if let found = try fetch.bytes(bytes) {
            try FileSystem.write(found, to: descriptor, at: bytes.lowerBound, path)
          }
          withExtendedLifetime(fetch) {}
        }
      }
      for block in part { state.blocks.insert(block) }
    }
    state.last = blocks
  }

  private func remote(_ state: inout State) throws(TrajpackError) -> RemoteFile {
    if let source = state.source { return source }
    let source = try RemoteFile(about.object)
    guard source.length == about.bytes, about.tag.isEmpty || source.identity == about.tag else {
      throw TrajpackError(
        .machine, file: about.object, "has changed since it was listed; run the command again")
    }
    state.source = source
    return source
  }
}

/// Which blocks of a file have been brought, a bit a block.
struct BlockSet: Sendable {
  private var words: [UInt64]
  private let limit: Int
  /// How many have been brought.
  private(set) var count: Int

  /// The first `count` of a file's `limit` blocks.
  init(count: Int, of limit: Int) {
    words = [UInt64](repeating: 0, count: (limit + 63) / 64)
    (self.limit, self.count) = (limit, 0)
    for block in 0..<count { insert(block) }
  }

  /// Whether all have been brought.
  var isFull: Bool { count == limit }

  /// Whether a block has been brought.
  func has(_ block: Int) -> Bool { words[block / 64] >> UInt64(block % 64) & 1 == 1 }

  /// Adds a block.
  mutating func insert(_ block: Int) {
    guard !has(block) else { return }
    words[block / 64] |= 1 << UInt64(block % 64)
    count += 1
  }

  /// The blocks as ranges, in order.
  var runs: [Range<Int>] {
    var runs: [Range<Int>] = []
    for block in 0..<limit where has(block) {
      if let last = runs.last, last.upperBound == block {
        runs[runs.count - 1] = last.lowerBound..<block + 1
      } else {
        runs.append(block..<block + 1)
      }
    }
    return runs
  }
}
