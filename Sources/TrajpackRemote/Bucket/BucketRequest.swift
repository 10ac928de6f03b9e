import TrajpackCodecs
import TrajpackFormat

/// A request to a bucket: one of S3's operations on a key, or on the bucket where the key is empty.
struct BucketRequest: Sendable {
  var method: String
  /// The object, or the bucket with an empty path.
  var location: RemoteLocation
  /// Members of the query; they are sorted and encoded when it is sent.
  var query: [(name: String, value: String)] = []
  var headers: [String] = []
  /// What is sent, and how many bytes of it.
  var body: (buffer: OwnedBuffer, count: Int)?
  /// Room for the content of the answer.
  var room = 64 << 10
  /// Seconds without a byte after which it has failed; `nil` for the settings'.
  var stalledSeconds: Int?
  /// The most attempts; `nil` for the settings'.
  var mostAttempts: Int?
  /// What S3 must say as the CRC-32C of what it has taken, where it says one.
  var checksum: String?
  /// What cannot be done where it fails, for errors: "cannot be written".
  var failure: String

  init(
    _ method: String, _ location: RemoteLocation, failing failure: String,
    query: [(name: String, value: String)] = []
  ) {
    (self.method, self.location, self.failure, self.query) = (method, location, failure, query)
  }

  /// The query as it is sent and signed.
  private var text: String {
    query.map { (PercentEncoding.encode($0.name), PercentEncoding.encode($0.value)) }
      .sorted { $0 < $1 }.map { "\($0)=\($1)" }.joined(separator: "&")
  }

  /// Adds a body, with its SHA-256 for the signature and its CRC-32C.
  mutating func send(_ buffer: OwnedBuffer, _ count: Int, type: String) {
    body = (buffer, count)
    let bytes = UnsafeRawBufferPointer(rebasing: buffer.bytes[..<count])
    let checksum = CRC32CText.of(bytes)
    self.checksum = checksum
    headers += ["x-amz-checksum-crc32c: \(checksum)", "Content-Type: \(type)"]
  }

  /// Begins it; its answer is waited for later.
  func begin() throws(TrajpackError) -> PendingBucketAnswer { try PendingBucketAnswer(self) }

  /// Sends it and waits for its answer.
  ///
  /// - Parameter accepting: Statuses that are answers, not errors.
  func answer(accepting: Set<Int> = []) throws(TrajpackError) -> BucketAnswer {
    try begin().wait(accepting: accepting)
  }

  fileprivate func exchange(_ memory: OwnedBuffer) throws(TrajpackError) -> (
    HTTPExchange, RemoteFile.Request
  ) {
    // S3 compares the digest that is signed with what comes: damage on the way is an error.
    let payload =
      body.map { SHA256.of(UnsafeRawBufferPointer(rebasing: $0.buffer.bytes[..<$0.count])) }
      ?? SHA256.of(UnsafeRawBufferPointer(start: nil, count: 0))
    let endpoint = try Endpoint(location, query: text, payload: payload)
    let exchange = HTTPExchange(endpoint.url, into: memory.bytes)
    exchange.keeping = memory
    exchange.method = method
    exchange.mostAttempts = mostAttempts
    endpoint.apply(to: exchange)
    exchange.headers += headers
    (exchange.body, exchange.bodySize) = (body?.buffer, body?.count)
    exchange.stalledSeconds = stalledSeconds
    exchange.judge = { [self] in judge($0, memory) }
    return (
      exchange, .init(usesResolved: false, identity: endpoint.identity, region: endpoint.region)
    )
  }

  private func judge(_ answer: HTTPAnswer, _ memory: OwnedBuffer) -> HTTPExchange.Verdict {
    if answer.isSuccess { return wrong(answer, memory) == nil ? .done : .again }
    if answer.mayPass { return .again }
    // Another writer of the key is at work; or what came was not what had been sent.
    let again: Set = [
      "ConditionalRequestConflict", "OperationAborted", "BadDigest", "IncompleteBody",
      "XAmzContentSHA256Mismatch", "XAmzContentChecksumMismatch",
    ]
    return answer.code == 0 && again.contains(answer.errorCode) ? .again : .failed
  }

  /// What is wrong with a successful answer; `nil` for nothing.
  fileprivate func wrong(_ answer: HTTPAnswer, _ memory: OwnedBuffer) -> String? {
    if let checksum, let found = answer.headers["x-amz-checksum-crc32c"], found != checksum {
      return
        "the server has other bytes than were sent (it says the CRC-32C \(found.printableText), sent was \(checksum))"
    }
    // S3 sends status 200 at once when it puts parts together, and an error later.
    guard method == "POST", answer.received > 0 else { return nil }
    let text = Self.text(memory, answer)
    guard text.contains("<Error>") else { return nil }
    return "the server answers with \(XMLText.first("Code", in: text)?.printableText ?? "an error")"
  }

  fileprivate static func text(_ memory: OwnedBuffer, _ answer: HTTPAnswer) -> String {
    String(
      decoding: UnsafeRawBufferPointer(rebasing: memory.bytes[..<answer.received]), as: UTF8.self)
  }
}

/// What a bucket has answered.
struct BucketAnswer: Sendable {
  var answer: HTTPAnswer
  /// Its content where it is a success.
  var text: String
}

/// A request that is under way.
final class PendingBucketAnswer: Sendable {
  private let request: BucketRequest
  private let memory: OwnedBuffer
  private let used: RemoteFile.Request
  private let pending: PendingAnswer

  init(_ request: BucketRequest) throws(TrajpackError) {
    self.request = request
    memory = OwnedBuffer(count: request.room)
    let (exchange, used) = try request.exchange(memory)
    self.used = used
    pending = try HTTPClient.shared().begin(exchange)
  }

  /// Waits for the answer. Where credentials have expired, or the bucket is in another region, it is asked again.
  ///
  /// - Throws: The error of an answer that is no success, unless its status is one of `accepting`.
  func wait(accepting: Set<Int>, recoveries: Int = 0) throws(TrajpackError) -> BucketAnswer {
    let answer = try pending.wait()
    if answer.isSuccess {
      guard let wrong = request.wrong(answer, memory) else {
        return BucketAnswer(answer: answer, text: BucketRequest.text(memory, answer))
      }
      throw TrajpackError(
        .machine,
        "\(request.location): \(request.failure) after \(answer.attempts) attempts: \(wrong); try again later"
      )
    }
    if answer.code == 0, accepting.contains(answer.status), answer.errorCode != "NoSuchBucket" {
      return BucketAnswer(answer: answer, text: "")
    }
    var state = RemoteFile.State()
    if recoveries < 3, RemoteFile.recover(from: answer, used, request.location, &state) {
      return try request.begin().wait(accepting: accepting, recoveries: recoveries + 1)
    }
    throw request.error(answer, used)
  }
}

extension BucketRequest {
  /// The error of an answer that is no success.
  fileprivate func error(_ answer: HTTPAnswer, _ used: RemoteFile.Request) -> TrajpackError {
    let tries = answer.attempts > 1 ? " after \(answer.attempts) attempts" : ""
    let identity = used.identity.isEmpty ? "" : ", \(used.identity)"
    guard answer.code == 0 else {
      if answer.isCertificate { return RemoteFile.error(answer, used, location, failure) }
      return TrajpackError(
        .machine,
        "\(location): \(failure)\(tries): \(answer.why.lowercasedFirst); check the network and the address"
      )
    }
    let code = answer.errorCode
    let status = code.isEmpty ? "status \(answer.status)" : "status \(answer.status), \(code)"
    switch (answer.status, code) {
    case (_, "NoSuchBucket"), (_, "RequestTimeTooSkewed"), (_, "SignatureDoesNotMatch"),
      (_, "InvalidAccessKeyId"), (_, "ExpiredToken"), (_, "TokenRefreshRequired"),
      (_, "InvalidToken"), (_, "AuthorizationHeaderMalformed"),
      (_, "IllegalLocationConstraintException"), (301, _), (307, _):
      return RemoteFile.error(answer, used, location, failure)
    case (403, "QuotaExceeded"), (507, _):
      return TrajpackError(
        .machine, "\(location): \(failure): the bucket is full (\(status)); make room and try again"
      )
    case (401, _), (403, _):
      return TrajpackError(
        .usage,
        "\(location): \(failure): access is denied (\(status)\(identity)); check the credentials and what the bucket "
          + "allows them")
    case (405, _), (501, _):
      return TrajpackError(
        .usage,
        "\(location): \(failure): the server does not do that (\(status)); use a server that speaks S3's protocol"
      )
    default:
      return TrajpackError(
        .machine,
        "\(location): \(failure)\(tries): the server answers with \(status)\(identity); try again later"
      )
    }
  }
}

/// CRC-32C as S3 writes it: base64 of its four bytes, the highest first.
enum CRC32CText {
  static func of(_ bytes: UnsafeRawBufferPointer) -> String { text(CRC32C.of(bytes)) }

  static func text(_ crc: UInt32) -> String {
    let alphabet = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/".utf8)
    // 36 bits: the 32 of the number and four zeros; then two signs that fill the group up.
    let bits = UInt64(crc) << 4
    let digits = (0..<6).map { alphabet[Int(bits >> UInt64(6 * (5 - $0)) & 63)] }
    return String(decoding: digits, as: UTF8.self) + "=="
  }
}

extension String {
  /// At most 64 printable characters of what a server has sent.
  var printableText: String {
    String(decoding: utf8.filter { $0 >= 0x20 && $0 < 0x7F }.prefix(64), as: UTF8.self)
  }
}
