import TrajpackFormat
import TrajpackStore

/// What a conversion finds of an earlier run.
extension DatasetFolder {
  /// The shards that are acknowledged: those of the manifest, or of the journal, and what they hold.
  ///
  /// A finished dataset from which recordings were left out that have been mended since, or to whose source others
  /// were added, becomes an unfinished one.
  ///
  /// - Throws: A usage error where they were made by another plan.
  static func listed(
    _ home: any DatasetHome, _ finished: Manifest?, _ journal: Journal, _ source: SourceRecordings
  ) throws(TrajpackError) -> (
    manifest: Manifest?, reopened: (shards: Int, bytes: [UInt8])?, shards: [Manifest.Entry],
    point: ResumePoint
  ) {
    let path = home.path
    if let manifest = finished {
      guard SourceRecordings.areAlike(manifest.plan, source.plan) else {
        throw TrajpackError(
          .usage, file: path,
          "was made from other sources or with other options, so there is nothing to resume; "
            + (home.isFolder ? "use --overwrite to replace it" : "name another prefix"))
      }
      for (number, entry) in manifest.shards.enumerated()
      where entry.name != Manifest.shardName(number) {
        throw TrajpackError(
          .data, file: "\(path)/\(Manifest.fileName)",
          "names \(entry.name) where \(Manifest.shardName(number)) is due; "
            + "use --overwrite to replace the dataset")
      }
      guard manifest.plan == source.plan else {
        guard home.isFolder else {
          throw TrajpackError(
            .usage, file: path,
            "is finished, and the recordings of the source have changed since; a dataset in a bucket is not added to: "
              + "name another prefix")
        }
        let notes = try source.notes(of: manifest, in: path)
        let point = try source.point(after: manifest.shards, notes, in: path)
        let file = try LocalFile("\(path)/\(Manifest.fileName)")
        let bytes = try file.bytes(0..<file.length)
        try journal.reopen(manifest, plan: source.plan, notes: notes)
        return (nil, (manifest.shards.count, bytes), manifest.shards, point)
      }
      let failed = FailedRecording.list(manifest.source["left_out"])
      return (
        manifest, nil, manifest.shards,
        try source.finished(manifest.shards, in: path, failed)
      )
    }
    guard let plan = journal.plan else { return (nil, nil, [], source.start) }
    guard SourceRecordings.areAlike(plan, source.plan) else {
      throw TrajpackError(
        .usage, file: path,
        "was begun from other sources or with other options; give the same ones to "
          + "resume, or use --overwrite")
    }
    // Journals of earlier versions have no records of recordings.
    if plan == source.plan, journal.notes.isEmpty, journal.completion == nil {
      let point = try source.point(after: journal.shards, in: path, [])
      return (nil, nil, journal.shards, point)
    }
    let point = try source.point(
      after: journal.shards, journal.notes, completion: journal.completion, in: path)
    return (nil, nil, journal.shards, point)
  }

  /// Removes what was not acknowledged, which is made again: unfinished files, and a shard whose record
  /// was lost.
  ///
  /// - Throws: A data error where a shard is there that may have been acknowledged; nothing is removed then.
  static func removeLeftovers(
    _ path: String, _ done: [Manifest.Entry], isBegun: Bool
  ) throws(TrajpackError) {
    let names = try FileSystem.names(in: path)
    let unnamed = try UnnamedShards(
      in: path, names: names, listed: done, isBegun: isBegun, comparing: true)
    try unnamed.refuseOrphans(in: path)
    for name in unnamed.items.map(\.name) + names.filter({ $0.hasPrefix(".tmp-") }) {
      try FileSystem.remove("\(path)/\(name)")
    }
  }
}
