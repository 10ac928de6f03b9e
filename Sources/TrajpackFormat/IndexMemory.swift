import CPlatform
import Glibc
import Synchronization

/// Memory of an index. Where a process has many of them, it lies in a file without a name on a disk of this machine:
/// what is not looked at may leave memory, and comes back from there when it is. So indexes of any number of episodes
/// need little memory, and nothing is read from the shards a second time.
///
/// Any number of threads take memory without a lock, so that a fork at any moment does no harm; then it is settled
/// once, before the index is shared. It goes with the last table that lies in it.
package final class IndexMemory: @unchecked Sendable {
  // `taken` is changed atomically. The rest is written by `init`, and by `settle()` before others see the index.
  private let start: UnsafeMutableRawPointer?
  private var mapped: Int
  private var descriptor: Int32
  private let taken = Atomic<Int>(0)
  /// Bytes that count as kept in ordinary memory.
  private let counted: Int

  /// Bytes of indexes, as they lie in their files, that a process keeps in ordinary memory.
  package static let mostKept = 32 << 20
  private static let kept = Atomic<Int>(0)
  private static let files = Atomic<Int>(0)

  /// Bytes of indexes that are in ordinary memory now, and how many others lie in files.
  package static var inUse: (kept: Int, files: Int) {
    (kept.load(ordering: .relaxed), files.load(ordering: .relaxed))
  }

  /// A file without a name that is mapped, and belongs to the memory that is made of it.
  package struct File {
    package var start: UnsafeMutableRawPointer
    package var count: Int
    package var descriptor: Int32

    package init(start: UnsafeMutableRawPointer, count: Int, descriptor: Int32) {
      (self.start, self.count, self.descriptor) = (start, count, descriptor)
    }
  }

  /// Memory for an index of `bytes` bytes in its shard: that of a file, or ordinary memory where there is none.
  package init(_ file: File?, indexBytes bytes: Int) {
    (start, mapped, descriptor) = (file?.start, file?.count ?? 0, file?.descriptor ?? -1)
    counted = file == nil ? bytes : 0
    if counted > 0 { Self.kept.add(counted, ordering: .relaxed) }
    if file != nil { Self.files.add(1, ordering: .relaxed) }
  }

  deinit {
    if counted > 0 { Self.kept.subtract(counted, ordering: .relaxed) }
    guard let start else { return }
    if descriptor >= 0 { close(descriptor) }
    munmap(start, mapped)
    Self.files.subtract(1, ordering: .relaxed)
  }

  /// Whether it lies on a disk.
  package var isOnDisk: Bool { start != nil }

  /// `count` bytes, at a multiple of 16; `nil` where ordinary memory is to be taken.
  package func take(_ count: Int) -> UnsafeMutableRawPointer? {
    guard let start, descriptor >= 0 else { return nil }
    let size = (count + 15) & ~15
    let end = taken.add(size, ordering: .relaxed).newValue
    return end <= mapped ? start + (end - size) : nil
  }

  /// Whether it has given these bytes out.
  package func owns(_ bytes: UnsafeRawPointer) -> Bool {
    guard let start else { return false }
    return bytes >= UnsafeRawPointer(start) && bytes < UnsafeRawPointer(start) + mapped
  }

  /// Gives back what was not taken, and lets the rest leave memory. Nothing is taken afterwards.
  package func settle() {
    guard let start, descriptor >= 0 else { return }
    mapped = tp_disk_memory_settle(
      start, mapped, min(taken.load(ordering: .relaxed), mapped), descriptor)
    descriptor = -1
  }
}
