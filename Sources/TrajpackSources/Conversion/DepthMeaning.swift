import TrajpackFormat
import TrajpackLoader

/// What a user says that samples of depth mean, by the names of streams of video or of channels.
public struct DepthMeaning: Sendable, Equatable {
  private var encodings: [(name: String, encoding: DepthEncoding)] = []

  /// Says nothing.
  public init() {}

  /// Whether nothing is said.
  public var isEmpty: Bool { encodings.isEmpty }

  /// Whether both say the same.
  public static func == (a: Self, b: Self) -> Bool { a.json == b.json }

  /// By name, for the plan's digest; `nil` where nothing is said.
  var json: JSONValue? {
    isEmpty ? nil : .object(encodings.map { .init($0.name, $0.encoding.json) })
  }

  /// Reads what options say: `depth=linear:scale=0.001,units=m,invalid=0`.
  ///
  /// - Throws: A usage error where a word is no such text, or a name is given twice.
  public init(_ words: [String]) throws(TrajpackError) {
    for word in words {
      let parts = word.split(separator: "=", maxSplits: 1).map(String.init)
      guard parts.count == 2, !parts[0].isEmpty else {
        throw TrajpackError(
          .usage,
          "--depth: '\(word)' is not STREAM=ENCODING, as depth=linear:scale=0.001,units=m,invalid=0"
        )
      }
      guard !encodings.contains(where: { $0.name == parts[0] }) else {
        throw TrajpackError(.usage, "--depth: '\(parts[0])' is given twice")
      }
      encodings.append((parts[0], try DepthEncoding(option: parts[1], "--depth \(parts[0])")))
    }
  }

  /// Writes what is said into a schema.
  ///
  /// - Parameter isFirst: Whether it is the schema of the first recordings, which must have all that is named.
  /// - Throws: A usage error where a name is of nothing that can be depth.
  func apply(to schema: inout Schema, isFirst: Bool) throws(TrajpackError) {
    for (name, encoding) in encodings {
      var isFound = false
      for s in schema.streams.indices {
        let stream = schema.streams[s].name
        if stream == name, schema.streams[s].isVideo {
          schema.streams[s].attributes.set(DepthEncoding.member, encoding.json)
          isFound = true
        }
        for c in schema.streams[s].channels.indices
        where "\(stream)/\(schema.streams[s].channels[c].name)" == name {
          try mark(&schema.streams[s].channels[c], name, encoding)
          isFound = true
        }
      }
      guard !isFound, isFirst else { continue }
      var names: [String] = []
      for stream in schema.streams {
        if stream.isVideo { names.append(stream.name) }
        names += stream.channels.filter { $0.kind == .depth }.map { "\(stream.name)/\($0.name)" }
      }
      throw TrajpackError(
        .usage,
        "--depth: the first recordings have no video or channel '\(name)'"
          + Suggestion.text(for: name, among: names))
    }
  }

  private func mark(
    _ channel: inout Channel, _ name: String, _ encoding: DepthEncoding
  ) throws(TrajpackError) {
    guard channel.type != .bytes, channel.type != .bool else {
      throw TrajpackError(
        .usage, "--depth: '\(name)' is \(channel.type.rawValue), which is no depth")
    }
    channel.kind = .depth
    channel.setConvention(DepthEncoding.member, encoding.json)
  }
}
