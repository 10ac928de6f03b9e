import TrajpackFormat
import TrajpackStore

/// Inflated chunks that are kept for the windows to come, up to a number of bytes; the longest unused go
/// first.
final class ChunkCache: @unchecked Sendable {
  /// A chunk as it is in an epoch; 0 for all of those where it is the same.
  struct Key: Hashable {
    var chunk: UInt64
    var epoch: UInt64 = 0
  }

  /// The inflated blocks of one read of a chunk.
  final class Entry: @unchecked Sendable {
    // Filled by one thread before it is kept, then only read.
    let bytes: UnsafeMutableRawBufferPointer
    var shuffled: [Bool] = []
    fileprivate var key = Key(chunk: 0)
    fileprivate var wasUsed = true

    init(bytes count: Int) { bytes = .allocate(byteCount: max(count, 1), alignment: 64) }
    deinit { bytes.deallocate() }
  }

  private let lock = ConditionLock()
  /// The most bytes that are kept.
  let limit: Int
  private var entries: [Key: Entry] = [:]
  /// Those before `head` are gone.
  private var queue: [Entry?] = []
  private var head = 0
  private var held = 0
  private var spare: [Entry] = []

  init(limit: Int) { self.limit = limit }

  /// Bytes that are kept.
  var count: Int { lock.locked { held } }

  func find(_ key: Key) -> Entry? {
    lock.locked {
      let entry = entries[key]
      entry?.wasUsed = true
      return entry
    }
  }

  /// Whether a chunk is kept, which does not count as a use.
  func has(_ key: Key) -> Bool { lock.locked { entries[key] != nil } }

  /// An entry to fill.
  func make(bytes: Int) -> Entry {
    let old: Entry? = lock.locked {
      guard var last = spare.popLast(), last.bytes.count == max(bytes, 1) else { return nil }
      // Somebody may still copy from it.
      return isKnownUniquelyReferenced(&last) ? last : nil
    }
    return old ?? Entry(bytes: bytes)
  }

  /// Keeps a filled entry, and lets others go (the clock algorithm: one that was used since its last turn
  /// gets another).
  func keep(_ key: Key, _ entry: Entry) {
    lock.locked {
      guard entries[key] == nil, entry.bytes.count <= limit else { return }
      while held + entry.bytes.count > limit, head < queue.count {
        let next = queue[head]
        queue[head] = nil
        head += 1
        guard let oldest = next else { continue }
        if oldest.wasUsed {
          oldest.wasUsed = false
          queue.append(oldest)
        } else {
          entries[oldest.key] = nil
          held -= oldest.bytes.count
          if spare.count < 16 { spare.append(oldest) }
        }
      }
      if head > 1024, head * 2 > queue.count {
        queue.removeFirst(head)
        head = 0
      }
      entry.key = key
      entry.wasUsed = false
      entries[key] = entry
      queue.append(entry)
      held += entry.bytes.count
    }
  }
}
