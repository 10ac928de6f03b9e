import Glibc
import TrajpackFormat

/// What the manifest or the journal of a dataset's folder lists, read so that a writer in the middle of
/// finishing or replacing the dataset never shows a part of it.
struct Listing {
  /// The folder that holds the shards: the dataset's, or that of a replacement which is moving there.
  let folder: String
  let entries: [Manifest.Entry]
  let manifest: Manifest?
  let sideFiles: [SideFile]
  let isGrowing: Bool
  let file: ListingFile

  /// Reads the list; `nil` where there is none, or another one has come meanwhile.
  init?(_ path: String, allowingOrphans: Bool) throws(TrajpackError) {
    let replacement = Replacement.committedFolder(of: path)
    let folder = replacement ?? path
    self.folder = folder
    let manifestPath = "\(folder)/\(Manifest.fileName)"
    let isManifest = FileSystem.item(at: manifestPath) == .file
    do throws(TrajpackError) {
      if isManifest {
        let opened = try LocalFile(manifestPath)
        let manifest = try Manifest(inFolder: folder)
        self.manifest = manifest
        entries = manifest.shards
        sideFiles = manifest.sideFiles
        isGrowing = false
        file = try ListingFile(opened, isJournal: false)
        return
      }
      let journal = "\(folder)/\(Journal.fileName)"
      guard FileSystem.item(at: journal) == .file else { return nil }
      file = try ListingFile(try LocalFile(journal), isJournal: true)
      let list = try UnfinishedList(folder, allowingOrphans: allowingOrphans)
      (entries, sideFiles, isGrowing) = (list.entries, list.sideFiles, list.isGrowing)
      manifest = nil
    } catch {
      // The one that was there has gone, and the other one has come.
      guard isManifest == (FileSystem.item(at: manifestPath) == .file),
        replacement == Replacement.committedFolder(of: path)
      else { return nil }
      throw error
    }
    // A replacement empties the journal, and ends with a manifest.
    guard Replacement.committedFolder(of: path) == nil,
      FileSystem.item(at: "\(path)/\(Manifest.fileName)") != .file
    else { return nil }
  }
}

/// The manifest or the journal that listed a dataset's shards, as it was.
struct ListingFile: Sendable {
  private let isJournal: Bool
  private let device, inode: UInt64
  private let bytes, seconds, nanoseconds: Int

  init(_ file: LocalFile, isJournal: Bool) throws(TrajpackError) {
    var status = stat()
    let result = try file.withDescriptor { (descriptor) throws(TrajpackError) in
      fstat(descriptor, &status)
    }
    guard result == 0 else { throw .system("cannot be looked at", file.path) }
    self.init(status, isJournal: isJournal)
  }

  private init(_ status: stat, isJournal: Bool) {
    self.isJournal = isJournal
    (device, inode) = (UInt64(status.st_dev), UInt64(status.st_ino))
    (bytes, seconds) = (Int(status.st_size), Int(status.st_mtim.tv_sec))
    nanoseconds = Int(status.st_mtim.tv_nsec)
  }

  /// Whether the list that counts in `folder` is this file; a journal may have grown.
  func isCurrent(in folder: String) -> Bool {
    let replacement = Replacement.committedFolder(of: folder)
    let manifest = "\(replacement ?? folder)/\(Manifest.fileName)"
    var status = stat()
    if stat(manifest, &status) == 0 {
      let now = Self(status, isJournal: false)
      return !isJournal && now.inode == inode && now.device == device && now.bytes == bytes
        && now.seconds == seconds && now.nanoseconds == nanoseconds
    }
    guard isJournal, stat("\(folder)/\(Journal.fileName)", &status) == 0 else { return false }
    let now = Self(status, isJournal: true)
    return now.inode == inode && now.device == device && now.bytes >= bytes
  }
}
