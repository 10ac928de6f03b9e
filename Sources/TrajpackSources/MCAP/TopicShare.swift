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

  /// How one part ended, after how many messages of the recording.
  private struct Ended<Value: Sendable>: Sendable {
    var passed: Int
    var result: Result<Value, TrajpackError>
  }

  private let offer = Mutex<Offer?>(nil)
  /// The most threads of a recording: every one of them walks through all of it.
  static let most = 4
  /// Recordings of fewer bytes are read by one thread.
  static let least = 256 << 10

  /// Takes threads to ask.
  func use(_ threads: IdleThreads, isInterrupted: @escaping @Sendable () -> Bool) {
    offer.withLock { $0 = Offer(threads: threads, isInterrupted: isInterrupted) }
  }

  /// Has the topics of a recording read, each by one of some threads.
  ///
  /// - Parameters:
  ///   - examined: The topics, where it is known what they hold.
  ///   - work: Reads the topics of a share.
  /// - Returns: What came of each share.
  /// - Throws: The error that one thread alone would have come to: that after the fewest messages.
  func read<Value: Sendable>(
    _ recording: Recording, _ settings: MappingOptions, _ examined: [TopicProfile] = [],
    _ work: @escaping @Sendable (MessageDecoding) throws(TrajpackError) -> Value
  ) throws(TrajpackError) -> [Value] {
    func alone() throws(TrajpackError) -> [Value] {
      [try work(MessageDecoding(TopicShare(0, of: 1, examined), settings))]
    }
    guard recording.bytes >= Self.least, let offer = offer.withLock({ $0 }) else {
      return try alone()
    }
    // Messages before the first error that any part has come to: no other part need go on behind it.
    let fewest = Fewest()
    let most = examined.isEmpty ? Self.most : min(Self.most, examined.count)
    let ended = offer.threads.share(most: most) { (part, parts) -> Ended<Value> in
      let decoding = MessageDecoding(TopicShare(part, of: parts, examined), settings)
      do throws(TrajpackError) {
        let value = try Interruption.watched {
          offer.isInterrupted() || decoding.passed > fewest.value
        } _: { () throws(TrajpackError) in
          try work(decoding)
        }
        return Ended(passed: decoding.passed, result: .success(value))
      } catch {
        fewest.lower(to: decoding.passed)
        return Ended(passed: decoding.passed, result: .failure(error))
      }
    }
    let failed = ended.filter { (try? $0.result.get()) == nil }.min { $0.passed < $1.passed }
    if let failed { return [try failed.result.get()] }
    return ended.compactMap { try? $0.result.get() }
  }

  /// A number that several threads lower.
  private final class Fewest: Sendable {
    private let number = Atomic<Int>(.max)

    var value: Int { number.load(ordering: .relaxed) }

    func lower(to other: Int) { number.min(other, ordering: .relaxed) }
  }
}
