import Glibc
import TrajpackFormat

/// Requests to services that give credentials, whose answers are short.
enum CredentialRequest {
  /// The text of an answer.
  ///
  /// - Throws: A machine error where there is none. It names the service, and nothing of what was sent.
  static func text(
    _ url: String, _ service: String, method: String = "GET", headers: [String] = [],
    body: String? = nil, signing: HTTPExchange.Signing? = nil,
    attempts: Int = 3, connectMilliseconds: Int = 2000, isDirect: Bool = false
  ) throws(TrajpackError) -> String {
    let answer = try answer(
      url, method: method, headers: headers, body: body, signing: signing, attempts: attempts,
      connectMilliseconds: connectMilliseconds, isDirect: isDirect)
    guard answer.answer.isSuccess else { throw refused(service, answer.answer) }
    return answer.text
  }

  static func answer(
    _ url: String, method: String = "GET", headers: [String] = [], body: String? = nil,
    signing: HTTPExchange.Signing? = nil, attempts: Int,
    connectMilliseconds: Int, isDirect: Bool
  ) throws(TrajpackError) -> (answer: HTTPAnswer, text: String) {
    let memory = OwnedBuffer(count: 256 << 10)
    let exchange = HTTPExchange(url, into: memory.bytes)
    exchange.keeping = memory
    exchange.method = method
    exchange.headers = headers
    exchange.signing = signing
    if let body {
      let sent = OwnedBuffer(count: body.utf8.count)
      sent.bytes.copyBytes(from: body.utf8)
      exchange.body = sent
    }
    exchange.mostAttempts = attempts
    exchange.connectMilliseconds = connectMilliseconds
    exchange.totalMilliseconds = 20_000
    exchange.isDirect = isDirect
    exchange.followsRedirects = false
    exchange.judge = { $0.isSuccess ? .done : $0.mayPass ? .again : .failed }
    let answer = try HTTPClient.shared().answer(to: exchange)
    return (
      answer,
      String(
        decoding: UnsafeRawBufferPointer(rebasing: memory.bytes[..<answer.received]), as: UTF8.self)
    )
  }

  static func refused(_ service: String, _ answer: HTTPAnswer) -> TrajpackError {
    let why =
      answer.code != 0
      ? answer.why : "it answers with status \(answer.status) \(answer.errorCode)".trimmed
    return TrajpackError(
      .machine,
      "\(service) gave no credentials for S3: \(why); mend it, or set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"
    )
  }

  /// Credentials as a JSON object says them: AccessKeyId, SecretAccessKey, Token or SessionToken, Expiration.
  static func credentials(json text: String, _ source: String) throws(TrajpackError)
    -> AWSCredentials
  {
    guard let json = try? JSONValue(parsing: Array(text.utf8)),
      let key = json["AccessKeyId"]?.string,
      let secret = json["SecretAccessKey"]?.string
    else {
      throw TrajpackError(
        .machine,
        "\(source) gave no credentials for S3: its answer is no JSON with AccessKeyId and SecretAccessKey"
      )
    }
    var expiration: Double?
    if let text = json["Expiration"]?.string {
      guard let time = seconds(text) else {
        throw TrajpackError(
          .machine, "\(source) gave credentials for S3 whose Expiration is no time of ISO 8601")
      }
      expiration = time
    }
    return AWSCredentials(
      key: key, secret: secret, token: json["Token"]?.string ?? json["SessionToken"]?.string,
      expiration: expiration, source: source)
  }

  /// Seconds since 1970 of a time such as `2026-11-29T10:00:00Z` or `...+00:00`.
  static func seconds(_ text: String) -> Double? {
    let head = text.prefix(19).split(whereSeparator: { "-T:".contains($0) }).map { Int32($0) }
    guard head.count == 6, let year = head[0], let month = head[1], let day = head[2],
      let hour = head[3],
      let minute = head[4], let second = head[5], (1900...9999).contains(year),
      (1...12).contains(month), (1...31).contains(day), (0...23).contains(hour),
      (0...59).contains(minute), (0...60).contains(second)
    else { return nil }
    var time = tm()
    (time.tm_year, time.tm_mon, time.tm_mday) = (year - 1900, month - 1, day)
    (time.tm_hour, time.tm_min, time.tm_sec) = (hour, minute, second)
    let seconds = Double(timegm(&time))
    var zone = text.dropFirst(19)
    if zone.hasPrefix(".") { zone = zone.dropFirst().drop { $0.isNumber } }
    if zone == "Z" || zone.isEmpty { return seconds }
    let digits = zone.dropFirst().filter { $0 != ":" }
    guard zone.first == "+" || zone.first == "-", digits.count == 4, let number = Int(digits) else {
      return nil
    }
    let minutes = number / 100 * 60 + number % 100
    let offset = Double(minutes * 60)
    return zone.first == "+" ? seconds - offset : seconds + offset
  }
}
