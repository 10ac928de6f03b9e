import CCurlShims
import CPlatform
import Glibc
import TrajpackFormat

/// All transfers of this process: one thread drives them with libcurl, however many wait for their bytes. Connections
/// are kept and used again. What a server or the network may do better the next time is tried again, each time after
/// a longer pause of random length (the "full jitter" of M. Brooker, AWS Architecture Blog 2015), or after the time
/// that the server asks for.
final class HTTPClient: @unchecked Sendable {
  // Changed under its lock only; `multi` and `waiting` belong to the thread.
  private let lock = ConditionLock()
  private let multi: OpaquePointer
  private let settings: RemoteSettings
  private var submitted: [HTTPExchange] = []
  private var isStopped = false
  private var thread = pthread_t()
  private var waiting: [HTTPExchange] = []
  private let generation = tp_fork_generation()

  private static let current = ForkSafe<HTTPClient?>(nil)
  private static let creating = ConditionLock()
  private static let longestPause: UInt64 = 20_000_000_000

  /// The client of this process; the child of a fork has one of its own.
  ///
  /// - Throws: A machine error where there is no libcurl.
  static func shared() throws(TrajpackError) -> HTTPClient {
    tp_fork_install()
    if let client = own { return client }
    // Not in the gate of forks: libcurl's libraries may register what is to be done at one.
    creating.lock()
    defer { creating.unlock() }
    if let client = own { return client }
    let client = try HTTPClient()
    current.withLock { current in
      // That of the parent is left as it is: its thread and its connections are the parent's.
      if let current { _ = Unmanaged.passRetained(current) }
      current = client
    }
    return client
  }

  private static var own: HTTPClient? {
    current.withLock { $0?.generation == tp_fork_generation() ? $0 : nil }
  }

  private init() throws(TrajpackError) {
    var message = [CChar](repeating: 0, count: 1024)
    guard tpr_load(&message, message.count) != 0 else {
      let text = message.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }
      throw TrajpackError(.machine, String(decoding: text, as: UTF8.self))
    }
    settings = try RemoteSettings.current()
    guard let multi = tpr_multi_new(settings.connections) else {
      throw TrajpackError(.machine, "there is no memory for connections")
    }
    self.multi = multi
    let box = Unmanaged.passRetained(self)
    let status = pthread_create(
      &thread, nil,
      { @Sendable raw in
        guard let raw else { return nil }
        Unmanaged<HTTPClient>.fromOpaque(raw).takeRetainedValue().run()
        return nil
      }, box.toOpaque())
    guard status == 0 else {
      box.release()
      throw TrajpackError(.machine, "no thread can be started for remote reading")
    }
    // Before OpenSSL frees, at the end of the process, what the thread uses.
    tpr_at_exit { HTTPClient.stopAtExit() }
  }

  private static func stopAtExit() {
    guard let client = own else { return }
    client.lock.locked { client.isStopped = true }
    tpr_wake(client.multi)
    if pthread_equal(pthread_self(), client.thread) == 0 { pthread_join(client.thread, nil) }
  }

  /// Sends requests; their `done` is called by the client's thread.
  func submit(_ exchanges: [HTTPExchange]) {
    guard !exchanges.isEmpty else { return }
    lock.locked { submitted += exchanges }
    tpr_wake(multi)
  }

  /// Sends a request and waits for its answer.
  ///
  /// - Throws: A machine error where the call is to end before it comes.
  func answer(to exchange: HTTPExchange) throws(TrajpackError) -> HTTPAnswer {
    try begin(exchange).wait()
  }

  /// Sends a request, whose answer is waited for later.
  func begin(_ exchange: HTTPExchange) -> PendingAnswer {
    let answer = PendingAnswer(exchange)
    exchange.done = { answer.set($0) }
    submit([exchange])
    return answer
  }

  // MARK: - The thread

  private func run() {
    var signals = sigset_t()
    sigfillset(&signals)
    pthread_sigmask(SIG_BLOCK, &signals, nil)
    while true {
      let (new, stops) = lock.locked { () -> ([HTTPExchange], Bool) in
        defer { submitted = [] }
        return (submitted, isStopped)
      }
      if stops { return }
      for exchange in new { start(exchange) }
      let time = now()
      let ready = waiting.filter { $0.due <= time }
      if !ready.isEmpty {
        waiting.removeAll { $0.due <= time }
        for exchange in ready { start(exchange) }
      }
      let pause = waiting.map { Int(($0.due - min($0.due, time)) / 1_000_000) + 1 }.min() ?? 1000
      tpr_run(multi, 0)
      let finished = finish()
      // A transfer that has ended makes room for another one at once.
      if finished == 0 {
        tpr_run(multi, Int32(clamping: min(pause, 1000)))
        _ = finish()
      }
    }
  }

  private func finish() -> Int {
    var count = 0
    var raw = tpr_answer()
    while let transfer = tpr_next(multi, &raw) {
      count += 1
      guard let owner = raw.owner else { continue }
      let exchange = Unmanaged<HTTPExchange>.fromOpaque(owner).takeRetainedValue()
      var answer = HTTPAnswer(raw)
      answer.attempts = exchange.attempts
      tpr_free(multi, transfer)
      settle(exchange, answer)
    }
    return count
  }

  private func settle(_ exchange: HTTPExchange, _ answer: HTTPAnswer) {
    let most = exchange.mostAttempts ?? settings.attempts
    if exchange.judge(answer) == .again, exchange.attempts < most, !exchange.isUnwanted {
      let longest = min(100_000_000 << UInt64(min(exchange.attempts - 1, 20)), Self.longestPause)
      var pause = UInt64.random(in: longest / 4...longest)
      if answer.retryAfter > 0 {
        pause += UInt64(min(answer.retryAfter, 60)) * 1_000_000_000
      }
      exchange.due = now() + pause
      waiting.append(exchange)
    } else {
      exchange.done(answer)
    }
  }

  private func start(_ exchange: HTTPExchange) {
    exchange.attempts += 1
    var request = tpr_request()
    request.connect_milliseconds = exchange.connectMilliseconds
    request.stalled_seconds = exchange.stalledSeconds ?? settings.stalledSeconds
    request.total_milliseconds = exchange.totalMilliseconds
    request.follows = exchange.followsRedirects ? 1 : 0
    request.allows_http = settings.allowsHTTP ? 1 : 0
    request.uses_netrc = exchange.usesNetrc ? 1 : 0
    request.is_direct = exchange.isDirect ? 1 : 0
    request.into = exchange.into.baseAddress
    request.capacity = exchange.into.count
    let owner = Unmanaged.passRetained(exchange)
    request.owner = owner.toOpaque()
    let signing = exchange.signing.map { "aws:amz:\($0.region):\($0.service)" }
    let user = exchange.signing?.key ?? exchange.user?.name
    let password = exchange.signing?.secret ?? exchange.user?.password
    let texts = CTexts(
      [exchange.url, exchange.method, signing, user, password, settings.authorities],
      exchange.headers)
    request.url = texts[0]
    request.method = texts[1]
    request.signing = texts[2]
    request.user = texts[3]
    request.password = texts[4]
    request.authorities = texts[5]
    let isStarted = texts.withList { list in
      request.headers = list
      if let body = exchange.body {
        request.body = UnsafeRawPointer(body.bytes.baseAddress)
        request.body_size = exchange.bodySize ?? body.bytes.count
      }
      return tpr_start(multi, &request) != 0
    }
    guard !isStarted else { return }
    owner.release()
    var answer = HTTPAnswer(code: -1)
    answer.why = "there is no memory for a request"
    answer.attempts = exchange.attempts
    exchange.done(answer)
  }
}

extension HTTPAnswer {
  fileprivate init(_ raw: tpr_answer) {
    code = raw.code
    status = Int(raw.status)
    received = raw.received
    overflows = raw.overflows != 0
    retryAfter = raw.retry_after
    isTransient = tpr_is_transient(raw.code) != 0
    isCertificate = tpr_is_certificate(raw.code) != 0
    url = raw.url.map { String(cString: $0) } ?? ""
    why = raw.why.map { String(cString: $0) } ?? ""
    if !isSuccess { text = raw.text.map { String(cString: $0) } ?? "" }
    for line in (raw.headers.map { String(cString: $0) } ?? "").split(separator: "\n") {
      guard let colon = line.firstIndex(of: ":") else { continue }
      var value = line[line.index(after: colon)...]
      while value.first == " " || value.first == "\t" { value.removeFirst() }
      headers[String(line[..<colon])] = String(value)
    }
  }
}

/// An answer that somebody waits for.
final class PendingAnswer: @unchecked Sendable {
  // Changed under its lock only.
  private let lock = ConditionLock()
  private var answer: HTTPAnswer?
  private let unwant: @Sendable () -> Void

  init(_ exchange: HTTPExchange) { unwant = { [weak exchange] in exchange?.isUnwanted = true } }

  func set(_ answer: HTTPAnswer) {
    lock.locked {
      self.answer = answer
      lock.wakeAll()
    }
  }

  /// - Throws: A machine error where the call is to end before there is one; the request is not sent again then.
  func wait() throws(TrajpackError) -> HTTPAnswer {
    lock.lock()
    defer { lock.unlock() }
    while true {
      if let answer { return answer }
      try lock.waitForServer(unwant)
    }
  }
}

extension ConditionLock {
  private static let patience: UInt64 = 100_000_000

  /// Waits until somebody wakes those who wait, at most a tenth of a second.
  ///
  /// - Throws: A machine error where the call is to end; `ending` is called before.
  func waitForServer(_ ending: () -> Void = {}) throws(TrajpackError) {
    guard !wait(.worker, until: now() + Self.patience) else { return }
    do throws(TrajpackError) { try Interruption.checkWaiting() } catch {
      ending()
      throw error
    }
  }
}

/// Texts as C takes them.
private final class CTexts {
  private let texts: [UnsafeMutablePointer<CChar>?]
  private let list: [UnsafeMutablePointer<CChar>?]

  init(_ texts: [String?], _ list: [String]) {
    self.texts = texts.map { $0.flatMap { strdup($0) } }
    self.list = list.map { strdup($0) } + [nil]
  }

  deinit { for text in texts + list { free(text) } }

  subscript(_ number: Int) -> UnsafePointer<CChar>? { texts[number].map { UnsafePointer($0) } }

  func withList<Result>(_ body: (UnsafePointer<UnsafePointer<CChar>?>?) -> Result) -> Result {
    let pointers = list.map { $0.map { UnsafePointer<CChar>($0) } }
    return pointers.withUnsafeBufferPointer { body($0.baseAddress) }
  }
}
