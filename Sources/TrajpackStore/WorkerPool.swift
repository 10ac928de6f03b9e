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
  private final class Queue: @unchecked Sendable {
    let lock = ConditionLock()
    /// A job that was taken is let go: it holds what comes of it.
    var jobs: [(@Sendable () -> Void)?] = []
    var head = 0
    var closed = false

    func next() -> (@Sendable () -> Void)? {
      lock.locked {
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
          while let job = queue.next() { job() }
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
    let future = Future<Value>()
    queue.lock.locked {
      queue.jobs.append {
        do throws(TrajpackError) {
          future.fulfil(.success(try work()))
        } catch {
          future.fulfil(.failure(error))
        }
      }
      queue.lock.wakeOne()
    }
    return future
  }

  /// Has the threads do `work` for every number below `count`, and waits until all is done.
  public func forEach(_ count: Int, _ work: @escaping @Sendable (Int) -> Void) {
    let all = (0..<count).map { number in run { () throws(TrajpackError) in work(number) } }
    for one in all { _ = try? one.value() }
  }
}
