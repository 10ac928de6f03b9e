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

  /// Whether a path is a dataset or a shard, by a look at its names or its first bytes.
  public static func isDataset(_ path: String) -> Bool {
    switch FileSystem.item(at: path) {
    case .folder:
      return FileSystem.item(at: "\(path)/\(Manifest.fileName)") == .file
        || FileSystem.item(at: "\(path)/\(Journal.fileName)") == .file
    case .file:
      guard let file = try? LocalFile(path), file.length >= 8 else { return false }
      return (try? file.bytes(0..<8)) == ShardHeader.magic
    default: return false
    }
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
      // A writer may just be between its journal and its manifest.
      var list = try Self.list(path)
      for _ in 0..<4 where list == nil { list = try Self.list(path) }
      guard let list else {
        throw TrajpackError(
          .usage,
          "\(path): is no trajpack dataset (it has no \(Manifest.fileName)); "
            + "make one with 'trajpack convert \(path) DST'")
      }
      shardPaths = list.names.map { "\(path)/\($0)" }
      manifest = list.manifest
      (isComplete, isGrowing) = (list.manifest != nil, list.isGrowing)
    }
  }

  /// What the manifest or the journal of a folder lists; `nil` where neither is there, or went just now.
  private static func list(
    _ path: String
  ) throws(TrajpackError) -> (names: [String], manifest: Manifest?, isGrowing: Bool)? {
    let file = "\(path)/\(Manifest.fileName)"
    let journal = "\(path)/\(Journal.fileName)"
    let isManifest = FileSystem.item(at: file) == .file
    do throws(TrajpackError) {
      if isManifest {
        let opened = try LocalFile(file)
        guard opened.length <= 256 << 20 else {
          throw TrajpackError(.data, "\(file): is too long for a manifest")
        }
        let manifest = try Manifest(json: JSONValue(parsing: opened.bytes(0..<opened.length)))
        return (manifest.shards.map(\.name), manifest, false)
      }
      if FileSystem.item(at: journal) == .file {
        let records = try Journal.read(inFolder: path)
        var names: [String] = []
        for (n, record) in records.enumerated() {
          if let entry = try Manifest.Entry(record: record, number: n) { names.append(entry.name) }
        }
        return (names, nil, records.first?["format"]?.string == "writer")
      }
    } catch {
      // The one that was there has gone, and the other one has come.
      if isManifest == (FileSystem.item(at: file) == .file) { throw error }
    }
    return nil
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
