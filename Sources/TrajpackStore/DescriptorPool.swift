import CPlatform
import Glibc
import Synchronization
import TrajpackFormat

/// The descriptor of a file that is open, or that was open and is opened again when it is read.
final class OpenFile: Sendable {
  /// The descriptor; -1 while the file is closed.
  let descriptor = Atomic<Int32>(-1)
  /// Reads that are under way. A file with one is not closed.
  let users = Atomic<Int>(0)
  /// Whether it was read since the pool last looked at it.
  let wasUsed = Atomic<Bool>(true)
  /// Its place in the pool's list.
  let place = Atomic<Int>(0)
}

/// The files that this process has open for reading, of which it keeps at most three quarters of the soft limit on
/// open files. Beyond that, a file that was not read for long is closed (the clock algorithm), and opened again when
/// it is read.
///
/// The soft limit itself stays as it is: raising it for a whole process breaks host programs that use `select`.
final class DescriptorPool: @unchecked Sendable {
  // `files` and `hand` are used in the gate only, which also keeps the process from forking halfway.
  static let shared = DescriptorPool()
  private var files: [OpenFile] = []
  private var hand = 0

  private init() { tp_fork_install() }

  /// The most files that are kept open.
  static var limit: Int { max(Int(tp_file_limit()) / 4 * 3, 4) }

  /// Opens a regular file; the corresponding C function is `open`. Where the process has too many files open, one
  /// of the pool's is closed for it.
  ///
  /// - Returns: The descriptor, which is not yet one of the pool's; -1 with `errno`.
  func open(_ path: String) -> Int32 {
    while true {
      let descriptor = Glibc.open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
      if descriptor >= 0 { return descriptor }
      let code = errno
      guard code == EMFILE, closeOne() else {
        errno = code
        return -1
      }
    }
  }

  /// Takes a descriptor of a file in, and closes others where there are too many.
  ///
  /// - Returns: The descriptor to use: another one where another thread was first.
  func add(_ file: OpenFile, _ descriptor: Int32) -> Int32 {
    let limit = Self.limit
    var closing: [Int32] = []
    tp_fork_gate_enter()
    var current = file.descriptor.load(ordering: .sequentiallyConsistent)
    if current >= 0 {
      closing.append(descriptor)
    } else {
      current = descriptor
      file.wasUsed.store(true, ordering: .relaxed)
      file.descriptor.store(descriptor, ordering: .sequentiallyConsistent)
      file.place.store(files.count, ordering: .relaxed)
      files.append(file)
      while files.count > limit, let old = evict(sparing: file) { closing.append(old) }
    }
    tp_fork_gate_leave()
    for old in closing { close(old) }
    return current
  }

  /// Closes a file for good.
  func remove(_ file: OpenFile) {
    tp_fork_gate_enter()
    let descriptor = file.descriptor.exchange(-1, ordering: .sequentiallyConsistent)
    if descriptor >= 0 { drop(file.place.load(ordering: .relaxed)) }
    tp_fork_gate_leave()
    if descriptor >= 0 { close(descriptor) }
  }

  private func closeOne() -> Bool {
    tp_fork_gate_enter()
    let descriptor = evict(sparing: nil)
    tp_fork_gate_leave()
    if let descriptor { close(descriptor) }
    return descriptor != nil
  }

  /// Takes out a file that nobody reads and that was not read for long; its descriptor is to be closed.
  private func evict(sparing spared: OpenFile?) -> Int32? {
    for _ in 0..<2 * files.count {
      if hand >= files.count { hand = 0 }
      let file = files[hand]
      if file !== spared, !file.wasUsed.exchange(false, ordering: .relaxed),
        file.users.load(ordering: .sequentiallyConsistent) == 0
      {
        let descriptor = file.descriptor.exchange(-1, ordering: .sequentiallyConsistent)
        // A reader counts itself before it looks at the descriptor, so one of the two sees the other.
        if file.users.load(ordering: .sequentiallyConsistent) == 0 {
          drop(hand)
          return descriptor
        }
        file.descriptor.store(descriptor, ordering: .sequentiallyConsistent)
      }
      hand += 1
    }
    return nil
  }

  private func drop(_ place: Int) {
    files.swapAt(place, files.count - 1)
    files[place].place.store(place, ordering: .relaxed)
    files.removeLast()
  }
}
