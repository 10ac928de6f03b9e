import Glibc
import TrajpackFormat

/// A dataset that is written into a bucket. Episodes are durable in a staging folder of this machine when they are
/// committed. A shard that is full, so that it is never written again, is sent at once and then leaves the folder; closing
/// sends the rest, and the manifest last. Readers see the whole dataset or none.
extension DatasetAppender {
  /// The bucket that a path leads to; `nil` for a folder.
  ///
  /// - Throws: A usage error where a dataset cannot be written there.
  static func home(_ path: String, _ options: Options) throws(TrajpackError) -> BucketHome? {
    guard Dataset.isRemote(path) else {
      guard options.staging == nil else {
        throw TrajpackError(
          .usage, option: "staging", "is for a dataset in a bucket, and \(path) is a folder")
      }
      return nil
    }
    return try BucketHome(path, stagingIn: options.staging)
  }

  /// The error of a new dataset where another writer has left one in the staging folder.
  static func stopped(_ path: String, _ folder: String) -> TrajpackError {
    guard !DatasetLock.isHeld(folder) else {
      return TrajpackError(
        .usage, file: path,
        "another writer has this dataset open, by way of \(folder); wait for it, or name another prefix"
      )
    }
    return TrajpackError(
      .usage, file: path,
      "a writer was stopped before it had finished this dataset, and its episodes are safe in \(folder): mode 'a' goes on "
        + "with them, or remove that folder")
  }

  /// Where a shard that was acknowledged lies.
  func place(of entry: Manifest.Entry) -> String {
    sent.contains(entry.name) ? "\(path)/\(entry.name)" : "\(folder)/\(entry.name)"
  }

  /// Looks which shards an earlier writer has sent.
  ///
  /// - Throws: A data error where one is neither here nor in the bucket.
  func findSent() throws(TrajpackError) {
    guard let home else { return }
    let away = shards.filter { FileSystem.item(at: "\(folder)/\($0.name)") == nil }
    if let (_, sentence) = try home.damages(of: away, comparesBytes: false).min(by: {
      $0.key < $1.key
    }) {
      throw TrajpackError(
        .data,
        "\(sentence), and the staging folder \(folder) has it no more; restore it from a copy")
    }
    sent = Set(away.map(\.name))
  }

  /// Moves the shards that are full into the bucket.
  ///
  /// A failure is none of the episodes, which are safe in the staging folder. It is tried again when 16 more episodes have
  /// come, and by ``close()``, which throws it.
  func sendIfDue() {
    guard let home, appended >= sendsAgainAt else { return }
    do throws(TrajpackError) {
      for entry in shards where isFull(entry) && !sent.contains(entry.name) {
        try move(entry, to: home)
      }
    } catch { sendsAgainAt = appended + Self.fan }
  }

  /// Sends a shard, and removes it here. Shards whose rows lie in it now go before: a writer that goes on after a crash would
  /// no longer find here what tells that nothing else holds their episodes.
  private func move(_ entry: Manifest.Entry, to home: BucketHome) throws(TrajpackError) {
    if !sent.contains(entry.name) { try send(entry, to: home) }
    for name in supersededShards { try FileSystem.remove("\(folder)/\(name)") }
    supersededShards = []
    try FileSystem.syncFolder(folder)
    try home.release(entry)
  }

  private func send(_ entry: Manifest.Entry, to home: BucketHome) throws(TrajpackError) {
    // The journal's record counts, and not what the disk may have of a failed attempt.
    try journal.settle()
    try home.take(entry, replacing: false)
    sent.insert(entry.name)
  }

  /// Sends what is still here, then the manifest, and removes the staging folder.
  func finish(in home: BucketHome) throws(TrajpackError) {
    try journal.settle()
    var statistics = DatasetStatistics()
    for entry in shards {
      // Those that are here are looked at here; they go with the folder.
      try statistics.add(try Shard(place(of: entry)))
      if FileSystem.item(at: "\(folder)/\(entry.name)") != nil { try move(entry, to: home) }
    }
    let manifest = Manifest(
      shards: shards, source: source, statistics: statistics.json, sideFiles: journal.sideFiles)
    try home.finish(manifest)
  }
}
