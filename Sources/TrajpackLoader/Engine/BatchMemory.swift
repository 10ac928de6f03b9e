import CPlatform
import Glibc
import TrajpackFormat
import TrajpackStore

/// Memory for batches, used again and again: what was lent first, then what it allocates itself.
final class BatchMemory: @unchecked Sendable {
  // Changed under its lock only.
  private let lock = ConditionLock()
  private let bytes: Int
  private let spareLimit: Int
  private let generation = tp_fork_generation()
  private var free: [UnsafeMutableRawPointer] = []
  private var lent: [UnsafeMutableRawPointer] = []

  /// Memory for batches of `bytes`, of which up to `spareLimit` are kept while nobody uses them.
  init(bytes: Int, spareLimit: Int) {
    self.bytes = max(bytes, 64)
    self.spareLimit = spareLimit
  }

  deinit { for memory in free where !lent.contains(memory) { Glibc.free(memory) } }

  /// Takes memory of the caller's in.
  func lend(_ memory: UnsafeMutableRawPointer) {
    lock.locked {
      lent.append(memory)
      free.append(memory)
    }
  }

  /// Memory for one batch.
  func take() throws(TrajpackError) -> UnsafeMutableRawPointer {
    if let memory = lock.locked({ free.popLast() }) { return memory }
    var memory: UnsafeMutableRawPointer?
    // Large pages where the kernel has them: fewer faults, and fewer misses of the page table.
    let alignment = bytes >= 4 << 20 ? 2 << 20 : 4096
    guard posix_memalign(&memory, alignment, bytes) == 0, let memory else {
      throw TrajpackError(
        .machine,
        "there is no memory for a batch of \(bytes) bytes; make 'batch' or 'prefetch' smaller")
    }
    if alignment > 4096 { madvise(memory, bytes, 14) }  // MADV_HUGEPAGE
    memset(memory, 0, bytes)
    return memory
  }

  /// Takes a batch's memory back.
  func give(_ memory: UnsafeMutableRawPointer) {
    // In the child of a fork the lock may be held by a thread that is not there.
    guard generation == tp_fork_generation() else { return }
    let isOver = lock.locked {
      if !lent.contains(memory), free.count >= spareLimit { return true }
      free.append(memory)
      return false
    }
    if isOver { Glibc.free(memory) }
  }
}

/// A finished batch. Its memory goes back to the loader with the last reference.
public final class Batch: @unchecked Sendable {
  // Never changed after the consumer has it.
  /// All arrays, each at its offset.
  public let memory: UnsafeRawPointer
  /// Bytes of the memory.
  public let bytes: Int
  /// Windows in it.
  public let count: Int
  /// The epoch, and the windows of it on all ranks before this batch.
  public let cursor: WindowCursor
  /// The number of each window in its dataset.
  public let windows: [UInt64]
  /// The dataset of each window.
  public let datasets: [UInt32]
  /// Whether its only window is one that another rank has, so that this rank's batch is not empty. Its
  /// rows are padding.
  public let isRepeated: Bool
  private let pool: BatchMemory
  private let owned: UnsafeMutableRawPointer

  init(
    _ memory: UnsafeMutableRawPointer, bytes: Int, pool: BatchMemory, cursor: WindowCursor,
    places: [WindowOrder.Reference], isRepeated: Bool
  ) {
    owned = memory
    self.memory = UnsafeRawPointer(memory)
    self.bytes = bytes
    self.pool = pool
    self.cursor = cursor
    count = places.count
    self.isRepeated = isRepeated && !places.isEmpty
    windows = places.map(\.window)
    datasets = places.map { UInt32($0.dataset) }
  }

  deinit { pool.give(owned) }
}
