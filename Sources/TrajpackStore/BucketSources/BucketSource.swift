import TrajpackFormat
import TrajpackRemote

/// Recordings in a bucket: the objects below a prefix, or one object. A ``BucketFolder`` gives them as files of this machine.
public struct BucketSource: Sendable {
  /// An object as a file.
  struct File: Sendable {
    /// Where it is in the bucket.
    let object: String
    /// Its path below the folder.
    let name: String
    let bytes: Int
    /// When it was written last, in seconds since 1970.
    let modified: Double
    /// What identifies its content; empty where that is not known.
    let tag: String
  }

  /// The most bytes of all sources of a conversion.
  public static let mostBytes = 1 << 60
  /// The most objects of a source.
  public static let mostObjects = 1_000_000

  /// The prefix or the object.
  public let location: String
  /// What lies there, in the order of the names.
  let files: [File]
  let isOneObject: Bool
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
            modified: object.modified ?? 0, tag: object.tag))
      }
      return true
    }
    let names = Set(found.map(\.name))
    for file in found {
      let parts = file.name.pathComponents
      for count in 1..<max(parts.count, 1) {
        let above = parts.prefix(count).joined(separator: "/")
        guard !names.contains(above) else {
          throw TrajpackError(
            .data, file: bucket.path(of: above),
            "is an object, and others lie below its name (\(file.name)), which files of this machine cannot; rename it, or "
              + "name a prefix without it")
        }
      }
    }
    isOneObject = found.isEmpty
    if found.isEmpty {
      let file = try RemoteFile(path)
      guard file.length <= Self.mostBytes else {
        throw TrajpackError(
          .machine, file: bucket.path,
          "the server says that it has \(file.length) bytes, which none has; check the endpoint")
      }
      found = [
        File(
          object: bucket.path, name: FileSystem.name(of: bucket.path), bytes: file.length,
          modified: file.modified, tag: file.identity)
      ]
    }
    files = found
    bytes = found.reduce(0) { $0 + $1.bytes }
  }
}
