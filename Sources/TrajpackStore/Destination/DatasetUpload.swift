import TrajpackFormat
import TrajpackRemote

/// Copies a finished dataset into a bucket: its shards, its side files, and its manifest last. What is there already with
/// the same content is not sent again, so that the same call goes on after any end.
public struct DatasetUpload {
  /// What came of it.
  public struct Outcome: Sendable, Equatable {
    /// Objects that were written.
    public var stored = 0
    /// Their bytes.
    public var storedBytes = 0
    /// Objects that were there with the same content.
    public var there = 0
  }

  private struct File {
    let name: String
    let path: String
    let bytes: Int
    let sha256: String
    let type: String
  }

  private let dataset: Dataset
  private let bucket: RemoteBucket
  private let files: [File]
  private let manifest: RemoteBucket.Content

  /// Where it goes, without secrets.
  public var destination: String { bucket.path }
  /// Objects in all.
  public var count: Int { files.count + 1 }
  /// Their bytes.
  public var bytes: Int { files.reduce(manifest.bytes) { $0 + $1.bytes } }
  /// Episodes of the dataset.
  public let episodes: Int

  /// Looks at a dataset; nothing is sent.
  ///
  /// - Throws: A usage error where it is a single shard, or not finished.
  public init(_ path: String, to destination: String) throws(TrajpackError) {
    bucket = try RemoteBucket(destination)
    let dataset = try Dataset(path)
    self.dataset = dataset
    guard let listed = dataset.manifest else {
      throw TrajpackError(
        .usage,
        dataset.unfinished.map { "\($0), and a finished one can be uploaded" }
          ?? "\(path): is a single shard, and datasets are uploaded; give the folder of one ('trajpack split --into DIR' makes "
          + "one of a shard)")
    }
    let folder = dataset.listFolder
    let file = try ByteSources.open("\(folder)/\(Manifest.fileName)")
    manifest = .init(try file.bytes(0..<file.length), path: file.path)
    var files = listed.shards.enumerated().map { number, entry in
      File(
        name: entry.name, path: dataset.path(ofShard: number), bytes: entry.receipt.bytes,
        sha256: entry.receipt.sha256, type: "application/x-hdf5")
    }
    files += listed.sideFiles.map {
      File(
        name: $0.file, path: "\(folder)/\($0.file)", bytes: $0.bytes, sha256: $0.sha256,
        type: "application/json")
    }
    self.files = files
    episodes = listed.shards.reduce(0) { $0 + $1.receipt.episodes }
  }

  /// Uploads.
  ///
  /// - Parameters:
  ///   - began: Told of each file.
  ///   - took: Told how many more bytes are in the bucket.
  /// - Throws: A usage error where something else is there by one of the names; a data error where a file is not what
  ///   the manifest lists. Then there is no manifest, and what was sent is orphans.
  public func run(
    began: (String) -> Void = { _ in }, took: (_ bytes: Int, _ files: Int) -> Void = { _, _ in }
  ) throws(TrajpackError) -> Outcome {
    var outcome = Outcome()
    if let facts = try bucket.facts(of: Manifest.fileName), !Self.isSame(facts, manifest) {
      throw TrajpackError(
        .usage, file: bucket.path,
        "holds another dataset, which is not replaced; name another prefix")
    }
    let present = try bucket.facts(of: files.map(\.name))
    for (file, facts) in zip(files, present) {
      began(file.name)
      if let facts, facts.bytes == file.bytes, facts.sha256 == file.sha256 {
        outcome.there += 1
        took(file.bytes, 1)
        continue
      }
      let source = try ByteSources.open(file.path)
      guard source.length == file.bytes else {
        throw TrajpackError(
          .data, file: file.path,
          "has \(source.length) bytes where the manifest says \(file.bytes); restore it from a copy"
        )
      }
      let content = RemoteBucket.Content(
        bytes: file.bytes, sha256: file.sha256, path: file.path
      ) { (offset, buffer) throws(TrajpackError) in try source.read(at: offset, into: buffer) }
      let stored = try bucket.put(file.name, content, type: file.type, took: { took($0, 0) })
      took(0, 1)
      if stored == .stored {
        outcome.stored += 1
        outcome.storedBytes += file.bytes
      } else {
        outcome.there += 1
      }
    }
    for (file, facts) in zip(files, try bucket.facts(of: files.map(\.name)))
    where facts?.bytes != file.bytes || facts?.sha256 != file.sha256 {
      throw TrajpackError(
        .data, file: bucket.path(of: file.name),
        "is missing or another after it had been uploaded, so no manifest was written: another program changes what lies "
          + "below \(bucket.path)")
    }
    guard dataset.isCurrent else {
      throw TrajpackError(
        .data, file: dataset.path,
        "was changed or replaced while it was uploaded, so no manifest was written; run the command again, with another "
          + "prefix where it holds other shards")
    }
    if try bucket.put(Manifest.fileName, manifest, type: "application/json") == .stored {
      outcome.stored += 1
      outcome.storedBytes += manifest.bytes
    } else {
      outcome.there += 1
    }
    took(manifest.bytes, 1)
    return outcome
  }

  private static func isSame(
    _ facts: RemoteBucket.Facts, _ content: RemoteBucket.Content
  ) -> Bool { facts.bytes == content.bytes && facts.sha256 == content.sha256 }
}
