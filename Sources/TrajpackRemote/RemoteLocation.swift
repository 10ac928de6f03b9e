import TrajpackFormat

/// Something on a web server, in a bucket or on the Hugging Face Hub, as a user names it:
/// `https://host/path`, `http://host/path`, `s3://bucket/key`, `hf://datasets/owner/name[@revision]/path`.
///
/// A user, a password and a query (which may be a signature) are no part of its ``description``: they are kept for the
/// place and for all below it, and nothing that is printed or stored has them.
public struct RemoteLocation: Sendable, Hashable, CustomStringConvertible {
  /// How it is reached.
  public enum Scheme: String, Sendable, CaseIterable { case http, https, s3, hf }

  /// How it is reached.
  public let scheme: Scheme
  /// The host and its port, the bucket, or "datasets".
  public let authority: String
  /// What follows, without a slash at its ends.
  public let path: String

  /// Whether a path names something remote.
  public static func isRemote(_ path: String) -> Bool {
    Scheme.allCases.contains { path.utf8.starts(with: "\($0.rawValue)://".utf8) }
  }

  /// Reads a path, and keeps its secrets for later.
  ///
  /// - Throws: A usage error where it has no host or bucket, or is plain HTTP to another machine.
  public init(_ text: String) throws(TrajpackError) {
    guard
      let scheme = Scheme.allCases.first(where: { text.utf8.starts(with: "\($0.rawValue)://".utf8) }
      )
    else { throw TrajpackError(.usage, file: text, "is no remote path") }
    self.scheme = scheme
    var rest = Substring(text).dropFirst(scheme.rawValue.count + 3)
    var secrets = Secrets()
    let isWeb = scheme == .http || scheme == .https
    if isWeb, let mark = rest.firstIndex(of: "?") {
      secrets.query = String(rest[rest.index(after: mark)...])
      rest = rest[..<mark]
    }
    let end = rest.firstIndex(of: "/") ?? rest.endIndex
    var authority = rest[..<end]
    if isWeb, let at = authority.lastIndex(of: "@") {
      let parts = authority[..<at].split(
        separator: ":", maxSplits: 1, omittingEmptySubsequences: false)
      secrets.user = PercentEncoding.decode(String(parts[0]))
      secrets.password = parts.count > 1 ? PercentEncoding.decode(String(parts[1])) : ""
      authority = authority[authority.index(after: at)...]
    }
    self.authority = String(authority)
    var path = rest[end...]
    while path.hasPrefix("/") { path = path.dropFirst() }
    while path.hasSuffix("/") { path = path.dropLast() }
    self.path = String(path)
    let isPlain = text.utf8.allSatisfy { $0 >= 0x20 && $0 != 0x7F }
    guard isPlain, Self.isAuthority(self.authority, isWeb: isWeb) else {
      throw TrajpackError(
        .usage,
        "\(scheme.rawValue)://...: names no \(isWeb ? "host" : scheme == .s3 ? "bucket" : "dataset"); write \(Self.form(scheme))"
      )
    }
    if scheme == .hf { _ = try HubPath(self) }
    if scheme == .http, !Self.isLoopback(self.authority), !RemoteSettings.current.allowsHTTP {
      throw TrajpackError(
        .usage, file: "\(self)",
        "plain http:// lets everybody on the way read and change the data; use https://, or set "
          + "TRAJPACK_ALLOW_HTTP=1")
    }
    if !secrets.isEmpty { Secrets.keep(secrets, for: self) }
  }

  private init(_ scheme: Scheme, _ authority: String, _ path: String) {
    (self.scheme, self.authority, self.path) = (scheme, authority, path)
  }

  /// A bucket.
  init(bucket: String) { self.init(.s3, bucket, "") }

  /// What lies below it by that name, which is no part of a URL: one with `%2F`, `?` or `#` leads nowhere else.
  public func appending(_ name: String) -> RemoteLocation {
    var name = name
    if scheme == .http || scheme == .https {
      name = name.replacing("%", with: "%25").replacing("?", with: "%3F")
        .replacing("#", with: "%23")
    }
    return RemoteLocation(scheme, authority, path.isEmpty ? name : "\(path)/\(name)")
  }

  /// How it is printed, and how it is opened again by the same process.
  public var description: String {
    "\(scheme.rawValue)://\(authority)\(path.isEmpty ? "" : "/\(path)")"
  }

  /// The secrets of it, or of the nearest place above it that has some.
  var secrets: Secrets { Secrets.of(self) }

  private static func form(_ scheme: Scheme) -> String {
    switch scheme {
    case .http, .https: "\(scheme.rawValue)://HOST/PATH"
    case .s3: "s3://BUCKET/PREFIX"
    case .hf: HubPath.form
    }
  }

  private static func isAuthority(_ text: String, isWeb: Bool) -> Bool {
    !text.isEmpty
      && text.utf8.allSatisfy {
        switch $0 {
        case 0x30...0x39, 0x41...0x5A, 0x61...0x7A, 0x2D, 0x2E, 0x5F: true
        case 0x3A, 0x5B, 0x5D: isWeb  // : [ ]
        default: false
        }
      }
  }

  /// Whether a host is this machine.
  static func isLoopback(_ authority: String) -> Bool {
    let host =
      authority.hasPrefix("[")
      ? String(authority.prefix { $0 != "]" }.dropFirst())
      : String(authority.prefix { $0 != ":" })
    return host == "localhost" || host == "::1" || host.hasPrefix("127.")
  }
}

/// What a URL holds that nobody else may see.
struct Secrets: Sendable, Equatable {
  var query = ""
  var user: String?
  var password: String?

  var isEmpty: Bool { query.isEmpty && user == nil }

  private static let kept = ForkSafe<[String: Secrets]>([:])

  static func keep(_ secrets: Secrets, for location: RemoteLocation) {
    kept.withLock { $0[location.description] = secrets }
  }

  static func of(_ location: RemoteLocation) -> Secrets {
    kept.withLock { kept in
      guard !kept.isEmpty else { return Secrets() }
      var place = location.description[...]
      while true {
        if let found = kept[String(place)] { return found }
        guard let slash = place.lastIndex(of: "/") else { return Secrets() }
        place = place[..<slash]
      }
    }
  }
}

/// Where a file of a dataset on the Hugging Face Hub lies.
struct HubPath {
  static let form = "hf://datasets/OWNER/NAME/PATH or hf://datasets/OWNER/NAME@REVISION/PATH"
  let repository: String
  let revision: String
  let path: String

  init(_ location: RemoteLocation) throws(TrajpackError) {
    guard location.authority == "datasets" else {
      throw TrajpackError(
        .usage, file: "\(location)", "is no dataset of the Hub; write \(Self.form)")
    }
    var parts = location.path.split(separator: "/").map(String.init)
    guard parts.count >= 2 else {
      throw TrajpackError(.usage, file: "\(location)", "names no dataset; write \(Self.form)")
    }
    let name = parts[1].split(separator: "@", maxSplits: 1).map(String.init)
    var revision = name.count > 1 ? name[1] : "main"
    var used = 2
    // The Hub's own names of revisions have slashes: refs/pr/1, refs/convert/parquet.
    if revision == "refs", parts.count >= 4 {
      revision = "refs/\(parts[2])/\(parts[3])"
      used = 4
    }
    repository = "\(parts[0])/\(name.first ?? "")"
    self.revision = revision
    parts.removeFirst(used)
    path = parts.joined(separator: "/")
  }
}
