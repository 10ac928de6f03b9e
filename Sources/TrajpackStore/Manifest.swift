import TrajpackCodecs
import TrajpackFormat

/// The list of a dataset's shards, written when a conversion is finished; `manifest.json`.
public struct Manifest: Sendable, Equatable {
  /// The name of the file in a dataset's folder.
  public static let fileName = "manifest.json"

  /// A shard that was committed.
  public struct Entry: Sendable, Equatable {
    /// The name of the file in the dataset's folder.
    public var name: String
    /// What was committed.
    public var receipt: ShardWriter.Receipt

    /// A shard and what was committed.
    public init(name: String, receipt: ShardWriter.Receipt) {
      self.name = name
      self.receipt = receipt
    }

    /// The JSON of the manifest's list.
    public var json: JSONValue {
      .record([
        "name": .string(name), "bytes": .int(Int64(receipt.bytes)),
        "sha256": .string(receipt.sha256), "episodes": .int(Int64(receipt.episodes)),
        "rows": .int(Int64(receipt.rows)),
      ])
    }

    init(_ reader: JSONReader) throws(TrajpackError) {
      name = try reader.text("name")
      // The name comes from a file: it may only ever mean a file in the same folder.
      guard name.hasPrefix("shard-"), name.hasSuffix(".h5"), name.utf8.count <= 200,
        name.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7F && $0 != UInt8(ascii: "/") })
      else {
        throw reader.wrong("a shard's name, not '\(name)'")
      }
      func count(_ name: String) throws(TrajpackError) -> Int {
        let number = try reader.integer(name)
        // Sums over the shards of a dataset stay far within 64 bits.
        guard (0...1 << 40).contains(number) else { throw reader.wrong("a possible '\(name)'") }
        return number
      }
      let sha256 = try reader.text("sha256")
      guard let digest = FileDigest(hexadecimal: sha256) else {
        throw reader.wrong("a SHA-256 of 64 hexadecimal digits, not '\(sha256)'")
      }
      receipt = ShardWriter.Receipt(
        bytes: try count("bytes"), digest: digest, episodes: try count("episodes"),
        rows: try count("rows"))
    }
  }

  /// The shards, in order.
  public var shards: [Entry]
  /// Where the data came from and how it was converted; an object.
  public var source: JSONValue
  /// The statistics of all shards together; an object, or `nil` where the manifest was read from a file.
  public var statistics: JSONValue?
  /// The side files, each role and name once.
  public var sideFiles: [SideFile]
  /// The version that a manifest which was read from a file says; ``version`` where it was made here.
  public private(set) var readVersion: String

  /// The versions that this trajpack writes.
  static let known = ["1.0", "1.1", "2.0"]

  /// A manifest.
  public init(
    shards: [Entry], source: JSONValue, statistics: JSONValue?, sideFiles: [SideFile] = [],
    readVersion: String? = nil
  ) {
    self.shards = shards
    self.source = source
    self.statistics = statistics
    self.sideFiles = sideFiles
    self.readVersion = readVersion ?? Self.version(of: sideFiles)
  }

  private static func version(of sideFiles: [SideFile]) -> String {
    sideFiles.isEmpty ? "1.0" : sideFiles.contains(where: \.isRequired) ? "2.0" : "1.1"
  }

  /// The version of the file: 1.0; with side files 1.1; 2.0 where a reader must know one of them.
  public var version: String { Self.version(of: sideFiles) }

  /// The name of the shard of that number: six digits or more.
  public static func shardName(_ number: Int) -> String {
    let digits = String(number)
    return "shard-" + String(repeating: "0", count: max(6 - digits.count, 0)) + digits + ".h5"
  }

  /// Whether a file of that name in a dataset's folder is a shard.
  public static func isShard(_ name: String) -> Bool {
    name.hasPrefix("shard-") && name.hasSuffix(".h5")
  }

  /// The number in the name of a shard; `nil` where trajpack did not name it.
  package static func number(ofShard name: String) -> Int? {
    guard isShard(name) else { return nil }
    let digits = name.dropFirst("shard-".count).dropLast(".h5".count)
    guard (6...15).contains(digits.utf8.count), let number = Int(digits),
      shardName(number) == name
    else { return nil }
    return number
  }

  /// Whether a file of that name in a dataset's folder is trajpack's own, to be written anew.
  public static func owns(_ name: String) -> Bool {
    name == Journal.fileName || name.hasPrefix(".tmp-") || isShard(name)
      || SideFile.isSideFile(name)
  }

  /// Ends the writing of a dataset: writes the manifest of its shards, removes the files that it does not
  /// name any more, then the journal.
  public static func finish(
    _ folder: String, shards: [Entry], source: JSONValue, sideFiles: [SideFile] = [],
    removing names: [String] = []
  ) throws(TrajpackError) {
    var statistics = DatasetStatistics()
    for entry in shards { try statistics.add(try Shard("\(folder)/\(entry.name)")) }
    let manifest = Manifest(
      shards: shards, source: source, statistics: statistics.json, sideFiles: sideFiles)
    try manifest.write(toFolder: folder)
    if !names.isEmpty {
      for name in names { try FileSystem.remove("\(folder)/\(name)") }
      // They go for good before the journal does: without it, they would be orphans.
      try FileSystem.syncFolder(folder)
    }
    try FileSystem.remove("\(folder)/\(Journal.fileName)")
    try FileSystem.syncFolder(folder)
  }

  /// The bytes of the file.
  var bytes: [UInt8] { Array((json.text(indent: 1) + "\n").utf8) }

  /// Puts the file in a dataset's folder, in the place of the one that is there, durably.
  func write(toFolder folder: String) throws(TrajpackError) {
    try FileSystem.replace("\(folder)/\(Self.fileName)", with: bytes)
  }

  /// A digest of the dataset's content: of its shards' names and digests.
  public var digest: String {
    var hash = SHA256()
    for shard in shards {
      Array("\(shard.name) \(shard.receipt.sha256)\n".utf8).withUnsafeBytes { hash.add($0) }
    }
    return hash.hexadecimal()
  }

  /// The JSON of the file; see `schemas/manifest.schema.json`.
  public var json: JSONValue {
    .record([
      "format": "trajpack dataset", "version": .string(version), "digest": .string(digest),
      "shards": .array(shards.map(\.json)),
      "side_files": sideFiles.isEmpty ? nil : .array(sideFiles.map(\.json)),
      "source": source, "statistics": statistics,
    ])
  }

  /// Whether the file at `path` says that it is a manifest, be it damaged or not.
  public static func isManifest(_ path: String) -> Bool {
    guard let file = try? LocalFile(path), let head = try? file.bytes(0..<min(file.length, 4096))
    else {
      return false
    }
    return String(decoding: head, as: UTF8.self).contains("\"trajpack dataset\"")
  }

  /// Reads a manifest that is in memory; see ``init(inFolder:)`` for files.
  public init(json: JSONValue) throws(TrajpackError) {
    let reader = JSONReader(json, at: Self.fileName)
    source = try Self.head(reader)
    shards = try reader.list("shards") { (r) throws(TrajpackError) in try Entry(r) }
    statistics = try reader.object("statistics")
    sideFiles = try Self.sideFiles(reader)
    readVersion = try reader.text("version")
    try check(digest: try reader.text("digest"))
  }
}

extension Manifest.Entry {
  /// The journal's record of a shard.
  public var record: JSONValue {
    .object([JSONValue.Member("type", "shard")] + (json.members ?? []))
  }

  /// The shard of a journal's record; `nil` for a record of another type.
  public init?(record: JSONValue, number: Int) throws(TrajpackError) {
    guard record["type"]?.string == "shard" else { return nil }
    try self.init(JSONReader(record, at: "record \(number) of the journal"))
  }
}
