import Synchronization
import TrajpackFormat
import TrajpackStore
import TrajpackVideo

/// Tells of bytes of recordings that are read, so that progress moves within one large file. Each byte of a file is told
/// twice: as it is read when it is examined and again when it is drafted, or doubly where it is read once.
final class ReadWatch: Sendable {
  /// A function in a box: a generic type such as `Mutex` wraps a bare function anew at every access, so that each call
  /// went through all wrappers before it.
  private struct Listener {
    let tell: @Sendable (Int) -> Void
  }

  private let listener = Mutex<Listener?>(nil)

  /// Has `body` told how many bytes were read, whenever some were.
  func tell(_ body: @escaping @Sendable (Int) -> Void) {
    listener.withLock { $0 = Listener(tell: body) }
  }

  /// Notes that bytes were read.
  func didRead(_ count: Int) { listener.withLock { $0 }?.tell(count) }

  /// A file whose bytes are told as often as given: twice where it is read once.
  func file(_ path: String, times: Int = 1) throws(TrajpackError) -> LocalFile {
    try LocalFile(path) { [self] in didRead($0 * times) }
  }
}

/// A video whose bytes are told as they are demuxed. A demuxer reads what it is asked for, and its packets are compared
/// with the bytes of the file, so half of what it reads is told.
struct WatchedVideo: VideoByteSource {
  private let source: VideoFileBytes
  private let watch: ReadWatch

  init(_ path: String, _ watch: ReadWatch) throws(TrajpackError) {
    source = try VideoFileBytes(path: BucketFolder.wholeFile(path))
    self.watch = watch
  }

  var name: String { source.name }
  var byteCount: Int64 { source.byteCount }

  func read(
    at offset: Int64, into buffer: UnsafeMutableRawBufferPointer
  ) throws(TrajpackError) -> Int {
    let count = try source.read(at: offset, into: buffer)
    watch.didRead(count / 2)
    return count
  }
}
