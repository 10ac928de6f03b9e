import Glibc
import TrajpackFormat

/// What crashes and replaced side files have left in the folder of a dataset, which its next writer would remove. A shard
/// that the list has lost is none of it: it may hold episodes that were acknowledged, and `trajpack repair` lists it.
public struct FolderOrphans {
  /// A file that the dataset does not list.
  public struct Item: Sendable, Equatable {
    /// The name of the file.
    public let name: String
    /// Its bytes.
    public let bytes: Int
    /// Seconds since it was written.
    public let age: Double
  }

  private let path: String
  /// Those that are old enough to be removed, by name.
  public let items: [Item]
  /// How many are younger.
  public let younger: Int
  /// Shards that the list has lost, which are kept.
  public let kept: [String]

  /// Looks at a folder.
  ///
  /// - Parameter age: Seconds that something must have been there for.
  public init(_ path: String, olderThan age: Double) throws(TrajpackError) {
    self.path = path
    guard FileSystem.item(at: path) == .folder else {
      if FileSystem.item(at: path) == nil { throw FileSystem.noFile(at: path) }
      throw TrajpackError(.usage, file: path, "is no folder; name the folder of a dataset")
    }
    let names = try FileSystem.names(in: path)
    let dataset = try Dataset(path, allowingOrphans: true)
    let unnamed = try UnnamedShards(of: dataset, names: names)
    kept = unnamed.names(.orphan)
    let left =
      unnamed.names(.superseded) + unnamed.names(.unacknowledged)
      + dataset.unlistedSideFiles(names) + names.filter { $0.hasPrefix(".tmp-") }
    var now = timespec()
    clock_gettime(CLOCK_REALTIME, &now)
    var items: [Item] = []
    for name in left.sorted() {
      var status = stat()
      guard lstat("\(path)/\(name)", &status) == 0, status.st_mode & S_IFMT == S_IFREG else {
        continue
      }
      let time = Double(status.st_mtim.tv_sec) + Double(status.st_mtim.tv_nsec) * 1e-9
      items.append(
        Item(
          name: name, bytes: Int(status.st_size),
          age: Double(now.tv_sec) + Double(now.tv_nsec) * 1e-9 - time))
    }
    self.items = items.filter { $0.age >= age }
    younger = items.count - self.items.count
  }

  /// Removes what is there, under the writer's lock.
  ///
  /// - Returns: What was removed.
  /// - Throws: A usage error while another process writes the dataset.
  public static func remove(
    in path: String, olderThan age: Double
  ) throws(TrajpackError) -> FolderOrphans {
    _ = try Dataset(path, allowingOrphans: true)
    let lock = try DatasetLock(path)
    do throws(TrajpackError) {
      let found = try FolderOrphans(path, olderThan: age)
      for item in found.items { try FileSystem.remove("\(path)/\(item.name)") }
      try FileSystem.syncFolder(path)
      try lock.removeJournal()
      return found
    } catch {
      try? lock.removeJournal()
      throw error
    }
  }
}
