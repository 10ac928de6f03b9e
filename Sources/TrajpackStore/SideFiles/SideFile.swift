import TrajpackCodecs
import TrajpackFormat
import TrajpackRemote

/// What a manifest says of a side file: an immutable JSON file in the dataset's folder that holds something about
/// the data beside the shards (splits, values, clips, a vocabulary, statistics). `schemas/archive-format.md`,
/// section 11.
public struct SideFile: Sendable, Equatable {
  /// What a side file holds.
  public enum Role: String, Sendable, CaseIterable {
    /// A split scheme.
    case splits
    /// Values of episodes.
    case values
    /// A list of clips.
    case clips
    /// A vocabulary of actions.
    case vocabulary
    /// Statistics of a selection, kept so that they need not be computed again.
    case statistics
  }

  /// The word for what it holds: that of a ``Role``, or one that a newer trajpack knows.
  public let role: String
  /// The name among those of its role.
  public let name: String
  /// The name of the file in the dataset's folder.
  public let file: String
  /// Its bytes.
  public let bytes: Int
  /// Its SHA-256, 64 hexadecimal digits.
  public let sha256: String
  /// Whether a reader that does not know of it would read the dataset wrongly; the manifest is 2.0 then.
  public let isRequired: Bool

  /// The `format` of every side file.
  static let format = "trajpack side file"
  /// The most bytes of a side file.
  public static let longest = 256 << 20
  /// The most values (numbers, texts, members) in its JSON.
  public static let mostValues = 1 << 24
  /// The most side files of a dataset.
  public static let most = 4096

  /// The file that holds `content` under a role and a name, and its bytes.
  ///
  /// - Throws: A usage error where the name cannot be one, or the file would be too long.
  static func make(
    _ role: Role, _ name: String, _ content: JSONValue, isRequired: Bool
  ) throws(TrajpackError) -> (entry: SideFile, bytes: [UInt8]) {
    guard AppendSchema.isName(name) else {
      throw TrajpackError(
        .usage,
        "\(String(reflecting: name)) cannot be a name of \(role.rawValue); use printable text of at most "
          + "\(AppendSchema.longestName) bytes")
    }
    let document = JSONValue.record([
      "format": .string(format), "version": "1.0", "role": .string(role.rawValue),
      "name": .string(name), "required": isRequired ? true : nil, "content": content,
    ])
    let bytes = Array((document.text() + "\n").utf8)
    guard bytes.count <= longest else {
      throw TrajpackError(
        .usage,
        "the \(role.rawValue) '\(name)' would be a file of \(bytes.count) bytes, where \(longest) are the "
          + "most; give less in one name")
    }
    let digest = bytes.withUnsafeBytes { SHA256.of($0) }
    return (
      SideFile(
        role: role.rawValue, name: name, file: fileName(role.rawValue, digest),
        bytes: bytes.count, sha256: digest, isRequired: isRequired), bytes
    )
  }

  private init(
    role: String, name: String, file: String, bytes: Int, sha256: String, isRequired: Bool
  ) {
    (self.role, self.name, self.file) = (role, name, file)
    (self.bytes, self.sha256, self.isRequired) = (bytes, sha256, isRequired)
  }

  private static func fileName(_ role: String, _ digest: String) -> String {
    "side-\(role)-\(digest.prefix(16)).json"
  }

  /// Whether a file of that name in a dataset's folder is a side file.
  public static func isSideFile(_ name: String) -> Bool {
    guard name.hasPrefix("side-"), name.hasSuffix(".json") else { return false }
    let parts = name.dropFirst("side-".count).dropLast(".json".count).split(
      separator: "-", omittingEmptySubsequences: false)
    return parts.count == 2 && isRole(parts[0]) && parts[1].utf8.count == 16
      && parts[1].utf8.allSatisfy { (0x30...0x39).contains($0) || (0x61...0x66).contains($0) }
  }

  private static func isRole(_ text: some StringProtocol) -> Bool {
    (1...32).contains(text.utf8.count) && text.utf8.allSatisfy { (0x61...0x7A).contains($0) }
  }

  /// The JSON of the manifest's list.
  public var json: JSONValue {
    .record([
      "role": .string(role), "name": .string(name), "file": .string(file),
      "bytes": .int(Int64(bytes)), "sha256": .string(sha256),
      "required": isRequired ? true : nil,
    ])
  }

  /// The journal's record of a side file.
  var record: JSONValue {
    .object([JSONValue.Member("type", "side_file")] + (json.members ?? []))
  }

  init(_ reader: JSONReader) throws(TrajpackError) {
    role = try reader.text("role")
    name = try reader.text("name")
    sha256 = try reader.text("sha256")
    file = try reader.text("file")
    bytes = try reader.integer("bytes")
    isRequired = reader.value["required"]?.bool ?? false
    guard Self.isRole(role) else { throw reader.wrong("a 'role' of lower-case letters") }
    guard AppendSchema.isName(name) else { throw reader.wrong("a 'name' of printable text") }
    guard FileDigest(hexadecimal: sha256) != nil else {
      throw reader.wrong("a SHA-256 of 64 hexadecimal digits, not '\(sha256)'")
    }
    // The name of a file comes from its digest, so it can only mean a file in the same folder.
    guard file == Self.fileName(role, sha256) else {
      throw reader.wrong("the file '\(Self.fileName(role, sha256))', not '\(file)'")
    }
    guard (1...Self.longest).contains(bytes) else { throw reader.wrong("a possible 'bytes'") }
    guard !isRequired || Role(rawValue: role) != nil else {
      throw TrajpackError(
        .data,
        "\(reader.path): the dataset has \(role) without which it would be read wrongly, and this trajpack "
          + "does not know them; use a newer one")
    }
  }

  /// Checks that each role and name comes once.
  static func check(_ files: [SideFile]) throws(TrajpackError) {
    guard files.count <= most else {
      throw TrajpackError(
        .data, "\(Manifest.fileName) is damaged: expected at most \(most) side files")
    }
    var seen: Set<[String]> = []
    for file in files where !seen.insert([file.role, file.name]).inserted {
      throw TrajpackError(
        .data,
        "\(Manifest.fileName) is damaged: expected the \(file.role) '\(file.name)' once")
    }
  }

  /// Reads the file in `folder` and checks its length, its SHA-256, its role and its name.
  ///
  /// - Throws: A data error where it is missing, or not the file that was listed.
  func content(inFolder folder: String) throws(TrajpackError) -> JSONValue {
    let path = "\(folder)/\(file)"
    let remedy = "restore it from a copy, or remove the \(role) '\(name)' from the dataset"
    let isThere = RemoteLocation.isRemote(path) ? true : try FileSystem.hasFile(path)
    guard isThere else {
      throw TrajpackError(.data, "\(path): is missing, but the dataset lists it; \(remedy)")
    }
    let opened = try ByteSources.open(path)
    guard opened.length == bytes else {
      throw TrajpackError(
        .data,
        "\(path): has \(opened.length) bytes where the dataset lists \(bytes); \(remedy)")
    }
    let text = try opened.bytes(0..<bytes)
    guard text.withUnsafeBytes({ SHA256.of($0) }) == sha256 else {
      throw TrajpackError(.data, "\(path): is damaged (its SHA-256 is another); \(remedy)")
    }
    return try within(path) { () throws(TrajpackError) in
      try Self.content(of: text, role: role, name: name)
    }
  }

  private static func content(
    of text: [UInt8], role: String, name: String
  ) throws(TrajpackError) -> JSONValue {
    let reader = JSONReader(try JSONValue(parsing: text, mostValues: mostValues), at: "the file")
    guard try reader.text("format") == format else { throw reader.wrong("a trajpack side file") }
    guard try reader.text("version").hasPrefix("1.") else {
      throw TrajpackError(
        .data,
        "the file has version \(try reader.text("version")), which this trajpack cannot read; use a newer "
          + "one")
    }
    guard try reader.text("role") == role, try reader.text("name") == name else {
      throw reader.wrong("the \(role) '\(name)'")
    }
    return try reader.member("content").value
  }
}
