import CCurlShims
import Glibc
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
    var secrets = Secrets()
    try self.init(text, &secrets)
    if !secrets.isEmpty { Secrets.keep(secrets, for: self) }
  }

  /// Reads a path that a user names, and opens what is there. Where other secrets, or none, are kept for that place, they
  /// stay unless these open it: an expired signature does not take the place of a good one, and a path without secrets
  /// is asked for without.
  ///
  /// - Parameter open: Is also told whether it must ask the server, because that decides which secrets are kept.
  public static func opened<Result>(
    _ text: String, _ open: (RemoteLocation, Bool) throws(TrajpackError) -> Result
  ) throws(TrajpackError) -> Result {
    var secrets = Secrets()
    let location = try RemoteLocation(text, &secrets)
    let known = Secrets.of(location)
    if secrets == known || secrets.isEmpty && Secrets.areGiven { return try open(location, false) }
    if known.isEmpty {
      Secrets.keep(secrets, for: location)
      return try open(location, false)
    }
    let result = try Secrets.trying(secrets) { () throws(TrajpackError) in try open(location, true)
    }
    Secrets.keep(secrets, for: location)
    return result
  }

  /// The paths of a program come without the secrets that its command line had.
  public static func giveSecrets() { Secrets.areGiven = true }

  private init(_ text: String, _ secrets: inout Secrets) throws(TrajpackError) {
    guard
      let scheme = Scheme.allCases.first(where: { text.utf8.starts(with: "\($0.rawValue)://".utf8) }
      )
    else { throw TrajpackError(.usage, file: text, "is no remote path") }
    self.scheme = scheme
    var rest = Substring(text).dropFirst(scheme.rawValue.count + 3)
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
    // A slash or a question mark of a password ends it there, so that a part of it would be printed as the host.
    guard !isWeb || Self.isHost(self.authority) else {
      throw TrajpackError(
        .usage,
        "\(scheme.rawValue)://...: the host and its port cannot be read; write \(Self.form(scheme)), and in a user or a "
          + "password %2F for / and %3F for ?")
    }
    if scheme == .hf { _ = try HubPath(self) }
    if scheme == .http, !Self.isLoopback(self.authority), !RemoteSettings.allowsHTTP {
      throw TrajpackError(
        .usage, file: "\(self)",
        "plain http:// lets everybody on the way read and change the data; use https://, or set "
          + "TRAJPACK_ALLOW_HTTP=1")
    }
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

  /// Whether a host is this machine: `localhost`, `[::1]` or a numeric address 127.x.x.x, with a port or without.
  static func isLoopback(_ authority: String) -> Bool { tpr_is_loopback(authority) != 0 }

  /// Whether a URL is plain HTTP to another machine.
  static func isPlainElsewhere(_ url: String) -> Bool {
    guard !url.lowercased().hasPrefix("https://"), let mark = url.firstRange(of: "://") else {
      return false
    }
    return !isLoopback(String(url[mark.upperBound...].prefix { !"/?#".contains($0) }))
  }

  /// Whether it is a host, and digits where it has a port.
  private static func isHost(_ authority: String) -> Bool {
    guard !authority.hasPrefix("[") else { return true }
    let parts = authority.split(separator: ":", omittingEmptySubsequences: false)
    return parts.count == 1 || parts.count == 2 && UInt16(parts[1]) != nil
  }
}

/// What a URL holds that nobody else may see.
struct Secrets: Sendable, Equatable {
  var query = ""
  var user: String?
  var password: String?

  var isEmpty: Bool { query.isEmpty && user == nil }

  private static let kept = ForkSafe<[String: Secrets]>([:])
  private static let given = ForkSafe<Bool>(false)
  /// What a thread tries.
  private final class Trial {
    let secrets: Secrets

    init(_ secrets: Secrets) { self.secrets = secrets }
  }

  private static let key: pthread_key_t = {
    var key = pthread_key_t()
    let status = pthread_key_create(&key, nil)
    precondition(status == 0, "a process has room for a key of its threads")
    return key
  }()

  /// Whether a path without secrets is one whose secrets were taken from it before.
  static var areGiven: Bool {
    get { given.withLock { $0 } }
    set { given.withLock { $0 = newValue } }
  }

  /// Runs `body`, in whose requests these count instead of those that are kept.
  static func trying<Result>(
    _ secrets: Secrets, _ body: () throws(TrajpackError) -> Result
  ) throws(TrajpackError) -> Result {
    let trial = Trial(secrets)
    let outer = pthread_getspecific(key)
    pthread_setspecific(key, Unmanaged.passUnretained(trial).toOpaque())
    defer {
      pthread_setspecific(key, outer)
      withExtendedLifetime(trial) {}
    }
    return try body()
  }

  static func keep(_ secrets: Secrets, for location: RemoteLocation) {
    kept.withLock { $0[location.description] = secrets }
  }

  static func of(_ location: RemoteLocation) -> Secrets {
    if let trial = pthread_getspecific(key) {
      return Unmanaged<Trial>.fromOpaque(trial).takeUnretainedValue().secrets
    }
    return kept.withLock { kept in
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
