import Glibc
import Synchronization
import TrajpackFormat
import TrajpackStore

/// Where the linked videos of a dataset are looked for. Nothing that an archive says is opened before a user names the
/// folder.
public final class MediaFolder: Sendable {
  private struct State {
    var folder: String?
    var allowsOutside = false
    /// Files whose digest was compared, with what tells whether they have changed since.
    var checked: [String: FileStamp] = [:]
  }

  private let state = Mutex(State())

  /// Nobody has named a folder yet.
  public init() {}

  /// Names the folder. `allowsOutside`: whether links in it may lead out of it.
  ///
  /// - Throws: A usage error where there is no such folder.
  public func set(_ folder: String, allowsOutside: Bool) throws(TrajpackError) {
    guard let real = Self.real(folder), Self.isFolder(real) else {
      throw TrajpackError(
        .usage, file: folder, "there is no such folder, in which linked videos could lie")
    }
    state.withLock {
      $0.folder = real
      $0.allowsOutside = allowsOutside
      $0.checked = [:]
    }
  }

  /// Opens a linked video, which must be the file that was converted: its length and SHA-256 are compared, once for
  /// as long as it does not change.
  ///
  /// - Throws: A usage error where it is not found, lies outside, or nobody has named a folder; a data error where it
  ///   is another file.
  func open(_ facts: VideoFacts, place: String) throws(TrajpackError) -> LinkedVideo {
    let (folder, allowsOutside) = state.withLock { ($0.folder, $0.allowsOutside) }
    guard let folder else {
      throw TrajpackError(
        .usage,
        "\(place): the video is linked, its file is '\(facts.file)': name the folder in which that lies "
          + "(media=... in Python, --media on the command line)")
    }
    guard facts.file.isRelativeDescendant else {
      throw TrajpackError(
        .data, "\(place): the linked file's name '\(facts.file)' leads out of the folder of videos")
    }
    let path = "\(folder)/\(facts.file)"
    guard let real = Self.real(path) else {
      throw TrajpackError(
        .usage,
        "\(place): the linked video \(path) is not there: name the folder in which it lies now, or put it back"
      )
    }
    guard allowsOutside || real.hasPrefix(folder == "/" ? "/" : folder + "/") else {
      throw TrajpackError(
        .usage,
        "\(place): the linked video \(path) leads to \(real), outside of the folder: say that links may lead out "
          + "of it (allow_outside=True, --allow-outside)")
    }
    let file = try LocalFile(path)
    let linked = LinkedVideo(file, place: place)
    let stamp = try linked.stamp()
    if state.withLock({ $0.checked[path] }) != stamp {
      guard file.length == facts.bytes, try file.sha256() == facts.sha256,
        try linked.stamp() == stamp
      else {
        throw TrajpackError(
          .data,
          "\(place): the linked video \(path) is not the file that was converted (its length or SHA-256 differs): "
            + "put the original back, or convert again")
      }
      state.withLock {
        // Some 10 MB of names.
        if $0.checked.count >= 1 << 16 { $0.checked = [:] }
        $0.checked[path] = stamp
      }
    }
    linked.expected = stamp
    return linked
  }

  /// The file of a linked video whose track has these metadata, compared with its length and SHA-256; see above.
  package func file(_ metadata: JSONValue, place: String) throws(TrajpackError) -> LocalFile {
    try open(try VideoFacts(metadata.text(), at: place), place: place).file
  }

  private static func real(_ path: String) -> String? {
    guard !path.utf8.contains(0), let found = realpath(path, nil) else { return nil }
    defer { free(found) }
    return String(cString: found)
  }

  private static func isFolder(_ path: String) -> Bool {
    var facts = stat()
    return stat(path, &facts) == 0 && facts.st_mode & S_IFMT == S_IFDIR
  }
}

/// What changes when a file does.
struct FileStamp: Sendable, Equatable {
  var device: UInt64
  var inode: UInt64
  var length: Int64
  var modified: [Int]
}

/// A video in a file of its own.
final class LinkedVideo: @unchecked Sendable {
  // `expected` is set before anybody else has it.
  let file: LocalFile
  private let place: String
  fileprivate(set) var expected: FileStamp?

  fileprivate init(_ file: LocalFile, place: String) { (self.file, self.place) = (file, place) }

  func stamp() throws(TrajpackError) -> FileStamp {
    let path = file.path
    return try file.withDescriptor { (descriptor) throws(TrajpackError) in
      var facts = stat()
      guard fstat(descriptor, &facts) == 0 else { throw .system("cannot be looked at", path) }
      return FileStamp(
        device: UInt64(facts.st_dev), inode: UInt64(facts.st_ino), length: Int64(facts.st_size),
        modified: [
          facts.st_mtim.tv_sec, facts.st_mtim.tv_nsec, facts.st_ctim.tv_sec, facts.st_ctim.tv_nsec,
        ])
    }
  }

  /// - Throws: A data error where the file was changed since it was compared with its digest.
  func check() throws(TrajpackError) {
    guard try stamp() == expected else {
      throw TrajpackError(
        .data,
        "\(place): the linked video \(file.path) was changed while it was read: put the original back, or convert "
          + "again")
    }
  }
}
