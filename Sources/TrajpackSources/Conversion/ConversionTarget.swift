import Glibc
import TrajpackFormat
import TrajpackStore

/// Where a conversion writes: its destination, or the replacement of the dataset that is there.
struct ConversionTarget {
  /// The folder that shards are written into.
  let path: String
  let folder: DatasetFolder
  private let destination: String
  /// Held while a dataset that is there is being replaced.
  private let lock: DatasetLock?
  /// Where the shards for a bucket are made.
  private let staging: StagingFolder?

  /// Where readers find the shards that are acknowledged.
  var home: String { folder.home.path }

  /// Looks at the destination, and ends what an earlier run has left half done.
  ///
  /// - Parameters:
  ///   - staging: The folder in which the shards for a bucket are made, below one of their own.
  ///   - note: Told what a user should know before the work begins.
  init(
    _ destination: String, _ source: SourceRecordings, resume: Bool, overwrite: Bool,
    staging: String?, comparesBytes: Bool, note: (String) -> Void
  ) throws(TrajpackError) {
    self.destination = destination
    guard !Dataset.isRemote(destination) else {
      guard !overwrite else {
        throw TrajpackError(
          .usage, file: destination,
          "--overwrite is for folders: a dataset in a bucket is not replaced while it may be read; name another prefix"
        )
      }
      let home = try BucketHome(destination, stagingIn: staging)
      self.staging = home.staging
      (path, lock) = (home.staging.path, nil)
      do throws(TrajpackError) {
        folder = try DatasetFolder(
          path, home: home, source, resume, comparesBytes: comparesBytes)
      } catch {
        rmdir(path)
        throw error
      }
      return
    }
    self.staging = nil
    guard staging == nil else {
      throw TrajpackError(
        .usage, "--staging is for a destination in a bucket, and \(destination) is a folder")
    }
    let plan = source.plan
    let build = Replacement.buildFolder(of: destination)
    if resume || overwrite { try Replacement.recover(destination, discardingBuild: false) }
    let isDataset =
      Journal.isJournal("\(destination)/\(Journal.fileName)")
      || Manifest.isManifest("\(destination)/\(Manifest.fileName)")
    if isDataset, overwrite {
      lock = try DatasetLock(destination)
      try Replacement.discardBuild(of: destination)
      Self.noteSpace(destination, note)
    } else if isDataset, resume, FileSystem.item(at: build) != nil {
      let begun = try Self.plan(of: build)
      if begun == nil || begun == plan {
        lock = try DatasetLock(destination)
      } else if try Self.plan(of: destination) == plan {
        // What is asked for is the dataset itself, not the replacement that was begun.
        note(
          "\(destination): another conversion with --overwrite was begun here and is dropped, because "
            + "the dataset itself is the one to go on with")
        try Replacement.recover(destination, discardingBuild: true)
        lock = nil
      } else if SourceRecordings.areAlike(begun, plan) {
        lock = try DatasetLock(destination)
      } else {
        throw TrajpackError(
          .usage, file: destination,
          "a conversion with --overwrite was begun here from other sources or with "
            + "other options; give the same ones to resume it, or use --overwrite to begin again")
      }
    } else {
      lock = nil
    }
    path = lock == nil ? destination : build
    do throws(TrajpackError) {
      folder = try DatasetFolder(
        path, home: FolderHome(path), source, resume, comparesBytes: comparesBytes)
    } catch {
      rmdir(build)
      try? lock?.removeJournal()
      throw error
    }
  }

  /// Writes the manifest, and puts the dataset in the place of the old one.
  func finish(
    _ shards: [Manifest.Entry], source: JSONValue, sideFiles: [SideFile]
  ) throws(TrajpackError) {
    if folder.finished == nil {
      try folder.finish(shards, source: source, sideFiles: sideFiles)
    } else {
      // A run that was stopped after the manifest has left it.
      try staging?.remove()
    }
    if let lock { try Replacement.commit(destination, lock) }
  }

  /// Leaves what is there for a resumption, or takes it away where nothing has been acknowledged.
  func stop() throws(TrajpackError) {
    if try !folder.restore(), !folder.hasShards {
      try folder.abandon()
      if lock != nil || staging != nil { rmdir(path) }
    }
    try lock?.removeJournal()
  }

  /// Says what becomes of the dataset that was to be replaced.
  func explain(_ error: TrajpackError) -> TrajpackError {
    guard lock != nil else { return error }
    let isCommitted =
      FileSystem.item(at: path) == nil
      && FileSystem.item(at: "\(destination)/\(Replacement.committedName)") != nil
    let state =
      isCommitted
      ? "the new dataset is complete; the same command with --resume ends the replacement"
      : folder.hasShards
        ? "\(destination) is as it was; the same command with --resume instead of --overwrite goes on"
        : "\(destination) is as it was"
    return TrajpackError(error.fault, "\(error.message) (\(state))", at: error.place)
  }

  /// The plan of an unfinished or a finished conversion into a folder; `nil` where none is recorded.
  private static func plan(of folder: String) throws(TrajpackError) -> JSONValue? {
    if FileSystem.item(at: "\(folder)/\(Manifest.fileName)") == .file {
      return try Dataset(folder).manifest?.plan
    }
    guard FileSystem.item(at: "\(folder)/\(Journal.fileName)") == .file else { return nil }
    return try Journal.plan(inFolder: folder)
  }

  /// Says so where the disk has less room than the old dataset takes: the new one is likely to need as much.
  private static func noteSpace(_ destination: String, _ note: (String) -> Void) {
    guard let free = FileSystem.freeBytes(at: destination),
      let names = try? FileSystem.names(in: destination)
    else { return }
    let old = names.filter { Manifest.owns($0) }.reduce(0) {
      $0 + FileSystem.size(of: "\(destination)/\($1)")
    }
    guard free < old else { return }
    note(
      "\(destination): the dataset there takes \(old) bytes and the disk has \(free) left; --overwrite "
        + "needs room for both until the new one is complete")
  }
}
