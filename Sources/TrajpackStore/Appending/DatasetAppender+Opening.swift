import Glibc
import TrajpackFormat

/// What is there when a dataset is opened for adding to it, and how it is left where nothing was added.
extension DatasetAppender {
  /// Where no episode was added: a finished dataset stays finished, and a folder that was new goes away.
  ///
  /// - Returns: Whether that was so.
  func rollBackIfUnchanged() throws(TrajpackError) -> Bool {
    guard isOurs, shards.isEmpty || manifest != nil else { return false }
    if let leftover {
      try journal.settle()
      // It goes for good before the journal does: without it, it would be an orphan.
      try FileSystem.remove("\(folder)/\(leftover)")
      try FileSystem.syncFolder(folder)
    }
    try FileSystem.remove("\(folder)/\(Journal.fileName)")
    if shards.isEmpty, !wasThere { rmdir(folder) } else { try FileSystem.syncFolder(folder) }
    return true
  }

  /// The first record of the journal, and the source of the manifest.
  static func plan(_ options: Options, before: JSONValue?) -> JSONValue {
    .record([
      "type": "plan", "format": "writer", "options": .object([]),
      "codec": .string(options.layout.codec.name),
      "level": options.layout.level.map { .int(Int64($0)) },
      "chunk_rows": options.layout.chunkRows.map { .int(Int64($0)) },
      "shard_bytes": .int(Int64(options.shardBytes)),
      "before": before?["format"]?.string == "writer" ? before?["before"] : before,
    ])
  }

  /// Looks at the shards that are there, and removes what a crash has left: shards that others supersede,
  /// and one that was not acknowledged.
  ///
  /// - Throws: A data error where a listed shard is not the one that was acknowledged, or a shard is there
  ///   that may hold acknowledged episodes (``UnnamedShards``). Nothing has been removed then.
  func loadExistingShards() throws(TrajpackError) {
    var layouts: [(schema: Schema, hasStatistics: Bool)] = []
    var clocks: [String: Set<Rational?>] = [:]
    try findSent()
    for entry in shards {
      let file = place(of: entry)
      guard sent.contains(entry.name) || FileSystem.size(of: file) == entry.receipt.bytes else {
        throw TrajpackError(
          .data, file: file, "is not the file that was acknowledged; restore it from a copy")
      }
      let shard = try Shard(file)
      for number in 0..<shard.index.episodeCount { ids.insert(shard.index.episode(number).id) }
      layouts.append((shard.schema, shard.header.section(.statistics) != nil))
      let known = shard.index.allClocks
      for number in 0..<shard.index.trackCount {
        let track = shard.index.numbers(ofTrack: number)
        clocks[shard.schema.streams[track.stream].name, default: []]
          .insert(known[track.clock].rate)
      }
    }
    for (stream, found) in clocks where found.count == 1 {
      if let rate = found.first ?? nil { rates[stream] = rate }
    }
    if let last = layouts.last {
      let schema = AppendSchema(last.schema)
      self.schema = schema
      firstJoinable = shards.count
      while firstJoinable > 0, layouts[firstJoinable - 1].hasStatistics,
        schema.lies(in: layouts[firstJoinable - 1].schema, options.layout)
      {
        firstJoinable -= 1
      }
    }
    let names = try FileSystem.names(in: folder)
    let unnamed = try UnnamedShards(
      in: folder, names: names, listed: shards, isBegun: journal.plan != nil, comparing: true)
    try unnamed.refuseOrphans(in: folder)
    let listed = Set(journal.sideFiles.map(\.file))
    let sideFiles = names.filter { SideFile.isSideFile($0) && !listed.contains($0) }
    for name in unnamed.items.map(\.name) + sideFiles + names.filter({ $0.hasPrefix(".tmp-") }) {
      try FileSystem.remove("\(folder)/\(name)")
    }
    for entry in shards {
      if let number = Manifest.number(ofShard: entry.name) {
        nextNumber = max(nextNumber, number + 1)
      }
    }
  }
}
