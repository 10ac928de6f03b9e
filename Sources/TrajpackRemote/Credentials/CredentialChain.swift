import Glibc
import TrajpackFormat

/// An access key of S3.
struct AWSCredentials: Sendable, Equatable {
  var key: String
  var secret: String
  var token: String?
  /// When they expire, in seconds since 1970; `nil` for never.
  var expiration: Double?
  /// Where they are from, for errors.
  var source: String
}

/// Credentials of S3 from a function of the user.
public enum RemoteCredentials {
  /// Asks `provider` for credentials, instead of the environment, profiles and roles; `nil` for these again.
  ///
  /// - Parameter provider: Gives the JSON of {"AccessKeyId", "SecretAccessKey", "SessionToken", "Expiration"}, or of {}
  ///   where nothing is to be signed. Any thread may call it, and calls it again before they expire.
  public static func use(_ provider: (@Sendable () throws(TrajpackError) -> String)?) {
    let source = "the function that was set"
    guard let provider else { return CredentialChain.shared.use(nil) }
    CredentialChain.shared.use { () throws(TrajpackError) -> AWSCredentials? in
      let text = try provider()
      if text.trimmed == "{}" { return nil }
      return try CredentialRequest.credentials(json: text, source)
    }
  }

  /// What writes that JSON to the room that it is given, with a zero byte behind it, and returns 0.
  public typealias Function =
    @convention(c) (UnsafeMutableRawPointer?, UnsafeMutablePointer<CChar>?, Int) -> Int32

  /// The same of a function of C; `nil` for none.
  public static func use(_ function: Function?, context: UnsafeMutableRawPointer?) {
    guard let function else { return use(nil) }
    let context = Int(bitPattern: context)
    use { () throws(TrajpackError) -> String in
      var text = [CChar](repeating: 0, count: 64 << 10)
      guard function(UnsafeMutableRawPointer(bitPattern: context), &text, text.count) == 0 else {
        throw TrajpackError(
          .machine,
          "the function that was set for credentials of S3 has failed; mend it, or set none")
      }
      return String(decoding: text.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }
  }
}

/// Finds credentials where the AWS tools look for them, in their order: the caller's own, the environment, web identity,
/// the profile, the container, the machine. They are kept, and had again five minutes before they expire.
final class CredentialChain: Sendable {
  static let shared = CredentialChain()

  private let kept = ForkSafe<AWSCredentials??>(nil)
  private let provider = ForkSafe<(@Sendable () throws(TrajpackError) -> AWSCredentials?)?>(nil)
  /// One thread looks, the others wait.
  private let looking = ConditionLock()

  static let noneFound =
    "no credentials were found (AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, AWS_PROFILE, a role of the container or "
    + "the machine), so nothing was signed"

  /// Whether the user wants no signature.
  var isAnonymous: Bool { RemoteSettings.isOn("AWS_NO_SIGN_REQUEST") }

  /// Sets a function that gives credentials, instead of all places below; `nil` for none.
  func use(_ provider: (@Sendable () throws(TrajpackError) -> AWSCredentials?)?) {
    self.provider.withLock { $0 = provider }
    forget()
  }

  /// Whether looking again may find others: what is written in the environment stays.
  var canRenew: Bool {
    provider.withLock { $0 != nil } || (!isAnonymous && Self.environment() == nil)
  }

  /// Makes the next request look again: what was found is refused.
  func forget() { kept.withLock { $0 = nil } }

  /// The credentials; `nil` where there are none, or none are wanted.
  ///
  /// - Throws: What keeps a place that is named from giving them.
  func current() throws(TrajpackError) -> AWSCredentials? {
    let provider = provider.withLock { $0 }
    if provider == nil {
      if isAnonymous { return nil }
      // The environment may change at any time, and costs nothing.
      if let found = Self.environment() { return found }
    }
    if let found = fresh() { return found }
    looking.lock()
    defer { looking.unlock() }
    if let found = fresh() { return found }
    let found: AWSCredentials?
    if let provider { found = try provider() } else { found = try Self.look() }
    kept.withLock { $0 = .some(found) }
    return found
  }

  private func fresh() -> AWSCredentials?? {
    kept.withLock { kept in
      guard let found = kept else { return nil }
      guard let expiration = found?.expiration else { return .some(found) }
      return expiration - Self.seconds > 300 ? .some(found) : nil
    }
  }

  static var seconds: Double {
    var time = timespec()
    clock_gettime(CLOCK_REALTIME, &time)
    return Double(time.tv_sec) + Double(time.tv_nsec) * 1e-9
  }

  static func environment() -> AWSCredentials? {
    guard let key = RemoteSettings.variable("AWS_ACCESS_KEY_ID"),
      let secret = RemoteSettings.variable("AWS_SECRET_ACCESS_KEY")
    else { return nil }
    return AWSCredentials(
      key: key, secret: secret, token: RemoteSettings.variable("AWS_SESSION_TOKEN"),
      source: "the environment")
  }

  private static func look() throws(TrajpackError) -> AWSCredentials? {
    if let found = try WebIdentity.credentials(nil) { return found }
    if let profile = try AWSProfile.current(), let found = try credentials(of: profile) {
      return found
    }
    if let found = try ContainerCredentials.credentials() { return found }
    return try InstanceMetadata.credentials()
  }

  /// The access key that a profile has itself.
  static func keys(of profile: AWSProfile) -> AWSCredentials? {
    guard let key = profile["aws_access_key_id"], let secret = profile["aws_secret_access_key"]
    else { return nil }
    return AWSCredentials(
      key: key, secret: secret, token: profile["aws_session_token"],
      source: "the profile '\(profile.name)'")
  }

  /// What a profile gives: a role comes before the keys that it may be assumed with, as with the AWS tools.
  ///
  /// - Parameter seen: The profiles whose `source_profile` has led here.
  static func credentials(
    of profile: AWSProfile, seen: [String] = []
  ) throws(TrajpackError) -> AWSCredentials? {
    let source = "the profile '\(profile.name)'"
    if let found = try WebIdentity.credentials(profile) { return found }
    if let found = try AssumedRole.credentials(profile, seen: seen) { return found }
    if let found = keys(of: profile) { return found }
    if let command = profile["credential_process"] {
      return try CredentialProcess.credentials(command, source)
    }
    for member in ["sso_session", "sso_start_url"] where profile[member] != nil {
      throw TrajpackError(
        .usage,
        "\(source) has '\(member)', which trajpack does not follow itself; run \"eval $(aws configure "
          + "export-credentials --profile \(profile.name) --format env)\", or give it the line 'credential_process = aws "
          + "configure export-credentials --profile \(profile.name)' under another name")
    }
    return nil
  }
}
