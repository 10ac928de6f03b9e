import TrajpackFormat
import TrajpackSources
import TrajpackStore

/// Predictions in files: a folder with a file an episode, or one file for all; npz, npy, CSV, TSV or JSONL.
/// `schemas/predictions.md` is the specification.
final class PredictionFiles {
  let path: String
  let digest: String
  private(set) var ids: [String] = []
  private var episodes: [String: PredictedArrays] = [:]
  /// The episode that was asked for last: what is read of others is let go.
  private var last: PredictedArrays?
  /// Where several metrics are computed: room for what one has read.
  var cache: ReadCache?

  static let extensions = ["npz", "npy", "csv", "tsv", "jsonl"]

  /// - Parameter labels: The names of the tracks of an episode of the truth, as `trajpack export` has them.
  init(
    _ path: String, truth: [String], selected: [String],
    labels: (String) throws(TrajpackError) -> [String]
  ) throws(TrajpackError) {
    self.path = path
    var digest = FilesDigest()
    if FileSystem.item(at: path) == .folder {
      let files = try Self.members(of: path, truth)
      guard !files.isEmpty else {
        throw TrajpackError(
          .usage, file: path,
          "holds no predictions; name a file after each episode "
            + "('\(selected.first ?? "ID").npz', or .npy, .csv, .jsonl), or give an archive")
      }
      for (id, file) in files {
        if file.hasSuffix("/") {
          try Self.checkOnce(id, file, episodes[id])
          ids.append(id)
          episodes[id] = try ExportedTables.read(
            "\(path)/\(file)", as: file, id, try labels(id), &digest)
          continue
        }
        try digest.add(file, "\(path)/\(file)")
        try Self.checkOnce(id, file, episodes[id])
        ids.append(id)
        let found = try Self.read("\(path)/\(file)", as: file, truth: [id], selected: [id])
        guard let arrays = found.first(where: { $0.id == id }), found.count == 1 else {
          throw TrajpackError(
            .data, file: "\(path)/\(file)",
            "holds predictions of episode '\(found.first { $0.id != id }?.id ?? "")'; "
              + "a file that is named after an episode holds that one alone")
        }
        episodes[id] = arrays.arrays
      }
    } else {
      let name = FileSystem.name(of: path)
      try digest.add(name, path)
      for (id, arrays) in try Self.read(
        path, as: name, truth: truth, selected: selected)
      {
        ids.append(id)
        episodes[id] = arrays
      }
    }
    self.digest = digest.text
  }

  func arrays(_ id: String) throws(TrajpackError) -> PredictedArrays {
    guard let found = episodes[id] else {
      throw TrajpackError(.usage, file: path, "there are no predictions of episode '\(id)'")
    }
    if let last, last !== found { last.forget(cache) }
    found.isShared = cache != nil
    last = found
    return found
  }

  private static func checkOnce(
    _ id: String, _ file: String, _ known: PredictedArrays?
  ) throws(TrajpackError) {
    if let known {
      throw TrajpackError(
        .usage, "\(known.origin) and \(file) both hold episode '\(id)'; keep one of them")
    }
  }

  /// The files of a folder, each with the episode that it is named after.
  private static func members(
    of folder: String, _ truth: [String]
  ) throws(TrajpackError) -> [(id: String, file: String)] {
    var out: [(id: String, file: String)] = []
    func add(_ name: String, below prefix: String) {
      for ending in extensions where name.hasSuffix(".\(ending)") {
        out.append((prefix + name.dropLast(ending.count + 1), prefix + name))
      }
    }
    // Ids may hold slashes: then their files lie in folders.
    var folders: Set<String> = [""]
    let known = Set(truth)
    for id in truth where id.lastSlash != nil && id.isRelativeDescendant {
      folders.insert("\(FileSystem.parent(of: id))/")
    }
    for prefix in folders.sorted() where FileSystem.item(at: "\(folder)/\(prefix)") == .folder {
      let names = try FileSystem.names(in: "\(folder)/\(prefix)")
      for name in names {
        // What is known of whole recordings, beside those that 'trajpack export' wrote.
        if prefix.isEmpty, name == ValueExport.table, names.contains(ValueExport.document) {
          continue
        }
        if FileSystem.item(at: "\(folder)/\(prefix)\(name)") == .file {
          add(name, below: prefix)
        } else if FileSystem.item(at: "\(folder)/\(prefix)\(name)/episode.npz") == .file {
          // The layout of 'trajpack export --to npz', which escapes what no folder's name can hold.
          let id = prefix + name
          let isKnown = known.contains(id)
          out.append((isKnown ? id : prefix + name.unescaped, "\(id)/episode.npz"))
        } else if let id = [prefix + name, prefix + name.unescaped].first(where: known.contains),
          !folders.contains("\(prefix)\(name)/"),
          try ExportedTables.lie(in: "\(folder)/\(prefix)\(name)")
        {
          out.append((id, "\(prefix)\(name)/"))
        }
      }
    }
    return out
  }

  /// What a file holds, by episode.
  private static func read(
    _ path: String, as name: String, truth: [String], selected: [String]
  ) throws(TrajpackError) -> [(id: String, arrays: PredictedArrays)] {
    let file = try LocalFile(path)
    let ending = name.split(separator: ".").last.map { $0.lowercased() } ?? ""
    switch ending {
    case "npz": return try archive(file, truth, selected)
    case "npy":
      let array = try ArrayFile(file)
      let id = try only(selected, path, "an .npy file holds one array")
      return [(id, PredictedArrays(path, [("prediction", reader(array))]))]
    case "csv", "tsv":
      return try PredictionTable.read(
        file, delimiter: ending == "tsv" ? UInt8(ascii: "\t") : nil, selected)
    case "jsonl": return try PredictionLines.read(file)
    default:
      throw TrajpackError(
        .usage, file: path,
        "is no archive and its name does not end in .npz, .npy, .csv, .tsv or .jsonl")
    }
  }

  /// The one episode that a file without ids can mean.
  static func only(
    _ selected: [String], _ path: String, _ why: String
  ) throws(TrajpackError) -> String {
    guard selected.count == 1, let id = selected.first else {
      throw TrajpackError(
        .usage, file: path,
        "\(why) and \(selected.count) episodes are evaluated; put a file named after each "
          + "episode into a folder")
    }
    return id
  }

  private static func archive(
    _ file: LocalFile, _ truth: [String], _ selected: [String]
  ) throws(TrajpackError) -> [(id: String, arrays: PredictedArrays)] {
    let archive = try NPZ(file)
    var found:
      [(id: String, readers: [(name: String, read: () throws(TrajpackError) -> Numbers)])] =
        []
    var plain: [(name: String, read: () throws(TrajpackError) -> Numbers)] = []
    let known = Set(truth)
    var positions: [String: Int] = [:]
    for name in archive.names {
      let read = { () throws(TrajpackError) in try Numbers(archive.array(name)) }
      // 'ID/NAME', where the id is one that the truth has: the longest that fits.
      var parts = name.pathComponents
      var rest: [String] = []
      var id: String?
      while parts.count > 1 {
        rest.insert(parts.removeLast(), at: 0)
        let candidate = parts.joined(separator: "/")
        if known.contains(candidate) {
          id = candidate
          break
        }
      }
      guard let id else {
        plain.append((name, read))
        continue
      }
      let short = rest.joined(separator: "/")
      if let at = positions[id] {
        found[at].readers.append((short, read))
      } else {
        positions[id] = found.count
        found.append((id, [(short, read)]))
      }
    }
    if found.isEmpty {
      let id = try only(selected, file.path, "its arrays are not named 'EPISODE/NAME'")
      return [(id, PredictedArrays(file.path, plain))]
    }
    if let stray = plain.first {
      throw TrajpackError(
        .data, file: file.path,
        "array '\(stray.name)' is not named after an episode of the truth, as "
          + "'\(found[0].id)/…' is")
    }
    return found.map { ($0.id, PredictedArrays(file.path, $0.readers)) }
  }

  private static func reader(_ array: ArrayFile) -> () throws(TrajpackError) -> Numbers {
    { () throws(TrajpackError) in try Numbers(array) }
  }
}

extension Numbers {
  /// The most numbers of an array of predictions: 2 GiB.
  static let most = 1 << 28

  /// The elements of a numpy array.
  convenience init(_ array: ArrayFile) throws(TrajpackError) {
    guard array.header.count <= Self.most else {
      throw TrajpackError(
        .usage, "shape \(array.shape) is more than \(Self.most) numbers; split it by episode")
    }
    self.init(shape: array.shape)
    var at = 0
    let reading = ElementReading(type: array.type, decimals: nil, missing: .never)
    try array.read(leadingAxes: max(array.shape.count, 1)) { (bytes, count) throws(TrajpackError) in
      values.fill(at, bytes, count, reading)
      at += count
    }
  }
}

extension String {
  /// The text with `%2f` and the like as the bytes they stand for; itself where that is no text.
  var unescaped: String {
    guard contains("%") else { return self }
    let bytes = Array(utf8)
    var out: [UInt8] = []
    var at = 0
    while at < bytes.count {
      if bytes[at] == UInt8(ascii: "%"), at + 2 < bytes.count,
        let byte = UInt8(String(decoding: bytes[at + 1...at + 2], as: UTF8.self), radix: 16)
      {
        out.append(byte)
        at += 3
      } else {
        out.append(bytes[at])
        at += 1
      }
    }
    return String(validating: out, as: UTF8.self) ?? self
  }
}
