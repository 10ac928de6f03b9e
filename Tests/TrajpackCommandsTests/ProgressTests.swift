import Glibc
import Synchronization
import Testing

@testable import TrajpackCommands

/// A clock that moves when told to, and a console on recordings.
private final class Stage: Sendable {
  let time = Mutex(Duration.zero)
  let errors: RecordedStream
  let console: Console

  init(isTerminal: Bool, width: Int = 100) {
    errors = RecordedStream(isTerminal: isTerminal, width: width)
    console = Console(output: RecordedStream(), errors: errors, environment: ["LANG": "C.UTF-8"])
  }

  func progress() -> Progress {
    Progress("packing", items: "episodes", on: console) { self.time.withLock { $0 } }
  }

  func move(_ step: Duration) { time.withLock { $0 += step } }
}

@Suite struct ProgressTests {
  @Test func shortWorkIsSilent() {
    let stage = Stage(isTerminal: true)
    let progress = stage.progress()
    for _ in 0..<19 {
      stage.move(.milliseconds(100))
      progress.tick()
    }
    progress.finish("packed")
    #expect(stage.errors.text == "" && !progress.tick())
  }

  @Test func terminalShowsOneLine() {
    let stage = Stage(isTerminal: true, width: 120)
    let progress = stage.progress()
    progress.counters.expect(bytes: 10_000 << 10, items: 10)
    for index in 1...50 {
      progress.counters.begin("run-\(index)\u{1b}.csv")
      progress.counters.advance(bytes: 100 << 10, items: index % 10 == 0 ? 1 : 0)
      stage.move(.milliseconds(100))
      progress.tick()
    }
    let last = stage.errors.text.split(separator: "\r\u{1b}[K").last ?? ""
    #expect(
      last == "packing  ████████████░░░░░░░░░░░░   50%  5 of 10 episodes  4.9 MiB of 9.8 MiB  "
        + "1 MiB/s  5 s left  run-50\\x1b.csv")
    progress.finish("packed")
    #expect(stage.errors.text.hasSuffix("\r\u{1b}[Kpacked 5 episodes, 4.9 MiB in 5 s (1 MiB/s)\n"))
  }

  @Test func drawsTenTimesASecondAtMost() {
    let stage = Stage(isTerminal: true)
    let progress = stage.progress()
    progress.counters.expect(items: 1_000_000)
    stage.move(.seconds(2))
    for _ in 0..<1000 {
      progress.counters.advance(items: 1)
      stage.move(.milliseconds(1))
      progress.tick()
    }
    #expect(stage.errors.text.split(separator: "\r").count <= 11)
  }

  @Test func logsAreSparse() {
    let stage = Stage(isTerminal: false)
    let progress = stage.progress()
    progress.counters.expect(items: 1000)
    for _ in 0..<1000 {  // 100 s for 1000 items: a tenth every 10 s
      progress.counters.advance(items: 1)
      stage.move(.milliseconds(100))
      progress.tick()
    }
    let lines = stage.errors.text.split(separator: "\n")
    #expect(lines.count == 10)
    #expect(lines.first == "packing: 10%, 100 of 1,000 episodes, 1 min 30 s left")
    #expect(!stage.errors.text.contains("\u{1b}"))
  }

  @Test func slowLogsHaveAHeartbeat() {
    let stage = Stage(isTerminal: false)
    let progress = stage.progress()
    progress.counters.expect(items: 1_000_000)
    for _ in 0..<300 {
      stage.move(.seconds(1))
      progress.tick()
    }
    #expect(stage.errors.text.split(separator: "\n").count == 5)
  }

  @Test func steadyWorkShowsItsTrueSpeed() {
    var meter = ProgressMeter()
    let counters = ProgressCounters()
    counters.expect(bytes: 5000)
    counters.resume(bytes: 1000)
    for second in 0...20 {
      if second > 0 { counters.advance(bytes: 100) }
      meter.observe(counters.snapshot, at: .seconds(second))
      if second > 0 { #expect(abs(meter.bytesPerSecond - 100) < 1e-9) }
    }
    let left = meter.timeLeft(counters.snapshot) ?? .zero
    #expect(abs(left / .seconds(1) - 20) < 1e-6)
  }

  @Test(arguments: 20...120) func linesNeverWrap(_ width: Int) {
    let counters = ProgressCounters()
    counters.expect(bytes: 7 << 40, items: 123_456)
    counters.advance(bytes: 3 << 40, items: 45_678)
    counters.begin("東京/very/long/name/of/a/recording/that/does/not/fit.csv")
    for theme in [ProgressTheme.unicode, .ascii] {
      let line = theme.line("packing", counters.snapshot, ProgressMeter(), "episodes", width: width)
      #expect(line.displayWidth <= width)
    }
  }

  @Test func barsGrow() {
    #expect(ProgressTheme.ascii.bar(0.5, width: 8) == "####----")
    #expect(ProgressTheme.unicode.bar(0.5625, width: 8) == "████▌░░░")
    #expect(ProgressTheme.unicode.bar(1, width: 3) == "███")
    #expect(ProgressTheme.unicode.bar(-1, width: 3) == "░░░")
  }

  @Test func threadsCountTogether() async {
    let counters = ProgressCounters()
    await withTaskGroup(of: Void.self) { group in
      for _ in 0..<4 {
        group.addTask { for _ in 0..<1000 { counters.advance(bytes: 3, items: 1) } }
      }
    }
    #expect(counters.snapshot.bytes == 12_000 && counters.snapshot.items == 4000)
  }

  /// The drawing thread draws, and lets go of the job once it is finished.
  @Test func tickerDrawsUntilFinished() {
    let stage = Stage(isTerminal: true)
    weak var released: Progress?
    do {
      let progress = stage.progress()
      released = progress
      stage.move(.seconds(3))
      progress.startTicking()
      for _ in 0..<10_000 where stage.errors.text.isEmpty { usleep(1000) }
      #expect(stage.errors.text == "\r\u{1b}[Kpacking")
      progress.finish("packed")
    }
    for _ in 0..<10_000 where released != nil { usleep(1000) }
    #expect(released == nil)
    #expect(stage.errors.text == "\r\u{1b}[Kpacking\r\u{1b}[Kpacked in 3 s\n")
  }

  @Test func quietIsQuiet() {
    let stage = Stage(isTerminal: true)
    var console = stage.console
    var options = CommonOptions()
    options.isQuiet = true
    console.apply(options)
    let progress = Progress("packing", items: "episodes", on: console) {
      stage.time.withLock { $0 }
    }
    stage.move(.seconds(5))
    progress.tick()
    progress.finish("packed")
    #expect(stage.errors.text == "")
  }
}

/// Sends a signal to this thread, which as one of Dispatch's blocks all of them.
private func deliver(_ signal: Int32) {
  var signals = sigset_t()
  sigemptyset(&signals)
  sigaddset(&signals, signal)
  pthread_sigmask(SIG_UNBLOCK, &signals, nil)
  raise(signal)
}

@Suite struct InterruptTests {
  @Test func firstSignalIsAFlag() async {
    await #expect(processExitsWith: .exitCode(128 + SIGTERM)) {
      Interrupt.install()
      guard !Interrupt.isRequested else { exit(1) }
      deliver(SIGTERM)
      guard Interrupt.isPending, !Interrupt.wasObserved else { exit(2) }
      guard Interrupt.isRequested, Interrupt.wasObserved else { exit(3) }
      exit(
        sampleProgram.run(
          ["sample", "a", "b"], Console(output: RecordedStream(), errors: RecordedStream())))
    }
  }

  @Test func unseenSignalChangesNothing() async {
    await #expect(processExitsWith: .exitCode(0)) {
      Interrupt.install()
      deliver(SIGINT)
      exit(
        sampleProgram.run(
          ["sample", "a", "b"], Console(output: RecordedStream(), errors: RecordedStream())))
    }
  }

  @Test func secondSignalEnds() async {
    await #expect(processExitsWith: .exitCode(130)) {
      Interrupt.install()
      deliver(SIGINT)
      deliver(SIGINT)
      exit(4)
    }
  }

  @Test func bytesThatWereReadMoveProgressWithinAFile() {
    let counters = ProgressCounters()
    counters.expect(bytes: 100, items: 2)
    counters.read(bytes: 30)
    #expect(counters.snapshot.bytes == 10)
    counters.advance(bytes: 40, items: 1)
    #expect(counters.snapshot.bytes == 40)
    counters.read(bytes: 1000)
    #expect(counters.snapshot.bytes == 100)
    #expect(counters.snapshot.items == 1)
  }
}
