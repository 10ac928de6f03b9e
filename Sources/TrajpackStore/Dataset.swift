import TrajpackFormat
import TrajpackRemote

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
  public let entries: [Manifest.Entry]
  /// The side files that the manifest or the journal lists; none of a single file. None has been read.
  public let sideFiles: [SideFile]
  /// The file that lists the shards, as it was read; `nil` for a single file.
  let listing: ListingFile?
  /// The folder of the list: the dataset's, or that of a replacement which is moving there.
  public let listFolder: String

  /// The file that lists the shards, for errors.
  var list: String { isComplete ? "manifest" : "journal" }

  /// Why it is not complete, and what to do; `nil` where it is.
  public var unfinished: String? {
    if isComplete { return nil }
    return isGrowing
      ? "\(path): a writer has it open or was not closed; trajpack.create(..., mode='a') in Python goes on"
      : "\(path): the conversion has not finished; 'trajpack convert' with --resume goes on"
  }

  /// Whether a path is a dataset or a shard, by a look at its names or its first bytes.
  ///
  /// What is remote can only be a dataset.
  public static func isDataset(_ path: String) -> Bool {
    if RemoteLocation.isRemote(path) { return true }
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
  ///
  /// - Parameter allowingOrphans: Opens an unfinished dataset also where shards show that its journal has
  ///   lost records (``UnnamedShards``).
  /// - Throws: A data error where manifest or journal are damaged.
  public init(_ path: String, allowingOrphans: Bool = false) throws(TrajpackError) {
    if RemoteLocation.isRemote(path) {
      let remote = try RemoteListing(path)
      self.path = remote.path
      listFolder = remote.path
      (shardPaths, isComplete, isGrowing) = (remote.shardPaths, true, false)
      (manifest, entries, listing) = (remote.manifest, remote.manifest?.shards ?? [], nil)
      sideFiles = remote.manifest?.sideFiles ?? []
      return
    }
    self.path = path
    switch FileSystem.item(at: path) {
    case nil, .other: throw FileSystem.noFile(at: path)
    case .file:
      shardPaths = [path]
      (isComplete, isGrowing) = (true, false)
      (manifest, entries, sideFiles, listing, listFolder) = (nil, [], [], nil, path)
    case .folder:
      // A writer may just be between its journal and its manifest.
      var found = try Listing(path, allowingOrphans: allowingOrphans)
      for _ in 0..<8 where found == nil {
        found = try Listing(path, allowingOrphans: allowingOrphans)
      }
      guard let found else { throw try Self.noDataset(path) }
      shardPaths = found.entries.map { "\(found.folder)/\($0.name)" }
      manifest = found.manifest
      (isComplete, isGrowing) = (found.manifest != nil, found.isGrowing)
      (entries, listing, listFolder) = (found.entries, found.file, found.folder)
      sideFiles = found.sideFiles
    }
  }

  /// Some shard files, as a dataset.
  init(shards: [String]) {
    (path, listFolder, shardPaths) = (shards.first ?? "", "", shards)
    (isComplete, isGrowing, manifest, entries, listing) = (true, false, nil, [], nil)
    sideFiles = []
  }

  /// Shards of a folder that is being written.
  package init(_ folder: String, shards: [Manifest.Entry]) {
    (path, listFolder) = (folder, folder)
    shardPaths = shards.map { "\(folder)/\($0.name)" }
    (isComplete, isGrowing, manifest, entries, listing) = (false, false, nil, shards, nil)
    sideFiles = []
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

  /// Refuses a folder of shards whose manifest or journal does not even begin as one, by what is wrong
  /// with it.
  public static func refuseDamagedList(
    _ path: String, _ names: [String]
  ) throws(TrajpackError) {
    guard names.contains(where: { Manifest.number(ofShard: $0) != nil }) else { return }
    if names.contains(Manifest.fileName) { _ = try Manifest(inFolder: path) }
    if names.contains(Journal.fileName) { _ = try Journal.plan(inFolder: path) }
    throw try noDataset(path)
  }

  /// The error of a folder that has neither a manifest nor a journal.
  private static func noDataset(_ path: String) throws(TrajpackError) -> TrajpackError {
    let names = try FileSystem.names(in: path)
    // A link that leads nowhere, or something that is no file.
    for name in [Manifest.fileName, Journal.fileName] where names.contains(name) {
      return FileSystem.noFile(at: "\(path)/\(name)")
    }
    let shards = names.filter { Manifest.number(ofShard: $0) != nil }
    guard let first = shards.first else {
      return TrajpackError(
        .usage, file: path,
        "is no trajpack dataset (it has no \(Manifest.fileName)); "
          + "make one with 'trajpack convert \(path) DST'")
    }
    return TrajpackError(
      .usage, file: path,
      "holds shards (\(first)\(shards.count > 1 ? ", ..." : "")) but no \(Manifest.fileName); "
        + "copy that too, or run 'trajpack repair \(path)', which lists them anew; each shard also "
        + "opens by itself")
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
      guard !isRemote else { throw error }
      try requireListed(number)
      // It may have moved just between the look and the opening.
      guard FileSystem.item(at: path(ofShard: number)) != nil else {
        throw try missing(number) ?? error
      }
      shard = try Shard(path(ofShard: number))
    }
    try requireListed(number)
    if !entries.isEmpty, entries[number].receipt.bytes != shard.file.length {
      throw TrajpackError(
        .data, file: shard.name,
        "has \(shard.file.length) bytes where the \(list) says "
          + "\(entries[number].receipt.bytes); restore it from a copy")
    }
    return shard
  }

  /// The error of a shard that is listed and not there; `nil` where something is.
  func missing(_ number: Int) throws(TrajpackError) -> TrajpackError? {
    guard try !FileSystem.hasFile(shardPaths[number]) else { return nil }
    return TrajpackError(
      .data, file: shardPaths[number],
      "is missing, but the dataset lists it; restore it from a copy")
  }

  /// Whether it lies on a server.
  public var isRemote: Bool { Self.isRemote(path) }

  /// Whether a path leads to a server or a bucket.
  public static func isRemote(_ path: String) -> Bool { RemoteLocation.isRemote(path) }

  /// A path as it may be printed and stored: without a user, a password and a query, which are kept for opening it.
  public static func withoutSecrets(_ path: String) throws(TrajpackError) -> String {
    guard isRemote(path) else { return path }
    RemoteLocation.giveSecrets()
    return try RemoteLocation(path).description
  }

  /// Whether the file that listed the shards is still the one that counts. An object that changes is noticed when it
  /// is read.
  public var isCurrent: Bool { listing?.isCurrent(in: path) ?? true }

  /// Refuses a shard whose name stands for another one by now. A name that is listed no more still leads
  /// to the old shard.
  private func requireListed(_ number: Int) throws(TrajpackError) {
    guard !isCurrent else { return }
    let entry = entries[number]
    let now = try Dataset(path).entries.first { $0.name == entry.name }
    guard now == nil || now == entry else {
      throw TrajpackError(
        .data, file: path, "has been replaced by another dataset since it was opened; open it again"
      )
    }
  }
}
