import TrajpackFormat
import TrajpackRemote

/// A prefix of a bucket, to which a writer moves each shard before it acknowledges it.
///
/// A shard that is there by its name stays: it is the same, or an error. So two writers cannot mix, as far as the server
/// knows `If-None-Match`; and a run after a crash finds again what the crashed one had sent. The manifest comes last, and
/// every shard is looked at before. What a crash leaves are objects that no manifest names (``BucketOrphans``).
public struct BucketHome: DatasetHome {
  /// `s3://bucket/prefix`.
  public var path: String { bucket.path }
  /// Files are moved.
  public var isFolder: Bool { false }
  private let bucket: RemoteBucket
  /// The folder of this machine in which its files are made.
  public let staging: StagingFolder

  /// The multipart upload that is under way; a run after a crash gives it up.
  private static let noteName = ".tmp-upload"

  /// The home of a dataset in a bucket, whose files are made in a staging folder.
  ///
  /// - Parameter parent: The folder that the staging folder is made in; `$TMPDIR` or `/tmp` where `nil`.
  public init(_ path: String, stagingIn parent: String?) throws(TrajpackError) {
    bucket = try RemoteBucket(path)
    staging = try StagingFolder(for: bucket.path, in: parent)
  }

  /// Refuses a prefix with a dataset or, unless it is gone on with, with anything else.
  public func prepare(resume: Bool) throws(TrajpackError) -> Manifest? {
    try abortNoted()
    for name in try FileSystem.names(in: staging.path)
    where name.hasPrefix(".tmp-") || Manifest.isShard(name) || SideFile.isSideFile(name) {
      try FileSystem.remove("\(staging.path)/\(name)")
    }
    if try bucket.facts(of: Manifest.fileName) != nil {
      guard resume else { throw Self.taken(path) }
      return try Manifest(inFolder: path)
    }
    guard !resume else { return nil }
    try refuseParts(
      goingOn: "--resume goes on with it where sources and options are the same")
    return nil
  }

  private static func taken(_ path: String) -> TrajpackError {
    TrajpackError(
      .usage, file: path,
      "holds a dataset already, and a dataset in a bucket is not replaced; name another prefix")
  }

  /// Refuses a prefix below which something lies.
  private func refuseParts(goingOn: String) throws(TrajpackError) {
    var first: RemoteBucket.Object?
    try bucket.list(most: 2) { (page) throws(TrajpackError) in
      first = page.first { !$0.name.isEmpty }
      return first == nil && !page.isEmpty
    }
    guard let first else { return }
    throw TrajpackError(
      .usage, file: path,
      Manifest.owns(first.name)
        ? "holds parts of a dataset that was not finished (\(first.name)): \(goingOn), and "
          + "'trajpack gc \(path)' names and removes them"
        : "is not empty (\(first.name)); name a new prefix")
  }

  /// Refuses a prefix that holds a dataset or, unless a writer has begun one in the staging folder, anything else; gives up
  /// the upload that a crash has left.
  ///
  /// - Parameter shards: Those that the writer has acknowledged. Where the dataset there is of these, the staging folder
  ///   is what a stopped end of that writer has left, and goes.
  func refuseTaken(by shards: [Manifest.Entry], isBegun: Bool) throws(TrajpackError) {
    try abortNoted()
    if try bucket.facts(of: Manifest.fileName) != nil {
      guard isBegun, try Manifest(inFolder: path).shards == shards else { throw Self.taken(path) }
      try staging.remove()
      throw TrajpackError(
        .usage, file: path,
        "is finished: the writer that was stopped had written all of "
          + "\(counted(shards.reduce(0) { $0 + $1.receipt.episodes }, "episode")); open it")
    }
    guard !isBegun else { return }
    try refuseParts(
      goingOn:
        "mode 'a' goes on with it on the machine and with the 'staging' of the writer that was stopped"
    )
  }

  private func abortNoted() throws(TrajpackError) {
    let note = "\(staging.path)/\(Self.noteName)"
    guard let file = try? LocalFile(note), let bytes = try? file.bytes(0..<file.length),
      let json = try? JSONValue(parsing: bytes), let name = json["name"]?.string,
      let id = json["upload"]?.string
    else { return }
    try bucket.abort(name, upload: id)
  }

  /// Those that are missing in the bucket, or are others.
  public func damages(
    of shards: [Manifest.Entry], comparesBytes: Bool
  ) throws(TrajpackError) -> [Int: String] {
    var damaged: [Int: String] = [:]
    for (number, facts) in try bucket.facts(of: shards.map(\.name)).enumerated() {
      damaged[number] = difference(facts, shards[number])
    }
    return damaged
  }

  private func difference(_ facts: RemoteBucket.Facts?, _ entry: Manifest.Entry) -> String? {
    let shard = bucket.path(of: entry.name)
    guard let facts else { return "\(shard): was missing" }
    if facts.bytes != entry.receipt.bytes {
      return "\(shard): had \(facts.bytes) bytes instead of \(entry.receipt.bytes)"
    }
    return facts.sha256 == entry.receipt.sha256 ? nil : "\(shard): was another (by its SHA-256)"
  }

  /// Uploads a shard from the staging folder.
  public func take(_ shard: Manifest.Entry, replacing: Bool) throws(TrajpackError) {
    let file = try LocalFile("\(staging.path)/\(shard.name)")
    let content = RemoteBucket.Content(
      bytes: file.length, sha256: shard.receipt.sha256, path: file.path
    ) { (offset, buffer) throws(TrajpackError) in try file.read(at: offset, into: buffer) }
    try bucket.put(
      shard.name, content, replacing: replacing,
      note: { (id) throws(TrajpackError) in try note(shard.name, id) })
  }

  private func note(_ name: String, _ id: String?) throws(TrajpackError) {
    let path = "\(staging.path)/\(Self.noteName)"
    guard let id else { return try FileSystem.remove(path) }
    try FileSystem.replace(
      path,
      with: Array(
        JSONValue.record(["name": .string(name), "upload": .string(id)]).text().utf8))
  }

  /// Removes the shard from the staging folder.
  public func release(_ shard: Manifest.Entry) throws(TrajpackError) {
    try FileSystem.remove("\(staging.path)/\(shard.name)")
  }

  /// Uploads the side files, looks at every shard once more, writes the manifest, and removes the staging folder.
  public func finish(_ manifest: Manifest) throws(TrajpackError) {
    for file in manifest.sideFiles {
      let local = try LocalFile("\(staging.path)/\(file.file)")
      try bucket.put(
        file.file, .init(try local.bytes(0..<local.length), path: local.path),
        type: "application/json")
    }
    let damaged = try damages(of: manifest.shards, comparesBytes: false)
    if let found = damaged.min(by: { $0.key < $1.key }) {
      throw TrajpackError(
        .data,
        "\(found.value) after it had been uploaded, so no manifest was written: another program changes what lies below "
          + "\(path)")
    }
    try bucket.put(
      Manifest.fileName, .init(manifest.bytes, path: Manifest.fileName), type: "application/json")
    try staging.remove()
  }
}
