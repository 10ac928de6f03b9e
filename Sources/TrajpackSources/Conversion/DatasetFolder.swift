import Glibc
import TrajpackFormat
import TrajpackStore

/// The folder that a conversion writes: what may be there before, what an earlier run has done, and how
/// it ends.
struct DatasetFolder {
  private let path: String
  private let wasThere: Bool
  private let journal: Journal?
  /// The shards that an earlier run has acknowledged.
  let done: [Manifest.Entry]
  /// The manifest, where an earlier run has finished.
  let finished: Manifest?

  init(_ path: String, plan: JSONValue, _ resume: Bool) throws(TrajpackError) {
    self.path = path
    if let item = FileSystem.item(at: path), item != .folder {
      throw TrajpackError(.usage, "\(path): is not a folder; name a new folder for the dataset")
    }
    wasThere = FileSystem.item(at: path) != nil
    try FileSystem.makeFolder(path)
    let names = try FileSystem.names(in: path)
    // A manifest or a journal of another program does not make the folder ours to replace.
    let isDataset =
      Journal.isJournal("\(path)/\(Journal.fileName)")
      || Manifest.isManifest("\(path)/\(Manifest.fileName)")
    guard names.isEmpty || resume && isDataset else {
      throw TrajpackError(
        .usage,
        isDataset
          ? "\(path): holds a dataset already; use --resume to go on with it or --overwrite to replace it"
          : "\(path): is not empty; name a new folder for the dataset")
    }
    if resume, FileSystem.item(at: "\(path)/\(Manifest.fileName)") == .file {
      let manifest = try Dataset(path).manifest
      guard let manifest, manifest.plan == plan else {
        throw TrajpackError(
          .usage,
          "\(path): was made from other sources or with other options, so there is nothing to "
            + "resume; use --overwrite to replace it")
      }
      // Stopped between the manifest and the end of the journal.
      try FileSystem.remove("\(path)/\(Journal.fileName)")
      try FileSystem.syncFolder(path)
      (finished, journal, done) = (manifest, nil, [])
      return
    }
    finished = nil
    let journal = try Journal(inFolder: path)
    self.journal = journal
    if let first = journal.records.first {
      guard first == plan else {
        throw TrajpackError(
          .usage,
          "\(path): was begun from other sources or with other options; give the same ones to "
            + "resume, or use --overwrite")
      }
    } else {
      try journal.append(plan)
    }
    var done: [Manifest.Entry] = []
    for (n, record) in journal.records.enumerated() {
      if let entry = try Manifest.Entry(record: record, number: n) { done.append(entry) }
    }
    for entry in done where FileSystem.size(of: "\(path)/\(entry.name)") != entry.receipt.bytes {
      throw TrajpackError(
        .data,
        "\(path)/\(entry.name): is not the file that was acknowledged; use --overwrite to begin again"
      )
    }
    self.done = done
    // What was not acknowledged is made again: unfinished files, and a shard whose record was lost.
    let kept = Set(done.map(\.name))
    for name in try FileSystem.names(in: path)
    where Manifest.owns(name) && !kept.contains(name) && name != Journal.fileName {
      try FileSystem.remove("\(path)/\(name)")
    }
  }

  /// Makes it known that a shard is durable.
  func acknowledge(_ entry: Manifest.Entry) throws(TrajpackError) {
    try journal?.append(entry.record)
  }

  /// Whether a shard has been acknowledged, now or by an earlier run.
  var hasShards: Bool {
    finished != nil || journal?.records.contains { $0["type"]?.string == "shard" } ?? false
  }

  /// Writes the manifest and takes the journal away.
  func finish(_ shards: [Manifest.Entry], source: JSONValue) throws(TrajpackError) {
    try Manifest.finish(path, shards: shards, source: source)
  }

  /// Takes everything away again.
  func abandon() throws(TrajpackError) {
    for name in try FileSystem.names(in: path) where Manifest.owns(name) {
      try FileSystem.remove("\(path)/\(name)")
    }
    if !wasThere { rmdir(path) }
  }
}

extension Manifest {
  /// The plan that the dataset was made from, without what the conversion says of its source.
  var plan: JSONValue {
    .object(
      (source.members ?? []).filter { !["reading", "left_out"].contains($0.name) })
  }
}
