import Synchronization
import TrajpackFormat

/// A request, and what became of it.
final class HTTPExchange: @unchecked Sendable {
  // Filled before it is submitted; then it belongs to the client's thread until `done` is called.
  var url: String
  var method = "GET"
  /// "Name: value" each.
  var headers: [String] = []
  /// Access key, secret and region where it is signed.
  var signing: Signing?
  /// User and password of Basic authentication.
  var user: (name: String, password: String)?
  /// What is sent.
  var body: OwnedBuffer?
  /// How many bytes of `body`; all where `nil`.
  var bodySize: Int?
  /// Where the content of a successful answer goes; it must stay.
  let into: UnsafeMutableRawBufferPointer
  var followsRedirects = true
  var usesNetrc = false
  /// Whether no proxy is used.
  var isDirect = false
  /// The most attempts; `nil` for the settings'.
  var mostAttempts: Int?
  var connectMilliseconds = 10_000
  var totalMilliseconds = 0
  /// Seconds without a byte after which it has failed; `nil` for the settings'.
  var stalledSeconds: Int?
  /// Looks at an answer on the client's thread; must be quick.
  var judge: @Sendable (HTTPAnswer) -> Verdict = { $0.isSuccess ? .done : .failed }
  /// What must stay until `done` was called, also where nobody waits for that any more: the memory of `into`.
  var keeping: AnyObject?
  private let unwanted = Atomic<Bool>(false)
  /// Whether nobody waits for it any more.
  var isUnwanted: Bool {
    get { unwanted.load(ordering: .relaxed) }
    set { unwanted.store(newValue, ordering: .relaxed) }
  }
  /// Called once, on the client's thread.
  var done: @Sendable (HTTPAnswer) -> Void = { _ in }

  var attempts = 0
  /// When it may be sent again.
  var due: UInt64 = 0

  /// What an access key signs.
  struct Signing: Sendable {
    var key, secret, region: String
    var service = "s3"
  }

  /// What is to be done about an answer.
  enum Verdict { case done, failed, again }

  init(_ url: String, into: UnsafeMutableRawBufferPointer) {
    self.url = url
    self.into = into
  }
}

/// What a server, or libcurl, has answered.
struct HTTPAnswer: Sendable {
  /// libcurl's code; 0 where the server has answered.
  var code: Int32 = 0
  var status = 0
  /// Bytes of the content.
  var received = 0
  /// Whether the content was longer than its room.
  var overflows = false
  var retryAfter = 0
  /// Names are in lower case.
  var headers: [String: String] = [:]
  /// Where redirects led to.
  var url = ""
  /// The beginning of the content of an answer that is no success.
  var text = ""
  /// libcurl's words.
  var why = ""
  var isTransient = false
  var isCertificate = false
  var attempts = 1

  var isSuccess: Bool { code == 0 && (200...299).contains(status) }

  /// The code of an error of S3: "AccessDenied"; empty for none.
  var errorCode: String {
    if let code = headers["x-error-code"] { return code }
    let code = XMLText.first("Code", in: text) ?? ""
    return code.utf8.count <= 64 && code.utf8.allSatisfy { $0 >= 0x21 && $0 < 0x7F } ? code : ""
  }

  /// Whether another attempt may succeed.
  var mayPass: Bool {
    if overflows { return false }
    if code != 0 { return isTransient }
    switch status {
    case 408, 425, 429, 500, 502, 503, 504: return true
    case 400: return errorCode == "RequestTimeout"
    default: return false
    }
  }
}
