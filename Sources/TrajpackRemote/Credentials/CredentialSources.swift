import Glibc
import TrajpackFormat

/// The output of the program that a profile names as `credential_process`.
enum CredentialProcess {
  static func credentials(_ command: String, _ source: String) throws(TrajpackError)
    -> AWSCredentials
  {
    let service = "'credential_process' of \(source)"
    guard let pipe = popen(command, "re") else {
      throw .init(.machine, "\(service) cannot be started")
    }
    var output: [UInt8] = []
    var buffer = [UInt8](repeating: 0, count: 4096)
    while output.count < 1 << 20 {
      let count = fread(&buffer, 1, buffer.count, pipe)
      guard count > 0 else { break }
      output += buffer[..<count]
    }
    let status = pclose(pipe)
    guard status == 0 else {
      throw TrajpackError(
        .machine,
        "\(service) failed (it ended with status \(status >> 8 & 255)); run it by hand to see why")
    }
    return try CredentialRequest.credentials(json: String(decoding: output, as: UTF8.self), service)
  }
}

/// A role that a token in a file stands for, as in Kubernetes (AssumeRoleWithWebIdentity of the Security Token Service).
enum WebIdentity {
  /// - Parameter profile: That names role and file; `nil` for the environment.
  static func credentials(_ profile: AWSProfile?) throws(TrajpackError) -> AWSCredentials? {
    let file: String?
    let role: String?
    let session: String?
    if let profile {
      (file, role, session) = (
        profile["web_identity_token_file"], profile["role_arn"], profile["role_session_name"]
      )
    } else {
      file = RemoteSettings.variable("AWS_WEB_IDENTITY_TOKEN_FILE")
      role = RemoteSettings.variable("AWS_ROLE_ARN")
      session = RemoteSettings.variable("AWS_ROLE_SESSION_NAME")
    }
    guard let file, let role else { return nil }
    let service = "the web identity of AWS_WEB_IDENTITY_TOKEN_FILE"
    guard let token = SmallFile.text(file)?.trimmed, !token.isEmpty else {
      throw TrajpackError(.usage, "\(service): \(file) cannot be read, or is empty")
    }
    let members = [
      ("Action", "AssumeRoleWithWebIdentity"), ("Version", "2011-06-15"), ("RoleArn", role),
      ("RoleSessionName", session ?? "trajpack"), ("WebIdentityToken", token),
    ]
    return try SecurityTokenService.credentials(members, as: nil, region: nil, service)
  }
}

/// The credentials of a container's role (ECS, EKS Pod Identity).
enum ContainerCredentials {
  static func credentials() throws(TrajpackError) -> AWSCredentials? {
    let url: String
    if let relative = RemoteSettings.variable("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI") {
      url = "http://169.254.170.2\(relative)"
    } else if let full = RemoteSettings.variable("AWS_CONTAINER_CREDENTIALS_FULL_URI") {
      let rest = full.hasPrefix("http://") ? full.dropFirst(7) : ""
      let host = String(rest.prefix { !"/?#".contains($0) })
      let known = ["169.254.170.2", "169.254.170.23", "[fd00:ec2::23]"]
      guard full.hasPrefix("https://") || RemoteLocation.isLoopback(host) || known.contains(host)
      else {
        throw TrajpackError(
          .usage,
          "AWS_CONTAINER_CREDENTIALS_FULL_URI is plain http:// to another machine, which would read the token; use "
            + "https://")
      }
      url = full
    } else {
      return nil
    }
    let service = "the container's role (AWS_CONTAINER_CREDENTIALS_*_URI)"
    var headers: [String] = []
    var token = RemoteSettings.variable("AWS_CONTAINER_AUTHORIZATION_TOKEN")
    if let file = RemoteSettings.variable("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE") {
      token = SmallFile.text(file)?.trimmed
      guard token != nil else {
        throw TrajpackError(
          .usage, "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE: \(file) cannot be read")
      }
    }
    if let token { headers.append("Authorization: \(token)") }
    let text = try CredentialRequest.text(
      url, service, headers: headers, isDirect: url.hasPrefix("http://"))
    return try CredentialRequest.credentials(json: text, service)
  }
}

/// The credentials of a machine's role (EC2 instance metadata, version 2).
enum InstanceMetadata {
  static func credentials() throws(TrajpackError) -> AWSCredentials? {
    if RemoteSettings.isOn("AWS_EC2_METADATA_DISABLED") { return nil }
    let named = RemoteSettings.variable("AWS_EC2_METADATA_SERVICE_ENDPOINT")
    var base = named ?? "http://169.254.169.254"
    while base.hasSuffix("/") { base.removeLast() }
    let service = "the machine's role (instance metadata)"
    let token = try CredentialRequest.answer(
      "\(base)/latest/api/token", method: "PUT",
      headers: ["X-aws-ec2-metadata-token-ttl-seconds: 21600"],
      attempts: 1, connectMilliseconds: 1000, isDirect: true)
    // No machine of EC2, or one that offers nothing.
    guard token.answer.isSuccess else {
      if named == nil { return nil }
      throw CredentialRequest.refused(service, token.answer)
    }
    let headers = ["X-aws-ec2-metadata-token: \(token.text.trimmed)"]
    let place = "\(base)/latest/meta-data/iam/security-credentials/"
    let roles = try CredentialRequest.answer(
      place, headers: headers, attempts: 3, connectMilliseconds: 1000, isDirect: true)
    if roles.answer.status == 404 { return nil }
    guard roles.answer.isSuccess, let role = roles.text.split(separator: "\n").first?.trimmed,
      !role.isEmpty
    else {
      throw CredentialRequest.refused(service, roles.answer)
    }
    let text = try CredentialRequest.text(
      place + PercentEncoding.encode(role), service, headers: headers, connectMilliseconds: 1000,
      isDirect: true)
    return try CredentialRequest.credentials(json: text, service)
  }
}

/// Texts of elements of XML that has no surprises.
enum XMLText {
  /// The content of the first element of a name.
  static func first(_ name: String, in xml: String) -> String? { all(name, in: xml).first }

  /// The content of every element of a name.
  static func all(_ name: String, in xml: String) -> [String] {
    let bytes = Array(xml.utf8)
    let (open, close) = (Array("<\(name)>".utf8), Array("</\(name)>".utf8))
    var found: [String] = []
    var at = 0
    while let start = find(open, bytes, from: at),
      let end = find(close, bytes, from: start + open.count)
    {
      found.append(unescape(String(decoding: bytes[start + open.count..<end], as: UTF8.self)))
      at = end + close.count
    }
    return found
  }

  private static func find(_ what: [UInt8], _ bytes: [UInt8], from: Int) -> Int? {
    guard from + what.count <= bytes.count else { return nil }
    return (from...bytes.count - what.count).first {
      bytes[$0] == what[0] && bytes[$0..<$0 + what.count].elementsEqual(what)
    }
  }

  private static func unescape(_ text: String) -> String {
    guard text.utf8.contains(0x26) else { return text }
    var out = ""
    // By scalars: a mark after a sign makes one character with it.
    var rest = text.unicodeScalars[...]
    while let start = rest.firstIndex(of: "&"), let end = rest[start...].firstIndex(of: ";") {
      out += String(rest[..<start])
      switch String(rest[rest.index(after: start)..<end]) {
      case "lt": out += "<"
      case "gt": out += ">"
      case "quot": out += "\""
      case "apos": out += "'"
      case "amp": out += "&"
      case let other:
        let digits = other.dropFirst(other.hasPrefix("#x") ? 2 : 1)
        let number = UInt32(digits, radix: other.hasPrefix("#x") ? 16 : 10).flatMap(
          Unicode.Scalar.init)
        out += other.hasPrefix("#") ? number.map { String($0) } ?? "" : String(rest[start...end])
      }
      rest = rest[rest.index(after: end)...]
    }
    return out + String(rest)
  }
}
