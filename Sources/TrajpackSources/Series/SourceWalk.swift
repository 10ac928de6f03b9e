import TrajpackFormat
import TrajpackStore

/// The files of some sources: those that are read, by their names, and those that are not.
struct SourceWalk {
  /// A file that is read.
  struct File {
    var path: String
    /// What it is called below its source, unique among all.
    var place: String
    /// Whether its name does not say what it is, so that it is left out where it is no table.
    var isUncertain = false
  }

  private(set) var files: [File] = []
  private var seen: Set<[UInt64]> = []
  private(set) var leftOut: [LeftOut] = []
  /// A sentence for each folder with arrays that gzip has packed.
  private(set) var packed: [String] = []

  /// How deep folders are looked into.
  private static let mostLevels = 16

  /// Names that say what a file is.
  static let endings =
    [".npy", ".npz", ".json", ".json.gz"]
    + [".csv", ".tsv", ".psv"].flatMap { name in packings.map { name + $0 } }
  /// Names of tables, and of other text.
  private static let uncertainEndings = [".txt", ".dat", ".data", ".tab"].flatMap { name in
    packings.map { name + $0 }
  }
  private static let packings = ["", ".gz", ".bz2", ".xz", ".zip"]

  /// Looks for files.
  ///
  /// - Throws: A usage error where a source does not exist, a data error where one holds no series.
  init(_ sources: [String]) throws(TrajpackError) {
    for source in sources {
      switch FileSystem.item(at: source) {
      case nil: throw TrajpackError.absent(source)
      case .other: throw TrajpackError(.usage, file: source, "is neither a file nor a folder")
      case .file: files.append(File(path: source, place: FileSystem.name(of: source)))
      case .folder:
        guard !Dataset.isDataset(source) else {
          throw TrajpackError(
            .usage, file: source, "is a trajpack dataset already; look at it with 'trajpack info'")
        }
        var folder = source
        while folder.count > 1, folder.hasSuffix("/") { folder.removeLast() }
        let before = files.count
        if let identity = FileSystem.identity(of: folder) { seen.insert(identity) }
        try walk(folder, "", 0)
        guard files.count > before else {
          if let remark = packed.first { throw TrajpackError(.data, remark) }
          let names = ["csv", "tsv", "psv", "txt", "dat", "npy", "npz", "json"]
          throw TrajpackError(
            .data, file: source,
            "holds no series (files named \(names.map { "*.\($0)" }.joined(separator: ", ")), also "
              + "packed as .gz, .bz2, .xz or .zip)")
        }
      }
    }
    nameApart()
  }

  private mutating func walk(
    _ folder: String, _ place: String, _ level: Int
  ) throws(TrajpackError) {
    let names = try FileSystem.names(in: folder).filter { !$0.hasPrefix(".") }
    var folders: [String] = []
    var gzipped: [String] = []
    for name in names {
      let path = "\(folder)/\(name)"
      switch FileSystem.item(at: path) {
      case .folder: folders.append(name)
      case .file:
        if Self.isOfValues(name, folder) {
          // What an export says of its recordings is none of them; 'convert' takes it beside them.
          if level > 0 { leftOut.append(LeftOut(path: place + name, why: "values of recordings")) }
        } else if Self.isPackedArray(name) {
          gzipped.append(name)
          leftOut.append(
            LeftOut(path: place + name, why: "packed by gzip; unpack it first with gunzip -k"))
        } else if Self.isMisnamed(path) {
          leftOut.append(LeftOut(path: place + name, why: "is not packed as its name says"))
        } else if Self.has(Self.endings, name) {
          files.append(File(path: path, place: place + name))
        } else if Self.has(Self.uncertainEndings, name) {
          files.append(File(path: path, place: place + name, isUncertain: true))
        } else {
          leftOut.append(LeftOut(path: place + name, why: "has no name of a series"))
        }
      default: leftOut.append(LeftOut(path: place + name, why: "is no file that can be read"))
      }
    }
    if !gzipped.isEmpty {
      let list = gzipped.prefix(6).joined(separator: ", ")
      packed.append(
        "\(folder): left out \(list)\(gzipped.count > 6 ? " and \(gzipped.count - 6) more" : ""), "
          + "packed by gzip; unpack them first (gunzip -k)")
    }
    for name in folders {
      let path = "\(folder)/\(name)"
      // A link may lead back to a folder above.
      guard let identity = FileSystem.identity(of: path), seen.insert(identity).inserted else {
        continue
      }
      guard level < Self.mostLevels, !Self.isOfAnotherFormat(path) else {
        leftOut.append(
          LeftOut(path: place + name, why: "is a dataset or WildWorld sample, or lies too deep"))
        continue
      }
      try walk("\(folder)/\(name)", "\(place)\(name)/", level + 1)
    }
  }

  /// Puts the names of folders in front of files of one name, as `run_001/log.csv`.
  private mutating func nameApart() {
    for _ in 0..<Self.mostLevels {
      var counts: [String: Int] = [:]
      for file in files { counts[file.place, default: 0] += 1 }
      var isChanged = false
      for i in files.indices where counts[files[i].place, default: 0] > 1 {
        let parts = files[i].path.pathComponents.filter { !$0.isEmpty && $0 != "." }
        let depth = files[i].place.pathComponents.count
        guard parts.count > depth, parts[parts.count - 1 - depth] != ".." else { continue }
        files[i].place = parts.suffix(depth + 1).joined(separator: "/")
        isChanged = true
      }
      if !isChanged { return }
    }
  }

  private static func has(_ endings: [String], _ name: String) -> Bool {
    let lower = name.lowercased()
    return endings.contains { lower.hasSuffix($0) && lower.count > $0.count }
  }

  private static func isOfAnotherFormat(_ folder: String) -> Bool {
    Dataset.isDataset(folder) || WildWorldImporter.isSample(folder)
  }

  /// Whether a file is what an export says of its recordings.
  private static func isOfValues(_ name: String, _ folder: String) -> Bool {
    (name == ValueExport.document || name == ValueExport.table)
      && ValueFile.isDocument("\(folder)/\(ValueExport.document)")
  }

  /// Whether a name says that a file is packed, and its first bytes do not.
  private static func isMisnamed(_ path: String) -> Bool {
    let lower = path.lowercased()
    guard [".bz2", ".xz", ".zip"].contains(where: { lower.hasSuffix($0) }),
      let file = try? LocalFile(path), let first = try? file.bytes(0..<min(file.length, 6))
    else { return false }
    return TextFile.packing(first) == nil && !first.starts(with: [0x50, 0x4B])
  }

  private static func isPackedArray(_ name: String) -> Bool {
    let lower = name.lowercased()
    return [".npy.gz", ".npz.gz"].contains { lower.hasSuffix($0) }
  }

  /// Whether a folder has a file of series somewhere, or an array that gzip has packed, of which there is
  /// more to say than that it is not known.
  static func hasSeries(_ folder: String, _ isSeries: (String) -> Bool) -> Bool {
    var seen: Set<[UInt64]> = []
    return hasSeries(folder, 0, &seen, isSeries)
  }

  private static func hasSeries(
    _ folder: String, _ level: Int, _ seen: inout Set<[UInt64]>, _ isSeries: (String) -> Bool
  ) -> Bool {
    guard let identity = FileSystem.identity(of: folder), seen.insert(identity).inserted,
      !isOfAnotherFormat(folder)
    else { return false }
    let names = ((try? FileSystem.names(in: folder)) ?? []).filter { !$0.hasPrefix(".") }
    var folders: [String] = []
    for name in names {
      let path = "\(folder)/\(name)"
      let isNamed = has(endings, name) || has(uncertainEndings, name)
      if isPackedArray(name) { return true }
      switch FileSystem.item(at: path) {
      case .file: if isNamed, isSeries(path) { return true }
      case .folder: folders.append(path)
      default: break
      }
    }
    guard level < mostLevels else { return false }
    for folder in folders where hasSeries(folder, level + 1, &seen, isSeries) { return true }
    return false
  }

  /// A file's name without its ending.
  static func stem(_ place: String) -> String {
    let lower = place.lowercased()
    let ending = (endings + uncertainEndings).filter { lower.hasSuffix($0) }.max {
      $0.count < $1.count
    }
    return String(place.dropLast(ending?.count ?? 0))
  }
}
