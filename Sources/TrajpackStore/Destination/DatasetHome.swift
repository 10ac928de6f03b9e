import TrajpackFormat

/// Where the files of a dataset are when they are finished: in the folder in which a writer makes them, or in a bucket
/// to which it moves each. A writer makes its files and keeps its journal in a folder of this machine either way.
public protocol DatasetHome: Sendable {
  /// Where readers find the dataset.
  var path: String { get }
  /// Whether files stay in the writer's folder.
  var isFolder: Bool { get }

  /// Refuses a home that holds something else than what is to be gone on with, and clears the writer's folder of what
  /// was not acknowledged.
  ///
  /// - Parameter resume: Go on with what is there.
  /// - Returns: The manifest of a dataset that is finished; `nil` for none.
  func prepare(resume: Bool) throws(TrajpackError) -> Manifest?

  /// The acknowledged shards that are not what they were, by number, each with a sentence.
  ///
  /// - Parameter comparesBytes: Compares their bytes with their SHA-256 where that is near; else their lengths.
  func damages(
    of shards: [Manifest.Entry], comparesBytes: Bool
  ) throws(TrajpackError) -> [Int: String]

  /// Takes a shard that is durable in the writer's folder, before it is acknowledged.
  ///
  /// - Parameter replacing: In the place of a damaged one.
  func take(_ shard: Manifest.Entry, replacing: Bool) throws(TrajpackError)

  /// Lets the writer's copy of an acknowledged shard go.
  func release(_ shard: Manifest.Entry) throws(TrajpackError)

  /// Makes the dataset a finished one: its manifest comes last.
  func finish(_ manifest: Manifest) throws(TrajpackError)
}

/// The folder in which the files are made.
public struct FolderHome: DatasetHome {
  /// The folder.
  public let path: String
  /// Files stay.
  public var isFolder: Bool { true }

  /// The home of a dataset in a folder.
  public init(_ path: String) { self.path = path }

  /// The manifest that is there.
  public func prepare(resume: Bool) throws(TrajpackError) -> Manifest? {
    guard FileSystem.item(at: "\(path)/\(Manifest.fileName)") == .file else { return nil }
    return try Manifest(inFolder: path)
  }

  /// Those that are missing, have another length, or another SHA-256.
  public func damages(
    of shards: [Manifest.Entry], comparesBytes: Bool
  ) throws(TrajpackError) -> [Int: String] {
    var damaged: [Int: String] = [:]
    for (number, entry) in shards.enumerated() {
      let shard = "\(path)/\(entry.name)"
      switch FileSystem.item(at: shard) {
      case nil: damaged[number] = "\(shard): was missing"
      case .file:
        let file = try LocalFile(shard)
        if file.length != entry.receipt.bytes {
          damaged[number] =
            "\(shard): had \(file.length) bytes instead of \(entry.receipt.bytes)"
        } else if comparesBytes, try file.sha256() != entry.receipt.sha256 {
          damaged[number] = "\(shard): was damaged (its SHA-256 was another)"
        }
      default:
        throw TrajpackError(
          .data, "\(shard): is no file, where the dataset has a shard; move it elsewhere")
      }
    }
    return damaged
  }

  /// Nothing: it is there.
  public func take(_ shard: Manifest.Entry, replacing: Bool) {}

  /// Nothing: it stays.
  public func release(_ shard: Manifest.Entry) {}

  /// Writes the manifest, then removes the journal.
  public func finish(_ manifest: Manifest) throws(TrajpackError) {
    try manifest.write(toFolder: path)
    try FileSystem.remove("\(path)/\(Journal.fileName)")
    try FileSystem.syncFolder(path)
  }
}
