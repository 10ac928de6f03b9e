import TrajpackFormat

/// What another process has brought of a source in a bucket, as ``BucketFolder/save(to:)`` wrote it down.
public struct EarlierFiles: Sendable {
  private struct Entry: Sendable {
    /// Where it is below the folder.
    let place: String
    let bytes: Int
    let modified: Double
    let tag: String
    let blocks: BlockSet
  }

  private let folder: String
  private let entries: [String: Entry]

  /// - Parameters:
  ///   - list: The file that `save` has written.
  ///   - folder: The folder that was given for the bytes.
  public init(_ list: String, below folder: String) throws(TrajpackError) {
    self.folder = folder
    let file = try LocalFile(list)
    var entries: [String: Entry] = [:]
    for line in try file.bytes(0..<file.length).split(separator: UInt8(ascii: "\n")) {
      let parts = try within(file: list) { () throws(TrajpackError) in
        try JSONValue(parsing: Array(line)).array ?? []
      }
      guard let (name, entry) = Self.entry(parts) else {
        throw TrajpackError(
          .data, file: list, "is damaged; remove the job's folder and plan it again")
      }
      entries[name] = entry
    }
    self.entries = entries
  }

  private static func entry(_ parts: [JSONValue]) -> (name: String, Entry)? {
    guard parts.count == 6, let name = parts[0].string, let bytes = parts[1].int, bytes >= 0,
      let modified = parts[2].double, let tag = parts[3].string, let runs = parts[4].array,
      let place = parts[5].string
    else { return nil }
    let limit = (bytes + BucketFile.block - 1) / BucketFile.block
    var blocks = BlockSet(count: 0, of: limit)
    for run in runs {
      guard let ends = run.array, ends.count == 2, let first = ends[0].int, let end = ends[1].int,
        first >= 0, end <= limit, first < end
      else { return nil }
      for block in first..<end { blocks.insert(block) }
    }
    return (name, Entry(place: place, bytes: bytes, modified: modified, tag: tag, blocks: blocks))
  }

  /// The file that has bytes of an object, where that is still the same.
  func file(_ about: BucketSource.File) -> (path: String, blocks: BlockSet)? {
    guard let entry = entries[about.name], entry.bytes == about.bytes, entry.tag == about.tag,
      entry.modified == about.modified
    else { return nil }
    return ("\(folder)/\(entry.place)", entry.blocks)
  }
}
