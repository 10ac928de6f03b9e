import CLazyLoading
import Glibc
import TrajpackFormat

/// What the environment says of remote reading.
struct RemoteSettings: Sendable {
  /// Seconds without a byte after which a transfer has failed (TRAJPACK_HTTP_TIMEOUT).
  var stalledSeconds = 20
  /// Attempts of a request (TRAJPACK_HTTP_ATTEMPTS).
  var attempts = 7
  /// Connections to a host (TRAJPACK_HTTP_CONNECTIONS).
  var connections = 64
  /// Bytes of a part of an upload (TRAJPACK_UPLOAD_PART); what is shorter goes in one request.
  var partBytes = 16 << 20
  /// Whether http:// may lead to another machine (TRAJPACK_ALLOW_HTTP).
  var allowsHTTP = false
  /// A file of certificates instead of the system's.
  var authorities: String?

  /// - Throws: A usage error that names the variable which cannot be read, and its form.
  static func current() throws(TrajpackError) -> RemoteSettings {
    var settings = RemoteSettings()
    func number(
      _ name: String, _ range: ClosedRange<Int>, _ value: inout Int
    ) throws(TrajpackError) {
      guard let text = Self.variable(name) else { return }
      guard let found = Int(text), range.contains(found) else {
        throw TrajpackError(
          .usage,
          "\(name): '\(text.printableText)' is no whole number from \(range.lowerBound) to \(range.upperBound); set it to "
            + "one, or leave it out for \(value)")
      }
      value = found
    }
    try number("TRAJPACK_HTTP_TIMEOUT", 1...3600, &settings.stalledSeconds)
    try number("TRAJPACK_HTTP_ATTEMPTS", 1...100, &settings.attempts)
    try number("TRAJPACK_HTTP_CONNECTIONS", 1...1024, &settings.connections)
    if let bytes = try bytes("TRAJPACK_UPLOAD_PART", 1 << 10...5 << 30) {
      settings.partBytes = bytes
    }
    settings.allowsHTTP = allowsHTTP
    for name in ["AWS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE", "REQUESTS_CA_BUNDLE"] {
      settings.authorities = settings.authorities ?? variable(name)
    }
    settings.authorities = settings.authorities ?? installedAuthorities
    return settings
  }

  /// Where distributions have their file of certificates: Debian, Ubuntu, Arch; Fedora, RHEL; openSUSE; Alpine; what
  /// OpenSSL and FreeBSD use. A libcurl of the wheel knows none of them.
  private static let places = [
    "/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem", "/etc/ssl/ca-bundle.pem",
    "/etc/ssl/cert.pem", "/usr/local/share/certs/ca-root-nss.crt",
  ]

  /// The machine's file of certificates, or that of the Python package `certifi` beside this one; `nil` for what libcurl
  /// knows itself.
  private static let installedAuthorities: String? = {
    if let found = places.first(where: { access($0, R_OK) == 0 }) { return found }
    var path = [CChar](repeating: 0, count: Int(PATH_MAX))
    guard tpl_beside("../../certifi/cacert.pem", "../certifi/cacert.pem", &path, path.count) != 0
    else { return nil }
    return String(decoding: path.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
  }()

  /// Whether http:// may lead to another machine.
  static var allowsHTTP: Bool { isOn("TRAJPACK_ALLOW_HTTP") }

  /// A variable that is a number of bytes; `nil` where it is not set.
  ///
  /// - Throws: A usage error where it is no such number.
  static func bytes(_ name: String, _ range: ClosedRange<Int>) throws(TrajpackError) -> Int? {
    guard let text = variable(name) else { return nil }
    guard let bytes = RemoteCache.bytes(text), range.contains(bytes) else {
      let most = range.upperBound == .max ? "" : " and \(range.upperBound) at most"
      let least = range.lowerBound > 0 ? ", \(range.lowerBound) at least\(most)" : ""
      throw TrajpackError(
        .usage,
        "\(name): '\(text.printableText)' is no number of bytes such as 1000000, 500MiB or 20GiB\(least); write it so"
      )
    }
    return bytes
  }

  /// A variable of the environment; `nil` where it is not set or empty.
  static func variable(_ name: String) -> String? {
    guard let value = getenv(name), value.pointee != 0 else { return nil }
    return String(cString: value)
  }

  /// Whether a variable says yes.
  static func isOn(_ name: String) -> Bool {
    ["1", "true", "yes", "on"].contains(variable(name)?.lowercased() ?? "")
  }
}
