import TrajpackCodecs
import TrajpackFormat

/// A list of clips, as `schemas/clips.schema.json` describes it; read from CSV, JSON or JSON lines.
public struct ClipList: Sendable {
  /// What JSON documents of clips say of themselves.
  public static let format = "trajpack.clips/1"

  /// The clips, in their order.
  public private(set) var clips: [Clip]
  /// What errors call the list: a path, or the name of an option.
  public let source: String

  /// The most bytes of a file of clips.
  static let mostBytes = 1 << 28

  /// A list of clips that somebody made.
  ///
  /// - Throws: A usage error where two clips have one id, or there is none.
  public init(_ clips: [Clip], source: String) throws(TrajpackError) {
    self.clips = clips
    self.source = source
    guard !clips.isEmpty else {
      throw TrajpackError(.usage, file: source, "there is no clip in it; give at least one")
    }
    var first: [String: Int] = [:]
    var faults = ClipFaults(source)
    for (number, clip) in clips.enumerated() {
      if let other = first.updateValue(number, forKey: clip.id) {
        first[clip.id] = other
        faults.add(
          "\(clip.place) and \(clips[other].place) both have the id '\(clip.id)'; give each clip an 'id' of "
            + "its own")
      }
    }
    try faults.check()
  }

  /// Reads a list: an array of objects, or an object with the member `clips`.
  ///
  /// - Throws: A usage error with a sentence for each of the first entries that are wrong, and how many
  ///   more are.
  public init(json: JSONValue, source: String) throws(TrajpackError) {
    var entries = json.array
    if entries == nil, json.members != nil {
      if json["episode"] != nil {
        entries = [json]
      } else if let format = json["format"], format != .string(Self.format) {
        throw TrajpackError(
          .usage, file: source, "its 'format' is \(format.text()), but must be \"\(Self.format)\"")
      } else {
        entries = json["clips"]?.array
      }
    }
    guard let entries else {
      throw TrajpackError(
        .usage, file: source,
        "must be a list of clips, like "
          + "[{\"episode\": \"000001\", \"start\": 3.5, \"rows\": 81, \"rate\": 16}]")
    }
    try self.init(entries.enumerated().map { ("clip \($0)", $1) }, source: source)
  }

  /// Reads a file: CSV with a header, a JSON document, or a JSON object a line.
  ///
  /// - Throws: A usage error for a file that is not there or is no list of clips.
  public init(file path: String) throws(TrajpackError) {
    let file = try LocalFile(path)
    guard file.length <= Self.mostBytes else {
      throw TrajpackError(.usage, file: path, "is too long for a list of clips (over 256 MiB)")
    }
    try self.init(bytes: try file.bytes(0..<file.length), source: path)
  }

  /// Reads the bytes of a file of clips.
  public init(bytes: [UInt8], source: String) throws(TrajpackError) {
    let body = bytes.starts(with: [0xEF, 0xBB, 0xBF]) ? Array(bytes.dropFirst(3)) : bytes
    let first = body.first { ![0x20, 0x09, 0x0A, 0x0D].contains($0) }
    guard first == UInt8(ascii: "{") || first == UInt8(ascii: "[") else {
      try self.init(try Self.table(body, source), source: source)
      return
    }
    if first == UInt8(ascii: "{"), let entries = try Self.lines(body, source) {
      try self.init(entries, source: source)
      return
    }
    let document = try within(file: source) { () throws(TrajpackError) in
      do throws(TrajpackError) { return try JSONValue(parsing: body) } catch {
        throw TrajpackError(
          .usage, "is neither CSV, JSON nor JSON lines: \(error.message)", at: error.place)
      }
    }
    try self.init(json: document, source: source)
  }

  /// The list that a dataset has under a name, in a side file.
  ///
  /// - Throws: A usage error where it has none; a data error where the file is damaged.
  public init(saved name: String, in dataset: Dataset) throws(TrajpackError) {
    guard let content = try dataset.content(.clips, named: name) else {
      let names = dataset.sideFiles(.clips).map(\.name)
      let isFile = FileSystem.item(at: name) == .file
      throw TrajpackError(
        .usage, file: dataset.path,
        "has no clips '\(name)'"
          + (isFile
            ? "; a file of clips has a name that ends in .csv, .json or .jsonl, or a / in it"
            : Suggestion.text(for: name, among: names)))
    }
    try self.init(json: content, source: "clips '\(name)' of \(dataset.path)")
  }

  /// Whether a text means a file of clips, and not the name of a list that a dataset has.
  public static func isPath(_ text: String) -> Bool {
    text.contains("/") || [".csv", ".json", ".jsonl"].contains(where: text.hasSuffix)
  }

  /// The objects of JSON lines; `nil` where the first line is no object of its own.
  private static func lines(
    _ body: [UInt8], _ source: String
  ) throws(TrajpackError) -> [(String, JSONValue)]? {
    var out: [(String, JSONValue)] = []
    for (number, line) in body.split(separator: 0x0A, omittingEmptySubsequences: false).enumerated()
    {
      if line.allSatisfy({ [0x20, 0x09, 0x0D].contains($0) }) { continue }
      do throws(TrajpackError) {
        out.append(("line \(number + 1)", try JSONValue(parsing: Array(line))))
      } catch {
        if out.isEmpty { return nil }
        throw TrajpackError(
          .usage, file: source, "line \(number + 1) is no JSON: \(error.message)",
          at: ErrorPlace(line: number + 1, byte: error.inPart(at: line.startIndex).place.byte))
      }
    }
    // A document on one line is none of JSON lines.
    if out.count == 1, out[0].1["clips"] != nil { return nil }
    return out
  }

  private init(_ entries: [(String, JSONValue)], source: String) throws(TrajpackError) {
    var clips: [Clip] = []
    clips.reserveCapacity(entries.count)
    var faults = ClipFaults(source)
    for (place, value) in entries {
      do throws(TrajpackError) {
        clips.append(try Clip(value, place: place))
      } catch { faults.add("\(place) \(error.message)") }
    }
    try faults.check()
    try self.init(clips, source: source)
  }

  /// The list as a document of `schemas/clips.schema.json`.
  public var json: JSONValue {
    .record(["format": .string(Self.format), "clips": .array(clips.map(\.json))])
  }

  /// SHA-256 of what the clips say, whatever file they came from.
  public var digest: String {
    Array(json.text().utf8).withUnsafeBytes { SHA256.of($0) }
  }
}

/// Gathers what is wrong with clips: a sentence each for the first few, and how many there are in all.
package struct ClipFaults {
  private let source: String
  private var sentences: [String] = []
  private var count = 0
  private static let most = 4

  package init(_ source: String) { self.source = source }

  package var isEmpty: Bool { count == 0 }

  package mutating func add(_ sentence: String) {
    count += 1
    if sentences.count < Self.most { sentences.append(sentence) }
  }

  /// - Throws: A usage error where anything was added.
  package func check() throws(TrajpackError) {
    guard count > 0 else { return }
    let more = count - sentences.count
    throw TrajpackError(
      .usage, file: source,
      "" + sentences.joined(separator: ". ")
        + (more > 0 ? ". And \(more) more clips are wrong" : ""))
  }
}
