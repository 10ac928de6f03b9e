import Glibc
import TrajpackFormat

/// Lists the shards of a folder anew, where its manifest or journal is damaged, lost, or has lost records.
///
/// Every shard holds all that is needed to read it. No shard is changed or removed; the old manifest and
/// journal get other names.
public struct DatasetRepair {
  /// The shards that are listed, in order.
  public private(set) var listed: [Manifest.Entry] = []
  /// Shards whose episodes are, equal in every value, in those that are listed.
  public private(set) var superseded: [String] = []
  /// Shards and side files that are damaged, each with a sentence; they are not listed.
  public private(set) var damaged: [(name: String, what: String)] = []
  /// Whether the list is a journal, with which `convert --resume` goes on.
  public private(set) var isUnfinished = false
  /// What the old manifest and journal are called now.
  public private(set) var kept: [String] = []

  /// The side files that are listed.
  public private(set) var sideFiles: [SideFile] = []

  private let path: String
  private let lock: Journal
  private let hadJournal: Bool
  private var plan: JSONValue?

  /// Looks at every byte of every shard of the folder at `path`. Nothing is changed.
  ///
  /// - Throws: A usage error where there is no shard or another process writes the dataset; a data error
  ///   where two shards have an episode of the same id and other content.
  public init(
    _ path: String, pool: WorkerPool, isStopped: () -> Bool
  ) throws(TrajpackError) {
    self.path = path
    try FileSystem.requireLocal(path)
    guard FileSystem.item(at: path) == .folder else {
      throw TrajpackError(.usage, file: path, "is no folder; name the folder of a dataset")
    }
    let names = try FileSystem.names(in: path)
    let shards = names.filter { Manifest.isShard($0) }
    guard !shards.isEmpty else {
      throw TrajpackError(.usage, file: path, "has no shards, so there is nothing to list")
    }
    hadJournal = names.contains(Journal.fileName)
    lock = try Journal(lockingFolder: path)
    do throws(TrajpackError) {
      try look(at: shards, pool, isStopped)
    } catch {
      leave()
      throw error
    }
  }

  /// Ends without a change.
  public func leave() {
    if !hadJournal { unlink("\(path)/\(Journal.fileName)") }
  }

  private mutating func look(
    at shards: [String], _ pool: WorkerPool, _ isStopped: () -> Bool
  ) throws(TrajpackError) {
    let finished = try? Manifest(inFolder: path)
    plan = finished?.source ?? JournalContent.plan(inFolder: path)
    let isConversion = finished == nil && plan != nil && plan?["format"]?.string != "writer"
    var found: [Manifest.Entry] = []
    for name in shards.sorted(by: Self.isBefore) {
      if isStopped() { return }
      if let entry = try look(at: name, pool) { found.append(entry) }
    }
    try choose(found)
    let journal = try? JournalContent(inFolder: path)
    // A journal without a plan is that of the lock.
    if let known = finished?.sideFiles ?? (journal?.plan == nil ? nil : journal?.sideFiles) {
      for file in known {
        do throws(TrajpackError) {
          _ = try file.content(inFolder: path)
          sideFiles.append(file)
        } catch {
          guard error.fault != .machine else { throw error }
          damaged.append((file.file, error.message))
        }
      }
    } else {
      let found = try SideFile.find(inFolder: path)
      sideFiles = found.files
      damaged += found.others
    }
    isUnfinished =
      isConversion && listed.map(\.name) == listed.indices.map { Manifest.shardName($0) }
    if isConversion, !isUnfinished { plan = nil }
  }

  /// By number, then by name.
  private static func isBefore(_ a: String, _ b: String) -> Bool {
    let (x, y) = (Manifest.number(ofShard: a), Manifest.number(ofShard: b))
    return (x ?? .max, a) < (y ?? .max, b)
  }

  private mutating func look(
    at name: String, _ pool: WorkerPool
  ) throws(TrajpackError) -> Manifest.Entry? {
    var statistics = DatasetStatistics()
    let file = "\(path)/\(name)"
    do throws(TrajpackError) {
      let result = try Verification.verify(
        file, expected: nil, list: "", statistics: &statistics, pool: pool, isStopped: { false }
      ) { _ in }
      if let first = result.damages.first { throw first }
      let index = try Shard(file).index
      return Manifest.Entry(
        name: name,
        receipt: .init(
          bytes: result.bytes, digest: try LocalFile(file).digest(), episodes: index.episodeCount,
          rows: (0..<index.trackCount).reduce(0) { $0 + index.rows(ofTrack: $1).count }))
    } catch {
      guard error.fault != .machine else { throw error }
      damaged.append((name, error.message))
      return nil
    }
  }

  /// Lists the newest shards first, and leaves out those that they supersede.
  private mutating func choose(_ found: [Manifest.Entry]) throws(TrajpackError) {
    var holders: [String: String] = [:]
    for entry in found.reversed() {
      let index = try Shard("\(path)/\(entry.name)").index
      let ids = (0..<index.episodeCount).map { index.episode($0).id }
      let known = ids.filter { holders[$0] != nil }
      if known.isEmpty {
        listed.insert(entry, at: 0)
        for id in ids { holders[id] = entry.name }
        continue
      }
      let others = Set(known.compactMap { holders[$0] }).sorted()
      let difference = try UnnamedShards.difference(
        "\(path)/\(entry.name)", known, others.map { "\(path)/\($0)" })
      guard difference.isEmpty, known.count == ids.count else {
        throw TrajpackError(
          .data, file: path,
          "\(entry.name) and \(others[0]) both have episode '\(known[0])', and "
            + (difference.isEmpty
              ? "only one has '\(ids.first { holders[$0] == nil } ?? "")'" : difference)
            + "; move one of them elsewhere; nothing was changed")
      }
      superseded.append(entry.name)
    }
    superseded.reverse()
  }

  /// Writes the new list. The old manifest and journal stay beside it, under other names.
  public mutating func write() throws(TrajpackError) {
    guard !listed.isEmpty else {
      throw TrajpackError(
        .data, file: path,
        "no shard is whole, so there is nothing to list; restore them from a copy")
    }
    let schema = try Shard("\(path)/\(listed[0].name)").schema
    let source =
      plan
      ?? .record([
        "type": "plan", "format": "writer", "options": .object([]),
        "codec": .string((schema.blocks.first?.codec ?? .none).name), "shard_bytes": .int(64 << 20),
      ])
    for name in [Journal.fileName, Manifest.fileName]
    where FileSystem.size(of: "\(path)/\(name)") > 0 {
      try keep(name)
    }
    // Durable before the new list has the name: a power cut may keep the second of two renames alone.
    if !kept.isEmpty { try FileSystem.syncFolder(path) }
    if isUnfinished {
      lock.sideFiles = sideFiles
      try lock.replace(plan: source, shards: listed)
    } else {
      try Manifest.finish(path, shards: listed, source: source, sideFiles: sideFiles)
    }
  }

  /// Gives a file another name, under which it stays.
  private mutating func keep(_ name: String) throws(TrajpackError) {
    var other = "\(name).before-repair"
    var number = 1
    while FileSystem.item(at: "\(path)/\(other)") != nil {
      number += 1
      other = "\(name).before-repair-\(number)"
    }
    guard rename("\(path)/\(name)", "\(path)/\(other)") == 0 else {
      throw .system("cannot be renamed", "\(path)/\(name)")
    }
    kept.append(other)
  }
}
