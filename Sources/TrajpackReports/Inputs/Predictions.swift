import TrajpackCodecs
import TrajpackFormat
import TrajpackSources
import TrajpackStore

/// What a model said: an archive with the same episode ids, or files as `schemas/predictions.md` describes
/// them.
enum Predictions {
  case archive(Archive)
  case files(PredictionFiles)

  /// Opens what lies at `path`, for the episodes that the truth has and those of them that are selected.
  ///
  /// - Throws: A usage error where nothing there is a prediction.
  init(
    _ path: String, truth: Archive, selected: [String], media: String?
  ) throws(TrajpackError) {
    guard Dataset.isRemote(path) || FileSystem.item(at: path) != nil else {
      throw FileSystem.noFile(at: path)
    }
    if !Dataset.isDataset(path) { try SourceCheck.check([path]) }
    self =
      Dataset.isDataset(path)
      ? .archive(try Archive(path, media: media))
      : .files(
        try PredictionFiles(path, truth: truth.ids, selected: selected) {
          (id) throws(TrajpackError) in
          try truth.recording(id).tracks.map(\.label)
        })
  }

  /// What it is: `archive` or `files`.
  var form: String {
    switch self {
    case .archive: return "archive"
    case .files: return "files"
    }
  }

  var digest: String {
    switch self {
    case .archive(let archive): return archive.data.digest
    case .files(let files): return files.digest
    }
  }

  /// The episodes that there are predictions of.
  var ids: [String] {
    switch self {
    case .archive(let archive): return archive.ids
    case .files(let files): return files.ids
    }
  }

  /// The predictions of an episode.
  func episode(_ id: String) throws(TrajpackError) -> PredictedEpisode {
    switch self {
    case .archive(let archive): return .recording(try archive.recording(id))
    case .files(let files): return .arrays(try files.arrays(id))
    }
  }
}

/// The predictions of one episode.
enum PredictedEpisode {
  case recording(ArchiveEpisode)
  case arrays(PredictedArrays)

  /// The names of what there is.
  var names: [String] {
    switch self {
    case .recording(let recording): return recording.entries.map(\.path)
    case .arrays(let arrays): return arrays.names
    }
  }

  func holds(_ name: String) -> Bool { names.contains(name) }
}

/// Arrays by name, read when they are asked for.
final class PredictedArrays {
  /// Where the arrays come from, as errors say it.
  let origin: String
  private let readers: [(name: String, read: () throws(TrajpackError) -> Numbers)]
  private let positions: [String: Int]
  private var kept: [String: Numbers] = [:]
  /// Whether several metrics take the arrays, so that each gets a copy.
  var isShared = false
  /// What stays for the metrics that follow.
  private var lasting: Set<String> = []

  init(_ origin: String, _ readers: [(name: String, read: () throws(TrajpackError) -> Numbers)]) {
    self.origin = origin
    self.readers = readers
    positions = Dictionary(
      readers.enumerated().map { ($1.name, $0) }, uniquingKeysWith: { first, _ in first })
  }

  var names: [String] { readers.map(\.name) }

  /// Lets go of what was read, but for what there is room for.
  func forget(_ cache: ReadCache?) {
    guard let cache else {
      kept = [:]
      return
    }
    for (name, numbers) in kept where !lasting.contains(name) {
      if cache.takeRoom(for: numbers.values.count) {
        lasting.insert(name)
      } else {
        kept[name] = nil
      }
    }
  }

  /// The array of that name; nil where there is none.
  func array(_ name: String) throws(TrajpackError) -> Numbers? {
    if let known = kept[name] { return isShared ? known.copied : known }
    guard let reader = positions[name].map({ readers[$0] }) else { return nil }
    let numbers = try within("\(origin), '\(name)'") { () throws(TrajpackError) in
      try reader.read()
    }
    // What 'trajpack export' writes beside integers that were not all observed.
    if let mask = positions["\(name).observed"].map({ readers[$0] }) {
      let observed = try mask.read()
      if observed.shape == numbers.shape {
        for index in 0..<numbers.values.count where observed.values[index] == 0 {
          numbers.values[index] = .nan
        }
      }
    }
    kept[name] = isShared ? numbers.copied : numbers
    return numbers
  }
}

/// The digest of files: of their names and contents, in the order of the names.
struct FilesDigest {
  private var hash = SHA256()

  mutating func add(_ name: String, _ path: String) throws(TrajpackError) {
    let line = Array("\(name) \(try LocalFile(path).sha256())\n".utf8)
    line.withUnsafeBytes { hash.add($0) }
  }

  var text: String {
    var copy = hash
    return copy.hexadecimal()
  }
}
