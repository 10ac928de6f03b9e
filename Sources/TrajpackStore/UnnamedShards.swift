import TrajpackFormat

/// The shards in a dataset's folder that its list (manifest or journal) does not name.
///
/// A crash leaves some: those whose episodes a join has put into another shard, and the one that was
/// renamed before its record was written. Any other holds episodes that were acknowledged once, or that
/// somebody put there; nobody removes it. `schemas/archive-format.md`, section 12.
public struct UnnamedShards: Sendable {
  /// What a shard is.
  public enum Standing: String, Sendable {
    /// Every episode in it is, equal in every value, in a shard that the list names.
    case superseded
    /// The next shard of a writer, which has not acknowledged it: it may be removed or written anew.
    case unacknowledged
    /// Any other: it is kept, and writers refuse the dataset.
    case orphan
  }

  /// A shard that the list does not name.
  public struct Item: Sendable {
    /// The name of the file.
    public var name: String
    /// What it is.
    public var standing: Standing
    /// What shows that it is an orphan; empty for others.
    public var reason = ""
  }

  /// The shards, by name.
  public private(set) var items: [Item] = []

  /// The first orphan.
  public var orphan: Item? { items.first { $0.standing == .orphan } }

  /// The names of those of a standing.
  public func names(_ standing: Standing) -> [String] {
    items.filter { $0.standing == standing }.map(\.name)
  }

  /// Looks at the shards of `folder` that `listed` does not name.
  ///
  /// - Parameters:
  ///   - names: The files of the folder, from before the list was read where a writer may be at work.
  ///   - isBegun: Whether a writer may be ahead of the list by a shard: a journal with a plan is there, or
  ///     one beside a manifest.
  ///   - comparing: Compares the values of superseded episodes, not only their ids.
  public init(
    in folder: String, names: [String], listed: [Manifest.Entry], isBegun: Bool, comparing: Bool
  ) throws(TrajpackError) {
    let known = Set(listed.map(\.name))
    let unnamed = names.filter { Manifest.isShard($0) && !known.contains($0) }
    guard !unnamed.isEmpty else { return }
    var ids: [String: [String]] = [:]
    for name in unnamed {
      do throws(TrajpackError) {
        ids[name] = try Self.ids(of: "\(folder)/\(name)")
        items.append(Item(name: name, standing: .superseded))
      } catch {
        // A writer may just have removed it.
        guard FileSystem.item(at: "\(folder)/\(name)") != nil else { continue }
        guard error.fault != .machine else { throw error }
        items.append(
          Item(name: name, standing: .orphan, reason: "it does not open (\(error.message))"))
      }
    }
    let places = Self.places(of: Set(ids.values.joined()), folder, listed)
    for (i, item) in items.enumerated() where item.standing == .superseded {
      let own = ids[item.name] ?? []
      if let missing = own.first(where: { places[$0] == nil }) {
        items[i].reason = "no shard that the list names has its episode '\(missing)'"
      } else if comparing, !own.isEmpty {
        let holders = Set(own.compactMap { places[$0] }).sorted()
        items[i].reason = try Self.difference(
          "\(folder)/\(item.name)", own, holders.map { "\(folder)/\(listed[$0].name)" })
      }
      if !items[i].reason.isEmpty { items[i].standing = .orphan }
    }
    acceptNext(after: listed, isBegun: isBegun, opens: Set(ids.keys))
  }

  /// Looks at the shards in the folder of a dataset that it does not list; `names` are the files of the folder,
  /// from before it was opened. While a replacement of the dataset is moving there, none is looked at: the
  /// next writer removes those of the old one.
  public init(of dataset: Dataset, names: [String]) throws(TrajpackError) {
    try self.init(
      in: dataset.path, names: dataset.listFolder == dataset.path ? names : [],
      listed: dataset.entries,
      isBegun: names.contains(Journal.fileName) && Self.hasPlan(dataset.path), comparing: true)
  }

  private static func hasPlan(_ folder: String) -> Bool {
    ((try? Journal.plan(inFolder: folder)) ?? nil) != nil
  }

  /// How episodes of a shard differ from those that others have; empty where they are equal.
  static func difference(
    _ shard: String, _ ids: [String], _ others: [String]
  ) throws(TrajpackError) -> String {
    do throws(TrajpackError) {
      var comparison = try DatasetComparison(
        Dataset(shards: [shard]), Dataset(shards: others),
        names: (FileSystem.name(of: shard), "the dataset"))
      for id in ids {
        try comparison.compare(id)
        if let difference = comparison.result.differences.first { return difference }
      }
      return ""
    } catch {
      guard error.fault != .machine else { throw error }
      return "it cannot be compared with what the list names (\(error.message))"
    }
  }

  /// The one orphan with the next number is no orphan: its writer stopped before it acknowledged it.
  private mutating func acceptNext(
    after listed: [Manifest.Entry], isBegun: Bool, opens: Set<String>
  ) {
    let orphans = names(.orphan)
    guard isBegun, orphans.count == 1, opens.contains(orphans[0]) else { return }
    // A join whose record was lost has used a number as well.
    let used = (listed.map(\.name) + names(.superseded)).compactMap { Manifest.number(ofShard: $0) }
    guard orphans[0] == Manifest.shardName((used.max() ?? -1) + 1),
      let i = items.firstIndex(where: { $0.standing == .orphan })
    else { return }
    items[i] = Item(name: orphans[0], standing: .unacknowledged)
  }

  private static func ids(of path: String) throws(TrajpackError) -> [String] {
    let index = try Shard(path).index
    return (0..<index.episodeCount).map { index.episode($0).id }
  }

  /// The number of the listed shard that has each of some episodes; those that none has are left out.
  private static func places(
    of ids: Set<String>, _ folder: String, _ listed: [Manifest.Entry]
  ) -> [String: Int] {
    var (left, places) = (ids, [String: Int]())
    // What replaces others has been written last. A shard that does not open cannot stand in for another.
    for (number, entry) in listed.enumerated().reversed() {
      guard !left.isEmpty else { break }
      guard let found = try? Self.ids(of: "\(folder)/\(entry.name)") else { continue }
      for id in found where left.remove(id) != nil { places[id] = number }
    }
    return places
  }

  /// Refuses a dataset with an orphan, for those that write it and for readers of a journal.
  public func refuseOrphans(in folder: String) throws(TrajpackError) {
    guard let orphan else { return }
    throw TrajpackError(
      .data, file: "\(folder)/\(orphan.name)",
      "is a shard that the dataset does not list, and \(orphan.reason); nothing "
        + "was changed; restore the list from a copy, run 'trajpack repair \(folder)', which lists all "
        + "whole shards, or move the file elsewhere to go on without it")
  }
}

/// The list of a dataset that is not finished: that of its journal.
struct UnfinishedList {
  let entries: [Manifest.Entry]
  let sideFiles: [SideFile]
  let isGrowing: Bool

  /// - Throws: A data error where the journal is damaged, or has lost records whose shards are there.
  init(_ folder: String, allowingOrphans: Bool) throws(TrajpackError) {
    var attempt = 0
    while true {
      attempt += 1
      // Names first: what a writer has renamed by then is in the journal afterwards, but for its last shard.
      let names = allowingOrphans ? [] : try FileSystem.names(in: folder)
      let content = try JournalContent(inFolder: folder)
      let unnamed = try UnnamedShards(
        in: folder, names: names, listed: content.shards, isBegun: content.plan != nil,
        comparing: false)
      // Joined and removed meanwhile, or really lost.
      if unnamed.orphan != nil, attempt < 8,
        try JournalContent(inFolder: folder).shards != content.shards
      {
        continue
      }
      try unnamed.refuseOrphans(in: folder)
      try SideFile.check(content.sideFiles)
      (entries, sideFiles, isGrowing) = (content.shards, content.sideFiles, content.isGrowing)
      return
    }
  }
}
