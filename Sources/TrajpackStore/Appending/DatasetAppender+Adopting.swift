import Glibc
import TrajpackFormat

extension DatasetAppender {
  /// Takes over the shards of a finished dataset on the same file system: their files are moved, and nothing is copied.
  /// When this returns, its episodes are durable here, behind those that are there, and the other folder is gone.
  ///
  /// - Parameter folder: The dataset; nobody else may write it.
  /// - Returns: How many episodes came.
  /// - Throws: A usage error where it is unfinished, has side files (which would be lost), an id that is taken here, or
  ///   other channels; a data error where a shard is damaged; nothing has been moved then. A machine error where a
  ///   file cannot be moved: the shards before it have been taken over, and the others are still there.
  public func adopt(_ folder: String) throws(TrajpackError) -> Int {
    try usable()
    try flush()
    try FileSystem.requireLocal(folder)
    guard FileSystem.item(at: "\(folder)/\(Manifest.fileName)") == .file else {
      throw TrajpackError(
        .usage, file: folder,
        "is no finished dataset; finish it first (a writer's close does, or 'trajpack convert --resume')"
      )
    }
    let manifest = try Manifest(inFolder: folder)
    if let first = manifest.sideFiles.first {
      throw TrajpackError(
        .usage, file: folder,
        "has side files (\(first.role)), which cannot be taken over; make them of the whole dataset afterwards"
      )
    }
    let (joins, added) = try check(manifest, in: folder)
    try enterJournal()
    for (entry, canJoin) in zip(manifest.shards, joins) {
      try take(entry, from: folder)
      if !canJoin { firstJoinable = shards.count }
    }
    ids.formUnion(added)
    appended += added.count
    try FileSystem.remove("\(folder)/\(Manifest.fileName)")
    for name in try FileSystem.names(in: folder) where Manifest.owns(name) {
      try FileSystem.remove("\(folder)/\(name)")
    }
    rmdir(folder)
    joinIfDue()
    sendIfDue()
    return added.count
  }

  /// Whether each shard can be joined with others, and the ids of its episodes. Sets the schema where there was none.
  private func check(
    _ manifest: Manifest, in folder: String
  ) throws(TrajpackError) -> (joins: [Bool], ids: Set<String>) {
    var own = schema
    var joins: [Bool] = []
    var added: Set<String> = []
    for entry in manifest.shards {
      let file = "\(folder)/\(entry.name)"
      guard FileSystem.size(of: file) == entry.receipt.bytes else {
        throw TrajpackError(.data, file: file, "is not the file that its manifest names")
      }
      let shard = try Shard(file)
      let found = AppendSchema(shard.schema)
      if let own, let difference = own.difference(from: found) {
        throw TrajpackError(
          .usage, file: folder, "\(difference) than in \(path); declare one schema for both")
      }
      own = own ?? found
      joins.append(
        shard.header.section(.statistics) != nil
          && (own ?? found).lies(in: shard.schema, options.layout))
      for number in 0..<shard.index.episodeCount {
        let id = shard.index.episode(number).id
        try refuseTaken(id)
        added.insert(id)
      }
    }
    schema = own
    return (joins, added)
  }

  private func take(_ entry: Manifest.Entry, from folder: String) throws(TrajpackError) {
    let (source, name) = ("\(folder)/\(entry.name)", Manifest.shardName(nextNumber))
    let target = "\(self.folder)/\(name)"
    if leftover == name {
      try FileSystem.remove(target)
      leftover = nil
    }
    guard rename(source, target) == 0 else {
      throw .system("cannot be moved to \(target)", source)
    }
    let renamed = Manifest.Entry(name: name, receipt: entry.receipt)
    do throws(TrajpackError) {
      try FileSystem.syncFolder(self.folder)
      try leaveManifest()
      try journal.acknowledge(renamed)
    } catch {
      rename(target, source)
      throw error
    }
    isNamed(renamed)
    shards.append(renamed)
  }
}

extension AppendSchema {
  /// How the rows of another schema differ, as the beginning of a sentence; `nil` where they do not.
  func difference(from other: AppendSchema) -> String? {
    // As a shard gives it back: a declared schema may say the same in other words.
    let own = AppendSchema(layout(LayoutOptions()))
    guard own != AppendSchema(other.layout(LayoutOptions())) else { return nil }
    for plan in other.plans where own.stream(named: plan.stream.name) == nil {
      return "stream '\(plan.stream.name)' is there rather"
    }
    for plan in own.plans {
      guard let place = other.stream(named: plan.stream.name) else {
        return "stream '\(plan.stream.name)' is lacking, other"
      }
      let found = other.plans[place]
      for (a, b) in zip(plan.channels, found.channels) where a != b {
        return a.channel.name == b.channel.name
          ? "channel '\(plan.stream.name)/\(a.channel.name)' is otherwise"
          : "channel '\(plan.stream.name)/\(b.channel.name)' is in the place of '\(a.channel.name)', other"
      }
      if plan != found { return "stream '\(plan.stream.name)' is otherwise" }
    }
    return "skeletons or attributes are otherwise"
  }
}
