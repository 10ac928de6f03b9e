import TrajpackFormat
import TrajpackStore

/// Brings finished shards home. For a bucket, one is sent while the next one is made, so that the writer's folder holds
/// two at most; each is acknowledged in its turn, when it is there.
final class ShardSender {
  /// What became of the shard that was sent.
  enum Settled {
    /// None was.
    case nothing
    /// It is at home, and acknowledged.
    case acknowledged(Manifest.Entry)
    /// The user wants to stop, and it is not.
    case stopped
  }

  private let folder: DatasetFolder
  private let isInterrupted: @Sendable () -> Bool
  /// The thread that sends; `nil` where shards stay in the folder.
  private let pool: WorkerPool?
  private var pending: (entry: Manifest.Entry, note: JSONValue, sent: Future<Bool>)?

  /// Whether a shard is under way.
  var isSending: Bool { pending != nil }

  init(
    _ folder: DatasetFolder, isInterrupted: @escaping @Sendable () -> Bool
  ) throws(TrajpackError) {
    self.folder = folder
    self.isInterrupted = isInterrupted
    pool = folder.home.isFolder ? nil : try WorkerPool(threads: 1)
  }

  /// Begins to bring a shard home, after ``settle()``.
  func send(_ entry: Manifest.Entry, note: JSONValue) throws(TrajpackError) {
    guard let pool else { return try folder.acknowledge(entry, note: note) }
    let (home, isInterrupted) = (folder.home, isInterrupted)
    let sent = pool.run { () throws(TrajpackError) in
      try Interruption.watched(isInterrupted) { () throws(TrajpackError) in
        try home.take(entry, replacing: false)
        return true
      }
    }
    pending = (entry, note, sent)
  }

  /// Waits for the shard that is under way, and acknowledges it.
  func settle() throws(TrajpackError) -> Settled {
    guard let (entry, note, sent) = pending else { return .nothing }
    pending = nil
    do throws(TrajpackError) {
      _ = try sent.value()
    } catch {
      guard isInterrupted() else { throw error }
      return .stopped
    }
    try folder.acknowledge(entry, note: note)
    return .acknowledged(entry)
  }
}
