import Glibc
import Synchronization
import TrajpackFormat
import TrajpackRemote

/// An object of a bucket as a file of this machine, which gets its bytes when they are needed.
public final class BucketFile: Sendable {
  /// Bytes are brought in whole blocks of this size; it is what the first request of a file asks for.
  static let block = 64 << 10
  /// Bytes that are written at once.
  private static let step = 1 << 20

  /// The file that has the bytes.
  public let path: String
  let about: BucketSource.File
  /// A file that has some of the bytes already, and which blocks; `nil` for none.
  private let earlier: (path: String, blocks: BlockSet)?
  private let state: Mutex<State>
  private let isWhole: Atomic<Bool>

  private struct State {
    var source: RemoteFile?
    var blocks: BlockSet
  }

  /// - Throws: A machine error where the file cannot be made.
  init(
    _ about: BucketSource.File, at path: String, earlier: (path: String, blocks: BlockSet)?
  ) throws(TrajpackError) {
    self.about = about
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
    let descriptor = open(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0o600)
    guard descriptor >= 0 else { throw .system("cannot be made", path) }
    defer { close(descriptor) }
    guard ftruncate(descriptor, off_t(about.bytes)) == 0 else {
      throw .system("cannot be made", path)
    }
  }

  /// The blocks that are there.
  var blocks: BlockSet { state.withLock { $0.blocks } }

  /// Whether nothing of it was asked for yet.
  var isUntouched: Bool { state.withLock { $0.source == nil && $0.blocks.count == 0 } }

  /// Brings the bytes of a range that are not there yet. Several threads may call it.
  ///
  /// - Throws: A machine error where the object is not the one that was listed, the server does not answer, or the
  ///   disk has no room.
  func need(_ range: Range<Int>) throws(TrajpackError) {
    let range = range.clamped(to: 0..<about.bytes)
    guard !range.isEmpty, !isWhole.load(ordering: .acquiring) else { return }
    let wanted = range.lowerBound / Self.block..<(range.upperBound - 1) / Self.block + 1
    try state.withLock { (state) throws(TrajpackError) in
      var first = wanted.lowerBound
      while let start = (first..<wanted.upperBound).first(where: { !state.blocks.has($0) }) {
        let end = (start..<wanted.upperBound).first { state.blocks.has($0) } ?? wanted.upperBound
        try bring(start..<end, &state)
        first = end
      }
      guard state.blocks.isFull else { return }
      var times = [timespec](repeating: timespec(tv_sec: Int(about.modified), tv_nsec: 0), count: 2)
      guard utimensat(AT_FDCWD, path, &times, 0) == 0 else {
        throw .system("cannot be given its time", path)
      }
      isWhole.store(true, ordering: .releasing)
    }
  }

  private func bring(_ blocks: Range<Int>, _ state: inout State) throws(TrajpackError) {
    let descriptor = open(path, O_WRONLY | O_NOFOLLOW | O_CLOEXEC)
    guard descriptor >= 0 else { throw .system("cannot be written", path) }
    defer { close(descriptor) }
    var buffer = [UInt8](repeating: 0, count: min(Self.step, blocks.count * Self.block))
    let blocksOfStep = max(buffer.count / Self.block, 1)
    for first in stride(from: blocks.lowerBound, to: blocks.upperBound, by: blocksOfStep) {
      try Interruption.check()
      let part = first..<min(first + blocksOfStep, blocks.upperBound)
      let bytes = part.lowerBound * Self.block..<min(part.upperBound * Self.block, about.bytes)
      try buffer.withMutableBytes { (room) throws(TrajpackError) in
        let room = UnsafeMutableRawBufferPointer(rebasing: room.prefix(bytes.count))
        if let earlier, part.allSatisfy(earlier.blocks.has) {
          try LocalFile(earlier.path).read(at: bytes.lowerBound, into: room)
        } else {
          try remote(&state).read(at: bytes.lowerBound, into: room)
        }
        try Self.write(UnsafeRawBufferPointer(room), to: descriptor, at: bytes.lowerBound, path)
      }
      for block in part { state.blocks.insert(block) }
    }
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

  private static func write(
    _ bytes: UnsafeRawBufferPointer, to descriptor: Int32, at offset: Int, _ path: String
  ) throws(TrajpackError) {
    var done = 0
    while done < bytes.count {
      let count = pwrite(
        descriptor, bytes.baseAddress.unsafelyUnwrapped + done, bytes.count - done,
        off_t(offset + done))
      if count < 0 {
        if errno == EINTR { continue }
        throw .system("cannot be written", path)
      }
      done += count
    }
  }
}

/// Which blocks of a file there are.
struct BlockSet: Sendable {
  private var words: [UInt64]
  private let limit: Int
  /// How many there are.
  private(set) var count: Int

  /// The first `count` of `limit` blocks.
  init(count: Int, of limit: Int) {
    words = [UInt64](repeating: 0, count: (limit + 63) / 64)
    (self.limit, self.count) = (limit, 0)
    for block in 0..<count { insert(block) }
  }

  /// Whether all are there.
  var isFull: Bool { count == limit }

  /// Whether a block is there.
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
