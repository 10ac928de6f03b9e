import Glibc

/// A mutex with two conditions: one for those who work, one for who waits for the work.
final class Lock: @unchecked Sendable {
  private let mutex = UnsafeMutablePointer<pthread_mutex_t>.allocate(capacity: 1)
  private let conditions = UnsafeMutablePointer<pthread_cond_t>.allocate(capacity: 2)

  /// Who waits.
  enum Waiter: Int { case worker, consumer }

  init() {
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

  func lock() { pthread_mutex_lock(mutex) }
  func unlock() { pthread_mutex_unlock(mutex) }

  @inline(__always)
  func locked<Result>(_ body: () -> Result) -> Result {
    lock()
    defer { unlock() }
    return body()
  }

  /// Gives the lock up until it is woken; the caller holds it.
  func wait(_ waiter: Waiter) { pthread_cond_wait(conditions + waiter.rawValue, mutex) }
  /// The same, until ``now()`` is `deadline` at the latest; false when it is.
  func wait(_ waiter: Waiter, until deadline: UInt64) -> Bool {
    var time = timespec(
      tv_sec: Int(deadline / 1_000_000_000), tv_nsec: Int(deadline % 1_000_000_000))
    return pthread_cond_timedwait(conditions + waiter.rawValue, mutex, &time) != ETIMEDOUT
  }
  func wakeAll(_ waiter: Waiter) { pthread_cond_broadcast(conditions + waiter.rawValue) }
  func wakeOne(_ waiter: Waiter) { pthread_cond_signal(conditions + waiter.rawValue) }
}

/// Nanoseconds of a clock that never goes back.
func now() -> UInt64 {
  var time = timespec()
  clock_gettime(CLOCK_MONOTONIC, &time)
  return UInt64(time.tv_sec) * 1_000_000_000 + UInt64(time.tv_nsec)
}
