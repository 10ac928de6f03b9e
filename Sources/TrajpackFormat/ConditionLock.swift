import Glibc

/// A mutex with two conditions, one for the threads that work and one for the thread that waits for
/// the work: `Synchronization.Mutex` cannot wait.
package final class ConditionLock: @unchecked Sendable {
  private let mutex = UnsafeMutablePointer<pthread_mutex_t>.allocate(capacity: 1)
  private let conditions = UnsafeMutablePointer<pthread_cond_t>.allocate(capacity: 2)

  /// Which threads wait on a condition.
  package enum Waiter: Int { case worker, consumer }

  package init() {
    pthread_mutex_init(mutex, nil)
    // A wait with an end counts on a clock that nobody sets.
    var attributes = pthread_condattr_t()
    pthread_condattr_init(&attributes)
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC)
    pthread_cond_init(conditions, &attributes)
    pthread_cond_init(conditions + 1, &attributes)
    pthread_condattr_destroy(&attributes)
  }

  deinit {
    pthread_cond_destroy(conditions)
    pthread_cond_destroy(conditions + 1)
    pthread_mutex_destroy(mutex)
    conditions.deallocate()
    mutex.deallocate()
  }

  package func lock() { pthread_mutex_lock(mutex) }
  package func unlock() { pthread_mutex_unlock(mutex) }

  package func locked<Result>(_ body: () -> Result) -> Result {
    lock()
    defer { unlock() }
    return body()
  }

  /// Releases the lock until ``wakeAll(_:)`` or ``wakeOne(_:)``; the caller holds it.
  package func wait(_ waiter: Waiter = .worker) {
    pthread_cond_wait(conditions + waiter.rawValue, mutex)
  }
  /// The same, until ``now()`` is `deadline` at the latest; false when it is.
  package func wait(_ waiter: Waiter, until deadline: UInt64) -> Bool {
    var time = timespec(
      tv_sec: Int(deadline / 1_000_000_000), tv_nsec: Int(deadline % 1_000_000_000))
    return pthread_cond_timedwait(conditions + waiter.rawValue, mutex, &time) != ETIMEDOUT
  }
  package func wakeAll(_ waiter: Waiter = .worker) {
    pthread_cond_broadcast(conditions + waiter.rawValue)
  }
  package func wakeOne(_ waiter: Waiter = .worker) {
    pthread_cond_signal(conditions + waiter.rawValue)
  }
}
