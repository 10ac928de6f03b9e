import CPlatform
import Glibc
import TrajpackFormat
import TrajpackRemote

/// The few operations on files and folders that the store makes, each durable where it says so.
public enum FileSystem {
  /// What a path is.
  public enum Item: Sendable { case file, folder, other }

  /// What lies at `path`; `nil` for nothing. Links are followed.
  public static func item(at path: String) -> Item? {
    var status = stat()
    guard stat(path, &status) == 0 else { return nil }
    switch status.st_mode & S_IFMT {
    case S_IFREG: return .file
    case S_IFDIR: return .folder
    default: return .other
    }
  }

  /// What is the same for all paths that lead to one item; `nil` for nothing.
  public static func identity(of path: String) -> [UInt64]? {
    var status = stat()
    guard stat(path, &status) == 0 else { return nil }
    return [UInt64(status.st_dev), UInt64(status.st_ino)]
  }

  /// Whether there is a regular file at `path`.
  ///
  /// - Throws: ``noFile(at:)`` where something else is there, also a link that leads nowhere: it is never
  ///   the same as an absent file.
  public static func hasFile(_ path: String) throws(TrajpackError) -> Bool {
    if item(at: path) == .file { return true }
    var status = stat()
    guard lstat(path, &status) != 0, errno == ENOENT || errno == ENOTDIR else {
      throw noFile(at: path)
    }
    return false
  }

  /// The error that says why there is no regular file at `path`.
  public static func noFile(at path: String) -> TrajpackError {
    var status = stat()
    guard lstat(path, &status) == 0 else { return .system("cannot be looked at", path) }
    if status.st_mode & S_IFMT == S_IFLNK, stat(path, &status) != 0 {
      guard errno == ENOENT || errno == ENOTDIR || errno == ELOOP else {
        return .system("cannot be looked at", path)
      }
      var target = [CChar](repeating: 0, count: 4096)
      let count = readlink(path, &target, target.count)
      let name = String(
        decoding: target.prefix(max(count, 0)).map { UInt8(bitPattern: $0) }, as: UTF8.self)
      return TrajpackError(
        .data, file: path,
        "is a link to '\(name)', where there is nothing; fetch what it stands for, or remove it"
      )
    }
    let what: String
    switch status.st_mode & S_IFMT {
    case S_IFDIR: what = "is a folder, where a file is expected"
    case S_IFIFO: what = "is a pipe and not a regular file"
    case S_IFSOCK: what = "is a socket and not a regular file"
    case S_IFCHR, S_IFBLK: what = "is a device and not a regular file"
    default: what = "is not a regular file"
    }
    return TrajpackError(.data, file: path, "\(what); put a file with the data there, or remove it")
  }

  /// Bytes of the file at `path`; 0 where there is none.
  public static func size(of path: String) -> Int {
    var status = stat()
    return stat(path, &status) == 0 ? Int(status.st_size) : 0
  }

  /// Bytes that this user may still write to the file system of `path`; `nil` where it does not say.
  public static func freeBytes(at path: String) -> Int? {
    var status = statvfs()
    guard statvfs(path, &status) == 0 else { return nil }
    return Int(
      clamping: UInt64(status.f_bavail).multipliedReportingOverflow(
        by: UInt64(status.f_frsize)
      ).partialValue)
  }

  /// The folder that the process is in.
  public static func workingFolder() throws(TrajpackError) -> String {
    guard let text = getcwd(nil, 0) else { throw .system("cannot be found", "the working folder") }
    defer { free(text) }
    return String(cString: text)
  }

  /// The names in a folder, sorted, so that every run sees the same order.
  public static func names(in folder: String) throws(TrajpackError) -> [String] {
    guard let directory = opendir(folder) else { throw .system("cannot be listed", folder) }
    defer { closedir(directory) }
    var names: [String] = []
    while let entry = readdir(directory) {
      let name = withUnsafePointer(to: &entry.pointee.d_name) {
        $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
      }
      if name != ".", name != ".." { names.append(name) }
    }
    return names.sorted()
  }

  /// Refuses a path that leads to a server.
  static func requireLocal(_ path: String) throws(TrajpackError) {
    guard RemoteLocation.isRemote(path) else { return }
    throw TrajpackError(
      .usage, file: path,
      "lies on a server or in a bucket, where this command changes nothing; write to a folder of this machine, and "
        + "'trajpack upload FOLDER s3://BUCKET/PREFIX' puts the dataset into a bucket")
  }

  /// Makes a folder and those above it.
  public static func makeFolder(_ path: String) throws(TrajpackError) {
    try requireLocal(path)
    if item(at: path) == .folder { return }
    let parent = parent(of: path)
    if parent != path, item(at: parent) == nil { try makeFolder(parent) }
    guard mkdir(path, 0o777) == 0 || errno == EEXIST else { throw .system("cannot be made", path) }
    try syncFolder(parent)
  }

  /// Refuses a file that ``replace(_:with:)`` could not write, by making its temporary one.
  public static func requireReplaceable(_ path: String) throws(TrajpackError) {
    if isOtherThanFile(path) { return }
    let folder = parent(of: path)
    switch item(at: folder) {
    case nil: throw TrajpackError(.usage, "the folder \(folder) does not exist; make it first")
    case .folder: break
    default: throw TrajpackError(.usage, "\(folder) is no folder; name a file in one")
    }
    var failure: Int32 = 0
    guard let (fd, temporary) = makeTemporary(besides: path, &failure) else {
      errno = failure
      guard failure == ENOENT else { throw .system("cannot be written", path) }
      throw TrajpackError(.usage, "no file can be made in \(folder); name another folder")
    }
    close(fd)
    unlink(temporary)
  }

  /// The folder that holds `path`.
  public static func parent(of path: String) -> String {
    guard let last = lastPart(of: path) else { return path.isEmpty ? "." : "/" }
    let slash = path.utf8[..<last.startIndex].last == UInt8(ascii: "/")
    guard slash else { return "." }
    let before = path.utf8[..<path.utf8.index(before: last.startIndex)]
    return before.isEmpty ? "/" : String(Substring(before))
  }

  /// The last part of `path`.
  public static func name(of path: String) -> String { lastPart(of: path).map(String.init) ?? path }

  /// The last part that is not empty; `nil` where there is none.
  private static func lastPart(of path: String) -> Substring? {
    let slash = UInt8(ascii: "/")
    guard let last = path.utf8.lastIndex(where: { $0 != slash }) else { return nil }
    let rest = path.utf8[...last]
    let first = rest.lastIndex(of: slash).map { rest.index(after: $0) } ?? rest.startIndex
    return Substring(rest[first...])
  }

  /// Makes the bytes of an open file durable; the corresponding C function is `fsync`.
  public static func sync(_ descriptor: Int32, _ path: String) throws(TrajpackError) {
    guard fsync(descriptor) == 0 else { throw .system("cannot be made durable", path) }
  }

  /// Makes the names in a folder durable.
  public static func syncFolder(_ path: String) throws(TrajpackError) {
    let fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
    guard fd >= 0 else { throw .system("cannot be opened", path) }
    defer { close(fd) }
    // Some file systems cannot sync a folder and say EINVAL; there is nothing more to do then.
    guard fsync(fd) == 0 || errno == EINVAL else { throw .system("cannot be made durable", path) }
  }

  /// Gives a finished file its name and makes the name durable. A file of that name is an error, unless
  /// `replacing` it.
  public static func publish(
    _ temporary: String, as path: String, replacing: Bool = false
  ) throws(TrajpackError) {
    let outcome =
      replacing ? rename(temporary, path) : tp_rename_exclusive(temporary, path)
    guard outcome == 0 else { throw .system("cannot be renamed into place", path) }
    try syncFolder(parent(of: path))
  }

  /// Makes an empty file beside `path` that nobody else has: its name is new, and a link of that name is
  /// not followed.
  private static func makeTemporary(
    besides path: String, _ failure: inout Int32
  ) -> (fd: Int32, name: String)? {
    // A name may have 255 bytes; a hexadecimal number of 16 digits follows.
    let name = String(decoding: name(of: path).utf8.prefix(200), as: UTF8.self)
    for _ in 0..<100 {
      let suffix = String(UInt64.random(in: 0 ... .max), radix: 16)
      let temporary = "\(parent(of: path))/.tmp-\(name)-\(suffix)"
      let fd = open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0o666)
      if fd >= 0 { return (fd, temporary) }
      failure = errno
      guard failure == EEXIST else { return nil }
    }
    return nil
  }

  /// Replaces the file at `path` with `bytes`, whole or not at all, durably.
  public static func replace(_ path: String, with bytes: [UInt8]) throws(TrajpackError) {
    var failure: Int32 = 0
    guard let (fd, temporary) = makeTemporary(besides: path, &failure) else {
      errno = failure
      throw .system("cannot be written", path)
    }
    do throws(TrajpackError) {
      defer { close(fd) }
      try write(bytes, to: fd, temporary)
      try sync(fd, temporary)
    } catch {
      unlink(temporary)
      throw error
    }
    guard rename(temporary, path) == 0 else {
      let failure = TrajpackError.system("cannot be renamed into place", path)
      unlink(temporary)
      throw failure
    }
    try syncFolder(parent(of: path))
  }

  /// Writes what a user asked for: a file whole or not at all, anything else (a device, a pipe, a link)
  /// straight through, so that it stays what it is.
  public static func deliver(_ bytes: [UInt8], to path: String) throws(TrajpackError) {
    guard isOtherThanFile(path) else { return try replace(path, with: bytes) }
    let fd = open(path, O_WRONLY | O_TRUNC | O_CLOEXEC)
    guard fd >= 0 else { throw .system("cannot be written", path) }
    defer { close(fd) }
    try write(bytes, to: fd, path)
  }

  private static func isOtherThanFile(_ path: String) -> Bool {
    var info = stat()
    return lstat(path, &info) == 0 && info.st_mode & S_IFMT != S_IFREG
  }

  /// Removes a file, or a folder and all that is in it, as far as that can be removed. Links are not followed.
  public static func removeTree(_ path: String) {
    var status = stat()
    guard lstat(path, &status) == 0 else { return }
    guard status.st_mode & S_IFMT == S_IFDIR else {
      unlink(path)
      return
    }
    for name in (try? names(in: path)) ?? [] { removeTree("\(path)/\(name)") }
    rmdir(path)
  }

  /// Removes a file, if it is there.
  public static func remove(_ path: String) throws(TrajpackError) {
    guard unlink(path) == 0 || errno == ENOENT else { throw .system("cannot be removed", path) }
  }
}
