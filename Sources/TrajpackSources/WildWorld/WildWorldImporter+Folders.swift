import TrajpackCodecs
import TrajpackFormat
import TrajpackStore
import TrajpackVideo

extension WildWorldImporter {
  /// Whether a folder is one sample.
  public static func isOneSample(_ folder: String) -> Bool { hasSampleFiles(folder) }

  /// Whether a folder is a part: samples lie in it.
  public static func isPart(_ folder: String) -> Bool {
    ((try? FileSystem.names(in: folder)) ?? []).contains { hasSampleFiles("\(folder)/\($0)") }
  }

  private static func hasSampleFiles(_ folder: String) -> Bool {
    fileNames.contains { FileSystem.item(at: "\(folder)/\($0)") == .file }
  }

  /// The sample folders of a sample, a part, or a folder of parts.
  static func sampleFolders(of path: String) throws(TrajpackError) -> [String] {
    var trimmed = path
    while trimmed.count > 1, trimmed.hasSuffix("/") { trimmed.removeLast() }
    guard FileSystem.item(at: trimmed) == .folder else { return [] }
    if hasSampleFiles(trimmed) { return [trimmed] }
    func folders(_ path: String) throws(TrajpackError) -> [String] {
      try FileSystem.names(in: path).filter { !$0.hasPrefix(".") }.map { "\(path)/\($0)" }
        .filter { FileSystem.item(at: $0) == .folder }
    }
    let below = try folders(trimmed)
    let samples = below.filter(hasSampleFiles)
    if !samples.isEmpty { return samples }
    var found: [String] = []
    for part in below { found += try folders(part).filter(hasSampleFiles) }
    return found
  }

  /// Reads `skeleton_edges.json` of a part: for each skeleton, pairs of joints.
  static func edges(inPart part: String) throws(TrajpackError) -> [String: [[Int]]] {
    let path = "\(part)/skeleton_edges.json"
    guard try FileSystem.hasFile(path) else { return [:] }
    return try within(file: path) { () throws(TrajpackError) in
      let file = try LocalFile(path)
      guard file.length <= 64 << 20 else {
        throw TrajpackError(.data, "the file is too long for joint graphs")
      }
      let json = try JSONValue(parsing: file.bytes(0..<file.length))
      let reader = JSONReader(json, at: "skeleton_edges.json")
      guard let members = json.members else { throw reader.wrong("an object of joint graphs") }
      var graphs: [String: [[Int]]] = [:]
      for member in members {
        graphs[member.name] = try reader.list(member.name) { (edge) throws(TrajpackError) in
          let pair = try edge.integers()
          guard pair.count == 2, pair.allSatisfy({ $0 >= 0 }) else {
            throw edge.wrong("two joint numbers, not \(edge.value.text())")
          }
          return pair
        }
      }
      return graphs
    }
  }
}
