import TrajpackFormat

/// A profile of `~/.aws/config` and `~/.aws/credentials`, as the AWS tools write them.
struct AWSProfile: Sendable {
  let name: String
  private let members: [String: String]

  subscript(_ member: String) -> String? { members[member] }

  /// The profile that AWS_PROFILE names, else `default`; `nil` where there is no such profile and none is named.
  ///
  /// - Throws: A usage error where the named one is not there.
  static func current() throws(TrajpackError) -> AWSProfile? {
    let named =
      RemoteSettings.variable("AWS_PROFILE") ?? RemoteSettings.variable("AWS_DEFAULT_PROFILE")
    let profile = profile(named ?? "default")
    guard profile != nil || named == nil else {
      throw TrajpackError(
        .usage,
        "AWS_PROFILE: there is no profile '\(named ?? "")' in ~/.aws/config or ~/.aws/credentials; name another, or "
          + "unset AWS_PROFILE")
    }
    return profile
  }

  /// A profile by its name; what the file of credentials says counts before the other's.
  static func profile(_ name: String) -> AWSProfile? {
    let home = RemoteSettings.variable("HOME") ?? ""
    let config = RemoteSettings.variable("AWS_CONFIG_FILE") ?? "\(home)/.aws/config"
    let shared =
      RemoteSettings.variable("AWS_SHARED_CREDENTIALS_FILE") ?? "\(home)/.aws/credentials"
    let first = section(
      name == "default" ? [name, "profile \(name)"] : ["profile \(name)"], config)
    let second = section([name], shared)
    guard first != nil || second != nil else { return nil }
    return AWSProfile(
      name: name, members: (first ?? [:]).merging(second ?? [:], uniquingKeysWith: { $1 }))
  }

  /// The members of a section of an INI file. Members of a member are indented, and left out.
  private static func section(_ names: [String], _ path: String) -> [String: String]? {
    guard let text = SmallFile.text(path) else { return nil }
    var found: [String: String]?
    var isInside = false
    for line in text.split(whereSeparator: \.isNewline) {
      let trimmed = line.trimmed
      if trimmed.isEmpty || trimmed.hasPrefix("#") || trimmed.hasPrefix(";") { continue }
      if trimmed.hasPrefix("["), let end = trimmed.firstIndex(of: "]") {
        let title = trimmed[trimmed.index(after: trimmed.startIndex)..<end]
          .split(whereSeparator: \.isWhitespace).joined(separator: " ")
        isInside = names.contains(title)
        if isInside, found == nil { found = [:] }
        continue
      }
      guard isInside, line.first?.isWhitespace != true, let equals = trimmed.firstIndex(of: "=")
      else { continue }
      let name = trimmed[..<equals].trimmed.lowercased()
      found?[name] = trimmed[trimmed.index(after: equals)...].trimmed
    }
    return found
  }
}
