import Glibc
import Synchronization

/// Whether the work of the calling thread is to end.
///
/// A long loop looks at ``isRequested`` now and then and breaks off; what it then returns is never seen, since
/// ``watched(_:_:)`` throws in its place. So functions deep below an evaluator or a conversion need no parameter
/// for it. What may throw calls ``check()`` instead.
package enum Interruption {
  private final class Watch {
    let isInterrupted: () -> Bool
    /// Whether the signals of the program end no wait.
    let isAlone: Bool
    var wasRequested = false

    init(_ isInterrupted: @escaping () -> Bool, isAlone: Bool = false) {
      (self.isInterrupted, self.isAlone) = (isInterrupted, isAlone)
    }
  }

  /// The watch of each thread.
  private static let key: pthread_key_t = {
    var key = pthread_key_t()
    let status = pthread_key_create(&key, nil)
    precondition(status == 0, "a process has room for a key of its threads")
    return key
  }()

  /// Whether the call is to end. Costs a call of what was given to ``watched(_:_:)``.
  package static var isRequested: Bool {
    guard let pointer = pthread_getspecific(key) else { return false }
    let watch = Unmanaged<Watch>.fromOpaque(pointer).takeUnretainedValue()
    if !watch.wasRequested { watch.wasRequested = watch.isInterrupted() }
    return watch.wasRequested
  }

  private static let stopped = TrajpackError(.machine, "stopped before it was done")

  /// Throws where the call is to end.
  package static func check() throws(TrajpackError) {
    if isRequested { throw stopped }
  }

  /// Has the calls of this thread end soon after `isInterrupted` says true, until this is called with `nil`: for callers in
  /// C. What such a call then returns must not be used.
  package static func watchThread(_ isInterrupted: (() -> Bool)?) {
    if let pointer = pthread_getspecific(key) {
      pthread_setspecific(key, nil)
      Unmanaged<Watch>.fromOpaque(pointer).release()
    }
    guard let isInterrupted else { return }
    pthread_setspecific(key, Unmanaged.passRetained(Watch(isInterrupted)).toOpaque())
  }

  private static let program = Mutex<(@Sendable () -> Bool)?>(nil)

  /// Names what ends waits (``checkWaiting()``) of all threads: the signals of a program.
  package static func watchProgram(_ isInterrupted: @escaping @Sendable () -> Bool) {
    program.withLock { $0 = isInterrupted }
  }

  /// Throws where a wait for a server is to end: the call is to end, or the program.
  package static func checkWaiting() throws(TrajpackError) {
    try check()
    if let pointer = pthread_getspecific(key),
      Unmanaged<Watch>.fromOpaque(pointer).takeUnretainedValue().isAlone
    {
      return
    }
    if program.withLock({ $0 })?() == true { throw stopped }
  }

  /// Runs what is done also when the call is to end: it tidies up.
  package static func unwatched<Result>(
    _ body: () throws(TrajpackError) -> Result
  ) throws(TrajpackError) -> Result {
    try watched(Watch({ false }, isAlone: true), body)
  }

  /// Runs a computation that ends soon after `isInterrupted` says true.
  ///
  /// - Throws: A machine error where a loop broke off; else what `body` throws.
  package static func watched<Result>(
    _ isInterrupted: @escaping () -> Bool, _ body: () throws(TrajpackError) -> Result
  ) throws(TrajpackError) -> Result {
    try watched(Watch(isInterrupted), body)
  }

  private static func watched<Result>(
    _ watch: Watch, _ body: () throws(TrajpackError) -> Result
  ) throws(TrajpackError) -> Result {
    let outer = pthread_getspecific(key)
    pthread_setspecific(key, Unmanaged.passUnretained(watch).toOpaque())
    defer {
      pthread_setspecific(key, outer)
      withExtendedLifetime(watch) {}
    }
    do throws(TrajpackError) {
      let result = try body()
      if watch.wasRequested { throw stopped }
      return result
    } catch {
      throw watch.wasRequested ? stopped : error
    }
  }
}
