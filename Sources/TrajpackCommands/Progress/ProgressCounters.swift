import Synchronization

/// What a long job has done, bumped by any thread: an atomic add a call, no lock.
final class ProgressCounters: Sendable {
  private let bytes = Atomic<Int>(0)
  private let items = Atomic<Int>(0)
  private let readBytes = Atomic<Int>(0)
  private let totalBytes = Atomic<Int>(0)
  private let totalItems = Atomic<Int>(0)
  private let resumedBytes = Atomic<Int>(0)
  private let resumedItems = Atomic<Int>(0)
  private let item = Mutex("")

  /// The counters at one moment.
  struct Snapshot: Sendable, Equatable {
    var bytes = 0
    var items = 0
    /// 0 while unknown.
    var totalBytes = 0
    /// 0 while unknown.
    var totalItems = 0
    /// What an earlier run had done already; counts as done, not as speed.
    var resumedBytes = 0
    var resumedItems = 0
    var item = ""

    /// Bytes done of bytes in all, or items where bytes are unknown; nil where both are.
    var fraction: Double? {
      if totalBytes > 0 { return min(1, Double(bytes) / Double(totalBytes)) }
      if totalItems > 0 { return min(1, Double(items) / Double(totalItems)) }
      return nil
    }
  }

  /// Adds to what there is to do.
  func expect(bytes newBytes: Int = 0, items newItems: Int = 0) {
    totalBytes.wrappingAdd(newBytes, ordering: .relaxed)
    totalItems.wrappingAdd(newItems, ordering: .relaxed)
  }

  /// Counts what an earlier run had done.
  func resume(bytes newBytes: Int = 0, items newItems: Int = 0) {
    resumedBytes.wrappingAdd(newBytes, ordering: .relaxed)
    resumedItems.wrappingAdd(newItems, ordering: .relaxed)
    advance(bytes: newBytes, items: newItems)
  }

  func advance(bytes newBytes: Int = 0, items newItems: Int = 0) {
    bytes.wrappingAdd(newBytes, ordering: .relaxed)
    items.wrappingAdd(newItems, ordering: .relaxed)
  }

  /// Counts bytes of files each of which is told three times until it is done, examined, drafted and written, so that
  /// progress moves within one large file.
  func read(bytes newBytes: Int) { readBytes.wrappingAdd(newBytes, ordering: .relaxed) }

  /// Names what is being worked on; the name may come from a file.
  func begin(_ name: String) { item.withLock { $0 = name } }

  var snapshot: Snapshot {
    let resumed = resumedBytes.load(ordering: .relaxed)
    let read = min(
      resumed + readBytes.load(ordering: .relaxed) / 3, totalBytes.load(ordering: .relaxed))
    return Snapshot(
      bytes: max(bytes.load(ordering: .relaxed), read), items: items.load(ordering: .relaxed),
      totalBytes: totalBytes.load(ordering: .relaxed),
      totalItems: totalItems.load(ordering: .relaxed),
      resumedBytes: resumedBytes.load(ordering: .relaxed),
      resumedItems: resumedItems.load(ordering: .relaxed), item: item.withLock { $0 })
  }
}
