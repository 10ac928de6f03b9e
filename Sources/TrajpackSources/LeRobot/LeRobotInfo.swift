import TrajpackFormat
import TrajpackStore

/// `meta/info.json` of a LeRobot dataset.
struct LeRobotInfo: Sendable {
  /// A column that the dataset declares.
  struct Feature: Sendable {
    var name: String
    var type: String
    var shape: [Int]
    var names: JSONValue?
    /// What the dataset says of a video's encoding.
    var info: JSONValue?

    /// What is kept of the declaration, for streams of pictures.
    var json: JSONValue {
      .record([
        "dtype": .string(type), "shape": .array(shape.map { .int(Int64($0)) }),
        "names": names == .null ? nil : names, "info": info == .null ? nil : info,
      ])
    }

    /// The column whose values this one says were observed, in datasets that trajpack wrote; `nil` of others.
    var observedOf: String? { info?[LeRobotFeature.maskMember]?.string }

    /// The shape of a row of the table: one number has none.
    var rowShape: [Int] { shape == [1] ? [] : shape }
    /// The most numbers of a row.
    static let mostElements = 1 << 24
  }

  /// The column of `meta/episodes` with the ids of a dataset that trajpack wrote.
  static let idColumn = "trajpack/id"

  let folder: String
  let json: JSONValue
  var version = ""
  var fps: Rational
  var features: [Feature] = []
  var dataPath = ""
  var videoPath = ""
  /// The features that are videos.
  var videoKeys: [String] = []
  var chunkSize = 1000
  var isSingle: Bool { version.hasPrefix("v2.") }

  /// Whether a folder has such a file.
  static func recognises(_ folder: String) -> Bool {
    let path = "\(folder)/meta/info.json"
    guard FileSystem.item(at: path) == .file, let json = try? read(path) else { return false }
    return json["codebase_version"]?.string != nil
  }

  static func read(_ path: String) throws(TrajpackError) -> JSONValue {
    try within(file: path) { () throws(TrajpackError) in
      let file = try LocalFile(path)
      guard file.length <= 64 << 20 else {
        throw TrajpackError(.data, "has \(file.length) bytes, too many for metadata")
      }
      return try JSONValue(parsing: file.bytes(0..<file.length), mostValues: 1 << 20)
    }
  }

  init(_ folder: String) throws(TrajpackError) {
    self.folder = folder
    let path = "\(folder)/meta/info.json"
    json = try Self.read(path)
    func wrong(_ what: String) -> TrajpackError { TrajpackError(.data, file: path, "\(what)") }
    version = json["codebase_version"]?.string ?? ""
    guard version == "v3.0" || version == "v2.1" || version == "v2.0" else {
      throw wrong(
        "is of LeRobot version '\(version)', which is not read; v3.0, v2.1 and v2.0 are (lerobot converts older ones)"
      )
    }
    guard let text = json["fps"]?.text(), let rate = Rational(decimal: text), rate.numerator > 0
    else { throw wrong("has no 'fps' above zero") }
    fps = rate
    dataPath =
      json["data_path"]?.string
      ?? (isSingle
        ? "data/chunk-{episode_chunk:03d}/episode_{episode_index:06d}.parquet"
        : "data/chunk-{chunk_index:03d}/file-{file_index:03d}.parquet")
    videoPath =
      json["video_path"]?.string
      ?? (isSingle
        ? "videos/chunk-{episode_chunk:03d}/{video_key}/episode_{episode_index:06d}.mp4"
        : "videos/{video_key}/chunk-{chunk_index:03d}/file-{file_index:03d}.mp4")
    if let size = json["chunks_size"]?.int, size > 0 { chunkSize = size }
    guard let members = json["features"]?.members, !members.isEmpty else {
      throw wrong("has no 'features'")
    }
    for member in members {
      guard let type = member.value["dtype"]?.string else {
        throw wrong("feature '\(member.name)' has no 'dtype'")
      }
      let shape = (member.value["shape"]?.array ?? []).map { $0.int ?? -1 }
      var count = 1
      for length in shape {
        guard length > 0, length <= Feature.mostElements / count else {
          throw wrong("feature '\(member.name)' has the shape \(shape)")
        }
        count *= length
      }
      features.append(
        Feature(
          name: member.name, type: type, shape: shape, names: member.value["names"],
          info: member.value["info"]))
      if type == "video" { videoKeys.append(member.name) }
    }
  }

  /// A path of which the braces are filled in, below the folder.
  func path(
    _ template: String, _ numbers: [String: Int], _ texts: [String: String] = [:]
  ) throws(TrajpackError) -> String {
    var out = ""
    var rest = Substring(template)
    while let open = rest.firstIndex(of: "{"), let close = rest[open...].firstIndex(of: "}") {
      out += rest[..<open]
      let parts = rest[rest.index(after: open)..<close].split(separator: ":")
      if let name = parts.first, let text = texts[String(name)] {
        out += text
        rest = rest[rest.index(after: close)...]
        continue
      }
      guard let name = parts.first, let number = numbers[String(name)] else {
        throw TrajpackError(
          .data, "\(folder)/meta/info.json: the path '\(template)' names what is not known")
      }
      let digits = String(number)
      let width = parts.count > 1 ? Int(parts[1].filter(\.isNumber)) ?? 0 : 0
      out += String(repeating: "0", count: max(min(width, 20) - digits.count, 0)) + digits
      rest = rest[rest.index(after: close)...]
    }
    out += rest
    guard out.isRelativeDescendant else {
      throw TrajpackError(
        .data, "\(folder)/meta/info.json: the path '\(out)' does not lie in the dataset's folder")
    }
    return out
  }

  /// The split of an episode; empty where none has it.
  func split(_ episode: Int) -> String {
    for member in json["splits"]?.members ?? [] {
      for range in (member.value.string ?? "").split(separator: ",") {
        let ends = range.split(separator: ":").compactMap {
          Int(String($0.filter { !$0.isWhitespace }))
        }
        if ends.count == 2, ends[0] <= episode, episode < ends[1] { return member.name }
      }
    }
    return ""
  }
}
