import TrajpackFormat

/// A folder of shards with its manifest, or a single shard file.
public final class Dataset: Sendable {
  /// The path it was opened by.
  public let path: String
  /// Its shards' paths, in order.
  public let shardPaths: [String]
  /// Whether the conversion that made it has finished.
  public let isComplete: Bool
  /// Whether a writer that adds episodes has not been closed, rather than a conversion not finished.
  public let isGrowing: Bool
  /// The manifest; `nil` for a single file or an unfinished conversion.
  public let manifest: Manifest?

  /// Why it is not complete, and what to do; `nil` where it is.
  public var unfinished: String? {
    if isComplete { return nil }
    return isGrowing
      ? "\(path): a writer has it open or was not closed; trajpack.create(..., mode='a') in Python goes on"
      : "\(path): the conversion has not finished; 'trajpack convert' with --resume goes on"
  }

  /// Opens a dataset. Only its manifest or journal is read.
  public init(_ path: String) throws(TrajpackError) {
    self.path = path
    switch FileSystem.item(at: path) {
    case nil: throw TrajpackError(.usage, "\(path): does not exist")
    case .other: throw TrajpackError(.usage, "\(path): is neither a file nor a folder")
    case .file:
      shardPaths = [path]
      (isComplete, isGrowing) = (true, false)
      manifest = nil
    case .folder:
      let file = "\(path)/\(Manifest.fileName)"
      if FileSystem.item(at: file) == .file {
        let opened = try LocalFile(file)
        guard opened.length <= 256 << 20 else {
          throw TrajpackError(.data, "\(file): is too long for a manifest")
        }
        let manifest = try Manifest(json: JSONValue(parsing: opened.bytes(0..<opened.length)))
        shardPaths = manifest.shards.map { "\(path)/\($0.name)" }
        self.manifest = manifest
        (isComplete, isGrowing) = (true, false)
      } else if FileSystem.item(at: "\(path)/\(Journal.fileName)") == .file {
        var paths: [String] = []
        let records = try Journal.read(inFolder: path)
        for (n, record) in records.enumerated() {
          if let entry = try Manifest.Entry(record: record, number: n) {
            paths.append("\(path)/\(entry.name)")
          }
        }
        shardPaths = paths
        (isComplete, isGrowing) = (false, records.first?["format"]?.string == "writer")
        manifest = nil
      } else {
        throw TrajpackError(
          .usage,
          "\(path): is no trajpack dataset (it has no \(Manifest.fileName)); "
            + "make one with 'trajpack convert \(path) DST'")
      }
    }
  }

  /// Opens the shard of that number.
  public func shard(_ number: Int) throws(TrajpackError) -> Shard {
    guard FileSystem.item(at: shardPaths[number]) != nil else {
      throw TrajpackError(
        .data, "\(shardPaths[number]): is missing, but the dataset lists it; restore it from a copy"
      )
    }
    let shard = try Shard(shardPaths[number])
    if let entry = manifest?.shards[number], entry.receipt.bytes != shard.file.length {
      throw TrajpackError(
        .data,
        "\(shard.name): has \(shard.file.length) bytes where the manifest says "
          + "\(entry.receipt.bytes); restore it from a copy")
    }
    return shard
  }
}
