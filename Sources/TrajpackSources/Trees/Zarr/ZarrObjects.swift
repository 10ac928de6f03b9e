import Glibc
import TrajpackFormat
import TrajpackStore

/// The objects of a Zarr store by their keys: the files of a folder, or the members of a zip archive.
struct ZarrObjects: Sendable {
  private enum Place: Sendable {
    case folder
    /// The members by their keys; of several of one name the last counts, as it does for Python's zipfile.
    case archive([String: ZipArchive.Member])
  }

  let path: String
  private let place: Place
  /// The bytes of the whole store.
  let bytes: Int

  /// What the metadata of a group or an array is called.
  static let metadata = ["zarr.json", ".zarray", ".zgroup"]

  /// The most objects of a group that are looked at, and how deep groups lie in each other.
  private static let mostLevels = 16

  /// Whether a folder is a store, by the metadata in it.
  static func isFolder(_ path: String) -> Bool {
    metadata.contains { FileSystem.item(at: "\(path)/\($0)") == .file }
  }

  /// The keys of a zip archive by its members, and the folder in it in which the store lies; `nil` where it has none.
  private static func keys(_ archive: ZipArchive) -> [String: ZipArchive.Member]? {
    var root: Substring?
    for member in archive.members {
      let name = member.name[...]
      guard metadata.contains(where: { name == $0 || name.hasSuffix("/\($0)") }) else { continue }
      let folder = name[
        ..<(name.lastIndex(of: "/").map { name.index(after: $0) } ?? name.startIndex)]
      let depth = folder.utf8.count { $0 == UInt8(ascii: "/") }
      let best = root.map { $0.utf8.count { $0 == UInt8(ascii: "/") } }
      if best == nil || depth < best ?? 0 { root = folder }
    }
    guard let root else { return nil }
    var keys: [String: ZipArchive.Member] = [:]
    for member in archive.members where member.name.hasPrefix(root) {
      keys[String(member.name.dropFirst(root.count))] = member
    }
    return keys
  }

  /// Whether a file is a zip archive that holds a store.
  static func isArchive(_ path: String) -> Bool {
    guard let file = try? LocalFile(path), let first = try? file.bytes(0..<min(file.length, 4)),
      first == [0x50, 0x4B, 3, 4], !path.lowercased().hasSuffix(".npz"),
      let archive = try? ZipArchive(file, allowsRepeats: true)
    else { return false }
    return keys(archive) != nil
  }

  init(_ path: String) throws(TrajpackError) {
    self.path = path
    if FileSystem.item(at: path) == .folder {
      place = .folder
      bytes = Extent(path).bytes
      return
    }
    let file = try LocalFile(path)
    guard let keys = Self.keys(try ZipArchive(file, allowsRepeats: true)) else {
      throw TrajpackError(.data, file: path, "is no archive of a Zarr store")
    }
    place = .archive(keys)
    bytes = file.length
  }

  /// The keys of groups and arrays and what their metadata is called, groups before what lies in them.
  func nodes() throws(TrajpackError) -> [(key: String, metadata: String)] {
    var out: [(key: String, metadata: String)] = []
    switch place {
    case .folder: try walk("", 0, &out)
    case .archive(let members):
      var found: [String: String] = [:]
      for name in Self.metadata.reversed() {
        for key in members.keys where key == name || key.hasSuffix("/\(name)") {
          found[String(key.dropLast(name.utf8.count).dropLast(key == name ? 0 : 1))] = name
        }
      }
      for key in NaturalOrder.sorted(Array(found.keys)) { out.append((key, found[key] ?? "")) }
      out.sort { Self.isBefore($0.key, $1.key) }
    }
    return out
  }

  /// The order of a tree: level by level, so that what lies in a group follows it.
  private static func isBefore(_ a: String, _ b: String) -> Bool {
    let (a, b) = (a.pathComponents.map { String($0) }, b.pathComponents.map { String($0) })
    for (x, y) in zip(a, b) where x != y { return NaturalOrder.isBefore(x, y) }
    return a.count < b.count
  }

  private func walk(
    _ key: String, _ level: Int, _ out: inout [(key: String, metadata: String)]
  ) throws(TrajpackError) {
    let folder = key.isEmpty ? path : "\(path)/\(key)"
    if let name = Self.metadata.first(where: { FileSystem.item(at: "\(folder)/\($0)") == .file }) {
      out.append((key, name))
      if name == ".zarray" { return }
      if name == "zarr.json",
        try json(key.isEmpty ? name : "\(key)/\(name)")["node_type"] == "array"
      {
        return
      }
    }
    guard level < Self.mostLevels else {
      throw TrajpackError(
        .data, file: path,
        "'\(key)' lies more than \(Self.mostLevels) groups deep, which is not read")
    }
    let names = try FileSystem.names(in: folder).filter { !$0.hasPrefix(".") }
    for name in NaturalOrder.sorted(names) where FileSystem.item(at: "\(folder)/\(name)") == .folder
    {
      try walk(key.isEmpty ? name : "\(key)/\(name)", level + 1, &out)
    }
  }

  /// The document of a key.
  func json(_ key: String) throws(TrajpackError) -> JSONValue {
    guard let bytes = try read(key) else {
      throw TrajpackError(.data, file: path, "has no '\(key)'")
    }
    return try within(file: "\(path)/\(key)") { () throws(TrajpackError) in
      try JSONValue(parsing: bytes, mostValues: 1 << 20)
    }
  }

  /// The bytes of an object, or a part of them; `nil` where there is none.
  ///
  /// - Parameter range: The part, by the length of the object; all where `nil`.
  func read(
    _ key: String, _ range: ((Int) -> Range<Int>)? = nil
  ) throws(TrajpackError) -> [UInt8]? {
    switch place {
    case .folder:
      let path = "\(path)/\(key)"
      guard FileSystem.item(at: path) == .file else { return nil }
      let file = try LocalFile(path)
      return try file.bytes(Self.checked(range, file.length, path))
    case .archive(let members):
      guard let member = members[key] else { return nil }
      let part = try Self.checked(range, member.size, "\(path)/\(key)")
      if member.method == .stored, range != nil {
        let start = try member.place().lowerBound
        return try member.file.bytes(start + part.lowerBound..<start + part.upperBound)
      }
      var bytes: [UInt8] = []
      bytes.reserveCapacity(member.size)
      try member.read { (piece) throws(TrajpackError) in bytes.append(contentsOf: piece) }
      return part == 0..<bytes.count ? bytes : Array(bytes[part])
    }
  }

  private static func checked(
    _ range: ((Int) -> Range<Int>)?, _ length: Int, _ path: String
  ) throws(TrajpackError) -> Range<Int> {
    let part = range?(length) ?? 0..<length
    guard part.lowerBound >= 0, part.upperBound <= length, length <= 2 << 30 || range != nil else {
      throw TrajpackError(
        .data, file: path,
        "has \(length) bytes, and bytes \(part.lowerBound) to \(part.upperBound) are asked for; it is cut, or too large"
      )
    }
    return part
  }
}

extension ZarrObjects {
  /// The files of a folder as one.
  struct Extent: Sendable {
    private(set) var bytes = 0
    private var files = 0
    private var latest = (seconds: 0, nanoseconds: 0)
    private let name: String

    /// Sums what lies in a folder.
    init(_ folder: String) {
      name = FileSystem.name(of: folder)
      add(folder, 0)
    }

    /// Name, size, count and the time of the last change, for a fingerprint.
    var fingerprint: String { "\(name) \(files) \(bytes) \(latest.seconds).\(latest.nanoseconds)" }

    private mutating func add(_ folder: String, _ level: Int) {
      guard level <= mostLevels else { return }
      for name in (try? FileSystem.names(in: folder)) ?? [] {
        let path = "\(folder)/\(name)"
        var status = stat()
        guard stat(path, &status) == 0 else { continue }
        if status.st_mode & S_IFMT == S_IFDIR {
          add(path, level + 1)
        } else {
          bytes += Int(status.st_size)
          files += 1
          let time = (seconds: Int(status.st_mtim.tv_sec), nanoseconds: Int(status.st_mtim.tv_nsec))
          if time > latest { latest = time }
        }
      }
    }
  }
}
