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
    _ path: String, _ journal: Journal, _ source: SourceRecordings
  ) throws(TrajpackError) -> (
    manifest: Manifest?, reopened: (shards: Int, bytes: [UInt8])?, shards: [Manifest.Entry],
    point: ResumePoint
  ) {
    if FileSystem.item(at: "\(path)/\(Manifest.fileName)") == .file {
      let manifest = try Manifest(inFolder: path)
      guard SourceRecordings.areAlike(manifest.plan, source.plan) else {
        throw TrajpackError(
          .usage, file: path,
          "was made from other sources or with other options, so there is nothing to "
            + "resume; use --overwrite to replace it")
      }
      for (number, entry) in manifest.shards.enumerated()
      where entry.name != Manifest.shardName(number) {
        throw TrajpackError(
          .data, file: "\(path)/\(Manifest.fileName)",
          "names \(entry.name) where \(Manifest.shardName(number)) is due; "
            + "use --overwrite to replace the dataset")
      }
      guard manifest.plan == source.plan else {
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

  /// The acknowledged shards that are not what they were, by number, each with a sentence.
  static func damaged(
    _ path: String, _ done: [Manifest.Entry], comparesBytes: Bool
  ) throws(TrajpackError) -> [Int: String] {
    var damaged: [Int: String] = [:]
    for (number, entry) in done.enumerated() {
      let shard = "\(path)/\(entry.name)"
      switch FileSystem.item(at: shard) {
      case nil: damaged[number] = "\(shard): was missing"
      case .file:
        let file = try LocalFile(shard)
        if file.length != entry.receipt.bytes {
          damaged[number] =
            "\(shard): had \(file.length) bytes instead of \(entry.receipt.bytes)"
        } else if comparesBytes, try file.sha256() != entry.receipt.sha256 {
          damaged[number] = "\(shard): was damaged (its SHA-256 was another)"
        }
      default:
        throw TrajpackError(
          .data, "\(shard): is no file, where the dataset has a shard; move it elsewhere")
      }
    }
    return damaged
  }
}
