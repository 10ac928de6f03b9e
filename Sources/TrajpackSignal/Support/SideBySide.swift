import Glibc

/// Runs `body` for 0 ..< `count`, each in a thread of its own but the first, and waits for all.
///
/// Threads live no longer than the call, so there is no pool that a fork could break. Where the
/// machine has no thread to give, the caller does the part itself.
func sideBySide(_ count: Int, _ body: (Int) -> Void) {
  if count <= 1 { return body(0) }
  withoutActuallyEscaping(body) { body in
    var threads: [pthread_t] = []
    var own = [0]
    for number in 1..<count {
      let work = Unmanaged.passRetained(Work(number, body))
      var thread = pthread_t()
      let failed = pthread_create(
        &thread, nil,
        { @Sendable argument in
          guard let argument else { return nil }
          let work = Unmanaged<Work>.fromOpaque(argument).takeRetainedValue()
          work.body(work.number)
          return nil
        }, work.toOpaque())
      if failed == 0 {
        threads.append(thread)
      } else {
        work.release()
        own.append(number)
      }
    }
    for number in own { body(number) }
    for thread in threads { pthread_join(thread, nil) }
  }
}

private final class Work {
  let number: Int
  let body: (Int) -> Void

  init(_ number: Int, _ body: @escaping (Int) -> Void) {
    self.number = number
    self.body = body
  }
}
