import Glibc
import Synchronization

/// A long job shown to the user: workers bump ``counters``, a ticker draws.
///
/// ```swift
/// let progress = console.progress("packing", items: "episodes")
/// progress.counters.expect(bytes: total, items: sources.count)
/// … progress.counters.begin(name); progress.counters.advance(bytes: count, items: 1) …
/// progress.finish("packed")
/// ```
///
/// Nothing shows in the first two seconds. On a terminal it is one line, drawn ten times a second
/// and taken away at the end; elsewhere a plain line when a tenth more is done, at most every ten
/// seconds and at least every minute. A job that showed anything ends with a one-line summary.
final class Progress: Sendable {
  let counters = ProgressCounters()
  private let label: String
  private let things: String
  private let console: Console
  private let theme: ProgressTheme
  private let clock: @Sendable () -> Duration
  private let start: Duration
  private let state = Mutex(State())

  private struct State {
    var meter = ProgressMeter()
    var lastDraw: Duration?
    var lastTenth = 0
    var isFinished = false
  }

  static let patience = Duration.seconds(2)
  static let drawInterval = Duration.milliseconds(100)
  static let logInterval = Duration.seconds(10)
  static let heartbeat = Duration.seconds(60)

  /// - Parameters:
  ///   - label: what is going on, `packing`.
  ///   - things: what items are, in the plural.
  ///   - clock: time since any fixed moment.
  init(
    _ label: String, items things: String, on console: Console,
    clock: @escaping @Sendable () -> Duration = Progress.monotonicTime
  ) {
    self.label = label
    self.things = things
    self.console = console
    self.clock = clock
    theme = console.isUTF8 ? .unicode : .ascii
    start = clock()
    state.withLock { $0.meter.observe(ProgressCounters.Snapshot(), at: start) }
  }

  /// Draws if it is time to.
  ///
  /// - Returns: false once the job has finished.
  @discardableResult
  func tick() -> Bool {
    state.withLock { state in
      guard !state.isFinished else { return false }
      let now = clock()
      if console.isQuiet || now - start < Progress.patience { return true }
      if console.isErrorTerminal { draw(&state, now) } else { log(&state, now) }
      return true
    }
  }

  /// Takes the line away; says what was done (`packed 80 episodes, 3 GiB in 41 s`) if the job was
  /// long enough to be shown.
  func finish(_ summary: String) { end(summary) }

  /// Takes the line away without a summary: after an error or an interrupt.
  func cancel() { end(nil) }

  private func end(_ summary: String?) {
    state.withLock { state in
      guard !state.isFinished else { return }
      state.isFinished = true
      console.setStatus(nil)
      let time = clock() - start
      if let summary, !console.isQuiet && time >= Progress.patience {
        console.note(theme.summary(summary, counters.snapshot, things, time))
      }
    }
  }

  private func draw(_ state: inout State, _ now: Duration) {
    if let last = state.lastDraw, now - last < Progress.drawInterval { return }
    state.lastDraw = now
    let snapshot = counters.snapshot
    state.meter.observe(snapshot, at: now)
    let label = Interrupt.isPending ? "stopping" : self.label
    // The last column stays free: some terminals wrap when it is filled.
    let width = console.errorWidth - 1
    console.setStatus(theme.line(label, snapshot, state.meter, things, width: width))
  }

  private func log(_ state: inout State, _ now: Duration) {
    let snapshot = counters.snapshot
    let tenth = snapshot.fraction.map { Int($0 * 10) } ?? 0
    let wait = now - (state.lastDraw ?? start)
    guard
      (tenth > state.lastTenth && wait >= Progress.logInterval) || wait >= Progress.heartbeat
    else { return }
    state.lastDraw = now
    state.lastTenth = tenth
    state.meter.observe(snapshot, at: now)
    console.note(theme.logLine(label, snapshot, state.meter, things))
  }

  /// Seconds since boot. The corresponding C function is `clock_gettime(CLOCK_MONOTONIC)`.
  static func monotonicTime() -> Duration {
    var time = timespec()
    clock_gettime(CLOCK_MONOTONIC, &time)
    return .seconds(time.tv_sec) + .nanoseconds(time.tv_nsec)
  }
}
