import Glibc
import Synchronization

/// SIGINT, SIGTERM and SIGHUP as a flag that long jobs poll: between two units of work they look at
/// ``isRequested`` and, when it is true, leave a state to resume from and return. The second signal
/// ends the process at once.
enum Interrupt {
  /// The exit code of a command that a signal has stopped: 128 and the signal's number.
  static var exitCode: Int32 { 128 + Int32(first.load(ordering: .relaxed)) }

  private static let signals = Atomic<Int>(0)
  /// The number of the first signal.
  private static let first = Atomic<Int>(Int(SIGINT))
  private static let observations = Atomic<Bool>(false)

  /// Whether the user asked to stop. Whoever reads true is expected to stop: the command then exits
  /// with ``exitCode``.
  static var isRequested: Bool {
    guard isPending else { return false }
    observations.store(true, ordering: .relaxed)
    return true
  }

  /// The same for onlookers that will not stop anything, such as a progress bar.
  static var isPending: Bool { signals.load(ordering: .relaxed) > 0 }

  /// Whether someone read ``isRequested`` as true. A signal that came after the last look changes
  /// nothing: the work was done.
  static var wasObserved: Bool { observations.load(ordering: .relaxed) }

  /// Installs the handlers, and ignores SIGPIPE and SIGXFSZ so that a closed pipe and a limit on the size
  /// of files are errors of `write`.
  static func install() {
    // The flags exist before a handler can run: no lazy initialization inside one.
    _ = (signals.load(ordering: .relaxed), observations.load(ordering: .relaxed))
    _ = first.load(ordering: .relaxed)
    var action = sigaction()
    action.sa_flags = SA_RESTART
    action.__sigaction_handler.sa_handler = { Interrupt.handle($0) }
    sigaction(SIGINT, &action, nil)
    sigaction(SIGTERM, &action, nil)
    // Under nohup SIGHUP is ignored, and stays so.
    var former = sigaction()
    if sigaction(SIGHUP, nil, &former) == 0, !isIgnored(former) { sigaction(SIGHUP, &action, nil) }
    signal(SIGPIPE, SIG_IGN)
    signal(SIGXFSZ, SIG_IGN)
  }

  private static func isIgnored(_ action: sigaction) -> Bool {
    unsafeBitCast(action.__sigaction_handler.sa_handler, to: Int.self)
      == unsafeBitCast(SIG_IGN, to: Int.self)
  }

  /// Async-signal-safe: atomics, `write` of a constant, `_exit`.
  private static func handle(_ number: Int32) {
    if signals.wrappingAdd(1, ordering: .relaxed).oldValue > 0 { _exit(128 + number) }
    first.store(Int(number), ordering: .relaxed)
    let saved = errno
    let words: StaticString =
      number == SIGINT
      ? "\nstopping; press Ctrl-C again to quit at once\n"
      : "\nstopped by a signal; ending what is under way\n"
    _ = write(STDERR_FILENO, words.utf8Start, words.utf8CodeUnitCount)
    errno = saved
  }
}
