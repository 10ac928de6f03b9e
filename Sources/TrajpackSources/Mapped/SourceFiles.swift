import Synchronization
import TrajpackFormat
import TrajpackStore

/// The files of a source, and their trees as far as they were asked for.
final class SourceFiles: Sendable {
  /// A file.
  struct File: Sendable {
    var path: String
    /// What it is called below the source.
    var place: String
    /// Of a folder that is read as one file, as Zarr stores are: its bytes, and the file that was changed last.
    var store: ZarrObjects.Extent?
    var isStore: Bool { store != nil }
    /// Bytes of the file, or of all files of the folder.
    var bytes: Int { store?.bytes ?? FileSystem.size(of: path) }
    /// A line that changes when the file does.
    var fingerprint: String { store?.fingerprint ?? Recording.fingerprint(of: path) }
    /// The place without the ending of the name.
    var stem: String { Self.stem(place) }

    static func stem(_ place: String) -> String {
      let name = FileSystem.name(of: place)
      guard let dot = name.lastIndex(of: "."), dot > name.startIndex else { return place }
      let stem = String(place.dropLast(name[dot...].count))
      return name.hasSuffix(".zarr.zip") ? String(stem.dropLast(".zarr".count)) : stem
    }
  }

  /// How deep folders are looked into, and the most files.
  private static let mostLevels = 8

  /// What the user has named.
  let sources: [String]
  /// All files, in the order of their names, numbers in them by size.
  let all: [File]
  /// The files that are trees of arrays.
  let trees: [File]
  private let opened = Mutex<[String: Result<any ArrayTree, TrajpackError>]>([:])

  /// Looks at names, and at the first bytes of files that may be trees.
  init(_ sources: [String]) throws(TrajpackError) {
    self.sources = sources
    var all: [File] = []
    var seen: Set<[UInt64]> = []
    for source in sources {
      switch FileSystem.item(at: source) {
      case .file: all.append(File(path: source, place: FileSystem.name(of: source)))
      case .folder:
        var folder = source
        while folder.count > 1, folder.hasSuffix("/") { folder.removeLast() }
        if ZarrStore.recognises(folder) {
          all.append(
            File(
              path: folder, place: FileSystem.name(of: folder), store: ZarrObjects.Extent(folder)))
        } else {
          try Self.walk(folder, "", 0, &all, &seen)
        }
      default: continue
      }
    }
    self.all = all
    let endings = TreeFiles.all.flatMap { $0.endings }
    trees = Self.named(all, sources, endings).filter { TreeFiles.kind(of: $0.path) != nil }
  }

  /// The files that a user has named, and those in folders whose names end so.
  func named(_ endings: [String]) -> [File] { Self.named(all, sources, endings) }

  private static func named(_ all: [File], _ sources: [String], _ endings: [String]) -> [File] {
    let sources = Set(sources)
    return all.filter { file in
      let name = file.place.lowercased()
      return sources.contains(file.path) || file.isStore || endings.contains { name.hasSuffix($0) }
    }
  }

  private static func walk(
    _ folder: String, _ place: String, _ level: Int, _ all: inout [File],
    _ seen: inout Set<[UInt64]>
  ) throws(TrajpackError) {
    // A link may lead back to a folder above.
    guard level < mostLevels, !Dataset.isDataset(folder),
      let identity = FileSystem.identity(of: folder), seen.insert(identity).inserted
    else { return }
    let names = try FileSystem.names(in: folder).filter { !$0.hasPrefix(".") }
    for name in NaturalOrder.sorted(names) {
      let path = "\(folder)/\(name)"
      switch FileSystem.item(at: path) {
      case .file: all.append(File(path: path, place: place + name))
      case .folder where ZarrStore.recognises(path):
        all.append(File(path: path, place: place + name, store: ZarrObjects.Extent(path)))
      case .folder: try walk(path, "\(place)\(name)/", level + 1, &all, &seen)
      default: continue
      }
    }
  }

  /// The tree of a file.
  ///
  /// - Throws: A data error where it is damaged.
  func tree(_ file: File) throws(TrajpackError) -> any ArrayTree {
    if let known = opened.withLock({ $0[file.path] }) { return try known.get() }
    do throws(TrajpackError) {
      guard let kind = TreeFiles.kind(of: file.path) else {
        throw TrajpackError(.data, file: file.path, "is no tree of arrays")
      }
      let tree = try kind.init(file.path)
      opened.withLock { $0[file.path] = .success(tree) }
      return tree
    } catch {
      let error = error.at(ErrorPlace(file: file.path))
      opened.withLock { $0[file.path] = .failure(error) }
      throw error
    }
  }

  /// The tree of the first file that is whole; `nil` where there is none.
  var first: (any ArrayTree)? {
    for file in trees.prefix(4) {
      if let tree = try? tree(file) { return tree }
    }
    return nil
  }

  /// Files that are no trees and that a format does not use, as left out.
  func others(but used: Set<String> = []) -> [LeftOut] {
    let read = Set(trees.map(\.path)).union(used)
    return all.filter { !read.contains($0.path) }.map {
      LeftOut(path: $0.place, why: "is no file of this format")
    }
  }
}

/// Names in the order of the numbers in them: `demo_2` before `demo_10`.
enum NaturalOrder {
  static func sorted(_ names: [String]) -> [String] { names.sorted(by: isBefore) }

  static func isBefore(_ a: String, _ b: String) -> Bool {
    let (a, b) = (Array(a.utf8), Array(b.utf8))
    func isDigit(_ byte: UInt8) -> Bool { byte &- UInt8(ascii: "0") < 10 }
    var (i, j) = (0, 0)
    while i < a.count, j < b.count {
      guard isDigit(a[i]), isDigit(b[j]) else {
        if a[i] != b[j] { return a[i] < b[j] }
        i += 1
        j += 1
        continue
      }
      let first = a[i...].prefix(while: isDigit)
      let second = b[j...].prefix(while: isDigit)
      let x = first.drop { $0 == UInt8(ascii: "0") }
      let y = second.drop { $0 == UInt8(ascii: "0") }
      if x.count != y.count { return x.count < y.count }
      if !x.elementsEqual(y) { return x.lexicographicallyPrecedes(y) }
      i += first.count
      j += second.count
    }
    if i < a.count || j < b.count { return i == a.count }
    return a.lexicographicallyPrecedes(b)
  }
}
