import Glibc
import Synchronization
import TrajpackFormat

/// The objects below a prefix of a bucket as files of this machine, which get their bytes when something reads them.
///
/// One folder has a file for each object, of its name, length and time and without its bytes, so that whoever looks for these
/// finds them. The bytes go to files of the same names in a second folder, each made when it is opened first. ``LocalFile`` reads
/// those; whoever opens a file by its path asks ``wholeFile(_:)`` before.
public final class BucketFolder: Sendable {
  /// The path that stands for the source: a folder, or a file where it is one object.
  public let path: String
  /// The prefix or the object.
  public var location: String { source.location }
  /// The folder of the files that have the bytes.
  public let bytesPath: String
  /// Bytes of all files.
  public var bytes: Int { source.bytes }
  /// How many files there are.
  public var count: Int { source.files.count }

  private let source: BucketSource
  /// The folder that was given for the bytes; ``bytesPath`` may be a folder in it.
  let bytesFolder: String
  /// The numbers of the files by what identifies them on this machine.
  private let numbers: [ItemIdentity: Int]
  private let opened = Mutex<[Int: BucketFile]>([:])
  private let earlier: EarlierFiles?
  private let isInterrupted: @Sendable () -> Bool
  private let pool: WorkerPool

  /// How many files are asked for before they are read: a reader that opens one file of a kind mostly opens the next ones, too.
  private static let ahead = 32

  /// - Parameters:
  ///   - listed: An empty folder for the files without bytes, by its path from the root.
  ///   - bytes: The folder for the bytes, by its path from the root.
  ///   - earlier: What another process has brought; see ``save(to:)``.
  public init(
    _ source: BucketSource, listed: String, bytes: String, earlier: EarlierFiles? = nil,
    isInterrupted: @escaping @Sendable () -> Bool
  ) throws(TrajpackError) {
    self.source = source
    self.earlier = earlier
    self.isInterrupted = isInterrupted
    bytesFolder = bytes
    let name = FileSystem.name(of: source.location)
    let root = source.isOneObject ? listed : "\(listed)/\(name)"
    bytesPath = source.isOneObject ? bytes : "\(bytes)/\(name)"
    path = source.isOneObject ? "\(root)/\(source.files[0].name)" : root
    for parent in Set(source.files.map { FileSystem.parent(of: "\(root)/\($0.name)") }).sorted() {
      try FileSystem.makeFolder(parent)
    }
    var numbers: [ItemIdentity: Int] = [:]
    numbers.reserveCapacity(source.files.count)
    for (number, file) in source.files.enumerated() {
      try Interruption.check()
      numbers[try Self.list(file, at: "\(root)/\(file.name)")] = number
    }
    self.numbers = numbers
    pool = try WorkerPool(threads: 8)
  }

  /// Makes a file without its bytes.
  private static func list(
    _ file: BucketSource.File, at path: String
  ) throws(TrajpackError) -> ItemIdentity {
    let descriptor = open(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0o600)
    guard descriptor >= 0 else { throw .system("cannot be made", path) }
    defer { close(descriptor) }
    var times = [timespec](repeating: timespec(tv_sec: Int(file.modified), tv_nsec: 0), count: 2)
    guard ftruncate(descriptor, off_t(file.bytes)) == 0, futimens(descriptor, &times) == 0,
      let identity = ItemIdentity(descriptor)
    else { throw .system("cannot be made", path) }
    return identity
  }

  /// Where the bytes of a file go.
  private func place(_ file: BucketSource.File) -> String { "\(bytesPath)/\(file.name)" }

  /// The file of a number, opened.
  private func file(_ number: Int) throws(TrajpackError) -> BucketFile {
    try opened.withLock { (opened) throws(TrajpackError) in
      if let file = opened[number] { return file }
      let about = source.files[number]
      let file = try BucketFile(
        about, at: place(about), earlier: earlier?.file(about),
        begins: { [weak self] in self?.readAhead(of: number) })
      opened[number] = file
      return file
    }
  }

  /// Asks for the first bytes of the next files of the same kind.
  private func readAhead(of number: Int) {
    let kind = Self.kind(source.files[number].name)
    var begun = 0
    for next in (number + 1)..<source.files.count where Self.kind(source.files[next].name) == kind {
      guard begun < Self.ahead, opened.withLock({ $0[next] == nil }) else { return }
      begun += 1
      guard let file = try? file(next) else { return }
      let isInterrupted = isInterrupted
      _ = pool.run { () throws(TrajpackError) in
        // What fails here fails again where it is needed.
        try? Interruption.watched(isInterrupted) { () throws(TrajpackError) in
          try file.need(0..<1, isAlone: true)
        }
      }
    }
  }

  private static func kind(_ name: String) -> Substring? {
    let last = FileSystem.name(of: name)
    return last.lastIndex(of: ".").map { last[$0...] }
  }

  /// Brings whole files, several at once, to the disk that ``bytesPath`` is on.
  ///
  /// - Parameters:
  ///   - paths: Paths of files below ``path``; others are left out. All files where `nil`.
  ///   - began: Told of each file, from any thread.
  ///   - took: Told how many more bytes and files are there, from any thread.
  /// - Throws: A machine error where the disk has no room, or an object has changed since it was listed.
  public func bring(
    _ paths: [String]? = nil, began: @escaping @Sendable (String) -> Void,
    took: @escaping @Sendable (Int, Int) -> Void
  ) throws(TrajpackError) {
    let wanted = paths.map(self.numbers(of:)) ?? Array(source.files.indices)
    var missing = 0
    for number in wanted { missing += try file(number).missing }
    try FileSystem.makeFolder(bytesPath)
    if let free = FileSystem.freeBytes(at: bytesPath), free < missing {
      throw TrajpackError(
        .machine, file: location,
        "has \(missing) bytes\(paths == nil ? "" : " of these recordings"), and the staging folder has room for \(free); "
          + "name another one with --staging, \(paths == nil ? "or a prefix with less" : "or plan smaller tasks")"
      )
    }
    var waiting: [Future<Void>] = []
    let isInterrupted = isInterrupted
    for number in wanted {
      if waiting.count == 32 { try waiting.removeFirst().value() }
      let file = try file(number)
      waiting.append(
        pool.run { () throws(TrajpackError) in
          try Interruption.watched(isInterrupted) { () throws(TrajpackError) in
            began(file.about.name)
            let step = 4 << 20
            for first in stride(from: 0, to: file.about.bytes, by: step) {
              let part = first..<min(first + step, file.about.bytes)
              try file.need(part, isAlone: true)
              took(part.count, 0)
            }
            took(0, 1)
          }
        })
    }
    for future in waiting { try future.value() }
  }

  /// Bytes of files that ``bring(_:began:took:)`` would bring.
  public func size(of paths: [String]) -> (bytes: Int, count: Int) {
    let found = numbers(of: paths)
    return (found.reduce(0) { $0 + source.files[$1].bytes }, found.count)
  }

  private func numbers(of paths: [String]) -> [Int] {
    Set(paths.compactMap { ItemIdentity(of: $0).flatMap { numbers[$0] } }).sorted()
  }

  /// Writes down which bytes are there, so that other processes take them from the folder of bytes. They are durable before.
  public func save(to path: String) throws(TrajpackError) {
    var lines: [UInt8] = []
    var parents: Set<String> = []
    for (_, file) in opened.withLock({ $0 }).sorted(by: { $0.key < $1.key }) {
      try Interruption.check()
      let blocks = file.blocks
      guard blocks.count > 0 else { continue }
      let descriptor = open(file.path, O_RDONLY | O_CLOEXEC)
      guard descriptor >= 0 else { throw .system("cannot be opened", file.path) }
      defer { close(descriptor) }
      try FileSystem.sync(descriptor, file.path)
      parents.insert(FileSystem.parent(of: file.path))
      let about = file.about
      let line = JSONValue.array([
        .string(about.name), .int(Int64(about.bytes)), .double(about.modified), .string(about.tag),
        .array(
          blocks.runs.map {
            .array([.int(Int64($0.lowerBound)), .int(Int64($0.upperBound))])
          }), .string(String(file.path.dropFirst(bytesFolder.count + 1))),
      ])
      lines += Array(line.text().utf8) + [UInt8(ascii: "\n")]
    }
    for parent in parents { try FileSystem.syncFolder(parent) }
    try FileSystem.replace(path, with: lines)
  }
}

// MARK: - The folders of this process

extension BucketFolder {
  private static let folders = Mutex<[BucketFolder]>([])
  private static let folderCount = Atomic<Int>(0)

  /// From now on, until ``detach()``, ``LocalFile`` and ``wholeFile(_:)`` give the bytes of objects for files below ``path``.
  public func attach() {
    Self.folders.withLock {
      $0.append(self)
      Self.folderCount.store($0.count, ordering: .releasing)
    }
  }

  /// Ends what ``attach()`` began.
  public func detach() {
    Self.folders.withLock {
      $0.removeAll { $0 === self }
      Self.folderCount.store($0.count, ordering: .releasing)
    }
  }

  /// A text in which paths of files that stand for objects are those of the objects.
  public static func named(_ text: String) -> String {
    guard folderCount.load(ordering: .acquiring) > 0 else { return text }
    return folders.withLock { $0 }.reduce(text) { text, folder in
      var location = folder.location[...]
      while location.hasSuffix("/") { location.removeLast() }
      let name = folder.source.isOneObject ? "/\(folder.source.files[0].name)" : ""
      var named = text.replacing(folder.path, with: location)
      for bytes in [folder.bytesPath, folder.earlier.map { $0.path(like: folder) }] {
        if let bytes { named = named.replacing(bytes + name, with: location) }
      }
      return named
    }
  }

  /// The object that an open file stands for; `nil` where it stands for itself.
  static func file(_ descriptor: Int32) throws(TrajpackError) -> BucketFile? {
    guard folderCount.load(ordering: .acquiring) > 0, let identity = ItemIdentity(descriptor)
    else { return nil }
    return try file(identity)
  }

  private static func file(_ identity: ItemIdentity) throws(TrajpackError) -> BucketFile? {
    for folder in folders.withLock({ $0 }) {
      if let number = folder.numbers[identity] { return try folder.file(number) }
    }
    return nil
  }

  /// The file that has the bytes of the one at a path, all of them: the same path, or where it stands for an object of a bucket
  /// the file that its bytes were brought to.
  public static func wholeFile(_ path: String) throws(TrajpackError) -> String {
    guard folderCount.load(ordering: .acquiring) > 0, let identity = ItemIdentity(of: path),
      let file = try file(identity)
    else { return path }
    try file.need(0..<file.about.bytes)
    return file.path
  }

  /// A folder that has the bytes of the one at a path, all of them, by the rule of ``wholeFile(_:)``.
  public static func wholeItem(_ path: String) throws(TrajpackError) -> String {
    for folder in folders.withLock({ $0 }) where folder.path == path {
      try folder.bring(began: { _ in }, took: { _, _ in })
      // What an earlier process has brought lies elsewhere.
      for (number, about) in folder.source.files.enumerated() {
        let (file, place) = (try folder.file(number), folder.place(about))
        guard file.path != place, FileSystem.item(at: place) == nil else { continue }
        try FileSystem.makeFolder(FileSystem.parent(of: place))
        guard symlink(file.path, place) == 0 else { throw .system("cannot be made", place) }
      }
      return folder.source.isOneObject ? folder.place(folder.source.files[0]) : folder.bytesPath
    }
    return try wholeFile(path)
  }
}

/// What identifies a file on this machine.
private struct ItemIdentity: Hashable {
  let device: UInt64
  let inode: UInt64

  init?(_ descriptor: Int32) {
    var status = stat()
    guard fstat(descriptor, &status) == 0 else { return nil }
    (device, inode) = (UInt64(status.st_dev), UInt64(status.st_ino))
  }

  init?(of path: String) {
    var status = stat()
    guard stat(path, &status) == 0 else { return nil }
    (device, inode) = (UInt64(status.st_dev), UInt64(status.st_ino))
  }
}
