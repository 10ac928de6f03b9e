import Glibc
import TrajpackFormat
import TrajpackRemote

/// Recordings in a bucket: the objects below a prefix, or one object, brought to a folder of this machine, where they have
/// the names, sizes and times that they have in the bucket.
public struct BucketSource: Sendable {
  /// An object and where it goes.
  private struct File: Sendable {
    let object: String
    let name: String
    let bytes: Int
    let modified: Double
    let tag: String
  }

  /// The most objects of a source.
  public static let mostObjects = 1_000_000

  private let location: String
  private let files: [File]
  private let isOneObject: Bool
  /// Bytes of all of them.
  public let bytes: Int
  /// How many there are.
  public var count: Int { files.count }

  /// Lists what is there.
  ///
  /// - Throws: A usage error where there is nothing, or too much.
  public init(_ path: String) throws(TrajpackError) {
    guard RemoteBucket.isBucket(path) else {
      throw TrajpackError(
        .usage, file: path,
        "is on a web server, which lists no files; copy the recordings to a folder of this machine, or to a bucket"
      )
    }
    let bucket = try RemoteBucket(path)
    location = bucket.path
    var found: [File] = []
    try bucket.list { (page) throws(TrajpackError) in
      try Interruption.check()
      for object in page where !object.name.hasSuffix("/") && !object.name.isEmpty {
        guard found.count < Self.mostObjects else {
          throw TrajpackError(
            .usage, file: path,
            "more than \(Self.mostObjects) objects lie below it, which are too many for one conversion; name a prefix with fewer"
          )
        }
        guard object.name.isRelativeDescendant else {
          throw TrajpackError(
            .data, file: bucket.path(of: object.name),
            "its name cannot be one of a file; rename it, or name a prefix without it")
        }
        found.append(
          File(
            object: bucket.path(of: object.name), name: object.name, bytes: object.bytes,
            modified: object.modified, tag: object.tag))
      }
      return true
    }
    isOneObject = found.isEmpty
    if found.isEmpty {
      let file = try RemoteFile(path)
      found = [
        File(
          object: bucket.path, name: FileSystem.name(of: bucket.path), bytes: file.length,
          modified: file.modified, tag: "")
      ]
    }
    files = found
    bytes = found.reduce(0) { $0 + $1.bytes }
  }

  /// Brings the files into a folder.
  ///
  /// - Parameter took: Told how many more bytes and files are there, from any thread.
  /// - Returns: The path that stands for the source: a folder of the prefix's name in it, or a file.
  /// - Throws: A machine error where the disk has no room, or an object has changed since it was listed.
  public func bring(
    to folder: String, isInterrupted: @escaping @Sendable () -> Bool,
    began: @escaping @Sendable (String) -> Void, took: @escaping @Sendable (Int, Int) -> Void
  ) throws(TrajpackError) -> String {
    if let free = FileSystem.freeBytes(at: folder), free < bytes {
      throw TrajpackError(
        .machine, file: location,
        "has \(bytes) bytes, and \(folder) has room for \(free); name another folder with --staging, or a prefix with less"
      )
    }
    let root = isOneObject ? folder : "\(folder)/\(FileSystem.name(of: location))"
    for parent in Set(files.map { FileSystem.parent(of: "\(root)/\($0.name)") }).sorted() {
      try FileSystem.makeFolder(parent)
    }
    let pool = try WorkerPool(threads: 8)
    var waiting: [Future<Void>] = []
    for file in files {
      if waiting.count == 32 { try waiting.removeFirst().value() }
      waiting.append(
        pool.run { () throws(TrajpackError) in
          try Interruption.watched(isInterrupted) { () throws(TrajpackError) in
            began(file.name)
            try Self.bring(file, to: "\(root)/\(file.name)") { took($0, 0) }
            took(0, 1)
          }
        })
    }
    for future in waiting { try future.value() }
    return isOneObject ? "\(root)/\(files[0].name)" : root
  }

  private static func bring(
    _ file: File, to path: String, took: (Int) -> Void
  ) throws(TrajpackError) {
    let source = try RemoteFile(file.object)
    guard source.length == file.bytes, file.tag.isEmpty || source.identity == file.tag else {
      throw TrajpackError(
        .machine, file: file.object, "has changed since it was listed; run the command again")
    }
    let fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0o600)
    guard fd >= 0 else { throw .system("cannot be made", path) }
    defer { close(fd) }
    let step = 4 << 20
    for first in stride(from: 0, to: source.length, by: step) {
      try Interruption.check()
      let part = try source.bytes(first..<min(first + step, source.length))
      try FileSystem.write(part, to: fd, path)
      took(part.count)
    }
    var times = [timespec](repeating: timespec(tv_sec: Int(file.modified), tv_nsec: 0), count: 2)
    guard futimens(fd, &times) == 0 else { throw .system("cannot be given its time", path) }
  }
}
