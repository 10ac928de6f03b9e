import Synchronization
import TrajpackFormat
import TrajpackStore

/// The topics of a recording that one thread reads where several read it at once. Each thread walks through the whole
/// file and decodes the messages of its own topics, so that those of a topic are seen in their order.
struct TopicShare: Sendable {
  /// The number of the thread, and how many there are.
  let part: Int
  let parts: Int
  /// The part of each topic, where it is known how many messages each has; else topics go to the parts in turn.
  private var known: [TopicKey: Int] = [:]

  /// The share of one part. Of topics that were `examined`, each goes to the part that has the fewest messages, the
  /// topics with the most messages first.
  init(_ part: Int, of parts: Int, _ examined: [TopicProfile]) {
    (self.part, self.parts) = (part, parts)
    guard parts > 1 else { return }
    var messages = Array(repeating: 0, count: parts)
    let order = examined.indices.sorted { (-examined[$0].rows, $0) < (-examined[$1].rows, $1) }
    for i in order {
      let least = messages.indices.min { (messages[$0], $0) < (messages[$1], $1) } ?? 0
      known[examined[i].key] = least
      messages[least] += examined[i].rows
    }
  }

  /// Whether a topic is of the share; `number` is its number in the recording.
  func owns(_ key: TopicKey, _ number: Int) -> Bool {
    parts == 1 || (known[key] ?? number % parts) == part
  }
}

/// The threads that read topics of a recording beside the one that was asked to.
final class TopicHelpers: Sendable {
  private struct Offer {
    var threads: IdleThreads
    var isInterrupted: @Sendable () -> Bool
  }

  /// How one part ended.
  private struct Ended<Value: Sendable>: Sendable {
    /// Messages of the recording that it has passed.
    var seen = 0
    var result: Result<Value, TrajpackError>
  }

  private let offer = Mutex<Offer?>(nil)
  /// The most threads of a recording: every one of them walks through all of it.
  private static let most = 4
  /// Recordings of fewer bytes are read by one thread.
  private static let least = 256 << 10

  /// Takes threads to ask.
  func use(_ threads: IdleThreads, isInterrupted: @escaping @Sendable () -> Bool) {
    offer.withLock { $0 = Offer(threads: threads, isInterrupted: isInterrupted) }
  }

  /// Has the topics of a recording read, each by one of some threads.
  ///
  /// - Parameters:
  ///   - examined: The topics, where it is known what they hold.
  ///   - work: Reads a share, and counts the messages of the recording that it has passed.
  /// - Returns: What came of each share.
  /// - Throws: The error that one thread alone would have come to: that after the fewest messages.
  func read<Value: Sendable>(
    _ recording: Recording, _ examined: [TopicProfile] = [],
    _ work: @escaping @Sendable (TopicShare, inout Int) throws(TrajpackError) -> Value
  ) throws(TrajpackError) -> [Value] {
    guard recording.bytes >= Self.least, let offer = offer.withLock({ $0 }) else {
      var seen = 0
      return [try work(TopicShare(0, of: 1, examined), &seen)]
    }
    let ended = offer.threads.share(most: Self.most) { (part, parts) -> Ended<Value> in
      var seen = 0
      do throws(TrajpackError) {
        let value = try Interruption.watched(offer.isInterrupted) {
          () throws(TrajpackError) in
          try work(TopicShare(part, of: parts, examined), &seen)
        }
        return Ended(seen: seen, result: .success(value))
      } catch {
        return Ended(seen: seen, result: .failure(error))
      }
    }
    let first = ended.filter { (try? $0.result.get()) == nil }.min { $0.seen < $1.seen }
    if let first { return [try first.result.get()] }
    return ended.compactMap { try? $0.result.get() }
  }
}
