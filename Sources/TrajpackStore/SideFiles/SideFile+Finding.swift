import TrajpackCodecs
import TrajpackFormat

extension SideFile {
  /// The side files that lie in a folder whose list of them is lost, by what they say of themselves.
  struct Found {
    /// Those that can be listed.
    var files: [SideFile] = []
    /// Those that cannot, each with a sentence.
    var others: [(name: String, what: String)] = []
  }

  /// Reads every side file in `folder`. Where two have one role and name, nobody knows which was listed last, so
  /// neither is taken.
  static func find(inFolder folder: String) throws(TrajpackError) -> Found {
    var found = Found()
    for name in try FileSystem.names(in: folder) where isSideFile(name) {
      do throws(TrajpackError) {
        found.files.append(try SideFile(named: name, inFolder: folder))
      } catch {
        guard error.fault != .machine else { throw error }
        found.others.append((name, error.message))
      }
    }
    let byName = Dictionary(grouping: found.files) { [$0.role, $0.name] }
    for file in found.files where byName[[file.role, file.name]]?.count ?? 0 > 1 {
      found.others.append(
        (
          file.file,
          "there is another file of the \(file.role) '\(file.name)', and which of them counts is not known"
        ))
    }
    found.files.removeAll { byName[[$0.role, $0.name]]?.count ?? 0 > 1 }
    return found
  }

  private init(named file: String, inFolder folder: String) throws(TrajpackError) {
    let opened = try LocalFile("\(folder)/\(file)")
    guard (1...Self.longest).contains(opened.length) else {
      throw TrajpackError(
        .data, file: "\(folder)/\(file)", "is damaged: it has \(opened.length) bytes")
    }
    let bytes = try opened.bytes(0..<opened.length)
    self = try within(file: "\(folder)/\(file)") { () throws(TrajpackError) in
      let document = try JSONValue(parsing: bytes, mostValues: Self.mostValues)
      let digest = bytes.withUnsafeBytes { SHA256.of($0) }
      let entry = try SideFile(
        JSONReader(
          .record([
            "role": document["role"], "name": document["name"], "file": .string(file),
            "bytes": .int(Int64(bytes.count)), "sha256": .string(digest),
            "required": document["required"],
          ]), at: "it"))
      _ = try entry.content(inFolder: folder)
      return entry
    }
  }
}
