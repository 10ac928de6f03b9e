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
  /// What the manifest or the journal says of each shard; none of a single file.
  let entries: [Manifest.Entry]
  /// The file that lists the shards, as it was read; `nil` for a single file.
  let listing: ListingFile?

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
        || Replacement.committedFolder(of: path) != nil
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
    case nil, .other: throw FileSystem.noFile(at: path)
    case .file:
      shardPaths = [path]
      (isComplete, isGrowing) = (true, false)
      (manifest, entries, listing) = (nil, [], nil)
    case .folder:
      // A writer may just be between its journal and its manifest.
      var found = try Listing(path)
      for _ in 0..<8 where found == nil { found = try Listing(path) }
      guard let found else {
        let names = try FileSystem.names(in: path)
        for name in [Manifest.fileName, Journal.fileName] where names.contains(name) {
          throw FileSystem.noFile(at: "\(path)/\(name)")
        }
        guard !names.contains(where: { $0.hasPrefix("shard-") && $0.hasSuffix(".h5") }) else {
          throw TrajpackError(
            .data,
            "\(path): has shards, but neither \(Manifest.fileName) nor \(Journal.fileName) that lists them; "
              + "restore \(Manifest.fileName) from a copy, or open the shards one by one")
        }
        throw TrajpackError(
          .usage,
          "\(path): is no trajpack dataset (it has no \(Manifest.fileName)); "
            + "make one with 'trajpack convert \(path) DST'")
      }
      shardPaths = found.entries.map { "\(found.folder)/\($0.name)" }
      manifest = found.manifest
      (isComplete, isGrowing) = (found.manifest != nil, found.isGrowing)
      (entries, listing) = (found.entries, found.file)
    }
  }

  /// Opens a dataset and reads from it, again where it is replaced meanwhile.
  public static func read<Result>(
    _ path: String, _ body: (Dataset) throws(TrajpackError) -> Result
  ) throws(TrajpackError) -> Result {
    for _ in 0..<8 {
      let dataset = try Dataset(path)
      do throws(TrajpackError) { return try body(dataset) } catch {
        guard !dataset.isCurrent else { throw error }
      }
    }
    return try body(try Dataset(path))
  }

  /// The path of the shard of that number, now: a replacement's shards move.
  public func path(ofShard number: Int) -> String {
    let listed = shardPaths[number]
    let moved = "\(path)/\(FileSystem.name(of: listed))"
    return listing == nil || listed == moved || FileSystem.item(at: listed) != nil ? listed : moved
  }

  /// Opens the shard of that number.
  ///
  /// - Throws: A data error where it is missing or is not the one that was listed, also because the
  ///   dataset has been replaced since it was opened: rows of two datasets never mix.
  public func shard(_ number: Int) throws(TrajpackError) -> Shard {
    let shard: Shard
    do throws(TrajpackError) {
      shard = try Shard(path(ofShard: number))
    } catch {
      try requireListed(number)
      // It may have moved just between the look and the opening.
      guard FileSystem.item(at: path(ofShard: number)) != nil else {
        guard try !FileSystem.hasFile(shardPaths[number]) else { throw error }
        throw TrajpackError(
          .data,
          "\(shardPaths[number]): is missing, but the dataset lists it; restore it from a copy")
      }
      shard = try Shard(path(ofShard: number))
    }
    try requireListed(number)
    if let entry = manifest?.shards[number], entry.receipt.bytes != shard.file.length {
      throw TrajpackError(
        .data,
        "\(shard.name): has \(shard.file.length) bytes where the manifest says "
          + "\(entry.receipt.bytes); restore it from a copy")
    }
    return shard
  }

  /// Whether the file that listed the shards is still the one that counts.
  public var isCurrent: Bool { listing?.isCurrent(in: path) ?? true }

  /// Refuses a shard whose name stands for another one by now. A name that is listed no more still leads
  /// to the old shard.
  private func requireListed(_ number: Int) throws(TrajpackError) {
    guard !isCurrent else { return }
    let entry = entries[number]
    let now = try Dataset(path).entries.first { $0.name == entry.name }
    guard now == nil || now == entry else {
      throw TrajpackError(
        .data,
        "\(path): has been replaced by another dataset since it was opened; open it again")
    }
  }
}
