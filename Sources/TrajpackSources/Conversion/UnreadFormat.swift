import TrajpackFormat
import TrajpackStore

/// Formats that people have and that are not read, so that they can be called by their names.
public enum UnreadFormat {
  /// What a file or folder is, by its content; `nil` where it is none of these.
  public static func name(of path: String) -> String? {
    switch FileSystem.item(at: path) {
    case .file: return file(path)
    case .folder: return folder(path)
    default: return nil
    }
  }

  /// What files begin with.
  private static let marks: [(mark: [UInt8], name: String)] = [
    (Array("PAR1".utf8), "a Parquet file"),
    (Array("ARROW1".utf8), "an Arrow file"),
    (Array("SQLite format 3\0".utf8), "an SQLite database that is no ROS 2 bag"),
    (Array("HIERARCHY".utf8), "a BVH motion"),
    (Array("GDF ".utf8), "a GDF recording"), (Array("RRF2".utf8), "a Rerun recording"),
    (Array("RRF0".utf8), "a Rerun recording"),
  ]

  private static func file(_ path: String) -> String? {
    guard let file = try? LocalFile(path), let first = try? file.bytes(0..<min(file.length, 512))
    else { return nil }
    if let found = marks.first(where: { first.starts(with: $0.mark) }) { return found.name }
    if first.count > 3, first[1] == 0x50, first[0] == 2, path.lowercased().hasSuffix(".c3d") {
      return "a C3D motion"
    }
    if path.lowercased().hasSuffix(".ts") || path.lowercased().hasSuffix(".tsf"),
      isHeadedByAt(first)
    {
      return "a file of time series with an @ header (.ts, .tsf)"
    }
    return nil
  }

  /// Whether the first line that is no comment begins with an at sign and a letter.
  private static func isHeadedByAt(_ first: [UInt8]) -> Bool {
    let lines = String(decoding: first, as: UTF8.self).split(whereSeparator: \.isNewline)
    guard let line = lines.first(where: { !$0.hasPrefix("#") }) else { return false }
    return line.hasPrefix("@") && line.dropFirst().first?.isLetter == true
  }

  /// Whether a folder is a dataset of TFDS, or has one for each of its configurations and versions.
  private static func isTFDS(_ path: String, levels: Int) -> Bool {
    func has(_ name: String) -> Bool { FileSystem.item(at: "\(path)/\(name)") == .file }
    if has("dataset_info.json"), has("features.json") { return true }
    guard levels > 0 else { return false }
    return ((try? FileSystem.names(in: path)) ?? []).sorted().prefix(64).contains { name in
      !name.hasPrefix(".") && FileSystem.item(at: "\(path)/\(name)") == .folder
        && isTFDS("\(path)/\(name)", levels: levels - 1)
    }
  }

  private static func folder(_ path: String) -> String? {
    func has(_ name: String) -> Bool { FileSystem.item(at: "\(path)/\(name)") == .file }
    func json(_ name: String) -> JSONValue? {
      guard let file = try? LocalFile("\(path)/\(name)"), file.length <= 16 << 20,
        let bytes = try? file.bytes(0..<file.length)
      else { return nil }
      return try? JSONValue(parsing: bytes)
    }
    if isTFDS(path, levels: 2) { return "a TFDS dataset (RLDS among them)" }
    if has("metadata.yaml"), let names = try? FileSystem.names(in: path),
      names.contains(where: { $0.hasSuffix(".db3.zstd") || $0.hasSuffix(".mcap.zstd") })
    {
      return "a ROS 2 bag whose files are compressed ('zstd -d' makes files that are read)"
    }
    if json("metadata.json")?["data_format"]?.string == "arrow"
      || json("data/metadata.json")?["data_format"]?.string == "arrow"
    {
      return "a Minari dataset in Arrow storage (minari can write it anew with data_format='hdf5')"
    }
    let below = ((try? FileSystem.names(in: path)) ?? []).filter { !$0.hasPrefix(".") }
    // A folder of such files, and of none that is read.
    let files = below.prefix(64).map { "\(path)/\($0)" }.filter { FileSystem.item(at: $0) == .file }
    // JSON beside them describes them.
    let others = files.filter {
      !$0.lowercased().hasSuffix(".json") && !$0.lowercased().hasSuffix(".jsonl")
    }
    if let first = others.lazy.compactMap({ file($0) }).first,
      !others.contains(where: { SeriesImporter.recognises($0) && file($0) == nil })
    {
      return "a folder of which one file is \(first)"
    }
    return nil
  }
}
