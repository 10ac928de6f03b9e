import Glibc

extension Console {
  /// Shows a job from now on; a thread of its own draws until it is finished.
  func progress(_ label: String, items things: String) -> Progress {
    let progress = Progress(label, items: things, on: self)
    if !isQuiet { progress.startTicking() }
    return progress
  }
}

extension Progress {
  /// Starts a detached thread that calls ``tick()`` ten times a second until it returns false. A
  /// machine that gives no thread shows no progress, which is no reason to fail.
  func startTicking() {
    let context = Unmanaged.passRetained(self)
    var thread = pthread_t()
    var attributes = pthread_attr_t()
    pthread_attr_init(&attributes)
    defer { pthread_attr_destroy(&attributes) }
    pthread_attr_setdetachstate(&attributes, Int32(PTHREAD_CREATE_DETACHED))
    let body: @Sendable @convention(c) (UnsafeMutableRawPointer?) -> UnsafeMutableRawPointer? = {
      guard let context = $0 else { return nil }
      Progress.tickUntilFinished(Unmanaged<Progress>.fromOpaque(context).takeRetainedValue())
      return nil
    }
    if pthread_create(&thread, &attributes, body, context.toOpaque()) != 0 { context.release() }
  }

  /// Signals go to the threads that work, so that their system calls notice.
  private static func tickUntilFinished(_ progress: Progress) {
    var signals = sigset_t()
    sigfillset(&signals)
    pthread_sigmask(SIG_BLOCK, &signals, nil)
    while progress.tick() { usleep(100_000) }
  }
}
