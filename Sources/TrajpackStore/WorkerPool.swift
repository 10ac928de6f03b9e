import CPlatform
import Glibc
import TrajpackFormat

/// The result of work that another thread does.
public final class Future<Value: Sendable>: @unchecked Sendable {
  private let lock = ConditionLock()
  private var result: Result<Value, TrajpackError>?

  init() {}

  func fulfil(_ result: Result<Value, TrajpackError>) {
    lock.locked {
      self.result = result
      lock.wakeAll()
    }
  }

  /// Waits for the result.
  public func value() throws(TrajpackError) -> Value {
    let result: Result<Value, TrajpackError> = lock.locked {
      while true {
        if let result = self.result { return result }
        lock.wait()
      }
    }
    return try result.get()
  }
}

/// A fixed number of threads that take work in the order it came.
public final class WorkerPool: Sendable {
  fileprivate final class Queue: @unchecked Sendable {
    let lock = ConditionLock()
    /// A job that was taken is let go: it holds what comes of it.
    var jobs: [(@Sendable () -> Void)?] = []
    var head = 0
    var closed = false
    /// Threads without a job, less the jobs that wait; below 0 where more jobs wait than threads are free.
    var idle = 0

    /// Adds a job; under the lock.
    func add<Value: Sendable>(
      _ work: @escaping @Sendable () throws(TrajpackError) -> Value
    ) -> Future<Value> {
      let future = Future<Value>()
      jobs.append {
        do throws(TrajpackError) {
          future.fulfil(.success(try work()))
        } catch {
          future.fulfil(.failure(error))
        }
      }
      idle -= 1
      lock.wakeOne()
      return future
    }

    /// The next job; `nil` where there will be none. `isFirst`: the thread comes from its start, not from a job, and the pool
    /// has counted it.
    func next(isFirst: Bool) -> (@Sendable () -> Void)? {
      lock.locked {
        if !isFirst { idle += 1 }
        while head == jobs.count {
          if closed { return nil }
          lock.wait()
        }
        let job = jobs[head]
        jobs[head] = nil
        head += 1
        if head > 256 || head == jobs.count {
          jobs.removeFirst(head)
          head = 0
        }
        return job
      }
    }
  }

  private let queue = Queue()
  private let threads: [pthread_t]

  /// The number of threads.
  public var count: Int { threads.count }

  /// The processors that this process may use.
  public static var processors: Int { Int(tp_processors()) }

  /// A pool of `count` threads; the corresponding C function is `pthread_create`.
  public init(threads count: Int) throws(TrajpackError) {
    var threads: [pthread_t] = []
    for _ in 0..<max(count, 1) {
      var thread = pthread_t()
      let box = Unmanaged.passRetained(queue)
      let status = pthread_create(
        &thread, nil,
        { @Sendable raw in
          guard let raw else { return nil }
          let queue = Unmanaged<Queue>.fromOpaque(raw).takeRetainedValue()
          var isFirst = true
          while let job = queue.next(isFirst: isFirst) {
            job()
            isFirst = false
          }
          return nil
        }, box.toOpaque())
      guard status == 0 else {
        box.release()
        if threads.isEmpty { throw TrajpackError(.machine, "no thread can be started") }
        break
      }
      threads.append(thread)
    }
    self.threads = threads
    let started = threads.count
    queue.lock.locked { queue.idle += started }
  }

  deinit {
    queue.lock.locked {
      queue.closed = true
      queue.lock.wakeAll()
    }
    for thread in threads { pthread_join(thread, nil) }
  }

  /// Has a thread do `work`, after what was asked before.
  public func run<Value: Sendable>(
    _ work: @escaping @Sendable () throws(TrajpackError) -> Value
  ) -> Future<Value> {
    queue.lock.locked { queue.add(work) }
  }

  /// Its threads that have nothing to do.
  package var idleThreads: IdleThreads { IdleThreads(queue: queue) }

  /// Has the threads do `work` for every number below `count`, and waits until all is done.
  public func forEach(_ count: Int, _ work: @escaping @Sendable (Int) -> Void) {
    let all = (0..<count).map { number in run { () throws(TrajpackError) in work(number) } }
    for one in all { _ = try? one.value() }
  }
}

/// Threads of a pool that have nothing to do. The pool need not live as long.
public struct IdleThreads: Sendable {
  fileprivate let queue: WorkerPool.Queue

  /// Calls `work(part, parts)` on the calling thread (part 0) and on idle threads (parts 1, 2, ...), `most` threads in all at
  /// most.
  ///
  /// A thread that is not idle is not waited for, so that work of the pool can call this.
  ///
  /// - Returns: What came of each part.
  package func share<Value: Sendable>(
    most: Int, _ work: @escaping @Sendable (_ part: Int, _ parts: Int) -> Value
  ) -> [Value] {
    let (others, parts): ([Future<Value>], Int) = queue.lock.locked {
      let parts = 1 + (queue.closed ? 0 : min(max(queue.idle, 0), max(most, 1) - 1))
      let others = (1..<parts).map { part in
        queue.add { () throws(TrajpackError) in work(part, parts) }
      }
      return (others, parts)
    }
    let own = work(0, parts)
    return [own] + others.compactMap { try? $0.value() }
  }
}
