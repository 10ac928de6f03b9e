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
    TrajpackError(
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

  /// Sends the shards that are full.
  ///
  /// A failure is kept for ``close()``: what was acknowledged is safe all the same. When 16 more shards have come, sending
  /// is tried again.
  func sendIfDue() {
    guard let home, sendFailure == nil || shards.count >= sendsAgainAt else { return }
    sendFailure = nil
    do throws(TrajpackError) {
      for entry in shards where isFull(entry) && !sent.contains(entry.name) {
        try send(entry, to: home)
        try home.release(entry)
      }
    } catch { (sendFailure, sendsAgainAt) = (error, shards.count + Self.fan) }
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
      if !sent.contains(entry.name) { try send(entry, to: home) }
    }
    let manifest = Manifest(
      shards: shards, source: source, statistics: statistics.json, sideFiles: journal.sideFiles)
    try home.finish(manifest)
  }
}
