import TrajpackFormat
import TrajpackStore

/// A folder that rosbag2 made: `metadata.yaml`, and the files of one recording.
struct ROSBagFolder {
  /// The files, in the order in which they were written.
  var files: [String]
  /// How many messages the metadata count; `nil` where they do not say.
  var messages: Int?
  /// Files of messages beside them that the metadata do not name.
  var others: [String]

  /// The name of its metadata.
  static let metadata = "metadata.yaml"

  /// Whether a file may be one of a bag's, by its name.
  static func isNamed(_ name: String) -> Bool {
    name.lowercased().hasSuffix(".mcap") || name.lowercased().hasSuffix(".db3")
  }

  /// Reads the metadata of a folder whose files have the names.
  ///
  /// - Throws: A data error where a file is missing.
  init(_ folder: String, _ names: [String]) throws(TrajpackError) {
    let path = "\(folder)/\(Self.metadata)"
    let file = try LocalFile(path)
    guard file.length <= 64 << 20 else {
      throw TrajpackError(.data, "\(path): has \(file.length) bytes, which is no metadata of a bag")
    }
    let text = String(decoding: try file.bytes(0..<file.length), as: UTF8.self)
    var listed: [String] = []
    var isInList = false
    for line in text.split(whereSeparator: \.isNewline) {
      let words = line.trimmingSpaces
      if words.hasPrefix("relative_file_paths:") {
        isInList = true
        // Short lists may stand in brackets.
        let rest = words.dropFirst("relative_file_paths:".count).trimmingSpaces
        if rest.hasPrefix("[") {
          listed += rest.dropFirst().prefix { $0 != "]" }.split(separator: ",").map(Self.plain)
          isInList = false
        }
      } else if isInList, words.hasPrefix("- ") {
        listed.append(Self.plain(words.dropFirst(2)))
      } else {
        isInList = false
        let indent = line.prefix { $0 == " " }.count
        if indent <= 2, words.hasPrefix("message_count:") {
          messages = Int(words.dropFirst("message_count:".count).trimmingSpaces)
        }
      }
    }
    let there = NaturalOrder.sorted(names.filter(Self.isNamed))
    if let missing = listed.first(where: { !there.contains($0) }) {
      throw TrajpackError(
        .data,
        "\(folder): \(Self.metadata) names \(missing), which is missing"
          + (names.contains("\(missing).zstd") ? "; 'zstd -d' makes it of \(missing).zstd" : ""))
    }
    let own = listed.isEmpty ? there : listed
    files = own
    others = there.filter { !own.contains($0) }
  }

  private static func plain(_ text: Substring) -> String {
    String(text.trimmingSpaces.filter { $0 != "\"" && $0 != "'" })
  }
}
