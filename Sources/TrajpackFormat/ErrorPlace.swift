/// Where an error is, as far as that is known: what programs read beside the sentence.
public struct ErrorPlace: Sendable, Equatable {
  /// A path, as it was given or found; a shard by its name.
  public var file: String?
  /// An id.
  public var episode: String?
  /// A stream of a dataset, or a topic or table of a source.
  public var stream: String?
  /// A channel, without its stream; or a column of a table.
  public var channel: String?
  /// A line of a text file, from 1 on.
  public var line: Int?
  /// A row of a track, table or array, from 0 on.
  public var row: Int?
  /// A byte of the file, from 0 on.
  public var byte: Int?
  /// An option, as the caller spells it: `--rate` on the command line, `rate` in Python.
  public var option: String?

  /// A place of which nothing else is known.
  public init(
    file: String? = nil, episode: String? = nil, stream: String? = nil, channel: String? = nil,
    line: Int? = nil, row: Int? = nil, byte: Int? = nil, option: String? = nil
  ) {
    self.file = file
    self.episode = episode
    self.stream = stream
    self.channel = channel
    self.line = line
    self.row = row
    self.byte = byte
    self.option = option
  }

  /// Whether nothing is known.
  public var isEmpty: Bool { self == ErrorPlace() }

  /// This place, and what `other` knows besides.
  public func completed(by other: ErrorPlace) -> ErrorPlace {
    ErrorPlace(
      file: file ?? other.file, episode: episode ?? other.episode, stream: stream ?? other.stream,
      channel: channel ?? other.channel, line: line ?? other.line, row: row ?? other.row,
      byte: byte ?? other.byte, option: option ?? other.option)
  }

  /// `{"file": ..., "line": ...}`, with the members that are known.
  public var json: JSONValue {
    .record([
      "file": file.map { .string($0) }, "episode": episode.map { .string($0) },
      "stream": stream.map { .string($0) }, "channel": channel.map { .string($0) },
      "line": line.map { .int(Int64($0)) }, "row": row.map { .int(Int64($0)) },
      "byte": byte.map { .int(Int64($0)) }, "option": option.map { .string($0) },
    ])
  }
}
