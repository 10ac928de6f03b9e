import Glibc
import TrajpackFormat
import TrajpackStore

/// The folder that a conversion writes: what may be there before, what an earlier run has done, and how
/// it ends.
struct DatasetFolder {
  private let path: String
  /// Where its files are when they are finished.
  let home: any DatasetHome
  private let wasThere: Bool
  private let journal: Journal
  /// The shards that an earlier run has acknowledged.
  let done: [Manifest.Entry]
  /// Those of them that are damaged, by number, each with a sentence that says what was found.
  let damaged: [Int: String]
  /// The manifest, where an earlier run has finished.
  let finished: Manifest?
  /// What the shards hold, and what is still to be converted.
  let point: ResumePoint
  /// Those of the shards, as far as they were at hand.
  private let statistics = ShardsStatistics()
  /// The shards and the manifest's bytes of a finished dataset that is gone on with.
  private let reopened: (shards: Int, bytes: [UInt8])?

  /// - Parameter home: Where its files are when they are finished; the folder itself, or a bucket.
  init(
    _ path: String, home: any DatasetHome, _ source: SourceRecordings, _ resume: Bool,
    comparesBytes: Bool
  ) throws(TrajpackError) {
    self.path = path
    self.home = home
    if let item = FileSystem.item(at: path), item != .folder {
      throw TrajpackError(.usage, file: path, "is not a folder; name a new folder for the dataset")
    }
    wasThere = FileSystem.item(at: path) != nil
    try FileSystem.makeFolder(path)
    let names = try FileSystem.names(in: path)
    // A manifest or a journal of another program does not make the folder ours to replace.
    let isDataset =
      Journal.isJournal("\(path)/\(Journal.fileName)")
      || Manifest.isManifest("\(path)/\(Manifest.fileName)")
    if !isDataset { try Dataset.refuseDamagedList(path, names) }
    guard names.isEmpty || resume && isDataset else {
      guard home.isFolder else {
        throw TrajpackError(
          .usage, file: home.path,
          isDataset && DatasetLock.isHeld(path)
            ? "another process is writing it, by way of \(path); wait for it, or name another prefix"
            : isDataset
              ? "an upload of it was begun from \(path); use --resume to go on with it, or remove that folder"
              : "\(path), where its shards would be made, is not empty; name another folder with --staging"
        )
      }
      throw TrajpackError(
        .usage,
        isDataset
          ? "\(path): holds a dataset already; use --resume to go on with it or --overwrite to replace it"
          : "\(path): is not empty; name a new folder for the dataset")
    }
    let journal: Journal
    do throws(TrajpackError) {
      journal = try Journal(inFolder: path)
    } catch {
      if !wasThere { rmdir(path) }
      throw error
    }
    self.journal = journal
    do throws(TrajpackError) {
      let listed = try Self.listed(home, try home.prepare(resume: resume), journal, source)
      (finished, done, point) = (listed.manifest, listed.shards, listed.point)
      reopened = listed.reopened
      if home.isFolder {
        try Self.removeLeftovers(path, done, isBegun: journal.plan != nil)
      }
      damaged = try home.damages(of: done, comparesBytes: comparesBytes)
      if finished == nil, journal.plan == nil { try journal.begin(source.plan) }
    } catch {
      // A finished dataset, or a folder that was empty, has no journal of its own.
      if !names.contains(Journal.fileName), journal.shards.isEmpty {
        unlink("\(path)/\(Journal.fileName)")
        if !wasThere { rmdir(path) }
      }
      throw error
    }
  }

  /// Makes a shard known that is at home, and what it holds.
  func acknowledge(_ entry: Manifest.Entry, note: JSONValue) throws(TrajpackError) {
    try statistics.add(entry, after: journal.shards, path, home)
    try journal.acknowledge(entry, note: note)
    try home.release(entry)
  }

  /// Brings a shard home that was damaged there and has been made again.
  func restore(_ entry: Manifest.Entry) throws(TrajpackError) {
    try home.take(entry, replacing: true)
    try home.release(entry)
  }

  /// Makes it known that every shard of a task is durable, and which recordings were left out behind the last.
  func complete(leftOut: [FailedRecording]) throws(TrajpackError) {
    guard journal.completion == nil else { return }
    try journal.complete(leftOut: FailedRecording.json(of: leftOut))
  }

  /// Whether a shard has been acknowledged, now or by an earlier run.
  var hasShards: Bool {
    finished != nil || !journal.shards.isEmpty || journal.completion != nil
  }

  /// Takes the journal away where the dataset was finished before.
  func leave() throws(TrajpackError) {
    try FileSystem.remove("\(path)/\(Journal.fileName)")
    try FileSystem.syncFolder(path)
  }

  /// Writes the manifest and takes the journal away.
  ///
  /// - Parameter sideFiles: Those that were made now; the dataset's others stay.
  func finish(
    _ shards: [Manifest.Entry], source: JSONValue, sideFiles: [SideFile]
  ) throws(TrajpackError) {
    let others = journal.recordedSideFiles.filter { old in
      !sideFiles.contains { $0.role == old.role && $0.name == old.name }
    }
    try statistics.add(shards, home)
    try home.finish(
      Manifest(
        shards: shards, source: source, statistics: statistics.json, sideFiles: others + sideFiles))
  }

  /// Finishes a dataset again that was gone on with, where nothing was added to it.
  ///
  /// - Returns: Whether that was so.
  func restore() throws(TrajpackError) -> Bool {
    guard let reopened, journal.shards.count == reopened.shards else { return false }
    try FileSystem.replace("\(path)/\(Manifest.fileName)", with: reopened.bytes)
    try leave()
    return true
  }

  /// Takes everything away again.
  func abandon() throws(TrajpackError) {
    for name in try FileSystem.names(in: path)
    where Manifest.owns(name) && name != Journal.fileName {
      try FileSystem.remove("\(path)/\(name)")
    }
    try FileSystem.remove("\(path)/\(Journal.fileName)")
    if !wasThere { rmdir(path) }
  }
}

/// The statistics of a dataset's shards, taken in order: of a bucket while a shard is still on this machine, of a folder
/// in the end.
private final class ShardsStatistics {
  private var gathered = DatasetStatistics()
  private var count = 0

  var json: JSONValue { gathered.json }

  /// Adds the shard behind `shards`, before it leaves `folder`.
  func add(
    _ entry: Manifest.Entry, after shards: [Manifest.Entry], _ folder: String,
    _ home: any DatasetHome
  ) throws(TrajpackError) {
    guard !home.isFolder else { return }
    try add(shards, home)
    try gathered.add(try Shard("\(folder)/\(entry.name)"))
    count += 1
  }

  /// Adds the shards that are not added yet.
  func add(_ shards: [Manifest.Entry], _ home: any DatasetHome) throws(TrajpackError) {
    for entry in shards.dropFirst(count) {
      try gathered.add(try Shard("\(home.path)/\(entry.name)"))
      count += 1
    }
  }
}

extension Manifest {
  /// The plan that the dataset was made from, without what the conversion says of its source.
  var plan: JSONValue {
    .object(
      (source.members ?? []).filter { !["reading", "left_out"].contains($0.name) })
  }
}
