import Glibc
import TrajpackCodecs
import TrajpackFormat

/// Adds episodes to a dataset one by one, each durable when it is acknowledged and readable at once.
///
/// An episode becomes a small shard of its own: written aside, synced, renamed, then named in the journal.
/// Small shards are joined as they become many (``joinIfDue()``), so that N episodes cost about
/// log N times their bytes and never leave more than a few dozen small files. Closing joins the rest
/// and writes the manifest. One thread at a time.
public final class DatasetAppender {
  /// How a dataset is opened and written.
  public struct Options: Sendable {
    /// How rows are cut and compressed.
    public var layout = LayoutOptions()
    /// Threads that compress.
    public var jobs = WorkerPool.processors
    /// Bytes from which on a shard is not rewritten any more to join it with others.
    public var shardBytes = 64 << 20
    /// Refuse a dataset that is there.
    public var mustBeNew = true
    /// How many episodes are made durable together.
    public var commitEvery = 1
    /// The folder in which the shards for a bucket are made, below one of their own; `$TMPDIR` or `/tmp` where `nil`.
    public var staging: String?

    /// The defaults.
    public init() {}
  }

  /// Where readers find the dataset: a folder, or `s3://bucket/prefix`.
  public let path: String
  /// The folder in which its files are made: the same, or for a bucket one of this machine.
  let folder: String
  /// The bucket to which full shards go at once, and all others when the writer is closed; `nil` for a folder.
  let home: BucketHome?
  /// The shards of ``shards`` that are in the bucket, by name.
  var sent: Set<String> = []
  /// How many episodes there must be before the next attempt to send a shard, as the last one failed.
  var sendsAgainAt = 0
  let options: Options
  let pool: WorkerPool
  let backend: MakeBackend
  let journal: Journal
  let wasThere: Bool
  /// The manifest that a finished dataset has until the first episode is added.
  var manifest: Manifest?
  private(set) var source: JSONValue
  /// The shards, in order.
  var shards: [Manifest.Entry] = []
  /// The first shard that may be joined with others: those before it were made otherwise.
  var firstJoinable = 0
  /// Shards whose rows lie in others now. Readers may just have read their names, so they go later.
  var supersededShards: [String] = []
  var nextNumber = 0
  /// A shard of the next number that was named but not acknowledged, because something failed then.
  var leftover: String?
  /// The compressors of all shards, whose working memory is made once.
  private var compressors: CompressorPool?
  /// How the blocks of new shards are shuffled; the next episode decides where it is `nil`.
  var shuffles: [Int]?
  /// Why the last attempt to join shards failed, and how many there must be before the next one.
  var joinFailure: TrajpackError?
  var joinsAgainAt = 0
  var joins = 0
  var joinedBytes = 0
  var appended = 0
  var ids: Set<String> = []
  private var recording: Set<String> = []
  /// Episodes that were committed and wait for others, to be made durable with them.
  private var waiting: [EpisodeRecorder] = []
  private var isOpen = true
  /// Whether the journal is one that this may take away again.
  var isOurs = false
  /// What the rows must be; `nil` before it is declared.
  public internal(set) var schema: AppendSchema?
  /// Rows a unit of time of the streams whose tracks, as they were found, are all of one regular rate.
  public internal(set) var rates: [String: Rational] = [:]

  /// Opens a dataset for adding to it, or makes the folder of a new one.
  ///
  /// - Throws: A usage error where another process writes it, where it is there and must be new, where the
  ///   folder or the bucket holds something else or a conversion that was not finished.
  public init(
    _ path: String, options: Options, backend: @escaping MakeBackend
  ) throws(TrajpackError) {
    _ = try Compressor(options.layout.codec, level: options.layout.level)
    home = try Self.home(path, options)
    folder = home?.staging.path ?? path
    self.path = home?.path ?? path
    self.options = options
    self.backend = backend
    if let item = FileSystem.item(at: folder), item != .folder {
      throw TrajpackError(.usage, file: path, "is not a folder; name the folder of a dataset")
    }
    // A staging folder is this writer's own.
    wasThere = home == nil && FileSystem.item(at: folder) != nil
    if !options.mustBeNew, home == nil { try Replacement.recover(path, discardingBuild: true) }
    let names = FileSystem.item(at: folder) != nil ? try FileSystem.names(in: folder) : []
    let isDataset =
      names.contains(Manifest.fileName) && Manifest.isManifest("\(folder)/\(Manifest.fileName)")
      || names.contains(Journal.fileName) && Journal.isJournal("\(folder)/\(Journal.fileName)")
    if !isDataset { try Dataset.refuseDamagedList(folder, names) }
    guard names.isEmpty || isDataset else {
      throw TrajpackError(.usage, file: folder, "is not empty and no dataset; name a new folder")
    }
    guard !isDataset || !options.mustBeNew else {
      throw home == nil
        ? TrajpackError(
          .usage, file: path, "holds a dataset already; append to it, or name a new folder")
        : Self.stopped(path, folder)
    }
    pool = try WorkerPool(threads: options.jobs)
    try FileSystem.makeFolder(folder)
    do throws(TrajpackError) {
      journal = try Journal(inFolder: folder)
    } catch {
      if !wasThere { rmdir(folder) }
      throw error
    }
    source = Self.plan(options, before: nil)
    do throws(TrajpackError) {
      try lookUp()
      try home?.refuseTaken(by: shards, isBegun: isDataset)
      try loadExistingShards()
    } catch {
      // A finished dataset, or a folder that is empty, has no journal of its own.
      if !names.contains(Journal.fileName) {
        unlink("\(folder)/\(Journal.fileName)")
        if !wasThere { rmdir(folder) }
      }
      throw error
    }
    isOurs = true
  }

  /// Takes over the list of the dataset that is there.
  private func lookUp() throws(TrajpackError) {
    if FileSystem.item(at: "\(folder)/\(Manifest.fileName)") == .file {
      let manifest = try Manifest(inFolder: folder)
      self.manifest = manifest
      shards = manifest.shards
      journal.sideFiles = manifest.sideFiles
      source = Self.plan(options, before: manifest.source)
    } else if let plan = journal.plan {
      guard plan["format"]?.string == "writer" else {
        throw TrajpackError(
          .usage, file: path,
          "a conversion into it has not finished; go on with 'trajpack convert --resume' first"
        )
      }
      source = plan
      shards = journal.shards
    }
  }

  deinit { if isOpen { _ = try? rollBackIfUnchanged() } }

  func usable() throws(TrajpackError) {
    guard isOpen else { throw TrajpackError(.usage, file: path, "the writer is closed") }
  }

  /// Declares what rows are, before the first episode.
  public func declare(_ schema: AppendSchema) throws(TrajpackError) {
    try usable()
    guard self.schema == nil else {
      throw TrajpackError(.usage, file: path, "the dataset has a schema already")
    }
    self.schema = schema
  }

  /// Begins an episode, which is kept aside until ``commit(_:)``.
  ///
  /// - Throws: A usage error where there is an episode of that id, or one is being recorded.
  public func begin(
    id: String, split: String, metadata: JSONValue
  ) throws(TrajpackError) -> EpisodeRecorder {
    try usable()
    guard let schema else {
      throw TrajpackError(.usage, file: path, "no schema has been declared for the dataset")
    }
    try refuseTaken(id)
    guard split.isEmpty || AppendSchema.isName(split) else {
      throw TrajpackError(
        .usage, "\(String(reflecting: split)) cannot be the name of a split; use printable text")
    }
    guard metadata.members != nil else {
      throw TrajpackError(.usage, "the metadata of episode '\(id)' is no object")
    }
    recording.insert(id)
    return EpisodeRecorder(id: id, split: split, metadata: metadata, schema: schema)
  }

  /// Refuses an id that there is, or that cannot be.
  public func refuseTaken(_ id: String) throws(TrajpackError) {
    guard AppendSchema.isName(id) else {
      throw TrajpackError(
        .usage,
        "\(String(reflecting: id)) cannot be an episode's id; use printable text of at most \(AppendSchema.longestName) bytes"
      )
    }
    guard !ids.contains(id), !recording.contains(id) else {
      throw TrajpackError(
        .usage, file: path,
        "there is an episode '\(id)' \(ids.contains(id) ? "already" : "being recorded"); "
          + "give another id")
    }
  }

  /// Forgets an episode that was begun.
  public func abandon(_ recorder: EpisodeRecorder) { recording.remove(recorder.id) }

  /// Takes an episode. With ``Options/commitEvery`` 1, it is durable when this returns, and readers see it; else it is so
  /// with the last of as many episodes, by ``flush()`` and by ``close()``.
  ///
  /// - Throws: What kept the episodes from being written. This one is not taken then; those that wait still do.
  public func commit(_ recorder: EpisodeRecorder) throws(TrajpackError) {
    try usable()
    guard recording.contains(recorder.id) else {
      throw TrajpackError(.usage, "episode '\(recorder.id)' is not being recorded")
    }
    guard recorder.rows > 0 else {
      throw TrajpackError(
        .usage, "episode '\(recorder.id)' has no rows; append some, or abandon it")
    }
    if waiting.count + 1 >= options.commitEvery {
      try write(waiting + [recorder])
      waiting = []
    } else {
      waiting.append(recorder)
    }
    ids.insert(recorder.id)
    recording.remove(recorder.id)
  }

  /// Makes the episodes durable that wait for others.
  ///
  /// - Throws: What kept them from being written; they wait on.
  public func flush() throws(TrajpackError) {
    try usable()
    guard !waiting.isEmpty else { return }
    try write(waiting)
    waiting = []
  }

  /// Writes episodes as a shard, which readers see when this returns.
  private func write(_ episodes: [EpisodeRecorder]) throws(TrajpackError) {
    guard let schema else { return }
    try enterJournal()
    var textBytes = [Int](repeating: 0, count: schema.plans.count)
    for episode in episodes {
      for (stream, bytes) in episode.textBytes.enumerated() { textBytes[stream] += bytes }
    }
    let layout = schema.layout(options.layout, blobBytes: textBytes)
    let entry = try write(layout) { (writer) throws(TrajpackError) in
      for episode in episodes { try writer.append(try episode.draft(layout)) }
    }
    try leaveManifest()
    try journal.acknowledge(entry)
    isNamed(entry)
    shards.append(entry)
    appended += episodes.count
    joinIfDue()
    sendIfDue()
  }

  /// Writes a shard under the next name.
  ///
  /// A failed attempt may have left a file of that name, which nothing lists. It is replaced by one that is
  /// written from the recording again: to sync the old one again would prove nothing (``Journal/settle()``).
  func write(
    _ layout: Schema, _ fill: (ShardWriter) throws(TrajpackError) -> Void
  ) throws(TrajpackError) -> Manifest.Entry {
    let name = Manifest.shardName(nextNumber)
    let compressors =
      self.compressors
      ?? ShardWriter.compressors(for: layout, level: options.layout.level, search: .quick)
    self.compressors = compressors
    let writer = try ShardWriter(
      "\(folder)/\(name)", schema: layout, level: options.layout.level, shuffles: shuffles,
      pool: pool, compressors: compressors, backend: backend)
    try fill(writer)
    shuffles = writer.shuffles
    let isOwn = leftover == name
    leftover = name
    return Manifest.Entry(name: name, receipt: try writer.commit(replacing: isOwn))
  }

  /// Notes that the journal names the shard that was written last.
  func isNamed(_ entry: Manifest.Entry) {
    leftover = nil
    nextNumber += 1
  }

  /// Has the journal name all shards, before another one is written.
  func enterJournal() throws(TrajpackError) {
    // Whether the disk still has a record of a failed attempt is not known before this.
    try journal.settle()
    if manifest != nil || journal.plan == nil {
      try journal.replace(plan: source, shards: shards)
    }
  }

  /// From a finished dataset to a growing one: the journal names all shards before the manifest goes.
  func leaveManifest() throws(TrajpackError) {
    guard manifest != nil else { return }
    try FileSystem.remove("\(folder)/\(Manifest.fileName)")
    try FileSystem.syncFolder(folder)
    manifest = nil
  }

  /// Compacts small shards, writes the manifest and releases the lock. Without an episode, a folder that
  /// was new is removed again, and a finished dataset stays as it was.
  ///
  /// - Throws: The error that kept waiting episodes from being written or shards from being sent to a bucket, after which
  ///   it is still open; that which kept shards from being compacted, after the dataset has been finished without.
  public func close() throws(TrajpackError) {
    guard isOpen else { return }
    try flush()
    if try rollBackIfUnchanged() {
      isOpen = false
      return
    }
    joinRest()
    if let home {
      try finish(in: home)
    } else {
      try Manifest.finish(
        path, shards: shards, source: source, sideFiles: journal.sideFiles,
        removing: supersededShards + (leftover.map { [$0] } ?? []))
    }
    isOpen = false
    if let joinFailure {
      throw joinFailure.within("\(path): all episodes are safe, but small shards stay as they are")
    }
  }

  /// In the child of a fork, which may do nothing else with this: lets go of the lock, which is the parent's.
  public func abandonAfterFork() { journal.abandonAfterFork() }

  /// Counts: `{"episodes", "appended", "waiting", "rows", "bytes", "shards", "joins", "joined_bytes"}`; those that
  /// wait count as episodes alone.
  public var counts: JSONValue {
    .record([
      "episodes": .int(Int64(ids.count)), "appended": .int(Int64(appended)),
      "waiting": .int(Int64(waiting.count)),
      "rows": .int(Int64(shards.reduce(0) { $0 + $1.receipt.rows })),
      "bytes": .int(Int64(shards.reduce(0) { $0 + $1.receipt.bytes })),
      "shards": .int(Int64(shards.count)), "joins": .int(Int64(joins)),
      "joined_bytes": .int(Int64(joinedBytes)),
    ])
  }
}
