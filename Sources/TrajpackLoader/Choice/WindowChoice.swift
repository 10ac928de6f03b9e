import Glibc
import TrajpackFormat
import TrajpackStore

/// Which windows of a dataset are loaded, and what it took to find that out.
struct WindowChoice: Sendable {
  var set: WindowSet
  /// Windows that were left out because they touch damaged data.
  var damaged: Int
  /// The file that it was found in or written to.
  var path: String?
  var isCached = false

  /// Looks at every window, in several threads.
  ///
  /// - Throws: A data error where a chunk is damaged, unless such windows are to be skipped.
  static func make(
    _ setup: LoaderSetup, _ source: WindowSource, _ test: WindowTest<WindowQuestion>
  ) throws(TrajpackError) -> WindowChoice {
    let bits = try Results<UInt64>(count: Int((source.candidates + 63) / 64), repeating: 0)
    var number = -1
    let numbered = try test.mapped { _ in
      number += 1
      return number
    }
    let damaged = try each(setup, source, test.questions) { range, found in
      var damaged = 0
      for i in 0..<range.count {
        if found.isDamaged[i] {
          damaged += 1
          continue
        }
        let isWanted = numbered.holds { found.answers[$0][i] == 1 }
        // Ranges begin at whole words.
        let window = range.lowerBound + UInt64(i)
        if isWanted { bits.memory[Int(window / 64)] |= 1 << (window % 64) }
      }
      return damaged
    }
    return WindowChoice(
      set: WindowSet(candidates: source.candidates, words: Array(bits.memory)), damaged: damaged)
  }

  /// The number of each chosen window.
  static func numbers(
    _ setup: LoaderSetup, _ source: WindowSource, _ question: WindowQuestion
  ) throws(TrajpackError) -> Results<Float> {
    let out = try Results<Float>(count: Int(source.candidates), repeating: 0)
    _ = try each(setup, source, [question]) { range, found in
      for i in 0..<range.count where !found.isDamaged[i] {
        let number = found.answers[0][i]
        // Where nothing was observed there is nothing to draw a window for.
        out.memory[Int(range.lowerBound) + i] = number.isNaN ? 0 : Float(number)
      }
      return 0
    }
    guard let chosen = source.chosen else { return out }
    for number in 0..<chosen.count {
      out.memory[Int(number)] = out.memory[Int(chosen.select(number))]
    }
    return out
  }

  /// Memory that threads fill, each its own part.
  final class Results<Element: BitwiseCopyable & Sendable>: @unchecked Sendable {
    let memory: UnsafeMutableBufferPointer<Element>

    /// - Throws: A machine error where there is no memory for so many.
    init(count: Int, repeating element: Element) throws(TrajpackError) {
      let size = max(count, 1).multiplied(by: MemoryLayout<Element>.stride)
      guard let size, let start = malloc(size) else {
        throw TrajpackError(
          .machine,
          "there is no memory to look at every window (8 bytes for each of \(count)); make 'stride' larger"
        )
      }
      memory = UnsafeMutableBufferPointer(
        start: start.assumingMemoryBound(to: Element.self), count: max(count, 1))
      memory.initialize(repeating: element)
    }

    deinit { free(memory.baseAddress) }
  }

  /// Hands out ranges of windows to threads.
  private final class Work: @unchecked Sendable {
    private let lock = ConditionLock()
    private var next: UInt64 = 0
    private var hasFailed = false
    private let count: UInt64
    private let step: UInt64

    init(_ count: UInt64, step: UInt64) {
      self.count = count
      self.step = step
    }

    func take() -> Range<UInt64>? {
      lock.locked {
        guard next < count, !hasFailed else { return nil }
        let range = next..<min(next + step, count)
        next = range.upperBound
        return range
      }
    }

    func fail() { lock.locked { hasFailed = true } }
  }

  /// Answers questions about all windows, and sums what `body` makes of each range.
  private static func each(
    _ setup: LoaderSetup, _ source: WindowSource, _ questions: [WindowQuestion],
    _ body: @escaping @Sendable (Range<UInt64>, PredicateEvaluator) -> Int
  ) throws(TrajpackError) -> Int {
    // Some 65,536 rows at a time: enough that the rows that neighbours share weigh nothing.
    let windows = max(65_536 / UInt64(setup.options.stride), 1)
    let work = Work(source.candidates, step: (windows + 63) / 64 * 64)
    let threads = setup.options.threads > 0 ? setup.options.threads : WorkerPool.processors
    let pool = try WorkerPool(threads: threads)
    let parts = (0..<pool.count).map { _ in
      pool.run { () throws(TrajpackError) in
        let answers = PredicateEvaluator(setup, source, questions)
        var sum = 0
        while let range = work.take() {
          do throws(TrajpackError) {
            try answers.find(range)
          } catch {
            work.fail()
            throw error
          }
          sum += body(range, answers)
        }
        return sum
      }
    }
    var sum = 0
    var failure: TrajpackError?
    for part in parts {
      do throws(TrajpackError) {
        sum += try part.value()
      } catch { failure = failure ?? error }
    }
    if let failure { throw failure }
    return sum
  }
}
