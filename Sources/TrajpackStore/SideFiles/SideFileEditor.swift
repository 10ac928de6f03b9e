import Glibc
import TrajpackFormat

/// Changes the side files of a finished dataset, all at once, and no shard.
///
/// From its making to ``close()`` it holds the writer's lock. ``put(_:named:_:isRequired:)`` and
/// ``remove(_:named:)`` change what will be listed; ``commit()`` replaces the manifest, durably. A crash before that
/// leaves the dataset as it was.
///
///     let editor = try SideFileEditor("ww")
///     try editor.put(.splits, named: "paper", content)
///     try editor.commit()
public final class SideFileEditor {
  /// The folder of the dataset.
  public let path: String
  /// The dataset as it was when it was locked.
  public let dataset: Dataset
  /// The side files that ``commit()`` will list.
  public private(set) var sideFiles: [SideFile]

  private let lock: DatasetLock
  private var isOpen = true

  /// Locks the finished dataset in the folder `path`, and removes side files that no list names any more.
  ///
  /// - Throws: A usage error where `path` is a single shard, the dataset is not finished, a newer trajpack has written
  ///   it, or another process writes it; a data error where its manifest is damaged.
  public init(_ path: String) throws(TrajpackError) {
    self.path = path
    try Self.refuse(try Dataset(path))
    try Replacement.recover(path, discardingBuild: false)
    lock = try DatasetLock(path)
    do throws(TrajpackError) {
      // What was there may have changed until the lock was held.
      dataset = try Dataset(path)
      try Self.refuse(dataset)
      sideFiles = dataset.sideFiles
      try Self.removeLeftovers(path, dataset)
    } catch {
      try? lock.removeJournal()
      throw error
    }
  }

  deinit { if isOpen { try? lock.removeJournal() } }

  private static func refuse(_ dataset: Dataset) throws(TrajpackError) {
    guard dataset.manifest != nil else {
      if let unfinished = dataset.unfinished { throw TrajpackError(.usage, unfinished) }
      throw TrajpackError(
        .usage, file: dataset.path,
        "is a single shard, which is never changed; name a folder for a dataset of it with "
          + "'--into DIR'")
    }
    guard let version = dataset.manifest?.readVersion, Manifest.known.contains(version) else {
      throw TrajpackError(
        .usage, file: "\(dataset.path)/\(Manifest.fileName)",
        "has version \(dataset.manifest?.readVersion ?? ""), of which "
          + "this trajpack does not know everything, so it would lose some; use a newer one")
    }
  }

  private static func removeLeftovers(
    _ path: String, _ dataset: Dataset
  ) throws(TrajpackError) {
    let names = try FileSystem.names(in: path)
    for name in dataset.unlistedSideFiles(names)
      + names.filter({ $0.hasPrefix(".tmp-side-") || $0.hasPrefix(".tmp-manifest.json") })
    {
      try FileSystem.remove("\(path)/\(name)")
    }
  }

  /// Writes a side file, which ``commit()`` lists in the place of the one of that role and name, if there is one.
  ///
  /// - Parameter isRequired: Whether a reader that ignores it would read the dataset wrongly: the manifest's version
  ///   is 2.0 then, which readers of 1.x refuse.
  public func put(
    _ role: SideFile.Role, named name: String, _ content: JSONValue, isRequired: Bool = false
  ) throws(TrajpackError) {
    let entry = try SideFile.write(
      role, named: name, content, isRequired: isRequired, inFolder: path)
    if let at = sideFiles.firstIndex(where: { $0.role == entry.role && $0.name == name }) {
      sideFiles[at] = entry
    } else {
      sideFiles.append(entry)
    }
    try SideFile.check(sideFiles)
  }

  /// Takes a side file from the list.
  ///
  /// - Throws: A usage error where there is none of that role and name.
  public func remove(_ role: SideFile.Role, named name: String) throws(TrajpackError) {
    guard
      let at = sideFiles.firstIndex(where: { $0.role == role.rawValue && $0.name == name })
    else {
      let names = sideFiles.filter { $0.role == role.rawValue }.map { "'\($0.name)'" }
      throw TrajpackError(
        .usage, file: path,
        "has no \(role.rawValue) '\(name)'; it has "
          + (names.isEmpty ? "none" : names.joined(separator: ", ")))
    }
    sideFiles.remove(at: at)
  }

  /// Replaces the manifest by one that lists the side files as they are now, durably, and releases the lock. A
  /// list that is as it was stays. Files that are not listed any more are removed by the next writer, because readers
  /// may just have read their names.
  public func commit() throws(TrajpackError) {
    precondition(isOpen, "an editor commits once")
    if sideFiles != dataset.sideFiles, var manifest = dataset.manifest {
      manifest.statistics = try Manifest.statistics(inFolder: path, atMost: Manifest.longest)
      guard manifest.statistics != nil else {
        throw TrajpackError(
          .data, file: "\(path)/\(Manifest.fileName)",
          "is damaged: its statistics are no JSON; run 'trajpack repair "
            + "\(path)', which writes it anew")
      }
      manifest.sideFiles = sideFiles
      try manifest.write(toFolder: path)
    }
    try close()
  }

  /// Gives the dataset free. Without a ``commit()`` it is as it was.
  public func close() throws(TrajpackError) {
    guard isOpen else { return }
    isOpen = false
    try lock.removeJournal()
  }
}

extension SideFile {
  /// Writes a side file into the folder of a dataset that is being written, durably. It counts when a manifest
  /// lists it: see ``SideFileEditor``, and ``Manifest/finish(_:shards:source:sideFiles:removing:)``.
  public static func write(
    _ role: Role, named name: String, _ content: JSONValue, isRequired: Bool = false,
    inFolder folder: String
  ) throws(TrajpackError) -> SideFile {
    let (entry, bytes) = try make(role, name, content, isRequired: isRequired)
    // The same name means the same bytes, so a whole file of that name is this one.
    if (try? entry.content(inFolder: folder)) == nil {
      try FileSystem.replace("\(folder)/\(entry.file)", with: bytes)
    }
    return entry
  }
}
