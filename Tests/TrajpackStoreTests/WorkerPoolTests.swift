import Testing
import TrajpackFormat
import TrajpackTestSupport

@testable import TrajpackStore

@Suite struct WorkerPoolTests {
  @Test(arguments: [1, 2, 8]) func resultsBelongToTheirWork(threads: Int) throws {
    let pool = try WorkerPool(threads: threads)
    #expect(pool.count == threads)
    let results = (0..<3000).map { n in pool.run { () throws(TrajpackError) in n * n } }
    for (n, result) in results.enumerated() { #expect(try result.value() == n * n) }
    // A result can be asked for again.
    #expect(try results[7].value() == 49)
  }

  @Test func oneThreadKeepsTheOrder() throws {
    let pool = try WorkerPool(threads: 1)
    let log = Log()
    let results = (0..<500).map { n in pool.run { () throws(TrajpackError) in log.add(n) } }
    for result in results { try result.value() }
    #expect(log.entries == Array(0..<500))
  }

  @Test func errorsComeOutWhereTheResultIsAskedFor() throws {
    let pool = try WorkerPool(threads: 3)
    let results = (0..<100).map { n in
      pool.run { () throws(TrajpackError) -> Int in
        if n % 3 == 0 { throw TrajpackError(.data, "number \(n)") }
        return n
      }
    }
    for (n, result) in results.enumerated() {
      if n % 3 == 0 {
        #expect(failure { _ = try result.value() } == TrajpackError(.data, "number \(n)"))
      } else {
        #expect(try result.value() == n)
      }
    }
  }

  @Test func aPoolThatGoesFinishesWhatWasAsked() throws {
    let log = Log()
    do {
      let pool = try WorkerPool(threads: 2)
      for n in 0..<200 { _ = pool.run { () throws(TrajpackError) in log.add(n) } }
    }
    #expect(log.entries.sorted() == Array(0..<200))
  }

  @Test func idleThreadsTakeShares() throws {
    for most in 1...6 {
      let pool = try WorkerPool(threads: 3)
      let parts = pool.idleThreads.share(most: most) { [$0, $1] }
      #expect(parts == (0..<min(most, 4)).map { [$0, min(most, 4)] })
    }
  }

  @Test func threadsThatHaveWorkedAreIdleAgain() throws {
    let pool = try WorkerPool(threads: 3)
    for round in 0..<20 {
      let all = (0..<7).map { n in pool.run { () throws(TrajpackError) in n + round } }
      for (n, one) in all.enumerated() { #expect(try one.value() == n + round) }
      // A thread is idle soon after its work is done.
      let seconds = ContinuousClock.now + .seconds(20)
      while pool.idleThreads.share(most: 9, { _, parts in parts }).count < 4 {
        try #require(ContinuousClock.now < seconds)
      }
    }
  }

  @Test func busyThreadsTakeNone() throws {
    let pool = try WorkerPool(threads: 2)
    let gate = Gate()
    let waiting = (0..<2).map { _ in pool.run { () throws(TrajpackError) in gate.pass() } }
    #expect(pool.idleThreads.share(most: 8) { _, parts in parts } == [1])
    gate.open()
    for one in waiting { try one.value() }
  }

  /// Work of the pool that waits for shares of its own ends, however many of it there is.
  @Test(.timeLimit(.minutes(1)), arguments: [1, 2, 5])
  func workOfThePoolShares(threads: Int) throws {
    let pool = try WorkerPool(threads: threads)
    let all = (0..<200).map { number in
      pool.run { () throws(TrajpackError) -> Int in
        let parts = pool.idleThreads.share(most: 4) { part, _ in number * (part + 1) }
        return parts.count <= threads && parts.first == number ? number : -1
      }
    }
    for (number, one) in all.enumerated() { #expect(try one.value() == number) }
  }

  @Test func aPoolThatIsGoneHasNoIdleThreads() throws {
    var pool: WorkerPool? = try WorkerPool(threads: 2)
    let threads = try #require(pool).idleThreads
    pool = nil
    #expect(threads.share(most: 4) { _, parts in parts } == [1])
  }

  /// What a job returns.
  private final class Result: Sendable {}

  private final class Gate: @unchecked Sendable {
    private let lock = ConditionLock()
    private var isOpen = false

    func open() {
      lock.locked {
        isOpen = true
        lock.wakeAll()
      }
    }

    func pass() { lock.locked { while !isOpen { lock.wait() } } }
  }

  /// A validation of many episodes always has some waiting.
  @Test func whatAJobReturnedIsLetGoWhileOthersWait() throws {
    let pool = try WorkerPool(threads: 1)
    let (begin, begun, end) = (Gate(), Gate(), Gate())
    weak var result: Result?
    try withExtendedLifetime(pool) {
      // All are in the list before the first one begins.
      _ = pool.run { () throws(TrajpackError) in begin.pass() }
      let future = pool.run { () throws(TrajpackError) in Result() }
      _ = pool.run { () throws(TrajpackError) in
        begun.open()
        end.pass()
      }
      _ = pool.run { () throws(TrajpackError) in }
      begin.open()
      result = try future.value()
      begun.pass()
    }
    #expect(result == nil)
    end.open()
    withExtendedLifetime(pool) {}
  }

  private final class Log: @unchecked Sendable {
    private let lock = ConditionLock()
    private var list: [Int] = []
    func add(_ n: Int) { lock.locked { list.append(n) } }
    var entries: [Int] { lock.locked { list } }
  }
}
