import TrajpackFormat

extension RemoteFile {
  /// Asks for parts, all at once.
  func send(_ parts: [RemotePart]) {
    guard !parts.isEmpty else { return }
    let client: HTTPClient
    let endpoint: Endpoint?
    let now = state.withLock { $0 }
    do throws(TrajpackError) {
      client = try HTTPClient.shared()
      endpoint = now.resolved == nil ? try Endpoint(location) : nil
    } catch {
      for part in parts { part.refuse(error) }
      return
    }
    client.submit(
      parts.map { part in
        let exchange = HTTPExchange(endpoint?.url ?? now.resolved ?? "", into: part.into)
        endpoint?.apply(to: exchange)
        part.request = Request(
          usesResolved: endpoint == nil, identity: endpoint?.identity ?? "",
          region: endpoint?.region)
        exchange.headers.append(
          "Range: bytes=\(part.range.lowerBound)-\(part.range.upperBound - 1)")
        // The first place of a redirect may know the object by another tag.
        if tag.hasPrefix("\""), endpoint == nil || !now.redirects {
          exchange.headers.append("If-Match: \(tag)")
        }
        exchange.judge = { [self] in judge($0, part.range) }
        let url = exchange.url
        exchange.done = { [self] answer in
          if endpoint?.followsRedirects == true, answer.isSuccess, answer.url != url {
            state.withLock { ($0.resolved, $0.redirects) = (answer.url, true) }
          }
          part.take(answer)
        }
        return exchange
      })
  }

  private func judge(_ answer: HTTPAnswer, _ range: Range<Int>) -> HTTPExchange.Verdict {
    if accepts(answer, range) { return .done }
    if answer.mayPass { return .again }
    // A wrong range or a short one of a good object: as if the connection had been cut.
    return answer.code == 0 && answer.status == 206 && !isOther(answer) ? .again : .failed
  }

  /// Whether an answer has exactly these bytes of the object that was opened.
  func accepts(_ answer: HTTPAnswer, _ range: Range<Int>) -> Bool {
    guard answer.code == 0, !isOther(answer), answer.headers["content-encoding"] == nil,
      answer.received == range.count
    else { return false }
    if answer.status == 200 { return range == 0..<length }
    guard answer.status == 206, let found = ContentRange(answer) else { return false }
    return found.first == range.lowerBound && found.end == range.upperBound && found.total == length
  }

  /// Whether an answer is of another object than the one that was opened.
  private func isOther(_ answer: HTTPAnswer) -> Bool {
    if answer.status == 412 { return true }
    guard answer.isSuccess else { return false }
    let found = answer.identityTag
    if !tag.isEmpty, !found.isEmpty, found != tag { return true }
    return ContentRange(answer).map { $0.total != length } ?? false
  }

  /// Changes what may have kept a request from succeeding; whether it is worth another attempt.
  func recover(from answer: HTTPAnswer, _ request: Request) -> Bool {
    guard !isOther(answer) else { return false }
    var changed = state.withLock { $0 }
    let recovers = Self.recover(from: answer, request, location, &changed)
    if changed.resolved == nil { state.withLock { $0.resolved = nil } }
    return recovers
  }

  static func recover(
    from answer: HTTPAnswer, _ request: Request, _ location: RemoteLocation, _ state: inout State
  ) -> Bool {
    guard answer.code == 0, answer.status >= 300 else { return false }
    // Where a redirect led has expired.
    if request.usesResolved, [400, 401, 403, 404, 410].contains(answer.status) {
      state.resolved = nil
      return true
    }
    guard location.scheme == .s3 else { return false }
    if [301, 307, 400].contains(answer.status), let region = answer.headers["x-amz-bucket-region"],
      region != request.region
    {
      S3Settings.keep(region: region, of: location.authority)
      return true
    }
    if ["ExpiredToken", "TokenRefreshRequired", "InvalidToken"].contains(answer.errorCode)
      || answer.status == 401
    {
      CredentialChain.shared.forget()
      return CredentialChain.shared.canRenew
    }
    return false
  }

  /// The error of an answer that brought nothing.
  func error(_ answer: HTTPAnswer, _ request: Request, _ what: String) -> TrajpackError {
    guard !isOther(answer) else {
      return TrajpackError(
        .machine,
        "\(path): is another object than the one that was opened (\(what) were asked for; its ETag or length has "
          + "changed); open the dataset again")
    }
    return Self.error(answer, request, location, what)
  }
}
