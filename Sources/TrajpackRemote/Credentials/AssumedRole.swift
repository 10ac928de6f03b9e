import TrajpackCodecs
import TrajpackFormat

/// The credentials of a role that a profile names as `role_arn`, for whoever its `source_profile` or
/// `credential_source` says (AssumeRole of the Security Token Service).
enum AssumedRole {
  /// The most profiles that may name each other.
  private static let deepest = 8

  /// - Parameter seen: The profiles that have led here.
  static func credentials(
    _ profile: AWSProfile, seen: [String] = []
  ) throws(TrajpackError) -> AWSCredentials? {
    guard let role = profile["role_arn"] else { return nil }
    let source = "the role of the profile '\(profile.name)'"
    if profile["mfa_serial"] != nil {
      throw TrajpackError(
        .usage,
        "the profile '\(profile.name)' has 'mfa_serial', and trajpack asks for no code; run \"eval $(aws configure "
          + "export-credentials --profile \(profile.name) --format env)\"")
    }
    let base = try base(profile, seen: seen + [profile.name])
    var members = [
      ("Action", "AssumeRole"), ("Version", "2011-06-15"), ("RoleArn", role),
      ("RoleSessionName", profile["role_session_name"] ?? "trajpack"),
    ]
    if let id = profile["external_id"] { members.append(("ExternalId", id)) }
    if let text = profile["duration_seconds"] {
      guard let seconds = Int(text), (900...43_200).contains(seconds) else {
        throw TrajpackError(
          .usage,
          "the profile '\(profile.name)' has 'duration_seconds = \(text.printableText)', which is not 900 to 43200"
        )
      }
      members.append(("DurationSeconds", "\(seconds)"))
    }
    return try SecurityTokenService.credentials(
      members, as: base, region: profile["region"], source)
  }

  /// Who assumes the role.
  private static func base(
    _ profile: AWSProfile, seen: [String]
  ) throws(TrajpackError) -> AWSCredentials {
    let found: AWSCredentials?
    let place: String
    if let name = profile["source_profile"] {
      place = "'source_profile = \(name)'"
      guard let other = AWSProfile.profile(name) else {
        throw TrajpackError(
          .usage, "the profile '\(profile.name)' has \(place), and there is no such profile")
      }
      if name == profile.name {
        // A profile may have a role and the keys that assume it.
        found = CredentialChain.keys(of: other)
      } else {
        guard !seen.contains(name), seen.count < deepest else {
          throw TrajpackError(
            .usage,
            "the profile '\(profile.name)' has \(place), and the profiles name each other in a circle: "
              + (seen + [name]).joined(separator: ", "))
        }
        found = try CredentialChain.credentials(of: other, seen: seen)
      }
    } else if let word = profile["credential_source"] {
      place = "'credential_source = \(word)'"
      switch word {
      case "Environment": found = CredentialChain.environment()
      case "EcsContainer": found = try ContainerCredentials.credentials()
      case "Ec2InstanceMetadata": found = try InstanceMetadata.credentials()
      default:
        throw TrajpackError(
          .usage,
          "the profile '\(profile.name)' has \(place), which is not Environment, EcsContainer or Ec2InstanceMetadata"
        )
      }
    } else {
      throw TrajpackError(
        .usage,
        "the profile '\(profile.name)' has 'role_arn' without 'source_profile' or 'credential_source', which say who "
          + "assumes it; give it one of them")
    }
    guard let found else {
      throw TrajpackError(
        .usage, "the profile '\(profile.name)' has \(place), which gives no credentials")
    }
    return found
  }
}

/// Requests to the Security Token Service.
enum SecurityTokenService {
  /// Asks for credentials.
  ///
  /// - Parameters:
  ///   - members: The action and what it takes.
  ///   - signer: Who asks; `nil` where a token among `members` says it.
  ///   - service: What gives the credentials, for errors.
  static func credentials(
    _ members: [(String, String)], as signer: AWSCredentials?, region: String?, _ service: String
  ) throws(TrajpackError) -> AWSCredentials {
    let own = try S3Settings.current().region
    let region = region ?? own
    let endpoint =
      RemoteSettings.variable("AWS_ENDPOINT_URL_STS") ?? RemoteSettings.variable("AWS_ENDPOINT_URL")
      ?? "https://sts.\(region).amazonaws.com"
    let form = members.map { "\($0)=\(PercentEncoding.encode($1))" }.joined(separator: "&")
    var headers = ["Content-Type: application/x-www-form-urlencoded"]
    var signing: HTTPExchange.Signing?
    if let signer {
      signing = .init(key: signer.key, secret: signer.secret, region: region, service: "sts")
      let digest = Array(form.utf8).withUnsafeBytes { SHA256.of($0) }
      headers.append("x-amz-content-sha256: \(digest)")
      if let token = signer.token { headers.append("x-amz-security-token: \(token)") }
    }
    let text = try CredentialRequest.text(
      endpoint.hasSuffix("/") ? endpoint : "\(endpoint)/", service, method: "POST",
      headers: headers, body: form, signing: signing)
    guard let key = XMLText.first("AccessKeyId", in: text),
      let secret = XMLText.first("SecretAccessKey", in: text)
    else {
      throw TrajpackError(.machine, "\(service): the answer has no AccessKeyId and SecretAccessKey")
    }
    return AWSCredentials(
      key: key, secret: secret, token: XMLText.first("SessionToken", in: text),
      expiration: XMLText.first("Expiration", in: text).flatMap(CredentialRequest.seconds),
      source: service)
  }
}
