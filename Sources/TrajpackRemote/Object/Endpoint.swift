import TrajpackFormat

/// Where the object of a location is asked for, and with what proof of who asks.
struct Endpoint: Sendable {
  var url: String
  var headers: [String] = []
  var signing: HTTPExchange.Signing?
  var user: (name: String, password: String)?
  var followsRedirects = true
  var usesNetrc = false
  /// The region that a bucket is asked for in.
  var region: String?
  /// Which credentials were used, for errors.
  var identity = ""

  /// - Parameters:
  ///   - query: Of S3, as it is signed: sorted, each member with "=", all encoded.
  ///   - payload: The SHA-256 of what is sent; S3 compares it.
  /// - Throws: What keeps the credentials from being found.
  init(
    _ location: RemoteLocation, query: String = "", payload: String = "UNSIGNED-PAYLOAD"
  ) throws(TrajpackError) {
    switch location.scheme {
    case .http, .https:
      let secrets = location.secrets
      url =
        "\(location.scheme.rawValue)://\(location.authority)/"
        + PercentEncoding.encode(location.path, keeping: "/%:@!$&'()*+,;=")
        + (secrets.query.isEmpty ? "" : "?\(secrets.query)")
      user = secrets.user.map { ($0, secrets.password ?? "") }
      usesNetrc = user == nil
    case .hf:
      let hub = try HubPath(location)
      let base = RemoteSettings.variable("HF_ENDPOINT") ?? "https://huggingface.co"
      guard !RemoteLocation.isPlainElsewhere(base) || RemoteSettings.allowsHTTP else {
        throw TrajpackError(
          .usage, file: "\(location)",
          "HF_ENDPOINT is plain http:// to another machine, which lets everybody on the way read the token and change the "
            + "data; use https://, or set TRAJPACK_ALLOW_HTTP=1")
      }
      url =
        "\(base)/datasets/\(PercentEncoding.encode(hub.repository, keeping: "/"))/resolve/"
        + "\(PercentEncoding.encode(hub.revision))/\(PercentEncoding.encode(hub.path, keeping: "/"))"
      if let token = HubToken.current { headers.append("Authorization: Bearer \(token)") }
      identity = headers.isEmpty ? "no token (HF_TOKEN) was given" : "with the token of the Hub"
    case .s3:
      let store = try S3Settings.current()
      let region = S3Settings.region(of: location.authority) ?? store.region
      self.region = region
      url =
        store.url(bucket: location.authority, key: location.path, region: region)
        + (query.isEmpty ? "" : "?\(query)")
      headers.append("x-amz-content-sha256: \(payload)")
      followsRedirects = false
      if let credentials = try CredentialChain.shared.current() {
        signing = .init(key: credentials.key, secret: credentials.secret, region: region)
        if let token = credentials.token { headers.append("x-amz-security-token: \(token)") }
        identity = "with the credentials of \(credentials.source)"
      } else {
        headers = []
        identity =
          CredentialChain.shared.isAnonymous ? "without credentials" : CredentialChain.noneFound
      }
    }
  }

  /// Fills in what a request needs.
  func apply(to exchange: HTTPExchange) {
    exchange.headers += headers
    exchange.signing = signing
    exchange.user = user
    exchange.followsRedirects = followsRedirects
    exchange.usesNetrc = usesNetrc
  }
}

/// Where S3 is, by the environment and the profile.
struct S3Settings: Sendable {
  var region: String
  /// Another server than Amazon's.
  var endpoint: String?

  /// Regions that buckets have named themselves.
  private static let regions = ForkSafe<[String: String]>([:])

  static func keep(region: String, of bucket: String) { regions.withLock { $0[bucket] = region } }
  static func region(of bucket: String) -> String? { regions.withLock { $0[bucket] } }

  static func current() throws(TrajpackError) -> S3Settings {
    let profile = try AWSProfile.current()
    let endpoint =
      RemoteSettings.variable("AWS_ENDPOINT_URL_S3") ?? RemoteSettings.variable("AWS_ENDPOINT_URL")
      ?? profile?["endpoint_url"]
    let region =
      RemoteSettings.variable("AWS_REGION") ?? RemoteSettings.variable("AWS_DEFAULT_REGION")
      ?? profile?["region"] ?? "us-east-1"
    guard
      region.utf8.allSatisfy({
        $0 == 0x2D || (0x30...0x39).contains($0) || (0x61...0x7A).contains($0)
      })
    else {
      throw TrajpackError(
        .usage, "'\(region)' is no region of S3; set AWS_REGION, such as us-east-1")
    }
    if let endpoint, !endpoint.hasPrefix("https://"), !endpoint.hasPrefix("http://") {
      throw TrajpackError(.usage, "AWS_ENDPOINT_URL: '\(endpoint)' is no https:// or http:// URL")
    }
    return S3Settings(region: region, endpoint: endpoint)
  }

  /// The URL of an object. A bucket whose name is no part of a host name that a certificate covers is named in the
  /// path, and so is one of another server than Amazon's.
  func url(bucket: String, key: String, region: String) -> String {
    let path = PercentEncoding.encode(key, keeping: "/")
    if var base = endpoint {
      while base.hasSuffix("/") { base.removeLast() }
      return "\(base)/\(bucket)/\(path)"
    }
    let host = "s3.\(region).amazonaws.com"
    return bucket.contains(".") || bucket.contains("_")
      ? "https://\(host)/\(bucket)/\(path)" : "https://\(bucket).\(host)/\(path)"
  }
}

/// The token of a user of the Hugging Face Hub.
enum HubToken {
  static var current: String? {
    if let token = RemoteSettings.variable("HF_TOKEN") { return token }
    let home = RemoteSettings.variable("HOME") ?? ""
    let cache =
      RemoteSettings.variable("HF_HOME")
      ?? "\(RemoteSettings.variable("XDG_CACHE_HOME") ?? "\(home)/.cache")/huggingface"
    let path = RemoteSettings.variable("HF_TOKEN_PATH") ?? "\(cache)/token"
    guard let text = SmallFile.text(path) else { return nil }
    let token = text.trimmed
    return token.isEmpty || token.utf8.contains(where: { $0 <= 0x20 }) ? nil : token
  }
}
