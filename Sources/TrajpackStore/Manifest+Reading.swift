import TrajpackFormat

extension Manifest {
  /// The most bytes of a manifest: about a million and a half shards.
  public static let longest = 256 << 20
  /// The most bytes of a manifest's `source`, which is a journal's plan.
  public static let longestSource = Journal.longestRecord
  /// The most bytes of the JSON of one shard in the list.
  static let longestEntry = 4 << 10
  /// The fewest bytes that a shard takes there.
  static let shortestEntry = 128

  /// Reads the manifest of a dataset, shard by shard. Its statistics are read over: they are those of the
  /// shards, from which they can be had (``StatisticsCheck``).
  ///
  /// - Throws: A data error that names the file and the byte or member that is damaged.
  public init(inFolder folder: String) throws(TrajpackError) {
    let file = try ByteSources.open("\(folder)/\(Self.fileName)")
    let remedy =
      Dataset.isRemote(folder)
      ? "restore it from a copy, or copy the folder to this machine and run 'trajpack repair' there, which lists the shards "
        + "anew"
      : "restore it from a copy, or run 'trajpack repair \(folder)', which lists the shards anew"
    guard file.length <= Self.longest else {
      throw TrajpackError(
        .data, file: file.path,
        "has \(file.length) bytes, where a manifest has at most \(Self.longest); "
          + remedy)
    }
    let head = try file.bytes(0..<min(file.length, 16))
    guard !head.allSatisfy({ $0 == 0 }) else {
      throw TrajpackError(
        .data, file: file.path,
        "is damaged: it \(head.isEmpty ? "is empty" : "begins with zeros"); \(remedy)"
      )
    }
    do throws(TrajpackError) {
      self = try Self.read(file)
    } catch {
      guard error.fault == .data, !error.message.hasSuffix("use a newer one") else { throw error }
      let place = error.message.hasPrefix(Self.fileName) ? folder + "/" : file.path + ": "
      throw TrajpackError(.data, "\(place)\(error.message); \(remedy)", at: error.place)
    }
  }

  private static func read(_ file: any ByteSource) throws(TrajpackError) -> Manifest {
    var stream = JSONStream(file)
    var shards: [Entry]?
    var members: [JSONValue.Member] = []
    var seen: Set<String> = []
    try stream.object { (stream, name) throws(TrajpackError) in
      switch name {
      case "format", "version", "digest", "source", "shards", "statistics", "side_files":
        guard seen.insert(name).inserted else {
          throw stream.wrong("each member once, but '\(name)' comes twice")
        }
      default: return try stream.value()
      }
      switch name {
      case "shards":
        var list: [Entry] = []
        // Room for all, of which only what is filled takes memory; growing would copy it again and again.
        list.reserveCapacity(file.length / shortestEntry)
        try stream.array { (stream) throws(TrajpackError) in
          let text = try stream.text(atMost: longestEntry)
          list.append(
            try Entry(JSONReader(JSONValue(parsing: text), at: "\(fileName).shards[\(list.count)]"))
          )
        }
        shards = list
      case "statistics": try stream.value()
      default:
        let text = try stream.text(atMost: longestSource)
        members.append(.init(name, try JSONValue(parsing: text, mostValues: Journal.mostValues)))
      }
    }
    try stream.end()
    let reader = JSONReader(.object(members), at: fileName)
    let source = try head(reader)
    guard seen.contains("statistics") else {
      throw TrajpackError(.data, "\(fileName) is damaged: it has no member 'statistics'")
    }
    guard let shards else {
      throw TrajpackError(.data, "\(fileName) is damaged: it has no member 'shards'")
    }
    let manifest = Manifest(
      shards: shards, source: source, statistics: nil, sideFiles: try sideFiles(reader),
      readVersion: try reader.text("version"))
    try manifest.check(digest: try reader.text("digest"))
    return manifest
  }

  /// Checks format and version, and gives the source.
  static func head(_ reader: JSONReader) throws(TrajpackError) -> JSONValue {
    guard try reader.text("format") == "trajpack dataset" else {
      throw reader.wrong("a trajpack dataset")
    }
    let version = try reader.text("version")
    guard version.hasPrefix("1.") || version.hasPrefix("2.") else {
      throw TrajpackError(
        .data,
        "\(fileName) has version \(version), which this trajpack "
          + "cannot read; use a newer one")
    }
    return try reader.object("source")
  }

  /// The side files that a manifest lists.
  static func sideFiles(_ reader: JSONReader) throws(TrajpackError) -> [SideFile] {
    guard reader.value["side_files"] != nil else { return [] }
    let files = try reader.list("side_files") { (r) throws(TrajpackError) in try SideFile(r) }
    try SideFile.check(files)
    return files
  }

  /// Checks that each shard comes once, and the digest of all.
  func check(digest: String) throws(TrajpackError) {
    var names = DistinctNames()
    for (number, shard) in shards.enumerated()
    where !names.insert(shard.name, behind: shards[..<number]) {
      throw TrajpackError(.data, "\(Self.fileName) is damaged: expected each shard once")
    }
    guard digest == self.digest else {
      throw TrajpackError(
        .data, "\(Self.fileName) is damaged: its digest is not that of its shards")
    }
  }

  /// The text of the statistics of a manifest that has been read, of at most `limit` bytes; `nil` where
  /// it is longer.
  static func statistics(
    inFolder folder: String, atMost limit: Int
  ) throws(TrajpackError) -> JSONValue? {
    var stream = JSONStream(try ByteSources.open("\(folder)/\(fileName)"))
    var found: JSONValue?
    do throws(TrajpackError) {
      try stream.object { (stream, name) throws(TrajpackError) in
        guard name == "statistics" else { return try stream.value() }
        found = try JSONValue(parsing: try stream.text(atMost: limit))
      }
    } catch { if error.fault == .machine { throw error } }
    return found
  }
}

/// Finds a name that comes twice in a list of shards. While their numbers rise, as trajpack's do, that needs
/// no memory.
struct DistinctNames {
  private var highest = -1
  private var all: Set<String>?

  /// Notes the name behind those of `before`; `false` where it is one of them.
  mutating func insert(_ name: String, behind before: ArraySlice<Manifest.Entry>) -> Bool {
    if all == nil {
      if let number = Manifest.number(ofShard: name), number > highest {
        highest = number
        return true
      }
      all = Set(before.map(\.name))
    }
    return all?.insert(name).inserted ?? false
  }
}
